//! The reason of a failed handshake, in the labels of metrics.

use rustls::{Error, PeerIncompatible};

use crate::net::HandshakeFault;
use crate::observe::HandshakeFailure;

/// The label under which the failure of a client's handshake is counted.
pub(crate) fn failure_of(fault: &HandshakeFault) -> HandshakeFailure {
    match fault {
        HandshakeFault::Connection(_) => HandshakeFailure::Closed,
        HandshakeFault::Tls(error) => of_tls(error),
    }
}

fn of_tls(error: &Error) -> HandshakeFailure {
    match error {
        Error::AlertReceived(_) => HandshakeFailure::Refused,
        Error::NoCertificatesPresented => HandshakeFailure::NoClientCertificate,
        Error::InvalidCertificate(_) | Error::InvalidCertRevocationList(_) => {
            HandshakeFailure::BadClientCertificate
        }
        Error::NoApplicationProtocol => HandshakeFailure::Protocol,
        Error::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => HandshakeFailure::Version,
        // rustls reports this if the resolver yields no certificate.
        Error::PeerIncompatible(_) | Error::General(_) => HandshakeFailure::NothingInCommon,
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord
        | Error::DecryptError => HandshakeFailure::Misbehaved,
        _ => HandshakeFailure::Internal,
    }
}
