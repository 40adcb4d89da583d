//! The protection of connections to a server: none, or TLS.
//!
//! Exchanges, TCP mode and health checks all use this, so that one place ensures that nothing is
//! sent unencrypted that must be encrypted.

use std::sync::Arc;

use http::HeaderValue;
use http::uri::Scheme;
use rustls::pki_types::ServerName;

use crate::base::Address;
use crate::exchange::{Fault, Reason};
use crate::net::Stream;
use crate::plan::Protocol;

use super::tls::{Agreed, Spoken, Tls};

/// The protection of connections to a server.
#[derive(Clone, Debug)]
pub enum Transport {
    /// None.
    Clear,
    /// TLS.
    Tls(Arc<Tls>),
    /// TLS whose files could not be read: each connection fails.
    Unusable,
}

impl Transport {
    /// Whether connections under `other` can be used as if they were under this one.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Clear, Self::Clear) | (Self::Unusable, Self::Unusable) => true,
            (Self::Tls(tls), Self::Tls(other)) => Arc::ptr_eq(tls, other),
            _ => false,
        }
    }

    /// The scheme of requests, for HTTP/2.
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Clear => Scheme::HTTP,
            Self::Tls(_) | Self::Unusable => Scheme::HTTPS,
        }
    }

    /// The SNI for the server `name` at `address` and a request to `host`; `None`: no TLS.
    pub fn name_of(
        &self,
        host: Option<&HeaderValue>,
        name: &str,
        address: &Address,
    ) -> Option<ServerName<'static>> {
        match self {
            Self::Tls(tls) => Some(tls.name_of(host, name, address)),
            Self::Clear | Self::Unusable => None,
        }
    }

    /// Secures `stream` to the server with the SNI `name`, and returns the protocol on it; without
    /// TLS that is `protocol`.
    ///
    /// # Errors
    ///
    /// `server.tls.*`, safe to try again.
    pub async fn secure(
        &self,
        stream: Stream,
        protocol: Protocol,
        name: Option<&ServerName<'static>>,
    ) -> Result<(Stream, Agreed), Fault> {
        match (self, name) {
            (Self::Tls(tls), Some(name)) => tls.secure(stream, name.clone()).await,
            (Self::Clear, _) if protocol == Protocol::Http2 => Ok((stream, Agreed::Http2)),
            (Self::Clear, _) => Ok((stream, Agreed::Http1)),
            // In any other case it fails: nothing that must be encrypted is sent without TLS.
            (Self::Tls(_) | Self::Unusable, _) => Err(unusable()),
        }
    }

    /// The same for a fixed protocol.
    ///
    /// # Errors
    ///
    /// As [`Transport::secure`].
    pub async fn secure_for(
        &self,
        stream: Stream,
        name: Option<&ServerName<'static>>,
        spoken: Spoken,
    ) -> Result<Stream, Fault> {
        match (self, name) {
            (Self::Tls(tls), Some(name)) => tls.secure_for(stream, name.clone(), spoken).await,
            (Self::Clear, _) => Ok(stream),
            (Self::Tls(_) | Self::Unusable, _) => Err(unusable()),
        }
    }
}

fn unusable() -> Fault {
    let text = "the files of its TLS settings were not read";
    Fault::with_text(Reason::ServerTlsHandshake, text.into())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn nothing_is_sent_without_tls_if_its_files_were_not_read() {
        let (for_requests, mut server) = duplex(1000);
        let stream = Stream::Other(Box::new(for_requests));
        let secured = Transport::Unusable.secure(stream, Protocol::Auto, None);
        let fault = secured.await.expect_err("no connection of requests");
        assert_eq!(fault.reason, Reason::ServerTlsHandshake);
        assert_eq!(server.read(&mut [0]).await.ok(), Some(0));
        let (for_tcp, mut server) = duplex(1000);
        let stream = Stream::Other(Box::new(for_tcp));
        let secured = Transport::Unusable.secure_for(stream, None, Spoken::Unknown);
        let fault = secured.await.expect_err("no connection in TCP mode");
        assert_eq!(fault.reason, Reason::ServerTlsHandshake);
        assert_eq!(server.read(&mut [0]).await.ok(), Some(0));
    }
}
