//! How a connection to a server comes about.

use std::io;

use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;

use crate::base::Address;
use crate::exchange::{Fault, Reason};
use crate::net::{Claim, Dialer, Stream, is_shortage};
use crate::plan::Protocol;

use super::h1::H1Connection;
use super::h2;
use super::settings::{Encrypted, Settings};
use super::tls::{Agreed, Spoken};

/// A connection that has just been opened.
pub(super) enum NewConnection {
    Http1(Box<H1Connection>),
    Http2(Box<h2::NewH2Connection>),
}

/// Opens a connection to the server at `address` and says `preamble` before anything else; under TLS it
/// is asked by `name`.
///
/// # Errors
///
/// `server.connect.*` and `server.tls.*`, all of them safe to try again.
pub(super) async fn open(
    dialer: &Dialer,
    claim: Claim,
    address: &Address,
    preamble: &[u8],
    settings: &Settings,
    name: Option<&ServerName<'static>>,
) -> Result<NewConnection, Fault> {
    let stream = dial(dialer, claim, address, preamble).await?;
    let (stream, agreed) = match (&settings.tls, name) {
        (Some(tls), Some(name)) => tls.secure(stream, name.clone()).await?,
        // Nothing that was meant to be secret goes in the clear, whatever else is amiss.
        _ if settings.plan.encrypted == Encrypted::Yes => {
            return Err(Fault::new(Reason::ServerTlsHandshake));
        }
        _ if settings.plan.protocol == Protocol::Http2 => (stream, Agreed::Http2),
        _ => (stream, Agreed::Http1),
    };
    Ok(match agreed {
        Agreed::Http1 => {
            NewConnection::Http1(Box::new(H1Connection::over(stream, settings).await?))
        }
        Agreed::Http2 => {
            NewConnection::Http2(Box::new(h2::NewH2Connection::over(stream, settings).await?))
        }
    })
}

/// The same for a connection of HTTP/1, whatever else the server can: it does not let a stream of HTTP/2
/// go on in another protocol.
///
/// # Errors
///
/// As [`open`].
pub(super) async fn open_http1(
    dialer: &Dialer,
    claim: Claim,
    address: &Address,
    preamble: &[u8],
    settings: &Settings,
    name: Option<&ServerName<'static>>,
) -> Result<H1Connection, Fault> {
    let stream = dial(dialer, claim, address, preamble).await?;
    let stream = match (&settings.tls, name) {
        (Some(tls), Some(name)) => tls.secure_for(stream, name.clone(), Spoken::Http1).await?,
        _ if settings.plan.encrypted == Encrypted::Yes => {
            return Err(Fault::new(Reason::ServerTlsHandshake));
        }
        _ => stream,
    };
    H1Connection::over(stream, settings).await
}

/// Opens a connection to the server at `address` on which nothing but `preamble` has been said.
///
/// # Errors
///
/// `server.connect.*`, all of them safe to try again, and `proxy.descriptors`.
pub(crate) async fn dial(
    dialer: &Dialer,
    claim: Claim,
    address: &Address,
    preamble: &[u8],
) -> Result<Stream, Fault> {
    let mut stream = dialer
        .connect(address, claim)
        .await
        .map_err(|error| Fault::io(reason_of(&error), error))?;
    if !preamble.is_empty() {
        // A fresh socket has room for it: this does not wait.
        let said = stream.write_all(preamble).await;
        said.map_err(|error| Fault::io(Reason::ServerConnectFailed, error))?;
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
