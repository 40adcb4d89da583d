//! TLS towards servers: which certificates are trusted, and for which name.

use crate::base::{Fingerprint, Position};
use crate::plan::FileAt;

/// `[backend.NAME.tls]`, or `tls` of a server or of checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// Whose certificates are believed.
    pub trust: Trust,
    /// The name that is asked for (SNI).
    pub sni: Sni,
    /// The name that the certificate must have; `None`: the one that is asked for.
    pub verify_name: Option<String>,
    /// What we show a server that wants to know who we are.
    pub identity: Option<Identity>,
    /// Where it is written.
    pub at: Position,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Those that the system believes.
    System,
    /// Those signed by the authorities in these files, and those that stand in the files themselves.
    Authorities(Vec<FileAt>),
    /// These and no others, whatever stands in them: neither name nor dates are checked.
    Fingerprints(Vec<Fingerprint>),
    /// Any certificate.
    Anyone,
}

/// The name that is asked for.
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

/// A certificate of ours and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The chain, our own certificate first.
    pub certificate: FileAt,
    /// `None`: it stands in the same file, or in one beside it that ends in `.key`.
    pub key: Option<FileAt>,
}
