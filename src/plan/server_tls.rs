//! TLS towards servers: which certificates are trusted, and for which name.

use crate::base::{Fingerprint, Position};
use crate::plan::FileAt;

/// `[backend.NAME.tls]`, or `tls` of a server or of checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// The certificates that are trusted.
    pub trust: Trust,
    /// The name in the handshake (SNI).
    pub sni: Sni,
    /// The name that the certificate must have; `None`: that of SNI.
    pub verify_name: Option<String>,
    /// Our certificate for a server that requests one.
    pub identity: Option<Identity>,
    /// Where it is written.
    pub at: Position,
}

/// The certificates that are trusted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Those that the system trusts.
    System,
    /// Certificates that are signed by the authorities in these files, or are themselves in the
    /// files.
    Authorities(Vec<FileAt>),
    /// Only these certificates, whatever is in them: neither name nor validity are checked.
    Fingerprints(Vec<Fingerprint>),
    /// Any certificate.
    Anyone,
}

/// The name in the handshake (SNI).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sni {
    /// The request's host.
    #[default]
    Host,
    /// The server's `name`.
    Server,
    /// Always this one.
    Fixed(String),
    /// None.
    Off,
}

/// Our own certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The chain, our own certificate first.
    pub certificate: FileAt,
    /// `None`: in the same file, or in one beside it that ends in `.key`.
    pub key: Option<FileAt>,
}
