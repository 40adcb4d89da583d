//! The cost of a search among many keys, found and not found, and of making it ready: 1,000,000
//! addresses; 100,000 texts, beginnings, ends, parts and domains.
//!
//! `cargo bench --bench lookup`. The promise: 200 ns a search, and one second for a million
//! addresses.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use evenkeel::expr::{Lookup, Scratch, Value};
use evenkeel::plan::expr::MapKeys;

/// Numbers that are neither sorted nor equal.
fn scattered(index: u32) -> u32 {
    index.wrapping_mul(0x9e37_79b1)
}

fn addresses(criterion: &mut Criterion) {
    let written: Vec<String> = (0..1_000_000)
        .map(|index| Ipv4Addr::from(scattered(index)).to_string())
        .collect();
    let mut group = criterion.benchmark_group("addresses-1000000");
    group.sample_size(10);
    group.bench_function("load", |bencher| {
        bencher.iter_batched(
            || (),
            |()| Lookup::of(MapKeys::Addresses, written.iter().map(String::as_str)),
            BatchSize::LargeInput,
        );
    });
    let lookup = Lookup::of(MapKeys::Addresses, written.iter().map(String::as_str));
    let scratch = Scratch::default();
    for (name, first) in [("found", 0), ("not-found", 2_000_000)] {
        let mut index = first;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                index = first + (index + 7_919) % 1_000_000;
                let addr = IpAddr::from(Ipv4Addr::from(scattered(index)));
                black_box(lookup.find(Value::Ip(addr), &scratch))
            });
        });
    }
}

fn texts(criterion: &mut Criterion) {
    for (name, keys, key, text) in [
        ("whole", MapKeys::Whole, "/app/item-{}", "/app/item-{}"),
        (
            "beginnings",
            MapKeys::Beginnings,
            "/app/item-{}/",
            "/app/item-{}/part/index.html",
        ),
        (
            "ends",
            MapKeys::Ends,
            ".item-{}.example.com",
            "www.item-{}.example.com",
        ),
        (
            "parts",
            MapKeys::Parts,
            "item-{}/",
            "/app/item-{}/part/index.html",
        ),
        (
            "domains",
            MapKeys::Domains,
            "item-{}.example.com",
            "www.item-{}.example.com",
        ),
    ] {
        let filled = |form: &str, index: u32| form.replace("{}", &scattered(index).to_string());
        let written: Vec<String> = (0..100_000).map(|index| filled(key, index)).collect();
        let lookup = Lookup::of(keys, written.iter().map(String::as_str));
        let scratch = Scratch::default();
        let mut group = criterion.benchmark_group(format!("{name}-100000"));
        for (name, first) in [("found", 0), ("not-found", 200_000)] {
            let asked: Vec<String> = (first..first + 10_000)
                .map(|index| filled(text, index))
                .collect();
            let mut index = 0;
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    index = (index + 7_919) % asked.len();
                    black_box(lookup.find(Value::Text(asked[index].as_bytes()), &scratch))
                });
            });
        }
    }
}

criterion_group!(benches, addresses, texts);
criterion_main!(benches);
