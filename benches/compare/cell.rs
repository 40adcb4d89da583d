//! The cells: the request, the number of connections, and whether a connection is reused.
//!
//! `load` sends these requests, `origin` answers the same paths, `compare` and `report` name them.

use clap::ValueEnum;

/// One row of the comparison. All except `Idle` have traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cell {
    Tiny,
    #[value(name = "1k")]
    OneK,
    #[value(name = "100k")]
    HundredK,
    #[value(name = "1m")]
    OneM,
    #[value(name = "100m")]
    HundredM,
    Post,
    Close,
    Idle,
}

/// The work of the load generator in a cell.
pub(crate) struct Traffic {
    /// The whole request, written with one call.
    pub(crate) request: Vec<u8>,
    /// The body length that every answer must have.
    pub(crate) answer_bytes: u64,
    pub(crate) connections: usize,
    pub(crate) reuse: Reuse,
}

/// Whether a client connection is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    KeepAlive,
    PerRequest,
}

impl Cell {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::OneK => "1k",
            Self::HundredK => "100k",
            Self::OneM => "1m",
            Self::HundredM => "100m",
            Self::Post => "post",
            Self::Close => "close",
            Self::Idle => "idle",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Tiny => "tiny GET, keep-alive, 64 connections",
            Self::OneK => "1 kB GET, keep-alive, 256 connections",
            Self::HundredK => "100 kB GET, keep-alive, 64 connections",
            Self::OneM => "1 MB GET, keep-alive, 16 connections",
            Self::HundredM => "100 MB GET, keep-alive, 2 connections",
            Self::Post => "POST of 10 kB, keep-alive, 64 connections",
            Self::Close => "tiny GET, a new connection per request, 64 at a time",
            Self::Idle => "memory: at start, and per idle client connection",
        }
    }

    /// `None` for the cell without traffic.
    pub(crate) fn traffic(self) -> Option<Traffic> {
        let (request, answer_bytes, connections, reuse) = match self {
            Self::Tiny => (get("/tiny", ""), 2, 64, Reuse::KeepAlive),
            Self::OneK => (get("/1k", ""), 1_000, 256, Reuse::KeepAlive),
            Self::HundredK => (get("/100k", ""), 100_000, 64, Reuse::KeepAlive),
            Self::OneM => (get("/1m", ""), 1_000_000, 16, Reuse::KeepAlive),
            Self::HundredM => (get("/100m", ""), 100_000_000, 2, Reuse::KeepAlive),
            Self::Post => (post(), 2, 64, Reuse::KeepAlive),
            Self::Close => (
                get("/tiny", "Connection: close\r\n"),
                2,
                64,
                Reuse::PerRequest,
            ),
            Self::Idle => return None,
        };
        Some(Traffic {
            request,
            answer_bytes,
            connections,
            reuse,
        })
    }
}

// The fields of a small real client: enough for a proxy to have something to parse and copy.
const FIELDS: &str = "Host: bench.test\r\nUser-Agent: compare/1\r\nAccept: */*\r\n";

const POST_BYTES: usize = 10_000;

fn get(path: &str, extra: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\n{FIELDS}{extra}\r\n").into_bytes()
}

fn post() -> Vec<u8> {
    let mut request = format!(
        "POST /echo-discard HTTP/1.1\r\n{FIELDS}Content-Type: application/octet-stream\r\n\
         Content-Length: {POST_BYTES}\r\n\r\n"
    )
    .into_bytes();
    request.resize(request.len() + POST_BYTES, b'x');
    request
}
