//! The cost of tables: to track an entry, read a rate of it and release it, as one request does; and
//! the memory of an entry.
//!
//! `cargo bench --bench tables`. Keys come in no order: among 1,000,000 entries nearly every access
//! misses the caches, as it does for a proxy with so many clients. A key of 1,000 is nearly always in
//! them.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use evenkeel::base::clock;
use evenkeel::base::rng::Rng;
use evenkeel::base::{Name, Peer};
use evenkeel::config;
use evenkeel::exchange::{Opening, Record, RequestId};
use evenkeel::expr::{self, Scratch, Value};
use evenkeel::plan::{Action, Data, Plan, RateLimit, Reading};
use evenkeel::tables::{Limiter, Since, Table, Tables, Tracked};

fn plan(size: usize) -> Plan {
    let text = format!(
        "[frontend.web]\nlisten = ':80'\nbackend = 'app'\n\
         rule = [{{ track = {{ table = 't', key = 'src' }} }}, {{ rate_limit = {{ key = 'src', rate = '100/1s', size = {size} }} }}]\n\
         [backend.app]\nservers = ['127.0.0.1:81']\n\
         [table.t]\nkey = 'ip'\nsize = {size}\nexpire = '1h'\nstore = 'http_req_rate(10s)'\n"
    );
    let loaded = config::load_text("bench.toml", &text);
    loaded.expect("a valid configuration").plan
}

fn limit_of(plan: &Plan) -> RateLimit {
    let mut rules = plan.frontends[0].rules.iter();
    let limit = rules.find_map(|rule| match &rule.action {
        Action::RateLimit(limit) => Some((**limit).clone()),
        _ => None,
    });
    limit.expect("there is one")
}

fn client(number: u64) -> Value<'static> {
    Value::Ip(IpAddr::V4(Ipv4Addr::from(number as u32)))
}

fn record() -> Record {
    let now = clock::now();
    Record::open(Opening {
        began: now,
        head_read: now,
        wall: SystemTime::UNIX_EPOCH,
        client: Peer::Unix,
        local: None,
        tls: None,
        frontend: None,
        generation: 1,
        version: http::Version::HTTP_11,
        request: None,
        wants_load: false,
        first_bytes: None,
        id: RequestId::made(1),
    })
}

/// What one request does: track, read the rate, release.
fn one(tables: &Arc<Tables>, name: &Name, key: u64, scratch: &RefCell<Scratch>, record: &Record) {
    let tracked = Tracked::default();
    let scratch = &mut *scratch.borrow_mut();
    tracked.track(0, (tables, name), client(key), scratch, Since::Request);
    let rate = Reading::Data(Data::HttpReqRate);
    black_box(expr::Tracked::read(&tracked, 0, None, rate, 0));
    tracked.finish(record);
}

fn tables(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tables");
    let (scratch, record, rng) = (RefCell::default(), record(), Rng::seeded(1));
    for count in [1_000, 1_000_000] {
        let plan = plan(count);
        let name = &plan.tables[0].name;
        let table = Arc::new(Table::new(&plan.tables[0], clock::now()));
        let all = [(name.clone(), Arc::clone(&table))];
        let all = Arc::new(Tables::of(all.into_iter(), std::iter::empty()));
        for key in 0..count as u64 {
            one(&all, name, key, &scratch, &record);
        }
        let used = table.used(clock::now());
        println!("tables/bytes an entry/{count}: {}", table.bytes() / used);
        // As within one turn of a worker: the clock is read once for each request.
        group.bench_function(
            BenchmarkId::new("track, read a rate, release", count),
            |bencher| {
                bencher.iter(|| {
                    clock::in_one_turn(|| {
                        one(&all, name, rng.below(count as u64), &scratch, &record)
                    });
                });
            },
        );
        let limit = limit_of(&plan);
        let limiter = Limiter::new(&limit, clock::now());
        group.bench_function(BenchmarkId::new("rate limit", count), |bencher| {
            bencher.iter(|| {
                let key = client(rng.below(count as u64));
                limiter.decide(&limit, key, &mut scratch.borrow_mut(), clock::now())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, tables);
criterion_main!(benches);
