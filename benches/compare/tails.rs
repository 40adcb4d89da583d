//! `tails`: the slowest requests of an open loop, undisturbed and while something happens.
//!
//! Each proxy gets the same rate: half of what the slowest of them does when it is busy. Then the
//! same again while it reloads every second, and while one of its two servers is killed in the
//! middle; and twice of what it does itself. No proxy checks the health of its servers here, so the
//! killed one is found by its connections.

use std::io;
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::cell::Cell;
use crate::compare::{LoadOptions, start_load};
use crate::face::Face;
use crate::many::signal;
use crate::proxies::{Mode, Proxy, Running};
use crate::report::{Form, Table, titled};
use crate::rig::{self, Origin, Rig};
use crate::settings::Setup;
use crate::tally::Tally;

/// The proxies with rows.
const PROXIES: [Proxy; 3] = [Proxy::Evenkeel, Proxy::Haproxy, Proxy::Nginx];
/// From one reload to the next.
const RELOAD_EVERY: Duration = Duration::from_secs(1);
/// How long the busy rate is measured.
const BUSY_MS: u64 = 1_500;

#[derive(Args)]
pub(crate) struct Options {
    /// Seconds of each window
    #[arg(long, default_value_t = 10)]
    window: u32,
}

/// What happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Nothing,
    /// A reload every second, of an unchanged file.
    Reloads,
    /// One of the two servers is killed in the middle.
    Kill,
    /// The rate is twice what the proxy can do.
    Overload,
}

impl Event {
    const ALL: [Self; 4] = [Self::Nothing, Self::Reloads, Self::Kill, Self::Overload];

    fn title(self) -> &'static str {
        match self {
            Self::Nothing => "nothing happens",
            Self::Reloads => "a reload every second",
            Self::Kill => "one of two servers is killed",
            Self::Overload => "twice its maximum",
        }
    }
}

/// Runs all proxies in turn.
pub(crate) fn run(options: &Options, rig: &rig::Options) -> io::Result<()> {
    let rig = Rig::new(rig, &PROXIES)?;
    let mut busy = Vec::new();
    for proxy in PROXIES {
        let running = start(&rig, proxy, None)?;
        busy.push(load(&rig, &running, None, BUSY_MS)?.per_second());
    }
    let slowest = busy.iter().copied().fold(f64::INFINITY, f64::min);
    let half = (slowest / 2.0 / 1_000.0).floor() * 1_000.0;
    let mut table: Table = vec![
        [
            "meanwhile",
            "proxy",
            "requests/s",
            "failed",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "max µs",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for event in Event::ALL {
        for (proxy, busy) in PROXIES.into_iter().zip(&busy) {
            let rate = match event {
                Event::Overload => 2.0 * busy,
                _ => half.max(1_000.0),
            };
            let tally = one(&rig, proxy, event, rate, options.window)?;
            table.push(row(event, proxy, &tally));
        }
    }
    let title = format!("the slowest requests; tiny GET, 64 connections, open loop at {half:.0}/s");
    println!("{}", titled(&title, &table, Form::Markdown));
    Ok(())
}

fn one(rig: &Rig, proxy: Proxy, event: Event, rate: f64, window: u32) -> io::Result<Tally> {
    let mut second = match event {
        Event::Kill => Some(Origin::start(&rig.load_core, "origin")?),
        _ => None,
    };
    let mut running = start(rig, proxy, second.as_ref())?;
    let window_ms = u64::from(window) * 1_000;
    let options = LoadOptions {
        cell: Cell::Tiny,
        rate: Some(rate),
        window_ms,
        samples: None,
    };
    let mut generator = start_load(rig, &running, &options)?;
    match event {
        Event::Nothing | Event::Overload => {}
        Event::Reloads => {
            for _ in 1..window {
                thread::sleep(RELOAD_EVERY);
                signal(&running)?;
            }
        }
        Event::Kill => {
            thread::sleep(Duration::from_millis(window_ms / 2));
            drop(second.take());
        }
    }
    let tally = Tally::from_line(&generator.line()?)?;
    running.check()?;
    Ok(tally)
}

/// Starts `proxy`, with `second` in place of its second server.
fn start(rig: &Rig, proxy: Proxy, second: Option<&Origin>) -> io::Result<Running> {
    let config = |setup: &Setup| {
        let mut setup = *setup;
        if let Some(second) = second {
            setup.servers[1] = second.servers[0];
        }
        let config = proxy.config(&setup, Mode::On, Face::Plain);
        let config = config.unwrap_or_default();
        match proxy {
            // A process that reloads has a master.
            Proxy::Haproxy => config.replacen("nbthread 1", "master-worker\n    nbthread 1", 1),
            _ => config,
        }
    };
    let mut running = Running::start_with(rig, proxy, Mode::On, Face::Plain, config)?;
    // A reload ends the workers of HAProxy and nginx, and their processor time is not a figure here.
    running.pids.truncate(1);
    Ok(running)
}

fn load(rig: &Rig, running: &Running, rate: Option<f64>, window_ms: u64) -> io::Result<Tally> {
    let options = LoadOptions {
        cell: Cell::Tiny,
        rate,
        window_ms,
        samples: None,
    };
    Tally::from_line(&start_load(rig, running, &options)?.line()?)
}

fn row(event: Event, proxy: Proxy, tally: &Tally) -> Vec<String> {
    let micros = |duration: Duration| format!("{:.0}", duration.as_secs_f64() * 1e6);
    vec![
        event.title().to_owned(),
        proxy.name().to_owned(),
        format!("{:.0}", tally.per_second()),
        tally.failed().to_string(),
        micros(tally.p50),
        micros(tally.p99),
        micros(tally.p999),
        micros(tally.max),
    ]
}
