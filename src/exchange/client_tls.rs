//! The facts of a client's TLS connection, for the log, for routes and for servers.

use std::sync::Arc;

use rustls::sign::CertifiedKey;

use crate::base::{TlsKeys, TlsVersion};

/// The result of the handshake with a client.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// The protocol's version.
    pub version: TlsVersion,
    /// Whether the client resumed a session.
    pub keys: TlsKeys,
    /// The cipher suite, by its name at IANA.
    pub cipher: &'static str,
    /// The name that the client asked for (SNI), in lower case.
    pub server_name: Option<Box<str>>,
    /// The ALPN protocol that was negotiated.
    pub alpn: Option<Box<str>>,
    /// The client's certificate, which was verified; `None`: it sent none.
    pub certificate: Option<ClientCertificate>,
    /// The certificate that belongs to the name that the client asked for. A client that resumes a
    /// session may have been shown another one.
    pub shown: Option<Arc<CertifiedKey>>,
}

/// A client's certificate, as text for a field: visible ASCII and spaces, everything else and `%`
/// as escapes.
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
    /// The whole, in DER.
    pub der: Box<[u8]>,
}
