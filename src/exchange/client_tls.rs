//! What is known of a client's TLS connection, for the log, for routes and for servers.

use crate::base::TlsVersion;

/// What the handshake with a client came to.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// The protocol's version.
    pub version: TlsVersion,
    /// The cipher suite, by its name at IANA.
    pub cipher: &'static str,
    /// The name that the client asked for (SNI), in lower case.
    pub server_name: Option<Box<str>>,
    /// The protocol that was agreed on by ALPN.
    pub alpn: Option<Box<str>>,
    /// What the client showed, and was verified; `None`: it showed nothing.
    pub certificate: Option<ClientCertificate>,
}

/// A client's certificate, as text that may stand in a field: visible ASCII and spaces, everything
/// else and `%` as escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// RFC 4514.
    pub subject: String,
    /// The first common name in it; empty: it has none.
    pub common_name: String,
    /// `DNS:a.example,URI:spiffe://b`; empty: it has none.
    pub sans: String,
    /// Hexadecimal digits.
    pub serial: String,
    /// The SHA-256 of the whole, in hexadecimal digits.
    pub fingerprint: String,
}
