//! `reload-33000`: 33,000 hosts with a backend each, and reloads that change one host.
//!
//! All proxies do the same, and the same is measured: from the signal until a new connection to the
//! changed host is answered in the new way. Evenkeel also gets `POST /reload`, and proxies with
//! metrics of each server are scraped.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use crate::clock::now_ns;
use crate::face::Face;
use crate::probe;
use crate::proxies::{Mode, Proxy, Running};
use crate::reload::{post, replace};
use crate::report::{Form, Table, titled};
use crate::rig::{self, Rig};
use crate::settings::Setup;
use crate::settings::many::{CHANGED, Variant, config, write_beside};
use crate::tally::quantile;

const TIMEOUT: Duration = Duration::from_secs(300);
/// Between two reloads: HAProxy's master misses a signal that comes before the last reload is done.
const REST: Duration = Duration::from_secs(2);
/// Between two questions whether a reload is done.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
/// The proxies with a row.
const PROXIES: [Proxy; 3] = [Proxy::Evenkeel, Proxy::Haproxy, Proxy::Nginx];

#[derive(Args)]
pub(crate) struct Options {
    /// How many reloads
    #[arg(long, default_value_t = 7)]
    reloads: u32,
    /// How many scrapes
    #[arg(long, default_value_t = 5)]
    scrapes: u32,
    /// Hosts, and backends
    #[arg(long, default_value_t = 33_000)]
    hosts: usize,
}

/// The results of one proxy.
struct Row {
    proxy: Proxy,
    ready_ns: u64,
    /// From the signal to the first answer in the new way.
    reloads_ns: Vec<u64>,
    /// From the request to the answer, if the proxy has such a request.
    posts_ns: Vec<u64>,
    scrapes_ns: Vec<u64>,
    scrape_bytes: usize,
}

/// Runs all proxies in turn.
pub(crate) fn run(options: &Options, rig: &rig::Options) -> io::Result<()> {
    let rig = Rig::new(rig, &PROXIES)?;
    let mut rows = Vec::new();
    for proxy in PROXIES {
        rows.push(one(proxy, options, &rig)?);
    }
    let title = format!(
        "{} hosts with a backend each; a reload changes one host",
        options.hosts
    );
    println!("{}", titled(&title, &table(&rows), Form::Markdown));
    Ok(())
}

fn one(proxy: Proxy, options: &Options, rig: &Rig) -> io::Result<Row> {
    let mut texts = Vec::new();
    let mut beside = Vec::new();
    let begin_ns = now_ns();
    let mut written_ns = 0;
    let mut running = Running::start_with(rig, proxy, Mode::On, Face::Plain, |setup: &Setup| {
        for variant in [Variant::Without, Variant::With] {
            texts.push(config(proxy, setup, options.hosts, variant));
            beside.push(write_beside(proxy, setup, options.hosts, variant));
        }
        written_ns = now_ns() - begin_ns;
        texts[0].clone()
    })?;
    let mut row = Row {
        proxy,
        ready_ns: now_ns() - begin_ns - written_ns,
        reloads_ns: Vec::new(),
        posts_ns: Vec::new(),
        scrapes_ns: Vec::new(),
        scrape_bytes: 0,
    };
    until_answered(running.addr, Variant::Without)?;
    let variants = [Variant::With, Variant::Without];
    for variant in variants.into_iter().cycle().take(options.reloads as usize) {
        let index = variant as usize;
        if let Some((path, text)) = &beside[index] {
            replace(path, text)?;
        }
        replace(&running.config, &texts[index])?;
        thread::sleep(REST);
        let begin_ns = now_ns();
        signal(&running)?;
        until_answered(running.addr, variant)?;
        row.reloads_ns.push(now_ns() - begin_ns);
        running.check()?;
    }
    if proxy == Proxy::Evenkeel {
        // A new variant, whichever was the last.
        let last = options.reloads as usize % 2;
        for variant in [variants[last], variants[1 - last], variants[last]] {
            replace(&running.config, &texts[variant as usize])?;
            row.posts_ns.push(post(running.admin)?);
        }
    }
    if proxy != Proxy::Nginx {
        for _ in 0..options.scrapes {
            let begin_ns = now_ns();
            let (status, text) = probe::send(running.admin, "GET", "/metrics", TIMEOUT)?;
            if status != 200 {
                return Err(io::Error::other(format!("a scrape was answered {status}")));
            }
            row.scrapes_ns.push(now_ns() - begin_ns);
            row.scrape_bytes = text.len();
        }
    }
    Ok(row)
}

/// Waits until the host that changes is answered as in `variant`.
fn until_answered(addr: SocketAddr, variant: Variant) -> io::Result<()> {
    let deadline_ns = now_ns() + u64::try_from(TIMEOUT.as_nanos()).unwrap_or(u64::MAX);
    loop {
        // A connection may end with the process that accepted it.
        let answer = probe::send_to(addr, CHANGED, "GET", "/tiny", TIMEOUT);
        let is_there = answer.is_ok_and(|(status, _)| status == 200);
        if is_there == (variant == Variant::With) {
            return Ok(());
        }
        if now_ns() > deadline_ns {
            return Err(io::Error::other("a reload did not take effect"));
        }
        // Without a pause the questions would take a core from the reload.
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Asks a proxy to reload.
pub(crate) fn signal(running: &Running) -> io::Result<()> {
    let signal = match running.proxy {
        Proxy::Haproxy => Signal::USR2,
        _ => Signal::HUP,
    };
    let pid = running.pids.first();
    let pid = pid.and_then(|&pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let pid = pid.ok_or_else(|| io::Error::other("no process to signal"))?;
    Ok(kill_process(pid, signal)?)
}

fn table(rows: &[Row]) -> Table {
    let names = [
        "proxy",
        "ready from cold, ms",
        "first reload, ms",
        "later reloads, median, ms",
        "longest, ms",
        "POST /reload, median, ms",
        "scrape, median, ms",
        "scrape, MB",
    ];
    let mut table = vec![names.map(str::to_owned).to_vec()];
    for row in rows {
        let (first, later) = row.reloads_ns.split_at(row.reloads_ns.len().min(1));
        let scrape = match row.scrape_bytes {
            0 => "–".to_owned(),
            bytes => format!("{:.1}", bytes as f64 / 1e6),
        };
        table.push(vec![
            row.proxy.name().to_owned(),
            millis(&[row.ready_ns], 0.5),
            millis(first, 0.5),
            millis(later, 0.5),
            millis(later, 1.0),
            millis(&row.posts_ns, 0.5),
            millis(&row.scrapes_ns, 0.5),
            scrape,
        ]);
    }
    table
}

fn millis(spans_ns: &[u64], at: f64) -> String {
    if spans_ns.is_empty() {
        return "–".to_owned();
    }
    let mut sorted = spans_ns.to_vec();
    sorted.sort_unstable();
    format!("{:.0}", quantile(&sorted, at).as_secs_f64() * 1e3)
}
