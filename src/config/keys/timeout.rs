//! Deadlines: `timeout` of a frontend and of a backend.

use crate::plan::{BackendTimeouts, FrontendTimeouts};

use super::{Keys, NO_REQUESTS, key};

const TUNNEL: &str = "write `tunnel`: for both directions together";

pub(in crate::config) static FRONTEND_TIMEOUT: Keys<FrontendTimeouts> = Keys {
    keys: &[
        key("head")
            .means("From the first byte of a request head to its last; then 408.")
            .also("http_request request header headers")
            .not_in_tcp("write `handshake`: for the ClientHello")
            .duration(|timeout| &mut timeout.head),
        key("body")
            .means("Between two pieces of a body, while Evenkeel waits for the client.")
            .not_in_tcp(TUNNEL)
            .duration(|timeout| &mut timeout.body),
        key("keep_alive")
            .means("From a response to the next request; then the connection is closed.")
            .also("http_keep_alive idle")
            .not_in_tcp(TUNNEL)
            .duration(|timeout| &mut timeout.keep_alive),
        key("linger")
            .means("How long the rest of a request is read that has been answered before its end.")
            .also("lingering_time lingering_timeout")
            .not_in_tcp(NO_REQUESTS)
            .duration(|timeout| &mut timeout.linger),
        key("exchange")
            .means("For a whole exchange; then 504.")
            .also("total")
            .not_in_tcp("leave it out: a connection may last")
            .duration_or_off(|timeout| &mut timeout.exchange),
        key("handshake")
            .means("For a TLS handshake; in TCP mode, for the client's first TLS message.")
            .also("tls ssl")
            .duration(|timeout| &mut timeout.handshake),
        key("tunnel")
            .means("For a tunnel, or a connection in TCP mode, in which no byte passes.")
            .also("websocket")
            .duration_or_off(|timeout| &mut timeout.tunnel),
    ],
    hints: "
        client: write `body` (between two pieces of a request body) and `keep_alive` (between two requests)
        client_fin: write `tunnel`: it holds while one side has said all, too
        server: deadlines towards servers are `timeout` of a `[backend.NAME]`: `response` and `body`
        connect response queue: deadlines towards servers are `timeout` of a `[backend.NAME]`
        read: write `head` (a request head) and `body` (between two pieces of a request body)
        write: write `body`: it also ends a client that takes nothing of an answer
        check: write `timeout` in the backend's `health`
        inspect_delay: write it in the frontend, not in `timeout`
    ",
    tcp_hints: "
        client server: write `tunnel`: for both directions together
        idle: write `tunnel`
        inspect_delay: write it in the frontend, not in `timeout`
        connect: deadlines towards servers are `timeout` of a `[backend.NAME]`
    ",
    default: Some(FrontendTimeouts::default),
    ..Keys::EMPTY
};

pub(super) static BACKEND_TIMEOUT: Keys<BackendTimeouts> = Keys {
    keys: &[
        key("connect")
            .means("To open a connection; then another server is tried.")
            .duration(|timeout| &mut timeout.connect),
        key("response")
            .means("From the last byte of the request to the response head; then 504.")
            .also("response_header header")
            .duration(|timeout| &mut timeout.response),
        key("body")
            .means("Between two pieces of a response body; then the response is cut.")
            .duration(|timeout| &mut timeout.body),
        key("queue")
            .means("For a free slot when every server is at its `max_connections`; then 503.")
            .duration(|timeout| &mut timeout.queue),
    ],
    hints: r#"
        server read: write `response` (until the response head) and `body` (between two pieces of the body)
        client: deadlines towards clients are `timeout` of a `[frontend.NAME]`
        check: write `timeout` in `health`
        tunnel: `tunnel` is a key of `timeout` in the `[frontend.NAME]`
        keep_alive idle: write `pool = { idle_timeout = "…" }`
        write: leave it out: a server that takes nothing of a request body is ended by `response`
        handshake: write `connect`: it includes the TLS handshake
        total: write `timeout = { exchange = "…" }` in the `[frontend.NAME]`
    "#,
    default: Some(BackendTimeouts::default),
    ..Keys::EMPTY
};
