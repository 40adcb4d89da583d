//! The meaning of a TLS error, in a sentence, and the setting to change, if there is one.
//!
//! rustls and webpki name their errors for programmers (`Other(OtherError(CaUsedAsEndEntity))`).
//! These names reach no log, `/status` or `check`: all messages with such an error use this file.

use std::io;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{
    AlertDescription, CertRevocationListError, CertificateError, Error, InconsistentKeys,
    InvalidMessage, OtherError, PeerIncompatible,
};

/// The peer that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPeer {
    /// A client: under the frontend's rules.
    Client,
    /// A server: under the backend's rules.
    Server,
}

/// The kind of a read error that means: the server does not accept our certificate, or requires
/// one. No other read from a connected socket yields it.
///
/// In TLS 1.3 the handshake is over for us before the server has looked at our certificate (RFC 8446 §4.4.2):
/// its alert comes where its first bytes should.
pub const CERTIFICATE_REFUSED: io::ErrorKind = io::ErrorKind::ConnectionRefused;

/// `error` of a read from a server over TLS; if it means that our certificate was refused, with the
/// kind [`CERTIFICATE_REFUSED`].
#[cold]
pub(super) fn with_refusal(error: io::Error) -> io::Error {
    let inner = error.get_ref();
    let inner = inner.and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(inner @ Error::AlertReceived(alert)) if is_about_certificate(*alert) => {
            io::Error::new(CERTIFICATE_REFUSED, tls_error(inner, TlsPeer::Server))
        }
        _ => error,
    }
}

fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

/// The meaning of `error`.
pub fn tls_error(error: &Error, peer: TlsPeer) -> String {
    let name = match peer {
        TlsPeer::Client => "client",
        TlsPeer::Server => "server",
    };
    match error {
        Error::InvalidCertificate(error) => certificate_error(error, peer),
        Error::InvalidCertRevocationList(error) => revocation_list_error(error).to_owned(),
        Error::NoCertificatesPresented => format!("the {name} shows no certificate"),
        Error::AlertReceived(alert) => alert_text(*alert, name),
        Error::PeerIncompatible(why) => incompatible(why, name).to_owned(),
        Error::NoApplicationProtocol => {
            format!("the {name} offers no protocol that is spoken here (ALPN)")
        }
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => format!("the {name} does not speak TLS"),
        Error::InvalidMessage(_) => format!("the {name} sent a malformed message"),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            format!("the {name} sent a message of TLS that does not belong there")
        }
        Error::PeerMisbehaved(_) => format!("the {name} broke the rules of TLS"),
        Error::DecryptError => format!("what the {name} sent could not be decrypted"),
        Error::PeerSentOversizedRecord => format!("the {name} sent a record that is too long"),
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the private key is not that of the certificate".to_owned()
        }
        Error::InconsistentKeys(_) => {
            "the private key cannot be compared with the certificate".to_owned()
        }
        Error::FailedToGetCurrentTime => "the system's clock cannot be read".to_owned(),
        Error::FailedToGetRandomBytes => "the system gives no randomness".to_owned(),
        Error::EncryptError => "what was to be sent could not be encrypted".to_owned(),
        Error::HandshakeNotComplete => "the handshake is not over".to_owned(),
        // Our own words: see `proxy::upstream::trust`.
        Error::General(text) if peer == TlsPeer::Server => text.clone(),
        // rustls reports this if there is no certificate for the client's algorithms.
        Error::General(_) if peer == TlsPeer::Client => {
            "no certificate is there for what the client supports".to_owned()
        }
        _ => format!("TLS with the {name} failed"),
    }
}

/// The fault of a certificate.
fn certificate_error(error: &CertificateError, peer: TlsPeer) -> String {
    let whose = match peer {
        TlsPeer::Client => "the client's certificate",
        TlsPeer::Server => "the server's certificate",
    };
    match error {
        CertificateError::Expired => format!("{whose} has expired"),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("{whose} has expired {} ago", span(*not_after, *time))
        }
        CertificateError::NotValidYet => format!("{whose} is not valid yet"),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "{whose} is not valid for another {}; is a clock wrong?",
            span(*time, *not_before)
        ),
        CertificateError::Revoked => format!("{whose} was revoked"),
        CertificateError::BadEncoding => format!("{whose} cannot be parsed"),
        CertificateError::BadSignature => format!("the signature on {whose} is wrong"),
        CertificateError::UnhandledCriticalExtension => {
            format!("{whose} has a critical extension that is not supported")
        }
        CertificateError::UnknownIssuer => match peer {
            TlsPeer::Client => format!("{whose} is signed by no CA of `ca`"),
            TlsPeer::Server => format!(
                "{whose} is signed by no CA that is trusted here: write `ca = \"/path/to/ca.pem\"` \
                 with the CA, or with the certificate itself"
            ),
        },
        CertificateError::UnknownRevocationStatus => {
            format!("no list in `crl` says whether {whose} was revoked; every CA needs one")
        }
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            "the list of revoked certificates has expired".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            format!("{whose} is signed in a way that is not supported, such as by SHA-1")
        }
        CertificateError::NotValidForName => format!("{whose} is for another name"),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            let names: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            match names.is_empty() {
                true => format!(
                    "{whose} is not for `{expected}`: it has no subject alternative name, and the \
                     common name does not count; renew it with one, or write `ca` with the \
                     certificate itself"
                ),
                false => format!(
                    "{whose} is not for `{expected}` but for `{}`; `sni` is the name that is asked for, \
                     `verify_name` the one that the certificate must have",
                    shortened(&names).join("`, `")
                ),
            }
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            let purpose = match peer {
                TlsPeer::Client => "clients",
                TlsPeer::Server => "servers",
            };
            format!("{whose} is not meant for {purpose} (extended key usage)")
        }
        CertificateError::Other(OtherError(other)) => match other.downcast_ref::<webpki::Error>() {
            Some(error) => webpki_error(error, whose, peer),
            None => format!("{whose} is not accepted"),
        },
        _ => format!("{whose} is not accepted"),
    }
}

/// The meaning of a webpki error that rustls passes on.
fn webpki_error(error: &webpki::Error, whose: &str, peer: TlsPeer) -> String {
    use webpki::Error;
    let trusting = match peer {
        TlsPeer::Client => "",
        TlsPeer::Server => {
            "; to trust it, write `ca` with exactly this certificate, or its `fingerprint`"
        }
    };
    match error {
        Error::CaUsedAsEndEntity => format!(
            "{whose} is a CA certificate (CA:TRUE), as `openssl req -x509` makes them{trusting}"
        ),
        Error::UnsupportedCertVersion => {
            format!("{whose} is of an old version of X.509, not of version 3{trusting}")
        }
        Error::EndEntityUsedAsCa => {
            format!("a certificate in the chain of {whose} must not sign others (CA:FALSE)")
        }
        Error::PathLenConstraintViolated => {
            format!("the chain of {whose} is longer than one of its CAs allows")
        }
        Error::NameConstraintViolation => {
            format!("a CA in the chain of {whose} must not sign for its name")
        }
        Error::MaximumSignatureChecksExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => {
            format!("the chain of {whose} is too long or too tangled to be verified")
        }
        Error::SignatureAlgorithmMismatch => {
            format!("{whose} contradicts itself about how it is signed")
        }
        Error::IssuerNotCrlSigner => {
            format!("a CA of {whose} must not sign lists of revoked certificates")
        }
        _ => format!("{whose} or one in its chain is malformed"),
    }
}

/// The fault of a revocation list.
fn revocation_list_error(error: &CertRevocationListError) -> &'static str {
    match error {
        CertRevocationListError::BadSignature => {
            "the signature on the list of revoked certificates is wrong"
        }
        CertRevocationListError::ParseError => "the list of revoked certificates cannot be parsed",
        CertRevocationListError::IssuerInvalidForCrl => {
            "the CA must not sign lists of revoked certificates"
        }
        CertRevocationListError::UnsupportedDeltaCrl => {
            "the list of revoked certificates is only what has changed (delta); a whole list is needed"
        }
        CertRevocationListError::UnsupportedIndirectCrl => {
            "the list of revoked certificates is of several CAs (indirect); write one list for each"
        }
        CertRevocationListError::UnsupportedCrlVersion => {
            "the list of revoked certificates is not of version 2"
        }
        CertRevocationListError::UnsupportedCriticalExtension => {
            "the list of revoked certificates has a critical extension that is not supported"
        }
        CertRevocationListError::UnsupportedSignatureAlgorithmContext { .. }
        | CertRevocationListError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the list of revoked certificates is signed in a way that is not supported"
        }
        _ => "the list of revoked certificates is malformed",
    }
}

/// Why client and server, which both speak TLS, have nothing in common.
fn incompatible(why: &PeerIncompatible, name: &str) -> String {
    match why {
        PeerIncompatible::NoCipherSuitesInCommon => {
            format!("the {name} supports none of our cipher suites")
        }
        PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NamedGroupsExtensionRequired
        | PeerIncompatible::KeyShareExtensionRequired => {
            format!("the {name} supports none of our key exchanges")
        }
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => {
            format!("the {name} supports none of our signatures")
        }
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => {
            format!("the {name} speaks only a version of TLS that is too old")
        }
        _ => format!("the {name} does not support what is needed of TLS"),
    }
}

/// The meaning of the alert with which the other side ended the handshake (RFC 8446 §6).
fn alert_text(alert: AlertDescription, name: &str) -> String {
    let why = match alert {
        AlertDescription::HandshakeFailure => "it found nothing in common (handshake_failure)",
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "it wants a certificate of ours (certificate_required): write `certificate`"
        }
        AlertDescription::UnknownCA => "it does not trust the CA of our certificate (unknown_ca)",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => "it does not accept our certificate",
        AlertDescription::CertificateExpired => "our certificate has expired, it says",
        AlertDescription::CertificateRevoked => "our certificate was revoked, it says",
        AlertDescription::AccessDenied => "it denies access to our certificate (access_denied)",
        AlertDescription::ProtocolVersion => {
            "it supports no version of TLS that is spoken here (protocol_version)"
        }
        AlertDescription::InsufficientSecurity => {
            "it wants stronger cryptography (insufficient_security)"
        }
        AlertDescription::UnrecognisedName => {
            "it has no certificate for the name that was asked for (unrecognized_name): see `sni`"
        }
        AlertDescription::NoApplicationProtocol => {
            "it speaks no protocol that was offered (no_application_protocol)"
        }
        AlertDescription::InternalError => "it had an internal error (internal_error)",
        AlertDescription::UserCanceled | AlertDescription::CloseNotify => "it gave up",
        AlertDescription::DecryptError | AlertDescription::BadRecordMac => {
            "it could not decrypt or verify what it got"
        }
        _ => return format!("the {name} ended the handshake: it found our messages wrong"),
    };
    format!("the {name} ended the handshake: {why}")
}

/// The name in rustls' form `DnsName("a.test")`.
fn bare_name(shown: &str) -> &str {
    let inside = shown.split_once('(').map_or(shown, |(_, inside)| inside);
    let inside = inside.strip_suffix(')').unwrap_or(inside);
    inside.trim_matches('"')
}

/// The first few of many names: certificates may have hundreds.
fn shortened<'a>(names: &[&'a str]) -> Vec<&'a str> {
    const SHOWN: usize = 5;
    let mut shown: Vec<&str> = names.iter().take(SHOWN).copied().collect();
    if names.len() > SHOWN {
        shown.push("…");
    }
    shown
}

/// The time between two moments, in the largest suitable unit.
fn span(from: UnixTime, to: UnixTime) -> String {
    let seconds = Duration::from_secs(to.as_secs().saturating_sub(from.as_secs())).as_secs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{InvalidMessage, PeerMisbehaved};

    use super::*;

    fn certificate(error: CertificateError) -> String {
        tls_error(&Error::InvalidCertificate(error), TlsPeer::Server)
    }

    fn passed_on(error: webpki::Error) -> String {
        certificate(CertificateError::Other(OtherError(Arc::new(error))))
    }

    #[test]
    fn each_certificate_error_has_a_message_with_help() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400));
        let expired = CertificateError::ExpiredContext {
            time: at(10),
            not_after: at(7),
        };
        assert_eq!(
            certificate(expired),
            "the server's certificate has expired 3 days ago"
        );
        let early = CertificateError::NotValidYetContext {
            time: at(1),
            not_before: at(2),
        };
        assert!(certificate(early).contains("for another 24 hours; is a clock wrong?"));
        let other = |presented: &[&str]| {
            certificate(CertificateError::NotValidForNameContext {
                expected: ServerName::try_from("app.test").expect("a name"),
                presented: presented.iter().map(ToString::to_string).collect(),
            })
        };
        let named = other(&["DnsName(\"a.test\")", "IpAddress(127.0.0.1)"]);
        assert!(
            named.contains("not for `app.test` but for `a.test`, `127.0.0.1`"),
            "{named}"
        );
        assert!(other(&[]).contains("no subject alternative name"));
        let unknown = certificate(CertificateError::UnknownIssuer);
        assert!(unknown.contains("write `ca = "), "{unknown}");
        let authority = passed_on(webpki::Error::CaUsedAsEndEntity);
        assert!(authority.contains("(CA:TRUE)"), "{authority}");
        assert!(authority.contains("its `fingerprint`"), "{authority}");
        assert!(passed_on(webpki::Error::UnsupportedCertVersion).contains("old version of X.509"));
    }

    #[test]
    fn no_error_shows_the_words_of_a_library() {
        let errors = [
            Error::InvalidCertificate(CertificateError::BadEncoding),
            Error::InvalidCertificate(CertificateError::BadSignature),
            Error::InvalidCertificate(CertificateError::InvalidPurpose),
            Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(
                std::io::Error::other("CamelCase(1)"),
            )))),
            Error::InvalidCertRevocationList(CertRevocationListError::ParseError),
            Error::InvalidMessage(InvalidMessage::InvalidContentType),
            Error::InvalidMessage(InvalidMessage::MissingKeyExchange),
            Error::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments),
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            Error::PeerIncompatible(PeerIncompatible::NullCompressionRequired),
            Error::AlertReceived(AlertDescription::UnknownCA),
            Error::AlertReceived(AlertDescription::CertificateRequired),
            Error::AlertReceived(AlertDescription::IllegalParameter),
            Error::AlertReceived(AlertDescription::Unknown(200)),
            Error::Other(OtherError(Arc::new(std::io::Error::other("CamelCase(1)")))),
            Error::DecryptError,
            Error::NoApplicationProtocol,
            Error::BadMaxFragmentSize,
        ];
        let webpki = [
            webpki::Error::CaUsedAsEndEntity,
            webpki::Error::EndEntityUsedAsCa,
            webpki::Error::PathLenConstraintViolated,
            webpki::Error::NameConstraintViolation,
            webpki::Error::MaximumSignatureChecksExceeded,
            webpki::Error::MalformedExtensions,
            webpki::Error::ExtensionValueInvalid,
            webpki::Error::IssuerNotCrlSigner,
            webpki::Error::SignatureAlgorithmMismatch,
        ];
        let webpki = webpki.map(|error| {
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
        });
        for error in errors.iter().chain(&webpki) {
            for peer in [TlsPeer::Client, TlsPeer::Server] {
                let said = tls_error(error, peer);
                let debug = format!("{error:?}");
                let names = debug.split(|c: char| !c.is_alphanumeric());
                // Names of variants, not words of a sentence.
                let is_name = |word: &&str| word.chars().filter(|c| c.is_uppercase()).count() > 1;
                for name in names.filter(is_name).filter(|name| *name != "CA") {
                    assert!(!said.contains(name), "{said}: {debug}");
                }
            }
        }
    }
}
