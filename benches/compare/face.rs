//! The protocols of a proxy on its two sides, and which proxies have them.
//!
//! `settings` writes them into configuration files, `edge` and `compare` choose them.

use std::path::{Path, PathBuf};

use crate::proxies::Proxy;
use crate::rules::{Coding, Rules};

/// The protocol of a port, and that to the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// HTTP/1.1 without TLS on both sides.
    Plain,
    /// TLS with HTTP/1.1 and HTTP/2 by ALPN; HTTP/1.1 to the servers.
    Tls(Key),
    /// HTTP/2 without TLS, with prior knowledge; HTTP/1.1 to the servers.
    H2,
    /// The same, to servers whose sockets take few bytes that are not read.
    H2Narrow,
    /// HTTP/2 in the clear on both sides.
    H2Both,
    /// `Plain`, with WebSockets allowed.
    Upgrades,
    /// `Plain`, with rules.
    Rules(Rules),
    /// Bytes.
    Tcp,
}

/// The server's key, and the certificate with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// P-256.
    Ecdsa,
    /// 2,048 bits.
    Rsa,
}

impl Key {
    pub(crate) const ALL: [Self; 2] = [Self::Ecdsa, Self::Rsa];

    /// One PEM file with both, which all three proxies take.
    pub(crate) fn file(self, dir: &Path) -> PathBuf {
        dir.join(match self {
            Self::Ecdsa => "ecdsa.pem",
            Self::Rsa => "rsa.pem",
        })
    }
}

impl Face {
    /// Why `proxy` has no row for this face.
    pub(crate) fn is_beyond(self, proxy: Proxy) -> Option<&'static str> {
        match (proxy, self) {
            (Proxy::HaproxySplice | Proxy::RelaySplice, Self::Tcp) => None,
            (Proxy::HaproxySplice | Proxy::RelaySplice, _) => Some("is for TCP mode"),
            (Proxy::Nginx, Self::H2Both) => Some("speaks no HTTP/2 to servers"),
            (Proxy::Haproxy | Proxy::Nginx, Self::Rules(Rules::Compression(coding))) => {
                match (proxy, coding) {
                    (Proxy::Haproxy, Coding::Gzip(1)) | (Proxy::Nginx, Coding::Gzip(_)) => None,
                    (Proxy::Haproxy, Coding::Gzip(_)) => {
                        Some("has one level of gzip in Debian's build")
                    }
                    _ => Some("has no such coding in Debian's build"),
                }
            }
            (Proxy::Relay, Self::Rules(_)) => Some("has no rules"),
            (Proxy::Relay, Self::Tls(_)) => Some("speaks no TLS"),
            (Proxy::Relay, Self::H2 | Self::H2Narrow | Self::H2Both) => Some("speaks no HTTP/2"),
            _ => None,
        }
    }
}
