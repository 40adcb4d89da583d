//! The effect of a reload on traffic; the claim is that there is none.
//!
//! The load is an open loop at a fixed rate, once undisturbed and once with reloads. Its samples
//! are compared with the times of the reloads, so that requests that were open during one are also
//! evaluated separately.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::{fs, io, thread};

use clap::{Args, ValueEnum};
use rustix::process::{Pid, Signal, kill_process};

use crate::cell::Cell;
use crate::clock::{nanos, now_ns};
use crate::compare::{LoadOptions, start_load};
use crate::face::Face;
use crate::probe;
use crate::proxies::{Mode, Proxy, Running};
use crate::report::{Form, Table, titled};
use crate::rig::{self, Rig};
use crate::settings::{Setup, evenkeel};
use crate::tally::{Tally, quantile};

const RELOAD_PATIENCE: Duration = Duration::from_secs(10);
/// Load before the first reload: the warm-up and a little of the window.
const HEAD_START: Duration = Duration::from_millis(1_000);
/// How long after a signal its reload counts as running; a signal has no answer to wait for.
const SIGNAL_SPAN_NS: u64 = 20_000_000;

#[derive(Args)]
pub(crate) struct Options {
    /// Requests per second meanwhile
    #[arg(long, default_value_t = 5_000.0)]
    rate: f64,
    /// How many reloads; 100, or 10 of the thousand backends
    #[arg(long)]
    reloads: Option<u32>,
    /// From one reload to the next
    #[arg(long)]
    every_ms: Option<u64>,
    /// How a reload is asked for
    #[arg(long, default_value = "post")]
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Post,
    Hup,
}

/// 100 reloads that each change a server's weight.
pub(crate) fn weights(options: &Options, rig: &rig::Options) -> io::Result<()> {
    let plan = Plan {
        title: "reloads under load, each changing a weight",
        config: evenkeel::weighted,
        reloads: options.reloads.unwrap_or(100),
        every: Duration::from_millis(options.every_ms.unwrap_or(100)),
    };
    plan.run(options, rig)
}

/// Reloads of a configuration with 1,000 backends of 10 servers.
pub(crate) fn thousand(options: &Options, rig: &rig::Options) -> io::Result<()> {
    let plan = Plan {
        title: "reloads of 1,000 backends with 10 servers each, under load",
        config: evenkeel::thousand,
        reloads: options.reloads.unwrap_or(10),
        every: Duration::from_millis(options.every_ms.unwrap_or(1_000)),
    };
    plan.run(options, rig)
}

struct Plan {
    title: &'static str,
    /// The configuration, by the weight of the server that changes.
    config: fn(&Setup, u32) -> String,
    reloads: u32,
    every: Duration,
}

/// One reload, from the request to the answer.
struct Reload {
    begin_ns: u64,
    end_ns: u64,
    /// `None` for one asked for by a signal.
    status: Option<u16>,
}

impl Plan {
    fn run(&self, options: &Options, rig: &rig::Options) -> io::Result<()> {
        let rig = Rig::new(rig, &[Proxy::Evenkeel])?;
        let mut texts = [String::new(), String::new()];
        let mut running =
            Running::start_with(&rig, Proxy::Evenkeel, Mode::On, Face::Plain, |setup| {
                texts = [(self.config)(setup, 2), (self.config)(setup, 1)];
                texts[1].clone()
            })?;
        let samples = rig.dir().join("samples");
        let load = LoadOptions {
            cell: Cell::Tiny,
            rate: Some(options.rate),
            window_ms: self.window_ms(),
            samples: Some(&samples),
        };
        let undisturbed = Tally::from_line(&start_load(&rig, &running, &load)?.line()?)?;
        let mut generator = start_load(&rig, &running, &load)?;
        let reloads = self.reload_all(&running, &texts, options.by)?;
        let disturbed = Tally::from_line(&generator.line()?)?;
        running.check()?;
        let during = latencies_during(&samples, &reloads)?;
        println!(
            "{}",
            titled(
                self.title,
                &table(&undisturbed, &disturbed, &during),
                Form::Text
            )
        );
        println!("{}", durations(&reloads));
        Ok(())
    }

    /// Long enough for the last reload to end.
    fn window_ms(&self) -> u64 {
        let whole = self.every * (self.reloads + 1) + HEAD_START;
        u64::try_from(whole.as_millis()).expect("a benchmark does not last that long")
    }

    fn reload_all(
        &self,
        running: &Running,
        texts: &[String; 2],
        by: By,
    ) -> io::Result<Vec<Reload>> {
        thread::sleep(HEAD_START);
        let start_ns = now_ns();
        let mut reloads = Vec::new();
        for index in 0..self.reloads {
            let due_ns = start_ns + nanos(self.every * index);
            thread::sleep(Duration::from_nanos(due_ns.saturating_sub(now_ns())));
            replace(&running.config, &texts[index as usize % 2])?;
            reloads.push(match by {
                By::Post => posted(running.admin)?,
                By::Hup => hang_up(&running.pids)?,
            });
        }
        Ok(reloads)
    }
}

/// As an editor does it: a half-written file never has the name of the whole one.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text)?;
    fs::rename(&fresh, path)
}

/// How long a reload took that was asked for and answered.
pub(crate) fn post(admin: SocketAddr) -> io::Result<u64> {
    let reload = posted(admin)?;
    match reload.status {
        Some(200) => Ok(reload.end_ns - reload.begin_ns),
        status => Err(io::Error::other(format!(
            "a reload was answered {status:?}"
        ))),
    }
}

fn posted(admin: SocketAddr) -> io::Result<Reload> {
    let begin_ns = now_ns();
    let (status, _) = probe::send(admin, "POST", "/reload", RELOAD_PATIENCE)?;
    Ok(Reload {
        begin_ns,
        end_ns: now_ns(),
        status: Some(status),
    })
}

fn hang_up(pids: &[u32]) -> io::Result<Reload> {
    let begin_ns = now_ns();
    let pid = pids
        .first()
        .and_then(|&pid| Pid::from_raw(i32::try_from(pid).ok()?));
    kill_process(
        pid.ok_or_else(|| io::Error::other("no process to signal"))?,
        Signal::HUP,
    )?;
    Ok(Reload {
        begin_ns,
        end_ns: begin_ns + SIGNAL_SPAN_NS,
        status: None,
    })
}

/// The latencies of requests that were open at some moment of a reload, sorted.
fn latencies_during(samples: &Path, reloads: &[Reload]) -> io::Result<Vec<u64>> {
    let mut latencies = Vec::new();
    for line in fs::read_to_string(samples)?.lines() {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        let (Some(Ok(due_ns)), Some(Ok(latency_ns))) = (numbers.next(), numbers.next()) else {
            return Err(io::Error::other(format!("a broken sample: {line}")));
        };
        if reloads
            .iter()
            .any(|it| due_ns < it.end_ns && due_ns + latency_ns > it.begin_ns)
        {
            latencies.push(latency_ns);
        }
    }
    latencies.sort_unstable();
    Ok(latencies)
}

fn table(undisturbed: &Tally, disturbed: &Tally, during: &[u64]) -> Table {
    let row = |name: &str, tally: &Tally| {
        vec![
            name.to_owned(),
            tally.completed.to_string(),
            tally.failed().to_string(),
            tally.reopened.to_string(),
            micros(tally.p50),
            micros(tally.p99),
            micros(tally.max),
        ]
    };
    let names = [
        "", "requests", "failed", "reopened", "p50 µs", "p99 µs", "max µs",
    ];
    vec![
        names.map(str::to_owned).to_vec(),
        row("without reloads", undisturbed),
        row("with reloads", disturbed),
        vec![
            "open during one".to_owned(),
            during.len().to_string(),
            "–".to_owned(),
            "–".to_owned(),
            micros(quantile(during, 0.5)),
            micros(quantile(during, 0.99)),
            micros(quantile(during, 1.0)),
        ],
    ]
}

fn durations(reloads: &[Reload]) -> String {
    let mut spans: Vec<u64> = reloads.iter().map(|it| it.end_ns - it.begin_ns).collect();
    spans.sort_unstable();
    let refused = reloads
        .iter()
        .filter(|it| it.status.is_some_and(|status| status != 200))
        .count();
    if reloads.iter().any(|it| it.status.is_none()) {
        return format!("{} reloads by SIGHUP", reloads.len());
    }
    format!(
        "{} reloads by POST /reload, {refused} not answered 200; median {:.1} ms, longest {:.1} ms",
        reloads.len(),
        quantile(&spans, 0.5).as_secs_f64() * 1e3,
        quantile(&spans, 1.0).as_secs_f64() * 1e3,
    )
}

fn micros(duration: Duration) -> String {
    format!("{:.0}", duration.as_secs_f64() * 1e6)
}
