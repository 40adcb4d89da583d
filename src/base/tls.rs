//! Words of TLS, for whoever sets, agrees on or reports something of it.

/// A version of TLS; there is no older one here (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl TlsVersion {
    /// As the configuration, logs and metrics write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}

/// Where the keys of a connection come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsKeys {
    /// From a full handshake.
    Fresh,
    /// From an earlier session.
    Resumed,
}
