//! The cells of the edge: the work of the clients, and the face of the proxy.
//!
//! `load`, `idle` and `stalled` do this work, `edge` and `report` name it.

use clap::ValueEnum;

use crate::cell;
use crate::face::{Face, Key};
use crate::proxies::Proxy;
use crate::rules::{Coding, Rules};

use super::client::{Group, Page, Speech};

/// Idle client connections. Half of the number in the cell without TLS: they are opened one after
/// another, and the first must not be closed before the last is open.
const IDLE_CONNECTIONS: usize = 4_000;

/// Idle WebSockets. A proxy has two descriptors for each and 20,000 in all.
const IDLE_TUNNELS: usize = 9_800;

/// What the clients of `stalled-uploads` send, as far as they may. Each upload has a server connection, and few
/// clients may hold no more than a quarter of Evenkeel's 20,000 descriptors by them.
const STALLED: Stalled = Stalled {
    connections: 40,
    streams: 100,
    bytes: 256 << 10,
};

/// One table. The names are those of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cell {
    TlsTiny,
    #[value(name = "tls-100k")]
    TlsHundredK,
    #[value(name = "tls-1m")]
    TlsOneM,
    TlsH2Tiny,
    HandshakeEcdsa,
    HandshakeRsa,
    HandshakeMlkem,
    Resume,
    H2Tiny,
    #[value(name = "h2-100k")]
    H2HundredK,
    #[value(name = "h2-h2-tiny")]
    H2H2Tiny,
    TcpTiny,
    #[value(name = "tcp-1m")]
    TcpOneM,
    #[value(name = "tcp-100m")]
    TcpHundredM,
    IdleTls,
    IdleH2,
    IdleWs,
    StalledUploads,
    #[value(name = "rules-0")]
    Rules0,
    #[value(name = "rules-1")]
    Rules1,
    #[value(name = "rules-10")]
    Rules10,
    #[value(name = "rules-100")]
    Rules100,
    Redirect,
    Table,
    Map,
    #[value(name = "gzip-1")]
    Gzip1,
    #[value(name = "gzip-6")]
    Gzip6,
    #[value(name = "br-1")]
    Br1,
    #[value(name = "br-4")]
    Br4,
    #[value(name = "zstd-1")]
    Zstd1,
    #[value(name = "zstd-3")]
    Zstd3,
}

/// The cells of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Edge,
    Rules,
}

/// The work of a cell's clients.
pub(crate) enum Work {
    Requests(Requests),
    Handshakes(Handshakes),
    /// The same as the generator of the HTTP/1.1 cells.
    Plain(cell::Cell),
    /// So many idle connections.
    Rest(Speech, usize),
    /// So many uploads that no server takes.
    Stall(Stalled),
}

/// Uploads by HTTP/2 in the clear.
#[derive(Clone, Copy)]
pub(crate) struct Stalled {
    pub(crate) connections: usize,
    /// On each connection.
    pub(crate) streams: usize,
    /// Of each body.
    pub(crate) bytes: usize,
}

/// Each stream of each connection has one request open at all times.
#[derive(Clone, Copy)]
pub(crate) struct Requests {
    pub(crate) speech: Speech,
    pub(crate) page: Page,
    pub(crate) connections: usize,
    /// One in HTTP/1.1.
    pub(crate) streams: usize,
}

/// Connections that end after the handshake.
#[derive(Clone, Copy)]
pub(crate) struct Handshakes {
    pub(crate) group: Group,
    pub(crate) kind: Kind,
    /// At a time.
    pub(crate) connections: usize,
}

/// Whether a client has a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    Resumed,
}

impl Family {
    /// Its cells.
    pub(crate) fn cells(self) -> Vec<Cell> {
        let all = Cell::value_variants().iter().copied();
        all.filter(|cell| self == cell.family()).collect()
    }
}

impl Cell {
    fn family(self) -> Family {
        match self.face() {
            Face::Rules(_) => Family::Rules,
            _ => Family::Edge,
        }
    }

    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or(String::new(), |value| value.get_name().to_owned())
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::TlsTiny => "tiny GET over TLS 1.3, HTTP/1.1, 64 connections",
            Self::TlsHundredK => "100 kB GET over TLS 1.3, HTTP/1.1, 64 connections",
            Self::TlsOneM => "1 MB GET over TLS 1.3, HTTP/1.1, 16 connections",
            Self::TlsH2Tiny => "tiny GET over TLS 1.3, HTTP/2, 16 connections of 8 streams",
            Self::HandshakeEcdsa => "full handshake, ECDSA P-256, X25519",
            Self::HandshakeRsa => "full handshake, RSA 2048, X25519",
            Self::HandshakeMlkem => "full handshake, ECDSA P-256, X25519MLKEM768",
            Self::Resume => "resumed handshake, X25519",
            Self::H2Tiny => "tiny GET, HTTP/2 in the clear, 16 connections of 8 streams",
            Self::H2HundredK => "100 kB GET, HTTP/2 in the clear, 16 connections of 4 streams",
            Self::H2H2Tiny => {
                "tiny GET, HTTP/2 in the clear on both sides, 16 connections of 8 streams"
            }
            Self::TcpTiny => "TCP mode: tiny GET, 64 connections",
            Self::TcpOneM => "TCP mode: 1 MB GET, 16 connections",
            Self::TcpHundredM => "TCP mode: 100 MB GET, 2 connections",
            Self::IdleTls => "memory: per idle TLS connection, HTTP/1.1",
            Self::IdleH2 => "memory: per idle HTTP/2 connection in the clear",
            Self::IdleWs => "memory: per idle WebSocket in the clear",
            Self::StalledUploads => {
                "memory: per upload that no server takes, 256 KiB, 40 HTTP/2 connections of 100 streams"
            }
            Self::Rules0 => "tiny GET, 64 connections, no rule",
            Self::Rules1 => "tiny GET, 64 connections, 1 rule whose condition does not hold",
            Self::Rules10 => "tiny GET, 64 connections, 10 rules whose conditions do not hold",
            Self::Rules100 => "tiny GET, 64 connections, 100 rules whose conditions do not hold",
            Self::Redirect => "redirected GET, 64 connections",
            Self::Table => "tiny GET, 64 connections, counted by address, with a limit",
            Self::Map => "tiny GET, 64 connections, a field from a map of 100,000 hosts",
            Self::Gzip1 => "100 kB of JSON by gzip, level 1, 16 connections",
            Self::Gzip6 => "100 kB of JSON by gzip, level 6, 16 connections",
            Self::Br1 => "100 kB of JSON by brotli, level 1, 16 connections",
            Self::Br4 => "100 kB of JSON by brotli, level 4, 16 connections",
            Self::Zstd1 => "100 kB of JSON by zstd, level 1, 16 connections",
            Self::Zstd3 => "100 kB of JSON by zstd, level 3, 16 connections",
        }
    }

    pub(crate) fn face(self) -> Face {
        match self {
            Self::HandshakeRsa => Face::Tls(Key::Rsa),
            Self::TlsTiny
            | Self::TlsHundredK
            | Self::TlsOneM
            | Self::TlsH2Tiny
            | Self::HandshakeEcdsa
            | Self::HandshakeMlkem
            | Self::Resume
            | Self::IdleTls => Face::Tls(Key::Ecdsa),
            Self::H2Tiny | Self::H2HundredK | Self::IdleH2 => Face::H2,
            Self::StalledUploads => Face::H2Narrow,
            Self::H2H2Tiny => Face::H2Both,
            Self::TcpTiny | Self::TcpOneM | Self::TcpHundredM => Face::Tcp,
            Self::IdleWs => Face::Upgrades,
            Self::Rules0 => Face::Rules(Rules::Conditions(0)),
            Self::Rules1 => Face::Rules(Rules::Conditions(1)),
            Self::Rules10 => Face::Rules(Rules::Conditions(10)),
            Self::Rules100 => Face::Rules(Rules::Conditions(100)),
            Self::Redirect => Face::Rules(Rules::Redirect),
            Self::Table => Face::Rules(Rules::Table),
            Self::Map => Face::Rules(Rules::Map),
            Self::Gzip1 => Face::Rules(Rules::Compression(Coding::Gzip(1))),
            Self::Gzip6 => Face::Rules(Rules::Compression(Coding::Gzip(6))),
            Self::Br1 => Face::Rules(Rules::Compression(Coding::Br(1))),
            Self::Br4 => Face::Rules(Rules::Compression(Coding::Br(4))),
            Self::Zstd1 => Face::Rules(Rules::Compression(Coding::Zstd(1))),
            Self::Zstd3 => Face::Rules(Rules::Compression(Coding::Zstd(3))),
        }
    }

    /// Why `proxy` has no row: as the end of a sentence about it.
    pub(crate) fn has_no_row(self, proxy: Proxy) -> Option<&'static str> {
        match (self, proxy) {
            (Self::HandshakeMlkem, Proxy::Haproxy | Proxy::Nginx) => {
                Some("has this key exchange from OpenSSL 3.5 on")
            }
            _ => self.face().is_beyond(proxy),
        }
    }

    pub(crate) fn work(self) -> Work {
        use Speech::{H1OverTls, H2, H2OverTls, WebSocket};
        match self {
            Self::TlsTiny => requests(H1OverTls, Page::TINY, 64, 1),
            Self::TlsHundredK => requests(H1OverTls, Page::HUNDRED_K, 64, 1),
            Self::TlsOneM => requests(H1OverTls, Page::ONE_M, 16, 1),
            Self::TlsH2Tiny => requests(H2OverTls, Page::TINY, 16, 8),
            Self::H2Tiny | Self::H2H2Tiny => requests(H2, Page::TINY, 16, 8),
            Self::H2HundredK => requests(H2, Page::HUNDRED_K, 16, 4),
            Self::HandshakeEcdsa | Self::HandshakeRsa => handshakes(Group::X25519, Kind::Full),
            Self::HandshakeMlkem => handshakes(Group::X25519MlKem768, Kind::Full),
            Self::Resume => handshakes(Group::X25519, Kind::Resumed),
            Self::TcpTiny => Work::Plain(cell::Cell::Tiny),
            Self::TcpOneM => Work::Plain(cell::Cell::OneM),
            Self::TcpHundredM => Work::Plain(cell::Cell::HundredM),
            Self::IdleTls => Work::Rest(H1OverTls, IDLE_CONNECTIONS),
            Self::IdleH2 => Work::Rest(H2, IDLE_CONNECTIONS),
            Self::IdleWs => Work::Rest(WebSocket, IDLE_TUNNELS),
            Self::StalledUploads => Work::Stall(STALLED),
            Self::Rules0
            | Self::Rules1
            | Self::Rules10
            | Self::Rules100
            | Self::Table
            | Self::Map => Work::Plain(cell::Cell::Tiny),
            Self::Redirect => Work::Plain(cell::Cell::Redirect),
            Self::Gzip1 | Self::Gzip6 => Work::Plain(cell::Cell::Gzip),
            Self::Br1 | Self::Br4 => Work::Plain(cell::Cell::Br),
            Self::Zstd1 | Self::Zstd3 => Work::Plain(cell::Cell::Zstd),
        }
    }
}

fn requests(speech: Speech, page: Page, connections: usize, streams: usize) -> Work {
    Work::Requests(Requests {
        speech,
        page,
        connections,
        streams,
    })
}

fn handshakes(group: Group, kind: Kind) -> Work {
    Work::Handshakes(Handshakes {
        group,
        kind,
        connections: 16,
    })
}
