//! What choosing a server costs, by the number of servers.
//!
//! `cargo bench --bench balancer`. Round robin: the cursor is an atomic, as it is among workers;
//! least connections: so are the numbers in flight.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use evenkeel::proxy::backend::balance::least_connections::{Load, least};
use evenkeel::proxy::backend::balance::round_robin::Turns;

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

criterion_group!(benches, round_robin, least_connections);
criterion_main!(benches);
