//! `cargo bench --bench budget`: the exact cost of a request in instructions and allocations.
//!
//! A worker, its clients and its origin run on one thread over a network in memory, and only the
//! work of the proxy is counted. So a figure repeats to three percent on any machine with the same
//! compiler; a time would not. The work of the kernel is not included: `benches/compare` measures
//! it.
//!
//! Needs valgrind. `figures.toml` contains the budget: `--check` fails if a cell costs more than 2
//! % above it, `--bless` writes it again.

mod callgrind;
mod cell;
mod counting;
mod figures;
mod moves;
mod network;
mod peers;
mod rooms;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use clap::{Parser, Subcommand};

use cell::Cell;
use figures::{Figures, Outcome};
use moves::Move;
use scenario::{Failed, PLAYED, REQUESTS};

/// Rows below this share of a cell are added up.
const SMALL: f64 = 0.01;

/// How often a cell is counted before it counts as above its budget: variation between runs only
/// adds.
const TRIES: usize = 3;

/// How many functions `--moves` shows.
const MOVES_SHOWN: usize = 20;

#[derive(Parser)]
#[command(about = "Instructions and allocations of a request")]
struct Options {
    /// All cells if none is named.
    #[arg(long, value_delimiter = ',')]
    cells: Vec<Cell>,
    /// Fails if a cell exceeds its budget.
    #[arg(long)]
    check: bool,
    /// Writes the budget again.
    #[arg(long, conflicts_with = "check")]
    bless: bool,
    /// Shows the functions that move most bytes.
    #[arg(long)]
    moves: bool,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Runs one cell and prints its allocations.
    #[command(hide = true)]
    Cell { cell: Cell },
}

/// The counts of a cell, for one request each.
pub(crate) struct Counted {
    pub(crate) cell: Cell,
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    allocated_bytes: f64,
    moved_bytes: f64,
    moves: Vec<Move>,
    by_room: BTreeMap<String, f64>,
    by_library: BTreeMap<String, f64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let dir = env::temp_dir().join(format!("evenkeel-budget-{}", std::process::id()));
    let outcome = fs::create_dir_all(&dir)
        .map_err(Failed::from)
        .and_then(|()| run(&options, &dir));
    // If it fails, the folder stays among the system's temporary files.
    let _ = fs::remove_dir_all(&dir);
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, dir: &Path) -> Result<ExitCode, Failed> {
    if let Some(Part::Cell { cell }) = options.part {
        let allocations = scenario::run(cell, dir)?;
        println!("{} {}", allocations.count, allocations.bytes);
        return Ok(ExitCode::SUCCESS);
    }
    let cells = match &options.cells[..] {
        [] => &Cell::ALL[..],
        cells => cells,
    };
    let counted = cells
        .iter()
        .map(|cell| count(*cell, dir))
        .collect::<Result<Vec<_>, _>>()?;
    print_tables(&counted);
    if options.moves {
        counted.iter().for_each(print_moves);
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/budget/figures.toml");
    let mut figures = Figures::read(&path)?;
    if options.bless {
        for counted in &counted {
            figures.set(counted);
        }
        figures.write(&path)?;
    }
    let mut code = ExitCode::SUCCESS;
    if options.check {
        for counted in counted {
            let mut outcome = figures.judge(&counted);
            for _ in 1..TRIES {
                if matches!(outcome, Outcome::Above(..)) {
                    outcome = figures.judge(&count(counted.cell, dir)?);
                }
            }
            println!("{}: {outcome}", counted.cell.name());
            if outcome != Outcome::Within {
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn count(cell: Cell, dir: &Path) -> Result<Counted, Failed> {
    let requests = REQUESTS as f64;
    // In its own process, as under valgrind.
    let run = Command::new(env::current_exe()?)
        .args(["cell", cell.name()])
        .output()?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into());
    }
    let printed = String::from_utf8(run.stdout)?;
    let (count, bytes) = printed.trim().split_once(' ').ok_or("two numbers")?;
    let profile = callgrind::profile(cell, dir)?;
    if profile.total() == 0 {
        return Err("callgrind could not be switched on and off: that needs x86-64".into());
    }
    let moves = moves::moves(cell, dir)?;
    let moved: u64 = moves.iter().map(|one| one.bytes).sum();
    let a_request = |mut parts: BTreeMap<String, f64>| {
        parts.values_mut().for_each(|part| *part /= requests);
        parts
    };
    Ok(Counted {
        cell,
        instructions: profile.total() as f64 / requests,
        allocations: count.parse::<f64>()? / requests,
        allocated_bytes: bytes.parse::<f64>()? / requests,
        moved_bytes: moved as f64 / PLAYED as f64,
        moves,
        by_room: a_request(rooms::by_room(&profile)),
        by_library: a_request(rooms::by_library(&profile)),
    })
}

fn print_moves(counted: &Counted) {
    println!("\n| bytes | calls | moved by, in {} |", counted.cell.name());
    println!("|--:|--:|---|");
    for one in counted.moves.iter().take(MOVES_SHOWN) {
        let a_request = |number: u64| number as f64 / PLAYED as f64;
        let (bytes, calls) = (a_request(one.bytes), a_request(one.calls));
        println!("| {bytes:.0} | {calls:.1} | {} |", one.callers.join(" < "));
    }
}

fn print_tables(counted: &[Counted]) {
    let head = |first: &str| {
        let names: Vec<&str> = counted.iter().map(|counted| counted.cell.name()).collect();
        println!("\n| {first} | {} |", names.join(" | "));
        println!("|---|{}", "--:|".repeat(counted.len()));
    };
    let row = |name: &str, digits: usize, of: &dyn Fn(&Counted) -> f64| {
        let cells: Vec<String> = counted
            .iter()
            .map(|counted| format!("{:.digits$}", of(counted)))
            .collect();
        println!("| {name} | {} |", cells.join(" | "));
    };
    head("a request");
    row("instructions", 0, &|counted| counted.instructions);
    row("allocations", 2, &|counted| counted.allocations);
    row("bytes allocated", 0, &|counted| counted.allocated_bytes);
    row("bytes moved", 0, &|counted| counted.moved_bytes);
    type Parts = fn(&Counted) -> &BTreeMap<String, f64>;
    let by_room: Parts = |counted| &counted.by_room;
    let by_library: Parts = |counted| &counted.by_library;
    for (title, parts) in [
        ("instructions by room", by_room),
        ("instructions by library", by_library),
    ] {
        head(title);
        let names: BTreeSet<&String> = counted.iter().flat_map(|c| parts(c).keys()).collect();
        let of = |counted: &Counted, name: &String| *parts(counted).get(name).unwrap_or(&0.0);
        let is_large = |name: &&&String| {
            let mut counted = counted.iter();
            counted.any(|counted| of(counted, name) >= SMALL * counted.instructions)
        };
        let mut large: Vec<&String> = names.iter().filter(is_large).copied().collect();
        large.sort_by(|a, b| of(&counted[0], b).total_cmp(&of(&counted[0], a)));
        for name in &large {
            row(name, 0, &|counted| of(counted, name));
        }
        row("all others", 0, &|counted| {
            let all: f64 = parts(counted).values().sum();
            all - large.iter().map(|name| of(counted, name)).sum::<f64>()
        });
    }
}
