//! The measured requests: the smallest possible one, for each protocol of the client.

use clap::ValueEnum;

/// A GET with an answer of 2 bytes; the server speaks HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cell {
    /// HTTP/1.1
    Tiny,
    /// HTTP/2 in the clear, 8 streams at a time
    H2Tiny,
    /// HTTP/1.1 over TLS 1.3
    TlsTiny,
    /// HTTP/2 over TLS 1.3, 8 streams at a time
    TlsH2Tiny,
}

impl Cell {
    pub(crate) const ALL: [Self; 4] = [Self::Tiny, Self::H2Tiny, Self::TlsTiny, Self::TlsH2Tiny];

    /// Its name on the command line and in `figures.toml`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::H2Tiny => "h2-tiny",
            Self::TlsTiny => "tls-tiny",
            Self::TlsH2Tiny => "tls-h2-tiny",
        }
    }

    pub(crate) fn is_h2(self) -> bool {
        matches!(self, Self::H2Tiny | Self::TlsH2Tiny)
    }

    pub(crate) fn has_tls(self) -> bool {
        matches!(self, Self::TlsTiny | Self::TlsH2Tiny)
    }
}
