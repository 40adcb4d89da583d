//! Opens connections to servers.

use std::io;

use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;

use crate::base::Address;
use crate::exchange::{Fault, Reason};
use crate::net::{Claim, Dialer, Network, Stream, is_shortage};

use super::h1::H1Connection;
use super::h2;
use super::settings::Settings;
use super::tls::{Agreed, Spoken};

/// The purpose of a connection, which decides how its descriptor is counted.
#[derive(Clone, Copy)]
pub(crate) enum Opener<'a> {
    /// An exchange: the descriptor is one of those for connections to servers, under the claim of
    /// its client connection.
    Exchange(&'a Dialer, Claim),
    /// A health check: the descriptor comes from the reserve, because servers are checked also
    /// while exchanges have all others. The number of running checks is bounded.
    Check(&'a Network),
}

impl Opener<'_> {
    async fn connect(self, address: &Address) -> io::Result<Stream> {
        match self {
            Self::Exchange(dialer, claim) => dialer.connect(address, claim).await,
            Self::Check(network) => network.connect(address).await,
        }
    }
}

/// A connection that has just been opened.
pub(super) enum NewConnection {
    Http1(H1Connection),
    Http2(Box<h2::NewH2Connection>),
}

/// Opens a connection to the server at `address` and sends `preamble` first; with TLS, `name` is
/// the SNI.
///
/// # Errors
///
/// `server.connect.*` and `server.tls.*`, all of them safe to try again.
pub(super) async fn open(
    opener: Opener<'_>,
    address: &Address,
    preamble: &[u8],
    settings: &Settings,
    name: Option<&ServerName<'static>>,
) -> Result<NewConnection, Fault> {
    let stream = dial(opener, address, preamble).await?;
    let securing = settings
        .transport
        .secure(stream, settings.plan.protocol, name);
    let (stream, agreed) = securing.await?;
    Ok(match agreed {
        Agreed::Http1 => NewConnection::Http1(H1Connection::over(stream, settings)),
        Agreed::Http2 => {
            NewConnection::Http2(Box::new(h2::NewH2Connection::over(stream, settings).await?))
        }
    })
}

/// The same for an HTTP/1 connection, also if the server has HTTP/2 without extended CONNECT.
///
/// # Errors
///
/// As [`open`].
pub(super) async fn open_http1(
    opener: Opener<'_>,
    address: &Address,
    preamble: &[u8],
    settings: &Settings,
    name: Option<&ServerName<'static>>,
) -> Result<H1Connection, Fault> {
    let stream = dial(opener, address, preamble).await?;
    let securing = settings.transport.secure_for(stream, name, Spoken::Http1);
    Ok(H1Connection::over(securing.await?, settings))
}

/// Opens a connection to the server at `address` and sends `preamble`, nothing else.
///
/// # Errors
///
/// `server.connect.*`, all of them safe to try again, and `proxy.descriptors`.
pub(crate) async fn dial(
    opener: Opener<'_>,
    address: &Address,
    preamble: &[u8],
) -> Result<Stream, Fault> {
    let mut stream = opener
        .connect(address)
        .await
        .map_err(|error| Fault::io(reason_of(&error), error))?;
    if !preamble.is_empty() {
        // A new socket has room for it: this does not wait.
        let written = stream.write_all(preamble).await;
        written.map_err(|error| Fault::io(Reason::ServerConnectFailed, error))?;
    }
    Ok(stream)
}

fn reason_of(error: &io::Error) -> Reason {
    if is_shortage(error) {
        return Reason::ProxyDescriptors;
    }
    match error.kind() {
        // A Unix socket without a file has no listener either.
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Reason::ServerConnectRefused,
        io::ErrorKind::TimedOut => Reason::ServerConnectTimeout,
        _ => Reason::ServerConnectFailed,
    }
}
