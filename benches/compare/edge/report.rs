//! The edge's tables.

use crate::face::{Face, Key};
use crate::idle::Resting;
use crate::proxies::{Mode, Proxy};
use crate::report::{
    Figure, Form, PEERS, Table, columns, failures, heading, log_share, median, memory_table,
    peer_settings, ratio, spread, titled,
};
use crate::rig::Rig;
use crate::rules::{Coding, Rules};
use crate::tally::Tally;

use super::cell::{Cell, Work};
use super::{Measurement, Memory};

/// Prints everything to standard output.
pub(crate) fn print(
    rig: &Rig,
    mode: Mode,
    cells: &[Cell],
    measurements: &[Measurement],
    memory: &[Memory],
    form: Form,
) {
    println!("{}", heading(rig, form));
    for &cell in cells {
        let rows: Vec<&Measurement> = measurements.iter().filter(|it| it.cell == cell).collect();
        let resting: Vec<(Proxy, Resting)> = memory
            .iter()
            .filter(|it| it.cell == cell)
            .map(|it| (it.proxy, it.resting))
            .collect();
        let table = match cell.work() {
            Work::Rest(..) if !resting.is_empty() => memory_table(&resting, "idle connection"),
            Work::Stall(_) if !resting.is_empty() => memory_table(&resting, "upload"),
            Work::Handshakes(_) if !rows.is_empty() => handshake_table(&rows),
            _ if !rows.is_empty() => request_table(&rows),
            _ => continue,
        };
        let title = format!("{} ({})", cell.title(), mode.title());
        println!("{}", titled(&title, &table, form));
        for (proxy, _) in &rig.programs {
            if let Some(reason) = cell.has_no_row(*proxy)
                && !proxy.is_relay()
                && *proxy != Proxy::HaproxySplice
            {
                println!("{}: no row, it {reason}.\n", proxy.name());
            }
        }
    }
    if form == Form::Markdown {
        let faces: Vec<(Face, &str)> = FACES
            .into_iter()
            .filter(|(face, _)| cells.iter().any(|cell| cell.face() == *face))
            .collect();
        println!("{}", peer_settings(rig, &faces));
    }
}

/// The faces whose settings are printed.
const FACES: [(Face, &str); 9] = [
    (Face::Tls(Key::Ecdsa), "with TLS"),
    (Face::H2, "with HTTP/2 in the clear"),
    (Face::H2Both, "with HTTP/2 on both sides"),
    (Face::Upgrades, "with WebSockets"),
    (Face::Tcp, "in TCP mode"),
    (Face::Rules(Rules::Conditions(1)), "with one rule"),
    (Face::Rules(Rules::Table), "with a table"),
    (Face::Rules(Rules::Map), "with a map"),
    (
        Face::Rules(Rules::Compression(Coding::Gzip(1))),
        "with compression",
    ),
];

fn request_table(rows: &[&Measurement]) -> Table {
    let words = Words {
        cpu: "CPU µs/req",
        rate: "req/s",
        last: "log lines/req",
    };
    table(rows, &words, |own| {
        log_share(own.iter().filter_map(|it| it.log_share).collect())
    })
}

fn handshake_table(rows: &[&Measurement]) -> Table {
    let words = Words {
        cpu: "CPU µs/handshake",
        rate: "handshakes/s",
        last: "handshakes/CPU second",
    };
    table(rows, &words, |own| {
        let of_second = |it: &&Measurement| 1e6 / it.closed.cpu_us_per_request();
        format!("{:.0}", median(own.iter().map(of_second).collect()))
    })
}

/// The names of columns that differ between tables.
struct Words {
    cpu: &'static str,
    rate: &'static str,
    last: &'static str,
}

/// `last` computes the last column but one, from a proxy's rounds.
fn table(rows: &[&Measurement], words: &Words, last: fn(&[&Measurement]) -> String) -> Table {
    let has_row = |proxy: Proxy| rows.iter().any(|it| it.proxy == proxy);
    let peers: Vec<Proxy> = PEERS.into_iter().filter(|&it| has_row(it)).collect();
    let figures: Vec<Figure> = rows.iter().map(|it| figure(it)).collect();
    let mut names = columns(&["proxy", words.cpu, "min–max"]);
    names.extend(peers.iter().map(|peer| format!("× {}", peer.name())));
    names.extend(columns(&[
        words.rate,
        "core busy",
        "failed",
        words.last,
        "others' CPU",
    ]));
    let mut table = vec![names];
    for proxy in Proxy::ALL.into_iter().filter(|&it| has_row(it)) {
        let own: Vec<&Measurement> = rows
            .iter()
            .copied()
            .filter(|it| it.proxy == proxy)
            .collect();
        let over =
            |value: fn(&Tally) -> f64| median(own.iter().map(|it| value(&it.closed)).collect());
        let mut row = vec![
            proxy.name().to_owned(),
            format!("{:.1}", over(Tally::cpu_us_per_request)),
            spread(&figures, proxy),
        ];
        row.extend(peers.iter().map(|&peer| ratio(&figures, proxy, peer)));
        let noise = own.iter().map(|it| it.closed.disturbance());
        row.extend([
            format!("{:.0}", over(Tally::per_second)),
            format!("{:.0} %", over(Tally::busy) * 100.0),
            failures(own.iter().map(|it| it.closed.failed()).sum()),
            last(&own),
            format!("{:.0} %", noise.fold(0.0, f64::max) * 100.0),
        ]);
        table.push(row);
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
