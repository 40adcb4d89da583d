//! How a connection to a server comes about.

use std::io;

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

/// Opens a connection to the server at `address`.
///
/// # Errors
///
/// `server.connect.*`, all of them safe to try again.
pub(super) async fn open(
    network: &Network,
    address: &Address,
    settings: &Settings,
) -> Result<Opened, Fault> {
    let stream = dial(network, address).await?;
    match settings.plan.protocol {
        Protocol::Http2 => {
            let new = h2::New::over(stream, settings).await?;
            Ok(Opened::Http2(Box::new(new)))
        }
        Protocol::Auto | Protocol::Http1 => over_http1(stream, settings).await,
    }
}

/// Opens a connection to the server at `address` over which nothing has been said.
///
/// # Errors
///
/// `server.connect.*`, all of them safe to try again.
pub async fn dial(network: &Network, address: &Address) -> Result<Stream, Fault> {
    let connected = network.connect(address).await;
    connected.map_err(|error| Fault::io(reason_of(&error), error))
}

async fn over_http1(stream: Stream, settings: &Settings) -> Result<Opened, Fault> {
    let connection = Connection::over(stream, settings).await?;
    Ok(Opened::Http1(Box::new(connection)))
}

fn reason_of(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Reason::ServerConnectRefused,
        io::ErrorKind::TimedOut => Reason::ServerConnectTimeout,
        _ => Reason::ServerConnectFailed,
    }
}
