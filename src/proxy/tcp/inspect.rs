//! Rules for content: reads the first bytes of a connection until a rule decides.
//!
//! `serve` calls this in TCP mode, `listen` before the first request. The rules are evaluated again when
//! bytes arrive, beginning with the one that could not be decided, until one of them ends all, none is
//! left, or the time is over: then what has come is all that they get (HAProxy's `tcp-request content`
//! and `inspect-delay`). The bytes are handed on unchanged.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::address::Ends;
use crate::base::clock;
use crate::exchange::{ClientTls, RequestId};
use crate::expr::{Content, Hello, Seen};
use crate::net::Stream;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::context::Context;
use crate::proxy::io::Timer;
use crate::proxy::rules::{ConnectionFlow, ConnectionScope, Stop};
use crate::proxy::snapshot::Snapshot;
use crate::wire::client_hello::{ClientHello, First, peek};
use crate::wire::h1::request_head::begins_request;

use super::earlier::Earlier;

/// The most bytes that the rules get, as in HAProxy (`tune.bufsize`).
const MOST_BYTES: usize = 16 << 10;

/// Bytes that are read at a time: most clients send all of it in one packet or two.
const PIECE_BYTES: usize = 4 << 10;

/// What the rules for content made of a connection.
pub(crate) struct Inspected {
    /// How it goes on; `None`: the client has left, or all connections are aborted.
    pub(crate) stop: Option<Stop>,
    /// The bytes that were read.
    pub(crate) bytes: Bytes,
}

/// What is known of the first bytes.
pub(super) struct Known {
    hello: Seen<ClientHello>,
    http: Seen<()>,
}

/// What a wait for bytes has brought.
enum More {
    /// Some.
    Some,
    /// None, and no more come: the client has sent all, or the time is over.
    End,
    /// None now.
    NotNow,
    /// The connection is over.
    Over,
}

impl Known {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            hello: match peek(bytes) {
                Ok(None) => Seen::NotYet,
                Ok(Some(First::Tls(hello))) => Seen::Yes(hello),
                Ok(Some(First::NotTls)) | Err(_) => Seen::No,
            },
            http: match begins_request(bytes) {
                None => Seen::NotYet,
                Some(true) => Seen::Yes(()),
                Some(false) => Seen::No,
            },
        }
    }

    /// The content `bytes`, of which this is known.
    pub(super) fn content<'a>(&'a self, bytes: &'a [u8], is_final: bool) -> Content<'a> {
        let hello = match &self.hello {
            Seen::NotYet => Seen::NotYet,
            Seen::No => Seen::No,
            Seen::Yes(hello) => Seen::Yes(Hello {
                server_name: hello.server_name.as_deref(),
                protocol: hello.alpn.first().map(Vec::as_slice),
                version: hello.version,
            }),
        };
        Content::new(bytes, hello, self.http, is_final)
    }
}

/// Runs the rules for content of the frontend at an index of a snapshot on the connection between `ends`, which
/// a rule may change.
pub(crate) async fn inspect(
    stream: &mut Stream,
    ends: &mut Ends,
    tls: Option<&ClientTls>,
    earlier: &Earlier,
    (snapshot, index): (&Arc<Snapshot>, usize),
    context: &Context,
    registration: &Registration,
) -> Inspected {
    let mut seen = BytesMut::new();
    let stop = decide(
        stream,
        &mut seen,
        ends,
        tls,
        earlier,
        (snapshot, index),
        context,
        registration,
    );
    Inspected {
        stop: stop.await,
        bytes: seen.freeze(),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "those of `inspect`, and its bytes"
)]
async fn decide(
    stream: &mut Stream,
    seen: &mut BytesMut,
    ends: &mut Ends,
    tls: Option<&ClientTls>,
    earlier: &Earlier,
    (snapshot, index): (&Arc<Snapshot>, usize),
    context: &Context,
    registration: &Registration,
) -> Option<Stop> {
    let plan = &snapshot.plan.frontends[index];
    let Some(rules) = &snapshot.frontends[index].content_rules else {
        return Some(Stop::Accept);
    };
    let until = clock::now() + plan.inspect_delay;
    let id = RequestId::made(context.rng.next_u64());
    let scope = ConnectionScope {
        id: &id,
        frontend: &plan.name,
        tracked: &earlier.tracked,
        tables: &snapshot.tables,
        state: &**snapshot,
        scratch: &context.scratch,
        variables: &earlier.variables,
        tls,
    };
    let mut timer = Timer::new();
    // What is there already is looked at before anything is waited for.
    let mut more = next(stream, seen, None, registration).await;
    let (mut from, mut is_final) = (0, plan.inspect_delay.is_zero());
    loop {
        match more {
            More::Over => return None,
            More::End => is_final = true,
            More::Some | More::NotNow => is_final |= seen.len() >= MOST_BYTES,
        }
        let known = Known::of(seen);
        let content = known.content(seen, is_final);
        let fields = earlier.proxy_fields.as_deref();
        match rules.run(from, ends, fields, Some(&content), &scope) {
            ConnectionFlow::Stop(stop) => return Some(stop),
            // The configuration allows no such rule here.
            ConnectionFlow::ExpectProxy(rule) => from = rule,
            // Cannot happen: final content waits for nothing.
            ConnectionFlow::Await(_) if is_final => return Some(Stop::Reject),
            ConnectionFlow::Await(rule) => {
                from = rule;
                more = next(stream, seen, Some((&mut timer, until)), registration).await;
            }
        }
    }
}

/// Waits for more bytes until the deadline; without one it does not wait.
async fn next(
    stream: &mut Stream,
    seen: &mut BytesMut,
    mut deadline: Option<(&mut Timer, clock::Instant)>,
    registration: &Registration,
) -> More {
    poll_fn(|cx| {
        let mut room = [const { MaybeUninit::uninit() }; PIECE_BYTES];
        let most = PIECE_BYTES.min(MOST_BYTES.saturating_sub(seen.len()).max(1));
        let mut buffer = ReadBuf::uninit(&mut room[..most]);
        match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(More::End),
            Poll::Ready(Ok(())) => {
                seen.extend_from_slice(buffer.filled());
                return Poll::Ready(More::Some);
            }
            Poll::Ready(Err(_)) => return Poll::Ready(More::Over),
            Poll::Pending => {}
        }
        if registration.shutdown(cx) == Shutdown::Abort {
            return Poll::Ready(More::Over);
        }
        match &mut deadline {
            None => Poll::Ready(More::NotNow),
            Some((timer, until)) => timer.poll(cx, *until).map(|_| More::End),
        }
    })
    .await
}
