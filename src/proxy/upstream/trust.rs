//! Decides which server certificates are accepted in a handshake.
//!
//! rustls verifies certificates that an authority has signed (webpki). Behind a balancer, servers
//! mostly have one from `openssl req -x509`: self-signed, often with CA:TRUE, of version 1, or with
//! the name in the common name alone. webpki accepts none of these. If the operator has given
//! exactly that certificate, it is trusted as HAProxy (`ca-file`) and nginx
//! (`proxy_ssl_trusted_certificate`) trust it: nothing needs to have signed it, and its dates are
//! still checked. So is its name: in the subject alternative names, or in the common name if it has
//! none of these. HAProxy does not check the name by default; with a certificate that many servers
//! have, such as a wildcard, that is a hole.
//!
//! With `fingerprint` only the certificate counts.
//!
//! In each case the server proves that it has the key.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use crate::base::Fingerprint;
use crate::plan::ServerTls;

use super::tls::Trusted;

/// The verifier that rustls calls for a server's certificate.
///
/// # Errors
///
/// `verify_name` is not a valid name.
pub(super) fn verifier(
    plan: &ServerTls,
    trusted: Trusted,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let name = plan.verify_name.clone().map(ServerName::try_from);
    let name = name.transpose();
    let name = name.map_err(|_| Error::General("`verify_name` is no name of a host".to_owned()))?;
    let accepted = match trusted {
        Trusted::All => Accepted::All,
        Trusted::These(fingerprints) => Accepted::These(fingerprints),
        Trusted::Signed {
            roots,
            certificates,
        } => {
            let authorities =
                match roots.is_empty() {
                    true => None,
                    false => {
                        let provider = Arc::clone(provider);
                        let built =
                            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
                        Some(built.build().map_err(|_| {
                            Error::General("the authorities cannot be used".to_owned())
                        })?)
                    }
                };
            Accepted::Signed {
                authorities,
                certificates,
            }
        }
    };
    Ok(Arc::new(Verifier {
        accepted,
        name,
        algorithms: provider.signature_verification_algorithms,
    }))
}

#[derive(Debug)]
struct Verifier {
    accepted: Accepted,
    /// The name that certificates must have; `None`: the SNI.
    name: Option<ServerName<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// [`Trusted`], prepared for verification.
#[derive(Debug)]
enum Accepted {
    All,
    Signed {
        /// `None`: there are none.
        authorities: Option<Arc<WebPkiServerVerifier>>,
        certificates: Vec<Fingerprint>,
    },
    These(Vec<Fingerprint>),
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        asked_for: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_among = |known: &[Fingerprint]| {
            !known.is_empty() && known.contains(&Fingerprint::of(end_entity))
        };
        let name = self.name.as_ref().unwrap_or(asked_for);
        match &self.accepted {
            Accepted::All => Ok(ServerCertVerified::assertion()),
            Accepted::These(known) if is_among(known) => Ok(ServerCertVerified::assertion()),
            Accepted::These(_) => Err(Error::General(format!(
                "the server shows another certificate than `fingerprint` names: its fingerprint is {}",
                Fingerprint::of(end_entity)
            ))),
            Accepted::Signed { certificates, .. } if is_among(certificates) => {
                accept_itself(end_entity, name, now)
            }
            Accepted::Signed { authorities, .. } => match authorities {
                None => Err(CertificateError::UnknownIssuer.into()),
                Some(authorities) => authorities.verify_server_cert(
                    end_entity,
                    intermediates,
                    name,
                    ocsp_response,
                    now,
                ),
            },
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_v3(certificate) {
            return crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms);
        }
        verify_tls12_by_key(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_v3(certificate) {
            return crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms);
        }
        let key = public_key(certificate)?;
        crypto::verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Accepts a certificate that the operator has given, if it is valid `now` and for `name`.
fn accept_itself(
    der: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let certificate = parsed(der)?;
    let seconds = |time: x509_parser::time::ASN1Time| {
        let since = std::time::Duration::from_secs(time.timestamp().max(0).unsigned_abs());
        UnixTime::since_unix_epoch(since)
    };
    let validity = certificate.validity();
    let (not_before, not_after) = (seconds(validity.not_before), seconds(validity.not_after));
    if now < not_before {
        let time = now;
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if now > not_after {
        let time = now;
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    let has_names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .is_some();
    if has_names {
        verify_server_name(&ParsedCertificate::try_from(der)?, name)?;
        return Ok(ServerCertVerified::assertion());
    }
    let mut common_names = certificate.subject().iter_common_name();
    let is_named =
        common_names.any(|common| common.as_str().is_ok_and(|common| names(common, name)));
    match is_named {
        true => Ok(ServerCertVerified::assertion()),
        false => Err(CertificateError::NotValidForNameContext {
            expected: name.to_owned(),
            presented: certificate
                .subject()
                .iter_common_name()
                .filter_map(|common| common.as_str().ok().map(ToOwned::to_owned))
                .collect(),
        }
        .into()),
    }
}

/// Whether the common name `common` covers `wanted`; a `*` covers the first label (RFC 9525 §6.3).
fn names(common: &str, wanted: &ServerName<'_>) -> bool {
    let wanted = wanted.to_str();
    if common.eq_ignore_ascii_case(&wanted) {
        return true;
    }
    let parents = common.strip_prefix("*.").zip(wanted.split_once('.'));
    parents.is_some_and(|(pattern, (_, parent))| {
        pattern.contains('.') && pattern.eq_ignore_ascii_case(parent)
    })
}

/// Verifies the signature of a TLS 1.2 server by the key in its certificate. The scheme leaves the
/// curve open there, so each possible algorithm is tried.
fn verify_tls12_by_key(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = public_key(certificate)?;
    let key = webpki::RawPublicKeyEntity::try_from(&key);
    let key = key.map_err(|_| CertificateError::BadEncoding)?;
    let possible = algorithms.mapping.iter();
    let possible = possible.filter(|(scheme, _)| *scheme == signed.scheme);
    let is_good = possible
        .flat_map(|(_, algorithms)| algorithms.iter())
        .any(|algorithm| {
            key.verify_signature(*algorithm, message, signed.signature())
                .is_ok()
        });
    match is_good {
        true => Ok(HandshakeSignatureValid::assertion()),
        false => Err(CertificateError::BadSignature.into()),
    }
}

fn is_v3(der: &CertificateDer<'_>) -> bool {
    parsed(der).is_ok_and(|certificate| certificate.version() == X509Version::V3)
}

fn public_key(der: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    Ok(parsed(der)?.public_key().raw.to_vec().into())
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let parsed = X509Certificate::from_der(der.as_ref());
    parsed
        .map(|(_, certificate)| certificate)
        .map_err(|_| CertificateError::BadEncoding.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
        SupportedProtocolVersion, version,
    };

    use super::*;

    /// Of version 1, as `openssl x509 -req -signkey` makes them; for `v1.test`, for a hundred years.
    const OLD: &str = "\
-----BEGIN CERTIFICATE-----
MIIBITCBxwIUBedvQI91u6OmferQ3Sr8wKlK5cYwCgYIKoZIzj0EAwIwEjEQMA4G
A1UEAwwHdjEudGVzdDAgFw0yNjExMzAwMzQwMTBaGA8yMTI2MTEwNjAzNDAxMFow
EjEQMA4GA1UEAwwHdjEudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABL2U
kmX6Y0DA1S/YGEjLGhRw4K1mng4Y4Qi+dE89x7tRW7rqfmxLiKFjHLPZLmzeR5zI
pau5Mndbn8V6zon6keowCgYIKoZIzj0EAwIDSQAwRgIhAJmjIxJ97s9OsMAIYlBM
6Rs4SYv9wBq62Ad0A4rgPqVZAiEArgzML6FZ9csJCQtJSxe6atXN5DcgqPhkXz8S
clQiiW4=
-----END CERTIFICATE-----
";

    const KEY_OF_OLD: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgEIVxvIKLcI0Kx8+b
S1xKoOJrs3EHfTA+wRfzb+pk8YehRANCAAS9lJJl+mNAwNUv2BhIyxoUcOCtZp4O
GOEIvnRPPce7UVu66n5sS4ihYxyz2S5s3kecyKWruTJ3W5/Fes6J+pHq
-----END PRIVATE KEY-----
";

    /// A server with the old certificate, which rustls by itself does not load.
    fn old_server(version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let chain = vec![CertificateDer::from_pem_slice(OLD.as_bytes()).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(KEY_OF_OLD.as_bytes()).expect("a key");
        let key = provider.key_provider.load_private_key(key).expect("a key");
        let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version");
        let builder = builder.with_no_client_auth();
        Arc::new(builder.with_cert_resolver(Arc::new(shown)))
    }

    /// Does a handshake with a server that has the old certificate.
    fn shake_hands(
        version: &'static SupportedProtocolVersion,
        trusted: Trusted,
        name: &str,
    ) -> Result<(), Error> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let plan = ServerTls {
            trust: crate::plan::Trust::System,
            sni: crate::plan::Sni::Host,
            verify_name: None,
            identity: None,
            at: crate::base::Position::built_in(),
        };
        let verifier = verifier(&plan, trusted, &provider).expect("a verifier");
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("rules");
        let mut server = ServerConnection::new(old_server(version)).expect("rules");
        while client.is_handshaking() || server.is_handshaking() {
            let mut flight = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut flight).expect("room");
            }
            let mut bytes = flight.as_slice();
            while !bytes.is_empty() {
                server.read_tls(&mut bytes).expect("bytes");
                server.process_new_packets().expect("a good client");
            }
            let mut flight = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut flight).expect("room");
            }
            let mut bytes = flight.as_slice();
            while !bytes.is_empty() {
                client.read_tls(&mut bytes).expect("bytes");
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_configured_certificate_of_version_1_is_trusted() {
        let old = CertificateDer::from_pem_slice(OLD.as_bytes()).expect("a certificate");
        let signed = |certificates| Trusted::Signed {
            roots: RootCertStore::empty(),
            certificates,
        };
        let given = || vec![Fingerprint::of(&old)];
        for version in [&version::TLS12, &version::TLS13] {
            shake_hands(version, signed(given()), "v1.test").expect("it is given");
            shake_hands(version, Trusted::These(given()), "x.test").expect("it is named");
            shake_hands(version, Trusted::All, "x.test").expect("any is");
            let other = shake_hands(version, signed(given()), "x.test");
            other.expect_err("the name counts");
            let refused = shake_hands(version, signed(Vec::new()), "v1.test");
            refused.expect_err("it was not given");
        }
    }

    #[test]
    fn without_the_key_the_certificate_is_worth_nothing() {
        let old = CertificateDer::from_pem_slice(OLD.as_bytes()).expect("a certificate");
        let key = public_key(&old).expect("a key");
        let key = webpki::RawPublicKeyEntity::try_from(&key).expect("a key");
        let algorithms = crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        for algorithm in algorithms.all {
            assert!(
                key.verify_signature(*algorithm, b"message", b"signature")
                    .is_err()
            );
        }
    }

    /// A self-signed certificate, valid from 2020 to 2021.
    fn certificate(common: &str, names: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        let san = |name: &&str| SanType::DnsName((*name).try_into().expect("ASCII"));
        params.subject_alt_names = names.iter().map(san).collect();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        let key = KeyPair::generate().expect("a key");
        params
            .self_signed(&key)
            .expect("a certificate")
            .der()
            .clone()
    }

    fn in_year(year: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(
            (year - 1970) * 31_557_600 + 86_400 * 30,
        ))
    }

    fn is_for(der: &CertificateDer<'_>, name: &str) -> bool {
        let name = ServerName::try_from(name).expect("a name");
        accept_itself(der, &name, in_year(2020)).is_ok()
    }

    #[test]
    fn the_common_name_counts_when_there_is_no_other() {
        let common = certificate("App.test", &[]);
        assert!(is_for(&common, "app.test"));
        assert!(!is_for(&common, "a.app.test"));
        let both = certificate("app.test", &["other.test"]);
        assert!(is_for(&both, "other.test"));
        assert!(!is_for(&both, "app.test"), "it has names of its own");
        let wildcard = certificate("*.app.test", &[]);
        assert!(is_for(&wildcard, "a.app.test"));
        assert!(!is_for(&wildcard, "a.b.app.test"));
        assert!(!is_for(&certificate("*.test", &[]), "app.test"));
        assert!(is_for(&certificate("127.0.0.1", &[]), "127.0.0.1"));
    }

    #[test]
    fn dates_count_for_a_configured_certificate() {
        let given = certificate("app.test", &[]);
        let name = ServerName::try_from("app.test").expect("a name");
        let at = |year| accept_itself(&given, &name, in_year(year));
        assert!(at(2020).is_ok());
        for (year, expected) in [(2019, "not valid"), (2021, "expired")] {
            let error = at(year).expect_err("not now");
            let message = crate::net::tls_error(&error, crate::net::TlsPeer::Server);
            assert!(message.contains(expected), "{message}");
        }
    }
}
