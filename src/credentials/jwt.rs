//! JSON Web Tokens: whether one is signed by a key, and for us, now (RFC 7519, RFC 7515, RFC 8725).
//!
//! A token chooses nothing but which of the configured keys is tried: the algorithm must be one of the rule
//! and fit the kind of the key, and `jku`, `x5u`, `jwk` and `x5c` are not looked at.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::plan::{Jwt, JwtAlgorithm, JwtKey};

use super::Verifier;

/// The claims of a token.
pub type Claims = Map<String, Value>;

/// The longest token.
const MOST_BYTES: usize = 16 << 10;

/// Why a token is refused. The text is for the client (RFC 6750 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not three parts of base64, or not JSON.
    Malformed,
    /// No algorithm of the rule.
    Algorithm,
    /// It asks for an extension (`crit`).
    Extension,
    /// No key fits it.
    Key,
    /// The signature is wrong.
    Signature,
    /// It has no time at which it ends.
    Endless,
    /// Its time is over.
    Expired,
    /// Its time has not come yet.
    Early,
    /// It is from another issuer.
    Issuer,
    /// It is for others.
    Audience,
}

impl Refused {
    /// A short text without quotes.
    pub fn text(self) -> &'static str {
        match self {
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the algorithm of the token is not allowed",
            Self::Extension => "the token asks for an extension that is not known",
            Self::Key => "no key fits the token",
            Self::Signature => "the signature is wrong",
            Self::Endless => "the token has no exp",
            Self::Expired => "the token has expired",
            Self::Early => "the token is not valid yet",
            Self::Issuer => "the token is from another issuer",
            Self::Audience => "the token is for another audience",
        }
    }
}

/// The claims of `token` if it passes under the terms of `plan` at `now`.
///
/// # Errors
///
/// Why it is refused.
pub fn claims(
    token: &[u8],
    plan: &Jwt,
    verifier: &Verifier,
    now: SystemTime,
) -> Result<Claims, Refused> {
    let token = str::from_utf8(token).map_err(|_| Refused::Malformed)?;
    let mut parts = token.split('.');
    let (Some(head), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refused::Malformed);
    };
    if token.len() > MOST_BYTES {
        return Err(Refused::Malformed);
    }
    let head = object(head)?;
    // RFC 7515 §4.1.11: none is known here.
    if head.contains_key("crit") {
        return Err(Refused::Extension);
    }
    let name = head.get("alg").and_then(Value::as_str);
    let algorithm = name.and_then(JwtAlgorithm::named);
    let algorithm = algorithm.filter(|algorithm| plan.algorithms.contains(algorithm));
    let algorithm = algorithm.ok_or(Refused::Algorithm)?;
    let id = head.get("kid").and_then(Value::as_str);
    let signed = &token.as_bytes()[..token.len() - signature.len() - 1];
    let signature = decoded(signature)?;
    is_signed(signed, &signature, algorithm, id, plan, verifier)?;
    // Nothing of it was looked at before.
    let claims = object(payload)?;
    are_for_us(&claims, plan, now)?;
    Ok(claims)
}

/// Whether `token` is signed by one of `keys`; nothing else of it is looked at. `None`: it is no token.
pub fn is_signed_by(token: &[u8], algorithm: JwtAlgorithm, keys: &[JwtKey]) -> Option<bool> {
    let token = str::from_utf8(token).ok()?;
    let (signed, signature) = token.rsplit_once('.')?;
    if signed.bytes().filter(|byte| *byte == b'.').count() != 1 {
        return None;
    }
    let signature = decoded(signature).ok()?;
    let keys = keys.iter().filter(|key| key.is_for(algorithm));
    let mut keys = keys.map(|key| is_valid(signed.as_bytes(), &signature, algorithm, key));
    Some(keys.any(|is_valid| is_valid))
}

fn decoded(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed)
}

fn object(part: &str) -> Result<Claims, Refused> {
    serde_json::from_slice(&decoded(part)?).map_err(|_| Refused::Malformed)
}

fn is_signed(
    signed: &[u8],
    signature: &[u8],
    algorithm: JwtAlgorithm,
    id: Option<&str>,
    plan: &Jwt,
    verifier: &Verifier,
) -> Result<(), Refused> {
    let mut refused = Refused::Key;
    for key in plan.keys.iter().filter(|key| key.is_for(algorithm)) {
        // A key without a name may be the one that the token names.
        if let (Some(asked), Some(known)) = (id, &key.id)
            && asked != known
        {
            continue;
        }
        let parts = [
            b"token",
            &[algorithm as u8][..],
            &key.bytes,
            signed,
            signature,
        ];
        if verifier.good.has(&parts) {
            return Ok(());
        }
        if is_valid(signed, signature, algorithm, key) {
            verifier.good.add(&parts);
            return Ok(());
        }
        refused = Refused::Signature;
    }
    Err(refused)
}

fn is_valid(signed: &[u8], signature: &[u8], algorithm: JwtAlgorithm, key: &JwtKey) -> bool {
    let by_secret = |algorithm: hmac::Algorithm| {
        let key = hmac::Key::new(algorithm, &key.bytes);
        hmac::verify(&key, signed, signature).is_ok()
    };
    let public: &'static dyn VerificationAlgorithm = match algorithm {
        JwtAlgorithm::Hs256 => return by_secret(hmac::HMAC_SHA256),
        JwtAlgorithm::Hs384 => return by_secret(hmac::HMAC_SHA384),
        JwtAlgorithm::Hs512 => return by_secret(hmac::HMAC_SHA512),
        JwtAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        JwtAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        JwtAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        JwtAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        JwtAlgorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        JwtAlgorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        JwtAlgorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        JwtAlgorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
        JwtAlgorithm::Es512 => &ECDSA_P521_SHA512_FIXED,
        JwtAlgorithm::EdDsa => &ED25519,
    };
    let key = UnparsedPublicKey::new(public, &key.bytes);
    key.verify(signed, signature).is_ok()
}

/// RFC 7519 §4.1.
fn are_for_us(claims: &Claims, plan: &Jwt, now: SystemTime) -> Result<(), Refused> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or(Duration::ZERO).as_secs_f64();
    let leeway = plan.leeway.as_secs_f64();
    match claims.get("exp").map(Value::as_f64) {
        Some(Some(until)) if now < until + leeway => {}
        Some(Some(_)) => return Err(Refused::Expired),
        Some(None) => return Err(Refused::Malformed),
        None => return Err(Refused::Endless),
    }
    match claims.get("nbf").map(Value::as_f64) {
        Some(Some(from)) if now + leeway < from => return Err(Refused::Early),
        Some(None) => return Err(Refused::Malformed),
        _ => {}
    }
    if let Some(issuer) = &plan.issuer
        && claims.get("iss").and_then(Value::as_str) != Some(issuer)
    {
        return Err(Refused::Issuer);
    }
    let is_ours = |one: &Value| {
        let one = one.as_str();
        one.is_some_and(|one| plan.audience.iter().any(|own| own == one))
    };
    let is_for_us = plan.audience.is_empty()
        || match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        };
    is_for_us.then_some(()).ok_or(Refused::Audience)
}

/// The text of the claim with this name, or of one within others: `realm.roles`. A list is joined by commas;
/// `None`: there is none, or it is an object.
pub fn text_of(claims: &Claims, name: &str) -> Option<String> {
    let found = claims.get(name).or_else(|| {
        // A name of its own may have a dot.
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?);
        steps.fold(first, |value, step| value?.get(step))
    })?;
    match found {
        Value::Array(all) => {
            let all: Option<Vec<String>> = all.iter().map(plain_text).collect();
            all.map(|all| all.join(","))
        }
        one => plain_text(one),
    }
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
