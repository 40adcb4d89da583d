//! Which version of HTTP a client connection speaks, and who serves it.
//!
//! Over TLS both sides have agreed on it (ALPN). In the clear the first bytes say so: a client that
//! knows that we speak HTTP/2 begins with its preface (RFC 9113 §3.3), which no request of HTTP/1
//! can begin with. They are waited for as long as a head is.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::base::clock;
use crate::exchange::Reason;
use crate::net::Stream;
use crate::proxy::context::Context;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::Timer;
use crate::proxy::roll::{Entry, Order};

use super::client::Client;
use super::rest::{Woken, bytes_or};
use super::{h1, h2};

/// What a connection of HTTP/2 begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes say.
enum Spoken {
    H1(Bytes),
    H2(Bytes),
    /// It ended before it had said anything.
    Nothing,
}

/// Serves the connection of `peer` until it ends.
pub async fn serve(
    mut stream: Stream,
    peer: SocketAddr,
    live: Arc<Frontend>,
    context: Rc<Context>,
) {
    let entry = context.roll.enter(Arc::clone(&live));
    let client = Rc::new(Client::new(context, peer, live));
    let mut timer = Timer::new();
    match first_bytes(&mut stream, &client, &entry, &mut timer).await {
        Spoken::H1(prefix) => h1::serve(stream, prefix, client, &entry, timer).await,
        // Boxed: connections of HTTP/1, which are many and idle, do not carry the room for it.
        Spoken::H2(prefix) => Box::pin(h2::serve(stream, prefix, client, &entry, timer)).await,
        Spoken::Nothing => {}
    }
}

/// Waits until it can be told what the client speaks.
async fn first_bytes(
    stream: &mut Stream,
    client: &Client,
    entry: &Entry,
    timer: &mut Timer,
) -> Spoken {
    let may_speak_h2 = client.with_plan(|plan| plan.http2.enabled);
    if may_speak_h2 != Some(true) {
        return Spoken::H1(Bytes::new());
    }
    let began = clock::now();
    let until = began + client.timeouts.get().head;
    let mut seen = BytesMut::new();
    loop {
        // Whoever has connected has been promised an answer: only the end of all ends this.
        let Woken::Bytes(bytes) = bytes_or(Order::Break, stream, until, entry, timer).await else {
            if !seen.is_empty() {
                let left = clock::now() < until;
                let reason = if left {
                    Reason::ClientLeft
                } else {
                    Reason::RequestHeadTimeout
                };
                client.refuse(reason, 0, Some(began), None);
            }
            return Spoken::Nothing;
        };
        if seen.is_empty() && !PREFACE.starts_with(&bytes[..bytes.len().min(PREFACE.len())]) {
            return Spoken::H1(bytes);
        }
        seen.extend_from_slice(&bytes);
        let compared = seen.len().min(PREFACE.len());
        if seen[..compared] != PREFACE[..compared] {
            return Spoken::H1(seen.freeze());
        }
        if compared == PREFACE.len() {
            return Spoken::H2(seen.freeze());
        }
    }
}
