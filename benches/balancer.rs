//! The cost of choosing a server, by the number of servers, and of a slot at one, by the number of
//! workers.
//!
//! `cargo bench --bench balancer`. Round robin: the cursor is an atomic, as it is among workers;
//! least connections: so are the numbers in flight. In the cells with several workers, threads take
//! and return slots; the time is that of one slot while all threads run.

#![expect(
    clippy::disallowed_methods,
    reason = "the threads are workers, and the clock is the one that measures"
)]

use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use evenkeel::config;
use evenkeel::control::assemble;
use evenkeel::exchange::{Outcome, Verdict};
use evenkeel::observe::AttemptCounter;
use evenkeel::proxy::backend::balance::least_connections::{Load, least};
use evenkeel::proxy::backend::balance::round_robin::Turns;
use evenkeel::proxy::backend::{Backend, Local, Tried};

/// More than any cell has.
const MOST_WORKERS: usize = 64;

fn weights(count: usize) -> Vec<u16> {
    (0..count).map(|server| [4, 2, 1][server % 3]).collect()
}

fn round_robin(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("round robin");
    for count in [10, 1_000] {
        let turns = Turns::new(&weights(count));
        let cursor = AtomicU64::new(0);
        group.bench_function(BenchmarkId::new("choose", count), |bencher| {
            bencher.iter(|| turns.at(cursor.fetch_add(1, Ordering::Relaxed)));
        });
        let weights: Vec<u16> = (1..=count).map(|server| server as u16 % 256 + 1).collect();
        group.bench_function(BenchmarkId::new("lay out", count), |bencher| {
            bencher.iter(|| Turns::new(black_box(&weights)));
        });
    }
    group.finish();
}

fn least_connections(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("least connections");
    for count in [10, 100, 1_000] {
        let servers: Vec<(AtomicU32, u16)> = weights(count)
            .into_iter()
            .enumerate()
            .map(|(server, weight)| (AtomicU32::new(server as u32 * 7 % 11 + 1), weight))
            .collect();
        let idle: Vec<(AtomicU32, u16)> = weights(count)
            .into_iter()
            .map(|weight| (AtomicU32::new(0), weight))
            .collect();
        for (case, servers) in [("choose", &servers), ("all idle", &idle)] {
            let mut turn = 0;
            group.bench_function(BenchmarkId::new(case, count), |bencher| {
                bencher.iter(|| {
                    turn += 1;
                    least(loads(servers), turn)
                });
            });
        }
    }
    group.finish();
}

fn loads(servers: &[(AtomicU32, u16)]) -> impl Iterator<Item = Load> + Clone {
    servers
        .iter()
        .enumerate()
        .map(|(server, (in_flight, weight))| Load {
            server,
            in_flight: in_flight.load(Ordering::Relaxed),
            weight: *weight,
        })
}

/// A backend with `count` servers.
fn backend(count: usize, balance: &str) -> Arc<Backend> {
    let servers: Vec<String> = (1..=count)
        .map(|server| format!("\"10.0.0.{server}:80\""))
        .collect();
    let servers = servers.join(", ");
    let text = format!(
        "[frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
         [backend.app]\nbalance = \"{balance}\"\nservers = [{servers}]"
    );
    let loaded = config::load_text("bench.toml", &text).expect("it is valid");
    Arc::clone(&assemble(loaded.plan, MOST_WORKERS).backends[0])
}

/// The time in which `workers` threads at once take and return `count` slots each.
fn slots(backend: &Arc<Backend>, workers: usize, count: u64) -> Duration {
    let start = Arc::new(Barrier::new(workers + 1));
    let threads: Vec<_> = (0..workers)
        .map(|worker| {
            let (backend, start) = (Arc::clone(backend), Arc::clone(&start));
            thread::spawn(move || {
                let attempts = AttemptCounter::of_worker(worker);
                let local = Rc::new(Local::new(backend, attempts, false, None));
                let tried = Tried::default();
                let answered = Outcome::without_answer(Verdict::Answered);
                start.wait();
                let began = Instant::now();
                for _ in 0..count {
                    if let Ok(lease) = black_box(local.lease_now(&tried)) {
                        lease.settle(&answered);
                    }
                }
                began.elapsed()
            })
        })
        .collect();
    start.wait();
    let took = threads.into_iter().map(|thread| thread.join());
    let took: Vec<Duration> = took.map(|took| took.expect("no panic")).collect();
    took.iter().sum::<Duration>() / workers as u32
}

fn workers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slots");
    for balance in ["round-robin", "least-connections"] {
        for workers in [1, 2, 4] {
            let backend = backend(4, balance);
            group.bench_function(BenchmarkId::new(balance, workers), |bencher| {
                bencher.iter_custom(|count| slots(&backend, workers, count));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, round_robin, least_connections, workers);
criterion_main!(benches);
