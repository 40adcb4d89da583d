//! `jwt`: tokens that pass, and the keys that sign them.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;
use serde_json::Value;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::base::Position;

/// `jwt = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Jwt {
    /// `file`: the file with the keys, as it is written. `None`: the key is `secret`.
    pub file: Option<String>,
    /// Whether the secret is from a secret file, and is not shown.
    pub is_secret: bool,
    /// The keys.
    pub keys: Vec<JwtKey>,
    /// The algorithms that a token may have.
    pub algorithms: Vec<JwtAlgorithm>,
    /// The claim `iss`; `None`: it is not looked at.
    pub issuer: Option<String>,
    /// Of which the claim `aud` must have one; empty: it is not looked at.
    pub audience: Vec<String>,
    /// How much clocks may differ.
    pub leeway: Duration,
    /// Request fields, each with the claim that becomes its value. Those of the client are removed.
    pub claims: Vec<(HeaderName, String)>,
    /// Where it is written.
    pub at: Position,
}

/// A key that signatures are verified with.
#[derive(Clone, PartialEq)]
pub struct JwtKey {
    /// Its name; a token may name the key that it is signed with.
    pub id: Option<String>,
    /// The only algorithm that it is for; `None`: all those of its kind.
    pub only: Option<JwtAlgorithm>,
    /// What it is. An algorithm belongs to one kind: a public key is never taken for a secret.
    pub kind: KeyKind,
    /// The secret; an RSA key as PKCS #1 has it; a point of a curve; 32 bytes of Ed25519.
    pub bytes: Vec<u8>,
}

/// The kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A shared secret.
    Secret,
    /// RSA, of 2048 bits at least.
    Rsa,
    /// The curve P-256.
    P256,
    /// The curve P-384.
    P384,
    /// The curve P-521.
    P521,
    /// The curve Ed25519.
    Ed25519,
}

macro_rules! algorithms {
    ($($id:ident = $name:literal, $kind:ident;)+) => {
        /// The algorithms of signatures (RFC 7518 §3.1, RFC 8037 §3.1). `none` is not one of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum JwtAlgorithm {
            $(#[doc = $name] $id,)+
        }

        impl JwtAlgorithm {
            /// All of them, each with its name.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($name, Self::$id)),+];

            /// The kind of its keys.
            pub fn kind(self) -> KeyKind {
                match self {
                    $(Self::$id => KeyKind::$kind,)+
                }
            }
        }
    };
}

algorithms! {
    Hs256 = "HS256", Secret;
    Hs384 = "HS384", Secret;
    Hs512 = "HS512", Secret;
    Rs256 = "RS256", Rsa;
    Rs384 = "RS384", Rsa;
    Rs512 = "RS512", Rsa;
    Ps256 = "PS256", Rsa;
    Ps384 = "PS384", Rsa;
    Ps512 = "PS512", Rsa;
    Es256 = "ES256", P256;
    Es384 = "ES384", P384;
    Es512 = "ES512", P521;
    EdDsa = "EdDSA", Ed25519;
}

impl JwtAlgorithm {
    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(known, _)| *known == name).map(|(_, one)| *one)
    }
}

/// Why keys cannot be read.
pub type NoKeys = String;

/// The shortest secret (RFC 7518 §3.2), that of HS256.
const LEAST_SECRET_BYTES: usize = 32;
/// RFC 7518 §3.3.
const LEAST_RSA_BITS: usize = 2048;
/// The most keys of a file: a token without the name of its key is tried with each.
pub const MOST_JWT_KEYS: usize = 32;

impl JwtKey {
    /// The key `secret`.
    ///
    /// # Errors
    ///
    /// It is too short.
    pub fn of_secret(secret: &[u8]) -> Result<Self, NoKeys> {
        if secret.len() < LEAST_SECRET_BYTES {
            let length = secret.len();
            return Err(format!(
                "a secret has {LEAST_SECRET_BYTES} bytes at least, and this one has {length} (RFC 7518 §3.2)"
            ));
        }
        Ok(Self::of(KeyKind::Secret, secret.to_vec()))
    }

    /// The keys in a file: PEM, or a JSON Web Key Set.
    ///
    /// # Errors
    ///
    /// There is no key in it, or one that cannot be used.
    pub fn all_of(content: &[u8]) -> Result<Vec<Self>, NoKeys> {
        let keys = match content.trim_ascii_start().first() {
            Some(b'{') => of_json(content)?,
            _ => of_pem(content)?,
        };
        match keys.len() {
            0 => Err("it has no key for signatures".to_owned()),
            count if count > MOST_JWT_KEYS => {
                Err(format!("it has {count} keys, and may have {MOST_JWT_KEYS}"))
            }
            _ => Ok(keys),
        }
    }

    /// Whether signatures by `algorithm` are verified with it.
    pub fn is_for(&self, algorithm: JwtAlgorithm) -> bool {
        let is_long_enough = match algorithm {
            JwtAlgorithm::Hs384 => self.bytes.len() >= 48,
            JwtAlgorithm::Hs512 => self.bytes.len() >= 64,
            _ => true,
        };
        algorithm.kind() == self.kind
            && self.only.is_none_or(|only| only == algorithm)
            && is_long_enough
    }

    fn of(kind: KeyKind, bytes: Vec<u8>) -> Self {
        Self {
            id: None,
            only: None,
            kind,
            bytes,
        }
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwtKey({:?})", self.kind)
    }
}

fn of_pem(content: &[u8]) -> Result<Vec<JwtKey>, NoKeys> {
    let mut keys = Vec::new();
    for pem in Pem::iter_from_buffer(content) {
        let pem = pem.map_err(|_| "it is neither PEM nor a JSON Web Key Set".to_owned())?;
        let found = match pem.label.as_str() {
            "PUBLIC KEY" => SubjectPublicKeyInfo::from_der(&pem.contents)
                .ok()
                .map(|(_, key)| of_spki(&key)),
            "CERTIFICATE" => X509Certificate::from_der(&pem.contents)
                .ok()
                .map(|(_, certificate)| of_spki(&certificate.tbs_certificate.subject_pki)),
            label if label.ends_with("PRIVATE KEY") => {
                return Err(
                    "it has a private key, which the signer alone must have; write the public key: `openssl pkey -in key.pem -pubout`"
                        .to_owned(),
                );
            }
            label => return Err(format!("it has a {label}, and not a PUBLIC KEY")),
        };
        keys.push(found.ok_or("a key in it is damaged")??);
    }
    Ok(keys)
}

fn of_spki(key: &SubjectPublicKeyInfo<'_>) -> Result<JwtKey, NoKeys> {
    let bytes = key.subject_public_key.data.to_vec();
    let parameters = key.algorithm.parameters.as_ref();
    let curve = parameters.and_then(|parameters| parameters.as_oid().ok());
    let curve = curve.map(|curve| curve.to_id_string());
    let kind = match (
        key.algorithm.algorithm.to_id_string().as_str(),
        curve.as_deref(),
    ) {
        ("1.2.840.113549.1.1.1", _) => {
            let bits = match key.parsed() {
                Ok(PublicKey::RSA(rsa)) => rsa.key_size(),
                _ => return Err("a key in it is damaged".to_owned()),
            };
            is_long_enough(bits)?;
            KeyKind::Rsa
        }
        ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => KeyKind::P256,
        ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => KeyKind::P384,
        ("1.2.840.10045.2.1", Some("1.3.132.0.35")) => KeyKind::P521,
        ("1.3.101.112", _) => KeyKind::Ed25519,
        _ => {
            return Err(
                "it has a key of a kind that is not known: RSA, P-256, P-384, P-521 and Ed25519 are"
                    .to_owned(),
            );
        }
    };
    Ok(JwtKey::of(kind, bytes))
}

fn is_long_enough(bits: usize) -> Result<(), NoKeys> {
    match bits >= LEAST_RSA_BITS {
        true => Ok(()),
        false => Err(format!(
            "it has an RSA key of {bits} bits, and {LEAST_RSA_BITS} are the least (RFC 7518 §3.3)"
        )),
    }
}

/// RFC 7517 §5. Keys of a kind that is not known, and those that are not for signatures, are left out: a set
/// may have keys for others.
fn of_json(content: &[u8]) -> Result<Vec<JwtKey>, NoKeys> {
    let json: Value =
        serde_json::from_slice(content).map_err(|error| format!("it is no JSON: {error}"))?;
    let Some(keys) = json.get("keys").and_then(Value::as_array) else {
        return Err("it has no list `keys`: it is no JSON Web Key Set".to_owned());
    };
    let keys = keys.iter().filter_map(|key| of_jwk(key).transpose());
    keys.collect()
}

/// `None`: the key is for others.
fn of_jwk(key: &Value) -> Result<Option<JwtKey>, NoKeys> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let id = text("kid").map(str::to_owned);
    let bytes = |name: &str| {
        let of_key = id.as_deref().unwrap_or("without `kid`");
        let decoded = text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        decoded.ok_or_else(|| format!("the member `{name}` of the key {of_key} is damaged"))
    };
    let operations = key.get("key_ops").and_then(Value::as_array);
    let verifies = |operations: &Vec<Value>| operations.iter().any(|one| one == "verify");
    if text("use").is_some_and(|purpose| purpose != "sig")
        || operations.is_some_and(|operations| !verifies(operations))
    {
        return Ok(None);
    }
    let only = match text("alg").map(JwtAlgorithm::named) {
        // For an algorithm of others.
        Some(None) => return Ok(None),
        Some(only) => only,
        None => None,
    };
    let curve = |kind, length: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        match x.len() == length && y.len() == length {
            // Uncompressed (SEC 1 §2.3.3).
            true => Ok((kind, [&[4][..], &x, &y].concat())),
            false => Err("a point in it is damaged".to_owned()),
        }
    };
    let (kind, bytes) = match (text("kty"), text("crv")) {
        (Some("oct"), _) => {
            let secret = JwtKey::of_secret(&bytes("k")?)?;
            (KeyKind::Secret, secret.bytes)
        }
        (Some("RSA"), _) => {
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            is_long_enough((modulus.len() - zeros) * 8)?;
            (KeyKind::Rsa, rsa_of(&modulus, &exponent))
        }
        (Some("EC"), Some("P-256")) => curve(KeyKind::P256, 32)?,
        (Some("EC"), Some("P-384")) => curve(KeyKind::P384, 48)?,
        (Some("EC"), Some("P-521")) => curve(KeyKind::P521, 66)?,
        (Some("OKP"), Some("Ed25519")) => (KeyKind::Ed25519, bytes("x")?),
        _ => return Ok(None),
    };
    Ok(Some(JwtKey {
        id,
        only,
        kind,
        bytes,
    }))
}

/// The key as PKCS #1 has it (RFC 8017 §A.1.1): a sequence of two integers in DER.
fn rsa_of(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = &bytes[zeros..];
        // Another zero, where the first bit would mean a negative number.
        let zero: &[u8] = match bytes.first() {
            Some(first) if *first < 0x80 => &[],
            _ => &[0],
        };
        der(2, &[zero, bytes].concat())
    };
    der(0x30, &[integer(modulus), integer(exponent)].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = &length[zeros.min(length.len() - 1)..];
    let mut encoded = vec![tag];
    if content.len() >= 0x80 {
        encoded.push(0x80 | length.len() as u8);
    }
    encoded.extend_from_slice(length);
    encoded.extend_from_slice(content);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_for_signatures_are_left_out_and_damaged_ones_refused() {
        let ed25519 =
            r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        let set = |keys: &str| JwtKey::all_of(format!("{{\"keys\":[{keys}]}}").as_bytes());
        let keys = set(&format!(
            r#"{{{ed25519},"kid":"a"}}, {{{ed25519},"use":"enc"}}, {{{ed25519},"key_ops":["sign"]}},
               {{{ed25519},"alg":"ECDH-ES"}}, {{"kty":"OKP","crv":"X25519","x":"AA"}}"#
        ))
        .expect("a key");
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].id.as_deref(), Some("a"));
        assert_eq!(keys[0].kind, KeyKind::Ed25519);
        for (keys, said) in [
            ("", "no key for signatures"),
            (r#"{"kty":"oct","k":"AAAA"}"#, "32 bytes at least"),
            (
                r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
                "2048 are the least",
            ),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"!"}"#, "is damaged"),
            (
                r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
                "is damaged",
            ),
        ] {
            let refused = set(keys).expect_err(keys);
            assert!(refused.contains(said), "{keys}: {refused}");
        }
        for (content, said) in [
            ("{}", "no list `keys`"),
            ("{", "no JSON"),
            ("text", "no key"),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "private key",
            ),
        ] {
            let refused = JwtKey::all_of(content.as_bytes()).expect_err(content);
            assert!(refused.contains(said), "{content}: {refused}");
        }
    }
}
