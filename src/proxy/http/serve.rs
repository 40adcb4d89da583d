//! Finds the version of HTTP of a client connection, and serves it.
//!
//! With TLS both sides have agreed on it (ALPN). Without TLS the first bytes show it: a client that
//! uses HTTP/2 begins with its preface (RFC 9113 §3.3), with which no HTTP/1 request can begin.
//! They are waited for as long as a head is.

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::base::clock;
use crate::exchange::{ClientTls, Reason};
use crate::net::Stream;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::context::Context;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::{Timer, logged_line};
use crate::proxy::run::Run;
use crate::wire::preface::{Version, is_another_protocol, version};

use super::client::{Client, ConnectionInfo};
use super::idle::{LineEnds, Woken, bytes_or};
use super::{h1, h2};

/// The meaning of the first bytes.
enum Spoken {
    H1(Bytes),
    H2(Bytes),
    /// Nothing that can be answered.
    Nothing,
}

/// Serves a connection described by `info` until it ends; `registration` is its own.
pub fn serve(
    stream: Stream,
    info: ConnectionInfo,
    live: Arc<Frontend>,
    context: Rc<Context>,
    registration: Registration,
) -> Run {
    let client = Rc::new(Client::new(context, info, live));
    let timer = Timer::new();
    match client.tls.as_deref().map(agreed) {
        Some(Version::H1) => h1::serve(stream, Bytes::new(), client, registration, timer),
        Some(Version::H2) => over_h2(stream, Bytes::new(), client, registration, timer),
        None => Run::new(speak(stream, client, registration, timer)),
    }
}

/// Waits until the version of a client without TLS is known, and serves it.
async fn speak(
    mut stream: Stream,
    client: Rc<Client>,
    registration: Registration,
    mut timer: Timer,
) -> Option<Run> {
    match first_bytes(&mut stream, &client, &registration, &mut timer).await {
        Spoken::H1(prefix) => Some(h1::serve(stream, prefix, client, registration, timer)),
        Spoken::H2(prefix) => Some(over_h2(stream, prefix, client, registration, timer)),
        Spoken::Nothing => None,
    }
}

fn over_h2(
    stream: Stream,
    prefix: Bytes,
    client: Rc<Client>,
    registration: Registration,
    timer: Timer,
) -> Run {
    Run::last(async move { h2::serve(stream, prefix, client, &registration, timer).await })
}

/// The version that was negotiated. Without a result it is HTTP/1: an HTTP/2 client must offer it
/// by ALPN (RFC 9113 §3.2).
fn agreed(tls: &ClientTls) -> Version {
    match tls.alpn.as_deref() {
        Some("h2") => Version::H2,
        _ => Version::H1,
    }
}

/// Waits until the first bytes show the version.
async fn first_bytes(
    stream: &mut Stream,
    client: &Client,
    registration: &Registration,
    timer: &mut Timer,
) -> Spoken {
    let may_speak_h2 = client.with_plan(|plan| plan.http2.enabled);
    if may_speak_h2 != Some(true) {
        return Spoken::H1(Bytes::new());
    }
    let began = clock::now();
    let until = began + client.timeouts().head;
    let mut seen = BytesMut::new();
    loop {
        let line_ends = if seen.is_empty() {
            LineEnds::BeforeRequest
        } else {
            LineEnds::WithinRequest
        };
        // A client that has connected gets an answer: a drain does not end this, only an abort.
        let bytes = bytes_or(
            Shutdown::Abort,
            line_ends,
            stream,
            until,
            registration,
            timer,
        )
        .await;
        let Woken::Bytes(bytes) = bytes else {
            if !seen.is_empty() {
                let left = clock::now() < until;
                let reason = if left {
                    Reason::ClientLeft
                } else {
                    Reason::RequestHeadTimeout
                };
                client.refuse(reason, 0, Some(began), None, logged_line(&seen));
            }
            return Spoken::Nothing;
        };
        // Nearly always all needed bytes come at once, and are not copied again.
        let bytes = if seen.is_empty() {
            bytes
        } else {
            seen.extend_from_slice(&bytes);
            seen.split().freeze()
        };
        match version(&bytes) {
            Some(Version::H1) if is_another_protocol(&bytes) => {
                let line = logged_line(&bytes);
                client.refuse(Reason::RequestHeadMalformed, 0, Some(began), None, line);
                return Spoken::Nothing;
            }
            Some(Version::H1) => return Spoken::H1(bytes),
            Some(Version::H2) => return Spoken::H2(bytes),
            None => seen.extend_from_slice(&bytes),
        }
    }
}
