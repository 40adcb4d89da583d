//! How a connection to a server comes about.

use std::io;

use tokio::io::AsyncWriteExt;

use crate::base::Address;
use crate::exchange::{Fault, Reason};
use crate::net::{Network, Stream};
use crate::plan::Protocol;

use super::h1::Connection;
use super::h2;
use super::settings::Settings;

/// A connection that has just been opened.
pub(super) enum Opened {
    Http1(Box<Connection>),
    Http2(Box<h2::New>),
}

/// Opens a connection to the server at `address` and says `preamble` before anything else.
///
/// # Errors
///
/// `server.connect.*`, all of them safe to try again.
pub(super) async fn open(
    network: &Network,
    address: &Address,
    preamble: &[u8],
    settings: &Settings,
) -> Result<Opened, Fault> {
    let stream = dial(network, address, preamble).await?;
    match settings.plan.protocol {
        Protocol::Http2 => {
            let new = h2::New::over(stream, settings).await?;
            Ok(Opened::Http2(Box::new(new)))
        }
        Protocol::Auto | Protocol::Http1 => over_http1(stream, settings).await,
    }
}

/// Opens a connection to the server at `address` on which nothing but `preamble` has been said.
///
/// # Errors
///
/// `server.connect.*`, all of them safe to try again.
pub async fn dial(network: &Network, address: &Address, preamble: &[u8]) -> Result<Stream, Fault> {
    let mut stream = network
        .connect(address)
        .await
        .map_err(|error| Fault::io(reason_of(&error), error))?;
    if !preamble.is_empty() {
        // A fresh socket has room for it: this does not wait.
        let said = stream.write_all(preamble).await;
        said.map_err(|error| Fault::io(Reason::ServerConnectFailed, error))?;
    }
    Ok(stream)
}

async fn over_http1(stream: Stream, settings: &Settings) -> Result<Opened, Fault> {
    let connection = Connection::over(stream, settings).await?;
    Ok(Opened::Http1(Box::new(connection)))
}

fn reason_of(error: &io::Error) -> Reason {
    match error.kind() {
        // Without a file for it, nobody listens on a Unix socket either.
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Reason::ServerConnectRefused,
        io::ErrorKind::TimedOut => Reason::ServerConnectTimeout,
        _ => Reason::ServerConnectFailed,
    }
}
