//! `cargo bench --bench compare`: Evenkeel beside HAProxy and nginx, and a blind byte relay as the floor.
//!
//! The same origin and the same load go through each proxy in turn. The proxy has one core to
//! itself; origin and load share the other. For the cells and the tables see `benches/README.md`.
//!
//! The program starts itself again for every part that must be a process of its own (`origin`,
//! `relay`, `load`, `idle` and theirs of the edge), so that nothing but the proxy runs on its core.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark lives in real time, and its processes have a room each"
)]

mod cell;
mod child;
mod clock;
mod compare;
mod edge;
mod face;
mod idle;
mod load;
mod machine;
mod many;
mod origin;
mod origin_h2;
mod poll;
mod probe;
mod procfs;
mod proxies;
mod quiet;
mod relay;
mod reload;
mod report;
mod rig;
mod rules;
mod settings;
mod tails;
mod tally;
mod usage;
mod websocket;
mod wire;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::edge::Family;
use self::origin::Room;

#[derive(Parser)]
#[command(about = "Runs the same load through Evenkeel, HAProxy, nginx and a byte relay")]
struct Cli {
    /// Passed by `cargo bench`; without it nothing is measured (see `main`).
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(flatten)]
    compare: compare::Options,
    #[command(flatten)]
    rig: rig::Options,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Evenkeel only: 100 reloads under load, each changing a weight
    Reload(reload::Options),
    /// Evenkeel only: reloads of 1,000 backends with 10 servers each
    #[command(name = "reload-1000")]
    Reload1000(reload::Options),
    /// Reloads of 33,000 hosts with a backend each, and scrapes, beside HAProxy and nginx
    #[command(name = "reload-33000")]
    Reload33000(many::Options),
    /// The slowest requests, undisturbed and during reloads, the death of a server and overload
    Tails(tails::Options),
    /// TLS, HTTP/2, WebSocket and TCP mode
    Edge(edge::Options),
    /// Rules, a redirect, tables, maps, compression
    Rules(edge::Options),
    #[command(hide = true)]
    Origin,
    #[command(hide = true)]
    OriginNarrow,
    #[command(hide = true)]
    OriginH2,
    #[command(hide = true)]
    Relay(relay::Options),
    #[command(hide = true)]
    Load(load::Options),
    #[command(hide = true)]
    Idle(idle::Options),
    #[command(hide = true)]
    EdgeLoad(edge::load::Options),
    #[command(hide = true)]
    EdgeIdle(edge::idle::Options),
    #[command(hide = true)]
    EdgeStalled(edge::stalled::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> io::Result<()> {
    match cli.part {
        Some(Part::Edge(options)) => edge::run(&options, Family::Edge, &cli.rig),
        Some(Part::Rules(options)) => edge::run(&options, Family::Rules, &cli.rig),
        Some(Part::Origin) => origin::run(Room::Plenty),
        Some(Part::OriginNarrow) => origin::run(Room::Little),
        Some(Part::OriginH2) => origin_h2::run(),
        Some(Part::Relay(options)) => relay::run(&options),
        Some(Part::Load(options)) => load::run(&options),
        Some(Part::Idle(options)) => idle::run(&options),
        Some(Part::EdgeLoad(options)) => edge::load::run(&options),
        Some(Part::EdgeIdle(options)) => edge::idle::run(&options),
        Some(Part::EdgeStalled(options)) => edge::stalled::run(&options),
        Some(Part::Reload(options)) => reload::weights(&options, &cli.rig),
        Some(Part::Reload1000(options)) => reload::thousand(&options, &cli.rig),
        Some(Part::Reload33000(options)) => many::run(&options, &cli.rig),
        Some(Part::Tails(options)) => tails::run(&options, &cli.rig),
        None if cli.bench => compare::run(&cli.compare, &cli.rig),
        // `cargo test --all-targets` runs every bench once, without `--bench`; this one takes most
        // of an hour and two quiet cores, so it runs only with it.
        None => {
            println!("nothing measured: run `cargo bench --bench compare`");
            Ok(())
        }
    }
}
