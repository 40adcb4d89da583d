//! The edge: the cost of TLS, HTTP/2, WebSockets, TCP mode, and of rules.
//!
//! Rounds as in `compare`, but each proxy is started for each cell, with the face of the cell, and
//! only one runs at a time. Only a closed loop: in an open one, the generator's own TLS and HTTP/2
//! would be the larger part of every latency.

mod cell;
mod certificates;
pub(crate) mod client;
pub(crate) mod idle;
pub(crate) mod load;
mod report;
pub(crate) mod stalled;

use std::io;
use std::time::Duration;

use clap::Args;

use crate::child::{Pinned, part_on_cores};
use crate::compare::{LoadOptions, REST_MS, WARMUP_MS, pids, start_load};
use crate::idle::Resting;
use crate::machine;
use crate::proxies::{Mode, Proxy, Running};
use crate::quiet::{Allowance, quietest};
use crate::report::Form;
use crate::rig::{self, Rig};
use crate::rules;
use crate::tally::Tally;

pub(crate) use self::cell::Family;
use self::cell::{Cell, Work};

#[derive(Args)]
pub(crate) struct Options {
    /// All unless named
    #[arg(long, value_delimiter = ',')]
    cells: Vec<Cell>,
    #[arg(long, default_value = "on")]
    mode: Mode,
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "evenkeel,haproxy,haproxy-splice,nginx,relay,relay-splice"
    )]
    proxies: Vec<Proxy>,
    /// Rounds; each figure is the median of them
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Length of each measured window
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Seconds, in all, to wait for other processes and to repeat disturbed windows
    #[arg(long, default_value_t = 180)]
    allowance: u64,
    /// Tables for benches/README.md
    #[arg(long)]
    markdown: bool,
}

/// One proxy in one cell in one round.
pub(crate) struct Measurement {
    pub(crate) cell: Cell,
    pub(crate) proxy: Proxy,
    pub(crate) round: usize,
    pub(crate) closed: Tally,
    /// Access log lines for each answer; `None` where lines are not per request, or not written.
    pub(crate) log_share: Option<f64>,
}

pub(crate) struct Memory {
    pub(crate) cell: Cell,
    pub(crate) proxy: Proxy,
    pub(crate) resting: Resting,
}

/// Measures and prints.
pub(crate) fn run(options: &Options, family: Family, rig: &rig::Options) -> io::Result<()> {
    let cells = match options.cells.as_slice() {
        [] => family.cells(),
        named => named.to_vec(),
    };
    let rig = Rig::new(rig, &options.proxies)?;
    certificates::write(rig.dir())?;
    rules::write_maps(rig.dir())?;
    if options.proxies.contains(&Proxy::Nginx) {
        machine::ensure_nginx_stream()?;
    }
    let edge = Edge { rig, options };
    edge.try_all(&cells)?;
    let mut allowance = Allowance::new(Duration::from_secs(options.allowance));
    let mut memory = Vec::new();
    let mut measurements = Vec::new();
    for round in 0..options.runs {
        eprintln!("round {} of {}", round + 1, options.runs);
        for &cell in &cells {
            for proxy in edge.order(cell, round) {
                let part = match cell.work() {
                    Work::Rest(..) => "edge-idle",
                    Work::Stall(_) => "edge-stalled",
                    _ => {
                        measurements.push(edge.measure(cell, proxy, round, &mut allowance)?);
                        continue;
                    }
                };
                // Once: memory is the same from run to run.
                if round == 0 {
                    memory.push(edge.rest(cell, proxy, part)?);
                }
            }
        }
    }
    let form = if options.markdown {
        Form::Markdown
    } else {
        Form::Text
    };
    report::print(
        &edge.rig,
        options.mode,
        &cells,
        &measurements,
        &memory,
        form,
    );
    Ok(())
}

struct Edge<'a> {
    rig: Rig,
    options: &'a Options,
}

impl Edge<'_> {
    /// Starts everything once: a failure now is better than one after some of the figures.
    fn try_all(&self, cells: &[Cell]) -> io::Result<()> {
        let mut tried = Vec::new();
        for &cell in cells {
            for proxy in self.order(cell, 0) {
                let subject = (proxy, cell.face());
                if !tried.contains(&subject) {
                    self.start(cell, proxy)?;
                    tried.push(subject);
                }
            }
        }
        Ok(())
    }

    /// The proxies that have a row in `cell`, in this round's order.
    fn order(&self, cell: Cell, round: usize) -> Vec<Proxy> {
        let mut order: Vec<Proxy> = self
            .options
            .proxies
            .iter()
            .copied()
            .filter(|&proxy| cell.has_no_row(proxy).is_none())
            .collect();
        let turn = round % order.len().max(1);
        order.rotate_left(turn);
        order
    }

    fn start(&self, cell: Cell, proxy: Proxy) -> io::Result<Running> {
        Running::start(&self.rig, proxy, self.options.mode, cell.face())
    }

    fn rest(&self, cell: Cell, proxy: Proxy, part: &str) -> io::Result<Memory> {
        let mut running = self.start(cell, proxy)?;
        let mut command = part_on_cores(&self.rig.load_core, part)?;
        command
            .args(["--cell", &cell.name()])
            .args(["--target", &running.addr.to_string()])
            .args(["--rest-ms", &REST_MS.to_string(), "--pid"])
            .args(running.pids.iter().map(u32::to_string));
        let resting = Resting::from_line(&Pinned::start(command)?.line()?)?;
        running.check()?;
        eprintln!(
            "  {} {}: {:.0} bytes each, {} failed",
            cell.name(),
            proxy.name(),
            resting.bytes_each(),
            resting.failed
        );
        Ok(Memory {
            cell,
            proxy,
            resting,
        })
    }

    fn measure(
        &self,
        cell: Cell,
        proxy: Proxy,
        round: usize,
        allowance: &mut Allowance,
    ) -> io::Result<Measurement> {
        let mut running = self.start(cell, proxy)?;
        let closed = quietest(allowance, || self.load(cell, &running))?;
        running.check()?;
        let lines = match cell.work() {
            Work::Requests(_) => running.log_lines(closed.completed_ever)?,
            _ => None,
        };
        Ok(Measurement {
            cell,
            proxy,
            round,
            closed,
            log_share: lines.map(|lines| lines as f64 / closed.completed_ever as f64),
        })
    }

    fn load(&self, cell: Cell, running: &Running) -> io::Result<Tally> {
        let mut generator = match cell.work() {
            Work::Plain(plain) => {
                let options = LoadOptions {
                    cell: plain,
                    rate: None,
                    window_ms: self.window_ms(),
                    samples: None,
                };
                start_load(&self.rig, running, &options)?
            }
            _ => self.start_load(cell, running)?,
        };
        let tally = Tally::from_line(&generator.line()?)?;
        eprintln!(
            "  {} {}: {:.0}/s, {:.2} µs, {:.0} % busy, {} failed, others {:.0} %",
            cell.name(),
            running.proxy.name(),
            tally.per_second(),
            tally.cpu_us_per_request(),
            tally.busy() * 100.0,
            tally.failed(),
            tally.disturbance() * 100.0,
        );
        Ok(tally)
    }

    fn start_load(&self, cell: Cell, running: &Running) -> io::Result<Pinned> {
        let mut command = part_on_cores(&self.rig.load_core, "edge-load")?;
        command
            .args(["--cell", &cell.name()])
            .args(["--target", &running.addr.to_string()])
            .args(["--warmup-ms", &WARMUP_MS.to_string()])
            .args(["--window-ms", &self.window_ms().to_string()])
            .args(pids(&self.rig, running));
        Pinned::start(command)
    }

    fn window_ms(&self) -> u64 {
        self.options.seconds * 1_000
    }
}
