//! Medians, ratios and tables.

use std::fmt::Write;
use std::path::Path;

use crate::cell::Cell;
use crate::compare::{Measurement, Memory, Results};
use crate::face::Face;
use crate::idle::Resting;
use crate::machine;
use crate::proxies::{Mode, Proxy};
use crate::rig::Rig;
use crate::settings::Setup;
use crate::tally::Tally;

/// The proxies to whose figures ours are compared.
pub(crate) const PEERS: [Proxy; 3] = [Proxy::Relay, Proxy::Haproxy, Proxy::Nginx];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Markdown,
}

/// Prints everything to standard output.
pub(crate) fn print(rig: &Rig, results: &Results, form: Form) {
    println!("{}", heading(rig, form));
    for mode in [Mode::On, Mode::Off] {
        for cell in [
            Cell::Tiny,
            Cell::OneK,
            Cell::HundredK,
            Cell::OneM,
            Cell::HundredM,
            Cell::Post,
            Cell::Close,
        ] {
            let rows: Vec<&Measurement> = results
                .measurements
                .iter()
                .filter(|it| it.mode == mode && it.cell == cell)
                .collect();
            if let Some(first) = rows.first() {
                let title = format!(
                    "{} ({}; fixed rate {:.0}/s)",
                    cell.title(),
                    mode.title(),
                    first.rate
                );
                println!("{}", titled(&title, &traffic_table(&rows), form));
            }
        }
        let memory: Vec<&Memory> = results.memory.iter().filter(|it| it.mode == mode).collect();
        if !memory.is_empty() {
            let title = format!("{} ({})", Cell::Idle.title(), mode.title());
            let rows: Vec<(Proxy, Resting)> =
                memory.iter().map(|it| (it.proxy, it.resting)).collect();
            println!(
                "{}",
                titled(&title, &memory_table(&rows, "idle connection"), form)
            );
        }
    }
    if form == Form::Markdown {
        println!("{}", peer_settings(rig, &[(Face::Plain, "")]));
    }
}

/// Rows of cells; the first row names the columns.
pub(crate) type Table = Vec<Vec<String>>;

/// `table` under `title`.
pub(crate) fn titled(title: &str, table: &Table, form: Form) -> String {
    match form {
        Form::Text => format!("{title}\n{}", aligned(table)),
        Form::Markdown => format!("#### {title}\n\n{}", markdown(table)),
    }
}

/// Day, machine and versions.
pub(crate) fn heading(rig: &Rig, form: Form) -> String {
    let bullet = if form == Form::Markdown { "- " } else { "" };
    let mut text = format!("{bullet}{}, {}\n", machine::today(), machine::description());
    for (proxy, program) in &rig.programs {
        let tls = proxy
            .tls_library(program)
            .map_or(String::new(), |library| format!("; TLS: {library}"));
        let version = proxy.version(program);
        let _ = writeln!(text, "{bullet}{}: {version}{tls}", proxy.name());
    }
    text
}

fn traffic_table(rows: &[&Measurement]) -> Table {
    let mut table = vec![columns(&[
        "proxy",
        "CPU µs/req",
        "min–max",
        "× relay",
        "× haproxy",
        "× nginx",
        "req/s",
        "core busy",
        "CPU µs at rate",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "failed",
        "log lines/req",
        "others' CPU",
    ])];
    let figures: Vec<Figure> = rows.iter().map(|it| figure(it)).collect();
    for proxy in Proxy::ALL {
        let own: Vec<&Measurement> = rows
            .iter()
            .copied()
            .filter(|it| it.proxy == proxy)
            .collect();
        if own.is_empty() {
            continue;
        }
        let over =
            |value: fn(&Measurement) -> f64| median(own.iter().map(|it| value(it)).collect());
        let mut row = vec![
            proxy.name().to_owned(),
            format!("{:.1}", over(|it| it.closed.cpu_us_per_request())),
            spread(&figures, proxy),
        ];
        row.extend(PEERS.map(|peer| ratio(&figures, proxy, peer)));
        row.extend([
            format!("{:.0}", over(|it| it.closed.per_second())),
            format!("{:.0} %", over(|it| it.closed.busy()) * 100.0),
            format!("{:.1}", over(|it| it.open.cpu_us_per_request())),
            format!("{:.0}", over(|it| it.open.p50.as_secs_f64()) * 1e6),
            format!("{:.0}", over(|it| it.open.p99.as_secs_f64()) * 1e6),
            format!("{:.0}", over(|it| it.open.p999.as_secs_f64()) * 1e6),
            failures(
                own.iter()
                    .map(|it| it.closed.failed() + it.open.failed())
                    .sum(),
            ),
            log_share(own.iter().filter_map(|it| it.log_share).collect()),
            format!("{:.0} %", noise(&own) * 100.0),
        ]);
        table.push(row);
    }
    table
}

/// `each`: what the memory is divided by.
pub(crate) fn memory_table(rows: &[(Proxy, Resting)], each: &str) -> Table {
    let mut table = vec![columns(&[
        "proxy",
        "RSS at start, MB",
        "RSS then, MB",
        &format!("bytes per {each}"),
        "number",
        "failed",
    ])];
    for (proxy, resting) in rows {
        table.push(vec![
            proxy.name().to_owned(),
            format!("{:.1}", resting.start_bytes as f64 / 1e6),
            format!("{:.1}", resting.rest_bytes as f64 / 1e6),
            format!("{:.0}", resting.bytes_each()),
            resting.number.to_string(),
            failures(resting.failed),
        ]);
    }
    table
}

fn figure(measurement: &Measurement) -> Figure {
    Figure {
        proxy: measurement.proxy,
        round: measurement.round,
        cpu_us: measurement.closed.cpu_us_per_request(),
    }
}

/// The cost of one request, or of one handshake, for one proxy in one round.
pub(crate) struct Figure {
    pub(crate) proxy: Proxy,
    pub(crate) round: usize,
    pub(crate) cpu_us: f64,
}

/// The median of the rounds' ratios, not the ratio of the medians: both sides of each were measured
/// within the same minute.
pub(crate) fn ratio(figures: &[Figure], proxy: Proxy, peer: Proxy) -> String {
    let ratios: Vec<f64> = figures
        .iter()
        .filter(|it| it.proxy == proxy)
        .filter_map(|own| {
            let other = figures
                .iter()
                .find(|it| it.proxy == peer && it.round == own.round)?;
            Some(own.cpu_us / other.cpu_us)
        })
        .collect();
    if ratios.is_empty() {
        "–".to_owned()
    } else {
        format!("{:.2}", median(ratios))
    }
}

/// The least and the most that `proxy` spent.
pub(crate) fn spread(figures: &[Figure], proxy: Proxy) -> String {
    let own = || {
        figures
            .iter()
            .filter(|it| it.proxy == proxy)
            .map(|it| it.cpu_us)
    };
    let (min, max) = (
        own().fold(f64::INFINITY, f64::min),
        own().fold(0.0, f64::max),
    );
    format!("{min:.1}–{max:.1}")
}

/// The number of failures, and whether the row is valid.
pub(crate) fn failures(failed: u64) -> String {
    if failed == 0 {
        "0".to_owned()
    } else {
        format!("{failed} INVALID")
    }
}

/// The median of the rounds' log lines for each answer; none without a log.
pub(crate) fn log_share(shares: Vec<f64>) -> String {
    if shares.is_empty() {
        "–".to_owned()
    } else {
        format!("{:.3}", median(shares))
    }
}

/// The disturbance of the least quiet window of this row.
fn noise(own: &[&Measurement]) -> f64 {
    own.iter()
        .flat_map(|it| [&it.closed, &it.open])
        .map(Tally::disturbance)
        .fold(0.0, f64::max)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}

pub(crate) fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn aligned(table: &Table) -> String {
    let width = |column: usize| {
        table
            .iter()
            .filter_map(|row| row.get(column))
            .map(|it| it.chars().count())
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for row in table {
        for (column, value) in row.iter().enumerate() {
            let gap = width(column);
            let _ = if column == 0 {
                write!(text, "{value:<gap$}")
            } else {
                write!(text, "  {value:>gap$}")
            };
        }
        text.push('\n');
    }
    text
}

fn markdown(table: &Table) -> String {
    let mut text = String::new();
    for (index, row) in table.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|---|{}", "--:|".repeat(row.len() - 1));
        }
    }
    text
}

/// The configuration files of `faces`, each by its name, as they were used but for ports and directories.
pub(crate) fn peer_settings(rig: &Rig, faces: &[(Face, &str)]) -> String {
    let addr = |port| (std::net::Ipv4Addr::LOCALHOST, port).into();
    let setup = Setup {
        listen: addr(8080),
        admin: addr(9900),
        servers: [addr(8001), addr(8002)],
        log: Path::new("/DIR/access.log"),
        dir: Path::new("/DIR"),
    };
    let mut text = "### Settings (access log and metrics on)\n".to_owned();
    for (face, name) in faces {
        for (proxy, _) in &rig.programs {
            if face.is_beyond(*proxy).is_none()
                && let Some(config) = proxy.config(&setup, Mode::On, *face)
            {
                let title = format!("{} {name}", proxy.name());
                let _ = write!(text, "\n{}:\n\n```\n{config}```\n", title.trim_end());
            }
        }
    }
    text
}
