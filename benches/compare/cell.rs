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
    /// Of the rules' cells, as those below.
    Redirect,
    Gzip,
    Br,
    Zstd,
}

/// The work of the load generator in a cell.
pub(crate) struct Traffic {
    /// The whole request, written with one call.
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Expected,
    pub(crate) connections: usize,
    pub(crate) reuse: Reuse,
}

/// What every answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// 200 with a body of this length.
    Body(u64),
    /// A redirection, whose body differs from proxy to proxy.
    Redirection,
    /// 200 with a coded body in chunks or of any length.
    Coded,
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
            Self::Redirect => "redirect",
            Self::Gzip => "gzip",
            Self::Br => "br",
            Self::Zstd => "zstd",
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
            Self::Redirect => "redirected GET, keep-alive, 64 connections",
            Self::Gzip => "100 kB of JSON by gzip, keep-alive, 16 connections",
            Self::Br => "100 kB of JSON by brotli, keep-alive, 16 connections",
            Self::Zstd => "100 kB of JSON by zstd, keep-alive, 16 connections",
        }
    }

    /// `None` for the cell without traffic.
    pub(crate) fn traffic(self) -> Option<Traffic> {
        use Expected::{Body, Coded, Redirection};
        let (request, answer, connections) = match self {
            Self::Tiny => (get("/tiny", ""), Body(2), 64),
            Self::OneK => (get("/1k", ""), Body(1_000), 256),
            Self::HundredK => (get("/100k", ""), Body(100_000), 64),
            Self::OneM => (get("/1m", ""), Body(1_000_000), 16),
            Self::HundredM => (get("/100m", ""), Body(100_000_000), 2),
            Self::Post => (post(), Body(2), 64),
            Self::Close => (get("/tiny", "Connection: close\r\n"), Body(2), 64),
            Self::Redirect => (get("/old", ""), Redirection, 64),
            Self::Gzip => (get("/json", "Accept-Encoding: gzip\r\n"), Coded, 16),
            Self::Br => (get("/json", "Accept-Encoding: br\r\n"), Coded, 16),
            Self::Zstd => (get("/json", "Accept-Encoding: zstd\r\n"), Coded, 16),
            Self::Idle => return None,
        };
        let reuse = match self {
            Self::Close => Reuse::PerRequest,
            _ => Reuse::KeepAlive,
        };
        Some(Traffic {
            request,
            answer,
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
