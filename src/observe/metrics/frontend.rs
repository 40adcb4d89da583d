//! The metrics of one frontend.
//!
//! Owned by the frontend's live state: they continue over reloads and end with the frontend.
//! Workers write through their `WorkerObserver`; `exposition` reads.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::clock::Duration;
use crate::base::{TlsKeys, TlsVersion};
use crate::exchange::{
    Counter, Histogram, HistogramSum, Level, Reason, ReasonCounters, Shards, StatusCounters,
    each_status,
};
use crate::wire::proxy_protocol::Malformed;

/// The counters of one frontend.
#[derive(Debug)]
pub struct FrontendMetrics {
    shards: Shards<Shard>,
    /// By [`PauseCause`]. Written by any worker's acceptor, seldom: shared, counted with `fetch_add`.
    /// Relaxed: it orders nothing.
    pauses: [AtomicU64; PauseCause::ALL.len()],
    /// By [`NoHeader`]. Written by any worker when a connection is closed for it: as `pauses`.
    headers: [AtomicU64; NoHeader::ALL.len()],
    /// By [`ConnectionRefusal`]. The same.
    refusals: [AtomicU64; ConnectionRefusal::ALL.len()],
}

/// Why a connection was closed before it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRefusal {
    /// A rule for connections with `reject`.
    Rejected,
    /// A rule for connections with `silent_drop`.
    Dropped,
    /// Its client had `max_connections_per_ip`.
    IpLimit,
}

impl ConnectionRefusal {
    pub(crate) const ALL: [Self; 3] = [Self::Rejected, Self::Dropped, Self::IpLimit];

    /// Its label in metrics and events.
    pub fn code(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Dropped => "dropped",
            Self::IpLimit => "ip_limit",
        }
    }
}

/// Why accepting paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseCause {
    /// The frontend's `max_connections`.
    FrontendLimit,
    /// The process's `max_connections`.
    ProcessLimit,
    /// No descriptor was free.
    Descriptors,
}

impl PauseCause {
    pub(crate) const ALL: [Self; 3] = [Self::FrontendLimit, Self::ProcessLimit, Self::Descriptors];

    /// Its label in metrics and events.
    pub fn code(self) -> &'static str {
        match self {
            Self::FrontendLimit => "frontend_limit",
            Self::ProcessLimit => "process_limit",
            Self::Descriptors => "descriptors",
        }
    }
}

/// Why a connection that must begin with a PROXY header was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHeader {
    /// It began with other bytes.
    Malformed(Malformed),
    /// It did not come in time.
    Timeout,
    /// The peer left in the middle of it.
    Left,
}

impl NoHeader {
    pub(crate) const ALL: [Self; Malformed::ALL.len() + 2] = {
        let mut all = [Self::Left; Malformed::ALL.len() + 2];
        let mut index = 0;
        while index < Malformed::ALL.len() {
            all[index] = Self::Malformed(Malformed::ALL[index]);
            index += 1;
        }
        all[index] = Self::Timeout;
        all
    };

    /// Its label in metrics and events.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed(fault) => fault.word(),
            Self::Timeout => "timeout",
            Self::Left => "left",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Malformed(fault) => fault as usize,
            Self::Timeout => Malformed::ALL.len(),
            Self::Left => Malformed::ALL.len() + 1,
        }
    }
}

impl fmt::Display for NoHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(fault) => fault.fmt(f),
            Self::Timeout => f.write_str("no PROXY header arrived in time"),
            Self::Left => f.write_str("the connection ended in the middle of a PROXY header"),
        }
    }
}

/// Why a TLS handshake with a client failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// The first bytes are not TLS.
    NotTls,
    /// It took longer than `timeout.handshake`.
    Timeout,
    /// The client closed or reset the connection.
    Closed,
    /// The client asked for a name that no certificate has, under `strict_sni`.
    UnknownName,
    /// No version of TLS in common.
    Version,
    /// No protocol in common (ALPN).
    Protocol,
    /// No certificate, cipher suite or key exchange in common.
    NothingInCommon,
    /// The client had to send a certificate and sent none.
    NoClientCertificate,
    /// The client sent an invalid certificate.
    BadClientCertificate,
    /// The client refused our certificate, or another part of our answer.
    Refused,
    /// The client violated the protocol.
    Misbehaved,
    /// A fault of ours.
    Internal,
}

impl HandshakeFailure {
    pub(crate) const ALL: [Self; 12] = [
        Self::NotTls,
        Self::Timeout,
        Self::Closed,
        Self::UnknownName,
        Self::Version,
        Self::Protocol,
        Self::NothingInCommon,
        Self::NoClientCertificate,
        Self::BadClientCertificate,
        Self::Refused,
        Self::Misbehaved,
        Self::Internal,
    ];

    /// Its label in metrics and events.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotTls => "not_tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::UnknownName => "unknown_name",
            Self::Version => "version",
            Self::Protocol => "protocol",
            Self::NothingInCommon => "nothing_in_common",
            Self::NoClientCertificate => "no_client_certificate",
            Self::BadClientCertificate => "bad_client_certificate",
            Self::Refused => "refused",
            Self::Misbehaved => "misbehaved",
            Self::Internal => "internal",
        }
    }
}

/// A successful handshake, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The negotiated version.
    pub version: TlsVersion,
    /// Whether an earlier session was resumed.
    pub keys: TlsKeys,
}

impl Handshake {
    pub(crate) const ALL: [Self; 4] = [
        Self::of(TlsVersion::V1_2, TlsKeys::Fresh),
        Self::of(TlsVersion::V1_2, TlsKeys::Resumed),
        Self::of(TlsVersion::V1_3, TlsKeys::Fresh),
        Self::of(TlsVersion::V1_3, TlsKeys::Resumed),
    ];

    const fn of(version: TlsVersion, keys: TlsKeys) -> Self {
        Self { version, keys }
    }

    fn index(self) -> usize {
        2 * self.version as usize + self.keys as usize
    }
}

/// The counters of one worker.
#[derive(Debug, Default)]
struct Shard {
    statuses: StatusCounters,
    replies: ReasonCounters,
    duration: Histogram,
    accepted: Counter,
    /// By [`Handshake`].
    handshakes: [Counter; Handshake::ALL.len()],
    /// By [`HandshakeFailure`].
    handshake_failures: [Counter; HandshakeFailure::ALL.len()],
    parked: Level,
    body_bytes_in: Counter,
    body_bytes_out: Counter,
    compression_input: Counter,
    compression_output: Counter,
}

/// A client connection that is parked, for as long as this lives.
#[derive(Debug)]
pub struct Parked<'a>(&'a Level);

/// The counted facts of one exchange that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None`: a connection in TCP mode.
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<Reason>,
    /// `None`: a tunnel, whose duration its peers choose.
    pub(crate) duration: Option<Duration>,
    pub(crate) body_bytes_in: u64,
    pub(crate) body_bytes_out: u64,
    /// Bytes of the response body before it was compressed; 0: it was not.
    pub(crate) body_bytes_compressed: u64,
}

impl FrontendMetrics {
    /// Zero counters for workers `0..workers`.
    pub fn new(workers: usize) -> Self {
        Self {
            shards: Shards::new(workers),
            pauses: Default::default(),
            headers: Default::default(),
            refusals: Default::default(),
        }
    }

    /// Counts a pause in accepting.
    pub fn accept_paused(&self, cause: PauseCause) {
        self.pauses[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that was closed because it had no valid PROXY header.
    pub fn had_no_header(&self, why: NoHeader) {
        self.headers[why.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that was closed before it was served.
    pub fn connection_refused(&self, why: ConnectionRefusal) {
        self.refusals[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn accepted(&self, worker: usize) {
        self.shards.of(worker).accepted.add(1);
    }

    pub(crate) fn shook_hands(&self, worker: usize, outcome: Result<Handshake, HandshakeFailure>) {
        let shard = self.shards.of(worker);
        match outcome {
            Ok(handshake) => shard.handshakes[handshake.index()].add(1),
            Err(failure) => shard.handshake_failures[failure as usize].add(1),
        }
    }

    pub(crate) fn handshakes(&self, handshake: Handshake) -> u64 {
        self.shards
            .sum(|shard| shard.handshakes[handshake.index()].read())
    }

    pub(crate) fn handshake_failures(&self, failure: HandshakeFailure) -> u64 {
        self.shards
            .sum(|shard| shard.handshake_failures[failure as usize].read())
    }

    pub(crate) fn parked(&self, worker: usize) -> Parked<'_> {
        let level = &self.shards.of(worker).parked;
        level.rise();
        Parked(level)
    }

    #[inline]
    pub(crate) fn finished(&self, worker: usize, finished: &Finished) {
        let shard = self.shards.of(worker);
        if let Some(status) = finished.status {
            shard.statuses.add(status);
        }
        if let Some(duration) = finished.duration {
            shard.duration.observe(duration);
        }
        shard.body_bytes_in.add(finished.body_bytes_in);
        shard.body_bytes_out.add(finished.body_bytes_out);
        if finished.body_bytes_compressed > 0 {
            shard.compression_input.add(finished.body_bytes_compressed);
            shard.compression_output.add(finished.body_bytes_out);
        }
        if let Some(reason) = finished.reason {
            shard.replies.add(reason);
        }
    }

    pub(crate) fn each_status(&self, each: impl FnMut(u16, u64)) {
        each_status(self.shards.all().map(|shard| &shard.statuses), each);
    }

    pub(crate) fn replies(&self, reason: Reason) -> u64 {
        self.shards.sum(|shard| shard.replies.read(reason))
    }

    pub(crate) fn duration(&self) -> HistogramSum {
        HistogramSum::of(self.shards.all().map(|shard| &shard.duration))
    }

    pub(crate) fn connections(&self) -> u64 {
        self.shards.sum(|shard| shard.accepted.read())
    }

    pub(crate) fn parked_connections(&self) -> u64 {
        self.shards.sum(|shard| shard.parked.read())
    }

    pub(crate) fn body_bytes_in(&self) -> u64 {
        self.shards.sum(|shard| shard.body_bytes_in.read())
    }

    pub(crate) fn body_bytes_out(&self) -> u64 {
        self.shards.sum(|shard| shard.body_bytes_out.read())
    }

    pub(crate) fn compression_input(&self) -> u64 {
        self.shards.sum(|shard| shard.compression_input.read())
    }

    pub(crate) fn compression_output(&self) -> u64 {
        self.shards.sum(|shard| shard.compression_output.read())
    }

    pub(crate) fn headers(&self, why: NoHeader) -> u64 {
        self.headers[why.index()].load(Ordering::Relaxed)
    }

    pub(crate) fn connection_refusals(&self, why: ConnectionRefusal) -> u64 {
        self.refusals[why as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn pauses(&self, cause: PauseCause) -> u64 {
        self.pauses[cause as usize].load(Ordering::Relaxed)
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.fall();
    }
}
