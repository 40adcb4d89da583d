//! A client connection with HTTP/2 (RFC 9113), from its preface to its last frame.
//!
//! h2 is driven directly and not by way of hyper. hyper's server shows neither frames nor resets,
//! can only end a connection gracefully, and sends no interim answers; here each of these is
//! needed: the connection of a client that floods ends at once, a stream that stalls is reset by
//! itself, and `100 Continue` goes out when the server asks for the body. It costs about the same
//! (`benches/h2_server`): an answer of 12 bytes takes 0.90 of the CPU that hyper takes for it, one
//! of 100 kB 1.05.
//!
//! The connection is a task, and each stream is one (`stream`): they share [`Shared`](shared). When
//! the connection ends, its streams notice and end too.

mod budget;
mod frames;
mod open_requests;
mod session;
mod shared;
mod stream;
mod unacked;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use h2::server::{Builder, Connection};

use crate::base::clock::{self, Instant};
use crate::exchange::{Http2InWords, Reason};
use crate::net::Stream;
use crate::observe::event;
use crate::plan::{self, Http2};
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::Timer;

use super::client::Client;

use budget::Budget;
use frames::{CountedStream, Counts};
use open_requests::OpenRequests;
use session::{Session, Stage};
use shared::Shared;
use unacked::Unacked;

/// How many bytes of a response a stream gathers before it waits for the client to take them. A
/// connection can make us hold this and its window, for each of its streams.
const WRITE_AHEAD_BYTES: usize = 64 << 10;

/// The part of the connection's window that kept bodies may fill, whose requests may be sent once more.
/// Their window is not returned to the client while they are kept, and other uploads need some, too.
const SHARE_OF_KEPT_BODIES: usize = 2;

/// How many streams may be reset before the session has seen them (then h2 ends the connection). A
/// browser that leaves a page resets its requests, seldom within one round trip.
const UNSEEN_RESETS: usize = 50;

/// Serves a connection until it ends. `prefix` was read from it already.
pub(super) async fn serve(
    stream: Stream,
    prefix: Bytes,
    client: Rc<Client>,
    registration: &Registration,
    mut timer: Timer,
) {
    let limits = client.with_plan(|plan| (builder(plan), plan.http2.clone()));
    let Some((builder, limits)) = limits else {
        // The frontend has just been removed.
        return;
    };
    client.keep_bodies_within(limits.connection_window.0 as usize / SHARE_OF_KEPT_BODIES);
    let counts = Rc::<Counts>::default();
    let io = CountedStream::new(stream.rewound(prefix), Rc::clone(&counts));
    let tracker = io.tracker();
    let began = clock::now();
    let connection = match greeted(&builder, io, &client, registration, &mut timer, began).await {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => {
            event::connection_failed(&client.live.name, client.peer, &Http2InWords(&error));
            if error.is_library() {
                client.refuse(Reason::ClientProtocol, 0, Some(began), None, None);
            }
            return;
        }
        None => return,
    };
    let shared = Rc::new(Shared {
        client,
        open: RefCell::default(),
        requests: OpenRequests::new(&limits),
        idle_since: Cell::new(began),
        has_served: Cell::new(false),
        ending: Cell::new(None),
        closing: Cell::new(None),
        timers: RefCell::default(),
        waker: RefCell::new(Waker::noop().clone()),
        cut: RefCell::default(),
        tracker,
    });
    let mut session = Session {
        connection,
        shared,
        registration,
        timer: &mut timer,
        counts,
        budget: Budget::new(&limits, began),
        stage: Stage::Open,
        unacked: Unacked::default(),
    };
    poll_fn(|cx| session.poll(cx)).await;
    session.shared.cut.take();
    if let Some(closing) = session.shared.closing.get() {
        session.shared.tracker.close(closing);
    } else if session.counts.blocked.is_so() {
        // Else the kernel would keep bytes that the client does not take for minutes.
        session.shared.tracker.reset();
    }
}

/// h2's settings for a connection of a frontend.
fn builder(plan: &plan::Frontend) -> Builder {
    let Http2 {
        max_streams,
        stream_window,
        connection_window,
        ..
    } = plan.http2;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(max_streams)
        .initial_window_size(stream_window.0 as u32)
        .initial_connection_window_size(connection_window.0 as u32)
        .max_send_buffer_size(WRITE_AHEAD_BYTES)
        // h2 counts a small piece that is not taken yet as 256 bytes, and lets all of them take
        // half of the window: four thousand messages that wait for a slow server would count as an
        // attack. No larger budget: such a piece costs us up to three times its count.
        .data_frame_budget(connection_window.0 as usize)
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        // Twice the limit: `handle` refuses a head that is too large and logs it, which h2 would
        // not. h2 does not keep even larger heads.
        .max_header_list_size(u32::try_from(plan.limits.head.0 * 2).unwrap_or(u32::MAX));
    if !plan.upgrades.is_empty() {
        builder.enable_connect_protocol();
    }
    builder
}

/// Both sides' prefaces, within the time of a head; `None`: the client's did not come.
async fn greeted(
    builder: &Builder,
    io: CountedStream,
    client: &Client,
    registration: &Registration,
    timer: &mut Timer,
    began: Instant,
) -> Option<Result<Connection<CountedStream, Bytes>, h2::Error>> {
    let until = began + client.timeouts().head;
    let mut handshake = pin!(builder.handshake(io));
    poll_fn(|cx| {
        if let Poll::Ready(shaken) = handshake.as_mut().poll(cx) {
            return Poll::Ready(Some(shaken));
        }
        if registration.shutdown(cx) == Shutdown::Abort {
            return Poll::Ready(None);
        }
        timer.poll(cx, until).map(|_| None)
    })
    .await
}
