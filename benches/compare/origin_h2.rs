//! A second origin: HTTP/2 without TLS, on two addresses.
//!
//! By the h2 crate, so it costs far more than `origin`: in the cell that needs it the load's core
//! is the busy one, and the proxy's processor time for each request counts. It answers `/tiny`.

use std::io;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use http::{Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};

use crate::edge::client::block_on;

/// The most streams that a proxy may open on one connection: the usual number.
const MAX_STREAMS: u32 = 100;

/// Prints `port port` and serves until the process is ended.
pub(crate) fn run() -> io::Result<()> {
    block_on(async {
        let first = TcpListener::bind("127.0.0.1:0").await?;
        let second = TcpListener::bind("127.0.0.1:0").await?;
        println!(
            "{} {}",
            first.local_addr()?.port(),
            second.local_addr()?.port()
        );
        tokio::select! {
            never = accept(first) => never,
            never = accept(second) => never,
        }
    })
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // An error is the end of a proxy that was stopped.
        tokio::task::spawn_local(async { serve(stream).await.ok() });
    }
}

async fn serve(stream: TcpStream) -> Result<(), h2::Error> {
    let mut connection = Builder::new()
        .max_concurrent_streams(MAX_STREAMS)
        .handshake(stream)
        .await?;
    while let Some(exchange) = connection.accept().await {
        let (request, respond) = exchange?;
        // The proxy may have reset the stream; the connection continues.
        answer(&request, respond).ok();
    }
    Ok(())
}

fn answer<B>(request: &Request<B>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let (status, body) = match request.uri().path() {
        "/tiny" => (StatusCode::OK, Bytes::from_static(b"xx")),
        _ => (StatusCode::NOT_FOUND, Bytes::new()),
    };
    // The same fields as the other origin's.
    let mut response = Response::new(());
    *response.status_mut() = status;
    let fields = response.headers_mut();
    for (name, value) in [
        ("server", "origin"),
        ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("content-type", "text/plain"),
    ] {
        fields.insert(name, http::HeaderValue::from_static(value));
    }
    fields.insert("content-length", body.len().into());
    respond
        .send_response(response, false)?
        .send_data(body, true)
}
