//! The load generator: one thread, a fixed set of connections, prepared requests.
//!
//! Two ways to send. *Closed loop*: each connection sends as soon as it has its answer; that finds
//! the most a proxy can do. *Open loop* (`--rate`): requests are due at regular intervals whatever
//! the proxy does, and a latency counts from when the request was **due**, so a stall shows in
//! every request that it delayed and not only in the open one (no coordinated omission).
//!
//! It reads the proxy's processor time itself, at the edges of the measured window, and prints one
//! line of JSON. Every answer's status and length are checked.

mod connection;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cell::{Cell, Reuse, Traffic};
use crate::clock::{nanos, now_ns};
use crate::poll::{Events, Poller};
use crate::tally::Tally;
use crate::usage::Usage;

use self::connection::{After, Connection, Outcome};

/// How many bytes of a body are dropped with one call.
const DISCARD_BYTES: usize = 1024 * 1024;
/// How long after the window an open loop still waits for answers.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// The pause before a refused connection is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(10);

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    cell: Cell,
    #[arg(long)]
    target: SocketAddr,
    /// The proxy's processes.
    #[arg(long, num_args = 1.., required = true)]
    pid: Vec<u32>,
    #[arg(long, num_args = 1.., required = true)]
    origin_pid: Vec<u32>,
    #[arg(long)]
    warmup_ms: u64,
    #[arg(long)]
    window_ms: u64,
    /// Requests per second; closed loop without it.
    #[arg(long)]
    rate: Option<f64>,
    /// A file for `due latency` of every answer, in nanoseconds.
    #[arg(long)]
    samples: Option<PathBuf>,
}

/// Sends, and prints the tally.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    // The default slack of 50 µs would be the largest part of what an open loop measures.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1_000))?;
    let traffic = options
        .cell
        .traffic()
        .ok_or_else(|| io::Error::other("this cell has no traffic"))?;
    let mut load = Load::new(options, traffic)?;
    load.run(&options.pid, &options.origin_pid)?;
    if let Some(path) = &options.samples {
        load.write_samples(path)?;
    }
    println!("{}", load.into_tally().to_line());
    Ok(())
}

struct Load {
    poller: Poller,
    target: SocketAddr,
    traffic: Traffic,
    connections: Vec<Connection>,
    pace: Pace,
    window: Window,
    tally: Tally,
    samples: Vec<Sample>,
    buffer: Vec<u8>,
    /// Connections without a socket, because the last attempt failed.
    lost: Vec<usize>,
    retry_ns: u64,
}

/// When requests are sent.
enum Pace {
    Closed,
    Open {
        interval_ns: f64,
        start_ns: u64,
        sent: u64,
        idle: VecDeque<usize>,
    },
}

struct Window {
    begin_ns: u64,
    end_ns: u64,
    state: WindowState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WindowState {
    WarmUp,
    Open,
    Closed,
}

struct Sample {
    due_ns: u64,
    latency_ns: u64,
}

impl Load {
    fn new(options: &Options, traffic: Traffic) -> io::Result<Self> {
        let connections = (0..traffic.connections)
            .map(|_| Connection::new())
            .collect();
        let start_ns = now_ns();
        let begin_ns = start_ns + options.warmup_ms * 1_000_000;
        Ok(Self {
            poller: Poller::new()?,
            target: options.target,
            connections,
            pace: match options.rate {
                None => Pace::Closed,
                Some(rate) => Pace::Open {
                    interval_ns: 1e9 / rate,
                    start_ns,
                    sent: 0,
                    idle: VecDeque::with_capacity(traffic.connections),
                },
            },
            window: Window {
                begin_ns,
                end_ns: begin_ns + options.window_ms * 1_000_000,
                state: WindowState::WarmUp,
            },
            tally: Tally::default(),
            samples: Vec::with_capacity(1 << 20),
            buffer: vec![0; DISCARD_BYTES],
            lost: Vec::new(),
            retry_ns: 0,
            traffic,
        })
    }

    fn run(&mut self, proxy: &[u32], origins: &[u32]) -> io::Result<()> {
        let mut events = Events::new();
        for slot in 0..self.connections.len() {
            self.open(slot);
        }
        let mut before = Usage::default();
        let give_up_ns = self.window.end_ns + nanos(LAST_ANSWERS);
        loop {
            let now = now_ns();
            if self.window.state == WindowState::WarmUp && now >= self.window.begin_ns {
                self.window.state = WindowState::Open;
                self.window.begin_ns = now;
                before = Usage::now(proxy, origins)?;
            }
            if self.window.state == WindowState::Open && now >= self.window.end_ns {
                self.window.state = WindowState::Closed;
                (self.tally.cpu, self.tally.others) = Usage::now(proxy, origins)?.since(before);
                self.tally.window = Duration::from_nanos(now - self.window.begin_ns);
            }
            if self.window.state == WindowState::Closed && (now >= give_up_ns || self.is_finished())
            {
                self.tally.unfinished = self.unfinished();
                return Ok(());
            }
            if now >= self.retry_ns {
                for slot in std::mem::take(&mut self.lost) {
                    self.open(slot);
                }
            }
            self.launch_due(now);
            let timeout = self.time_to_next(now);
            self.poller.wait(&mut events, Some(timeout))?;
            for slot in events.tokens() {
                self.ready(slot);
            }
        }
    }

    fn is_finished(&self) -> bool {
        match self.pace {
            Pace::Closed => true,
            Pace::Open { .. } => self.unfinished() == 0,
        }
    }

    /// Requests that were due within the window and have no answer. A closed loop has none: its
    /// open requests would have been answered.
    fn unfinished(&self) -> u64 {
        match &self.pace {
            Pace::Closed => 0,
            Pace::Open {
                interval_ns,
                start_ns,
                sent,
                ..
            } => {
                let span_ns = (self.window.end_ns - start_ns) as f64;
                let scheduled = (span_ns / interval_ns) as u64;
                let open = self
                    .connections
                    .iter()
                    .filter(|it| it.has_exchange())
                    .count();
                scheduled.saturating_sub(*sent) + open as u64
            }
        }
    }

    /// Sends the requests that are due, as far as connections are free.
    fn launch_due(&mut self, now: u64) {
        while let Pace::Open {
            interval_ns,
            start_ns,
            sent,
            idle,
        } = &mut self.pace
        {
            let due_ns = *start_ns + (*sent as f64 * *interval_ns) as u64;
            if due_ns > now || due_ns >= self.window.end_ns {
                return;
            }
            let Some(slot) = idle.pop_front() else { return };
            *sent += 1;
            self.begin(slot, due_ns);
        }
    }

    fn time_to_next(&self, now: u64) -> Duration {
        let edge_ns = match self.window.state {
            WindowState::WarmUp => self.window.begin_ns,
            WindowState::Open => self.window.end_ns,
            WindowState::Closed => now + nanos(RETRY_AFTER),
        };
        let mut next_ns = edge_ns;
        if let Pace::Open {
            interval_ns,
            start_ns,
            sent,
            idle,
        } = &self.pace
            && !idle.is_empty()
        {
            let due_ns = start_ns + (*sent as f64 * interval_ns) as u64;
            next_ns = next_ns.min(due_ns.max(now));
        }
        if !self.lost.is_empty() {
            next_ns = next_ns.min(self.retry_ns.max(now));
        }
        Duration::from_nanos(next_ns.saturating_sub(now))
    }

    /// Gives the slot a new socket, or has it tried again later.
    fn open(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        // An old socket at its end would be ready forever.
        connection.disconnect();
        if self.traffic.reuse == Reuse::KeepAlive
            && connection.connect(self.target, &self.poller, slot).is_err()
        {
            self.tally.broken += 1;
            self.lose(slot);
            return;
        }
        self.free(slot);
    }

    /// The slot may send its next request.
    fn free(&mut self, slot: usize) {
        match &mut self.pace {
            Pace::Closed => self.begin(slot, now_ns()),
            Pace::Open { idle, .. } => idle.push_back(slot),
        }
    }

    fn begin(&mut self, slot: usize, due_ns: u64) {
        let connection = &mut self.connections[slot];
        let connected = match self.traffic.reuse {
            Reuse::KeepAlive => Ok(()),
            Reuse::PerRequest => connection.connect(self.target, &self.poller, slot),
        };
        connection.begin(due_ns);
        match connected {
            Ok(()) => self.ready(slot),
            Err(_) => self.fail(slot),
        }
    }

    fn ready(&mut self, slot: usize) {
        let Self {
            connections,
            traffic,
            buffer,
            poller,
            ..
        } = self;
        match connections[slot].proceed(traffic, buffer, poller, slot) {
            Ok(Outcome::Pending) => {}
            Ok(Outcome::Completed(after)) => {
                self.complete(slot);
                self.go_on(slot, after);
            }
            Ok(Outcome::Refused(after)) => {
                self.tally.refused += 1;
                self.go_on(slot, after);
            }
            Ok(Outcome::Gone) => {
                if self.connections[slot].is_idle() {
                    self.tally.reopened += 1;
                    self.forget_idle(slot);
                }
                self.open(slot);
            }
            Ok(Outcome::Broken) | Err(_) => self.fail(slot),
        }
    }

    fn complete(&mut self, slot: usize) {
        self.tally.completed_ever += 1;
        if self.window.state == WindowState::Open {
            self.tally.completed += 1;
        }
        let due_ns = self.connections[slot].due_ns();
        if due_ns >= self.window.begin_ns && due_ns < self.window.end_ns {
            self.samples.push(Sample {
                due_ns,
                latency_ns: now_ns().saturating_sub(due_ns),
            });
        }
    }

    fn go_on(&mut self, slot: usize, after: After) {
        match after {
            After::Reuse => {
                self.connections[slot].rest();
                self.free(slot);
            }
            After::Reopen => self.open(slot),
            After::AwaitClose => self.connections[slot].await_close(),
        }
    }

    /// The open exchange is lost and counted. Its connection is made anew after a pause: without
    /// it, a proxy that refuses everything would be asked in an endless loop.
    fn fail(&mut self, slot: usize) {
        self.tally.broken += 1;
        self.forget_idle(slot);
        self.connections[slot].disconnect();
        self.lose(slot);
    }

    fn lose(&mut self, slot: usize) {
        self.lost.push(slot);
        self.retry_ns = now_ns() + nanos(RETRY_AFTER);
    }

    fn forget_idle(&mut self, slot: usize) {
        if let Pace::Open { idle, .. } = &mut self.pace {
            idle.retain(|&other| other != slot);
        }
    }

    fn write_samples(&self, path: &PathBuf) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for Sample { due_ns, latency_ns } in &self.samples {
            writeln!(file, "{due_ns} {latency_ns}")?;
        }
        file.flush()
    }

    fn into_tally(mut self) -> Tally {
        let mut latencies: Vec<u64> = self.samples.iter().map(|it| it.latency_ns).collect();
        self.tally.measure(&mut latencies);
        self.tally
    }
}
