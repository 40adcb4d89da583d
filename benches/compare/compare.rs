//! The comparison itself: rounds over cells over proxies, and the results.
//!
//! The proxies take turns within each round, and the order turns from round to round: a machine that
//! becomes slower for a while then slows all of them, and the ratios of a round stay right.

use std::io;
use std::time::Duration;

use clap::Args;

use crate::cell::Cell;
use crate::child::{Pinned, part_on_cores};
use crate::face::Face;
use crate::idle::Resting;
use crate::proxies::{Mode, Proxy, Running};
use crate::quiet::{Allowance, quietest};
use crate::report;
use crate::rig::{self, Rig};
use crate::tally::Tally;

pub(crate) const WARMUP_MS: u64 = 500;
/// Idle client connections: below the usual hard limit of 20,000 files even for the relay, which
/// needs two a connection.
const IDLE_CONNECTIONS: usize = 8_000;
/// Longer than any of the proxies takes to treat a connection as idle.
pub(crate) const REST_MS: u64 = 6_000;

#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "tiny,1k,100k,1m,post,close,idle"
    )]
    cells: Vec<Cell>,
    #[arg(long, value_delimiter = ',', default_value = "on,off")]
    mode: Vec<Mode>,
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "evenkeel,haproxy,nginx,relay"
    )]
    proxies: Vec<Proxy>,
    /// Rounds; each figure is the median of them
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Length of each measured window
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// The fixed rate, as a share of the slowest proxy's rate in the first round
    #[arg(long, default_value_t = 0.5)]
    rate_share: f64,
    /// Seconds, in all, to wait for other processes and to repeat disturbed windows
    #[arg(long, default_value_t = 900)]
    allowance: u64,
    /// Tables for benches/README.md
    #[arg(long)]
    markdown: bool,
}

/// One proxy in one cell in one round.
pub(crate) struct Measurement {
    pub(crate) mode: Mode,
    pub(crate) cell: Cell,
    pub(crate) proxy: Proxy,
    pub(crate) round: usize,
    /// In a closed loop.
    pub(crate) closed: Tally,
    /// In an open loop at `rate`.
    pub(crate) open: Tally,
    pub(crate) rate: f64,
    /// Access log lines for each answer; `None` without a log.
    pub(crate) log_share: Option<f64>,
}

pub(crate) struct Memory {
    pub(crate) mode: Mode,
    pub(crate) proxy: Proxy,
    pub(crate) resting: Resting,
}

pub(crate) struct Results {
    pub(crate) measurements: Vec<Measurement>,
    pub(crate) memory: Vec<Memory>,
}

/// Measures and prints.
pub(crate) fn run(options: &Options, rig: &rig::Options) -> io::Result<()> {
    let rig = Rig::new(rig, &options.proxies)?;
    let mut results = Results {
        measurements: Vec::new(),
        memory: Vec::new(),
    };
    let mut allowance = Allowance::new(Duration::from_secs(options.allowance));
    for &mode in &options.mode {
        if options.cells.contains(&Cell::Idle) {
            results.memory.extend(memory(&rig, options, mode)?);
        }
        for round in 0..options.runs {
            eprintln!("round {} of {}, {}", round + 1, options.runs, mode.title());
            Round {
                rig: &rig,
                options,
                mode,
                round,
            }
            .run(&mut results.measurements, &mut allowance)?;
        }
    }
    report::print(
        &rig,
        &results,
        if options.markdown {
            report::Form::Markdown
        } else {
            report::Form::Text
        },
    );
    Ok(())
}

/// Once a mode: memory is the same from run to run, and each proxy is started for it alone.
fn memory(rig: &Rig, options: &Options, mode: Mode) -> io::Result<Vec<Memory>> {
    let mut memory = Vec::new();
    for &proxy in &options.proxies {
        let mut running = Running::start(rig, proxy, mode, Face::Plain)?;
        let mut command = part_on_cores(&rig.load_core, "idle")?;
        command
            .args(["--target", &running.addr.to_string(), "--connections"])
            .arg(IDLE_CONNECTIONS.to_string())
            .args(["--rest-ms", &REST_MS.to_string(), "--pid"])
            .args(running.pids.iter().map(u32::to_string));
        let resting = Resting::from_line(&Pinned::start(command)?.line()?)?;
        running.check()?;
        eprintln!(
            "  idle {}: {:.0} bytes a connection",
            proxy.name(),
            resting.bytes_each()
        );
        memory.push(Memory {
            mode,
            proxy,
            resting,
        });
    }
    Ok(memory)
}

struct Round<'a> {
    rig: &'a Rig,
    options: &'a Options,
    mode: Mode,
    round: usize,
}

impl Round<'_> {
    fn run(
        &self,
        measurements: &mut Vec<Measurement>,
        allowance: &mut Allowance,
    ) -> io::Result<()> {
        let mut order = self.options.proxies.clone();
        let turn = self.round % order.len().max(1);
        order.rotate_left(turn);
        let mut proxies = order
            .into_iter()
            .map(|proxy| Running::start(self.rig, proxy, self.mode, Face::Plain))
            .collect::<io::Result<Vec<_>>>()?;
        for &cell in self
            .options
            .cells
            .iter()
            .filter(|&&cell| cell != Cell::Idle)
        {
            let closed = proxies
                .iter()
                .map(|running| quietest(allowance, || self.load(running, cell, None)))
                .collect::<io::Result<Vec<_>>>()?;
            let rate = self.rate(cell, &proxies, &closed, measurements);
            for (running, closed) in proxies.iter_mut().zip(closed) {
                let open = quietest(allowance, || self.load(running, cell, Some(rate)))?;
                running.check()?;
                measurements.push(self.measurement(running, cell, closed, open, rate)?);
            }
        }
        Ok(())
    }

    fn load(&self, running: &Running, cell: Cell, rate: Option<f64>) -> io::Result<Tally> {
        let window_ms = self.options.seconds * 1_000;
        let samples = None;
        let options = LoadOptions {
            cell,
            rate,
            window_ms,
            samples,
        };
        let tally = Tally::from_line(&start_load(self.rig, running, &options)?.line()?)?;
        eprintln!(
            "  {} {}{}: {:.0}/s, {:.2} µs, {:.0} % busy, p99 {:?}, {} failed, others {:.0} %",
            cell.name(),
            running.proxy.name(),
            rate.map_or(String::new(), |rate| format!(" at {rate:.0}/s")),
            tally.per_second(),
            tally.cpu_us_per_request(),
            tally.busy() * 100.0,
            tally.p99,
            tally.failed(),
            tally.disturbance() * 100.0,
        );
        Ok(tally)
    }

    fn measurement(
        &self,
        running: &Running,
        cell: Cell,
        closed: Tally,
        open: Tally,
        rate: f64,
    ) -> io::Result<Measurement> {
        let answers = closed.completed_ever + open.completed_ever;
        let lines = running.log_lines(answers)?;
        running.empty_log()?;
        Ok(Measurement {
            mode: self.mode,
            cell,
            proxy: running.proxy,
            round: self.round,
            closed,
            open,
            rate,
            log_share: lines.map(|lines| lines as f64 / answers as f64),
        })
    }

    /// The rate of a cell: chosen in the first round, and then kept.
    fn rate(
        &self,
        cell: Cell,
        proxies: &[Running],
        closed: &[Tally],
        earlier: &[Measurement],
    ) -> f64 {
        if let Some(first) = earlier
            .iter()
            .find(|it| it.mode == self.mode && it.cell == cell)
        {
            return first.rate;
        }
        // The relay is never the slowest; it counts if it is the only one.
        let slowest = proxies
            .iter()
            .zip(closed)
            .filter(|(running, _)| !running.proxy.is_relay() || proxies.len() == 1)
            .map(|(_, tally)| tally.per_second())
            .fold(f64::INFINITY, f64::min);
        two_digits(slowest * self.options.rate_share).max(10.0)
    }
}

/// The options of one run of the load generator.
pub(crate) struct LoadOptions<'a> {
    pub(crate) cell: Cell,
    pub(crate) rate: Option<f64>,
    pub(crate) window_ms: u64,
    pub(crate) samples: Option<&'a std::path::Path>,
}

/// Starts the load generator; its line is the tally.
pub(crate) fn start_load(
    rig: &Rig,
    running: &Running,
    options: &LoadOptions,
) -> io::Result<Pinned> {
    let mut command = part_on_cores(&rig.load_core, "load")?;
    command
        .args([
            "--cell",
            options.cell.name(),
            "--target",
            &running.addr.to_string(),
        ])
        .args(["--warmup-ms", &WARMUP_MS.to_string()])
        .args(["--window-ms", &options.window_ms.to_string()]);
    if let Some(rate) = options.rate {
        command.args(["--rate", &rate.to_string()]);
    }
    if let Some(path) = options.samples {
        command.arg("--samples").arg(path);
    }
    command.args(pids(rig, running));
    Pinned::start(command)
}

/// The processes whose processor time the load generator reads.
pub(crate) fn pids(rig: &Rig, running: &Running) -> Vec<String> {
    let mut arguments = vec!["--origin-pid".to_owned()];
    arguments.extend(rig.origin_pids().map(|pid| pid.to_string()));
    arguments.push("--pid".to_owned());
    arguments.extend(running.pids.iter().map(u32::to_string));
    arguments
}

/// `value` with two significant digits: a round rate for a table.
fn two_digits(value: f64) -> f64 {
    let scale = 10f64.powf(value.log10().floor() - 1.0);
    (value / scale).floor() * scale
}
