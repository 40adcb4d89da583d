//! HTTP/2 towards clients and towards servers: `http2` of a frontend and of a backend.

use crate::base::ByteSize;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::{BackendHttp2, Http2};

use super::{Keys, key};

/// The initial window of HTTP/2 (RFC 9113 §6.9.2): a smaller one holds only after a round trip.
const LEAST_WINDOW: ByteSize = ByteSize(64 << 10);
/// HTTP/2 allows 2 GiB less one (RFC 9113 §6.9.1). This bounds the memory that a client can take.
const MOST_WINDOW: ByteSize = ByteSize(1 << 30);
/// What is left for heads beside the windows; less would refuse what browsers send.
const LEAST_HEADS: ByteSize = ByteSize(64 << 10);
const LEAST_OPEN: ByteSize = ByteSize(LEAST_WINDOW.0 + LEAST_HEADS.0);
/// Bounds the memory that a client can take; the widest window leaves room for heads.
const MOST_OPEN: ByteSize = ByteSize(2 << 30);
const MOST_STREAMS: i64 = 10_000;
const MOST_A_SECOND: i64 = 1_000_000;

/// More streams on one connection than servers allow.
const MOST_SERVER_STREAMS: i64 = 1000;
/// Bounds the memory that one slow client can take.
const MOST_SERVER_WINDOW: ByteSize = ByteSize(16 << 20);

pub(super) static FRONTEND_HTTP2: Keys<Http2> = Keys {
    keys: &[
        key("enabled")
            .means("Clients can use HTTP/2: by ALPN over TLS, or in the clear by prior knowledge.")
            .switch(|http2| &mut http2.enabled),
        key("max_streams")
            .means("Open requests on one connection at a time.")
            .also("max_concurrent_streams")
            .number(1, MOST_STREAMS, |http2| &mut http2.max_streams),
        key("stream_window")
            .means("How much of a request body is read before its server takes it.")
            .size(LEAST_WINDOW, MOST_WINDOW, |http2| &mut http2.stream_window),
        key("connection_window")
            .means("The same for all requests of a connection together.")
            .size(LEAST_WINDOW, MOST_WINDOW, |http2| {
                &mut http2.connection_window
            }),
        key("open_requests")
            .means("What the open requests of a connection occupy together: heads, and bodies not yet sent on.")
            .also("max_heads request_memory")
            .size(LEAST_OPEN, MOST_OPEN, |http2| &mut http2.open_requests),
        key("resets_per_second")
            .means("Streams that a client resets a second; more ends the connection.")
            .also("resets max_resets")
            .number(1, MOST_A_SECOND, |http2| &mut http2.resets_per_second),
        key("idle_frames_per_second")
            .means("Frames without effect a second; more ends the connection.")
            .also("glitches")
            .number(1, MOST_A_SECOND, |http2| &mut http2.idle_frames_per_second),
    ],
    hints: r#"
        window initial_window_size: write `stream_window` and `connection_window`
        open_heads: write `open_requests`: heads and bodies count together, so add the `connection_window`
        header_list: a head is bounded by `head` and `fields` of `limits`, in every version of HTTP
    "#,
    default: Some(Http2::default),
    check: windows_and_open_requests,
    ..Keys::EMPTY
};

pub(super) static BACKEND_HTTP2: Keys<BackendHttp2> = Keys {
    keys: &[
        key("max_streams")
            .means("Exchanges at a time on one connection, if the server allows that many.")
            .also("max_concurrent_streams")
            .number(1, MOST_SERVER_STREAMS, |http2| &mut http2.max_streams),
        key("stream_window")
            .means("How much of a response is read before its client takes it.")
            .also("window")
            .size(LEAST_WINDOW, MOST_SERVER_WINDOW, |http2| {
                &mut http2.stream_window
            }),
        key("ping_interval")
            .means("How often a PING asks whether a connection is alive.")
            .also("idle_ping")
            .duration_or_off(|http2| &mut http2.ping_interval),
        key("ping_timeout")
            .means("How long the answer to a PING may take; then the connection is closed.")
            .duration(|http2| &mut http2.ping_timeout),
    ],
    hints: "
        connection_window: leave it out: it is `max_streams` times `stream_window`, so that no stream waits for another
        keep_alive: write `ping_interval` and `ping_timeout`
    ",
    default: Some(BackendHttp2::default),
    ..Keys::EMPTY
};

fn windows_and_open_requests(section: &Section<'_>, http2: &mut Http2, report: &mut Report<'_>) {
    let least = ByteSize(http2.connection_window.0 + LEAST_HEADS.0);
    match section.setting("open_requests") {
        None => {
            http2.open_requests =
                Http2::open_requests_of(http2.max_streams, http2.connection_window);
        }
        Some(setting) if http2.open_requests < least => report.error(
            setting.span(),
            "`open_requests` leaves no room for heads beside `connection_window`",
            format!("write at least \"{least}\", which is `connection_window` and 64KiB for heads, or a smaller `connection_window`"),
        ),
        Some(_) => {}
    }
    let window = section.setting("stream_window");
    let setting = window.or_else(|| section.setting("connection_window"));
    if let Some(setting) = setting
        && http2.stream_window > http2.connection_window
    {
        report.error(
            setting.span(),
            "`stream_window` is larger than `connection_window`",
            "write a `connection_window` of several times the `stream_window`: one slow upload must not block the others on its connection",
        );
    }
}
