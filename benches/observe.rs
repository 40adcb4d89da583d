//! The cost of observing an exchange: its counters, and its line in the access log.
//!
//! `cargo bench --bench observe`

use std::hint::black_box;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use evenkeel::base::clock::{self, Duration};
use evenkeel::base::{Name, tasks};
use evenkeel::config;
use evenkeel::exchange::{
    Attempt, LoggedRequest, Opening, Record, RequestId, RequestTexts, RouteMetrics, ServerMetrics,
    TakenRoute, TriedServer,
};
use evenkeel::observe::{
    AccessLogHandle, BackendRow, FrontendMetrics, FrontendRow, HealthMetrics, LeftByRules,
    OpenConnections, ProcessMetrics, QueueAppeared, Scrape, ServerConnections, ServerRow,
    ServerState, WorkerObserver,
};
use evenkeel::plan::AccessLog;
use http::Version;

fn finish(criterion: &mut Criterion) {
    let metrics = Arc::new(ServerMetrics::new(2));
    let record = record(&metrics);
    let mut group = criterion.benchmark_group("finish");
    for (name, line) in [
        ("without a log", "to = 'off'"),
        ("with a log", "to = '/dev/null'"),
        (
            "with HAProxy's",
            "to = '/dev/null'\nformat = 'haproxy-http'",
        ),
    ] {
        let (log, writers) = AccessLogHandle::open(&plan(line)).expect("it opens");
        let started = writers.into_iter().map(|writer| {
            tasks::spawn_thread("access-log", move || writer.run()).expect("a thread")
        });
        let threads: Vec<_> = started.collect();
        let observer = WorkerObserver::new(0, &log);
        let frontend = FrontendMetrics::new(2);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let left = LeftByRules::default();
                observer.finish(
                    black_box(&record),
                    &frontend,
                    left,
                    OpenConnections::default,
                );
            });
        });
        drop(observer);
        assert!(log.close(Duration::from_secs(10)), "it writes what it has");
        for thread in threads {
            thread.join().expect("it ends");
        }
        println!("lines dropped: {}", log.dropped());
    }
    group.finish();
}

/// The access log with these lines in its table.
fn plan(lines: &str) -> Vec<AccessLog> {
    let text = format!(
        "[frontend.web]\nlisten = '127.0.0.1:80'\nbackend = 'app'\n\
         [backend.app]\nservers = '10.0.0.1:80'\n[log.access]\n{lines}"
    );
    let loaded = config::load_text("bench.toml", &text).expect("a configuration");
    loaded.plan.log.access
}

/// 1,000 servers with traffic on two workers.
fn scrape(criterion: &mut Criterion) {
    let now = clock::now();
    let (log, _) = AccessLogHandle::open(&[]).expect("nothing to open");
    let process = ProcessMetrics::new();
    let frontend = FrontendMetrics::new(2);
    let servers: Vec<_> = (0..1_000)
        .map(|number| {
            let metrics = Arc::new(ServerMetrics::new(2));
            let record = record(&metrics);
            for worker in 0..2 {
                let open = OpenConnections::default;
                WorkerObserver::new(worker, &log).finish(
                    &record,
                    &frontend,
                    LeftByRules::default(),
                    open,
                );
            }
            let health = HealthMetrics::new(ServerState::Up, now);
            (
                format!("10.0.{}.{}:80", number / 250, number % 250),
                metrics,
                health,
            )
        })
        .collect();
    let server_rows: Vec<_> = servers
        .iter()
        .map(|(name, metrics, health)| ServerRow {
            backend: "app",
            server: name,
            metrics,
            health,
            state: ServerState::Up,
            queued: 0,
            in_flight: 1,
        })
        .collect();
    let frontend_row = FrontendRow {
        name: "web",
        metrics: &frontend,
        open_tunnels: 0,
        open_connections: 64,
    };
    let queue_has_appeared = QueueAppeared::default();
    let backend_row = BackendRow {
        name: "app",
        queued: 0,
        queue_has_appeared: &queue_has_appeared,
    };
    let scrape = Scrape {
        process: &process,
        access_log: &log,
        frontends: &[frontend_row],
        routes: &[],
        backends: &[backend_row],
        servers: &server_rows,
        tables: &[],
        rate_limits: &[],
        certificates: &[],
        certificates_broken: 0,
        server_connections: ServerConnections::default(),
        now,
    };
    criterion.bench_function("scrape of 1,000 servers", |bencher| {
        bencher.iter(|| black_box(scrape.render()));
    });
}

fn request() -> LoggedRequest {
    LoggedRequest::of(&RequestTexts {
        method: Some(b"GET"),
        target: Some(b"/v1/users/1234?fields=name"),
        host: Some(b"api.example.com"),
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        referer: Some(b"https://www.example.com/users"),
        version: Some(Version::HTTP_11),
    })
}

/// An exchange that went to a server with these counters.
fn record(server: &Arc<ServerMetrics>) -> Record {
    let name = |text: &str| Name::new(text).expect("a name");
    let began = clock::now();
    let record = Record::open(Opening {
        began,
        head_read: began + Duration::from_micros(20),
        wall: clock::wall(),
        client: SocketAddr::from(([192, 0, 2, 7], 51_234)).into(),
        local: None,
        tls: None,
        frontend: Some("web".into()),
        generation: 7,
        version: Version::HTTP_11,
        request: Some(request()),
        wants_load: false,
        first_bytes: None,
        id: RequestId::made(0x0123_4567_89ab_cdef),
    });
    let route = Rc::new(TakenRoute {
        name: name("api"),
        metrics: Arc::new(RouteMetrics::new(2)),
    });
    let server = Rc::new(TriedServer {
        name: name("10.0.0.1:80"),
        metrics: Arc::clone(server),
    });
    record.route.set(route).expect("it has none");
    record.backend.set("app".into()).expect("it has none");
    record.attempts.begin(Attempt {
        response: Some(Duration::from_micros(830)),
        status: 200,
        ..Attempt::at(server)
    });
    record.status.set(200);
    record.body_bytes_out.set(1_024);
    record.ended.set(Some(began + Duration::from_micros(950)));
    record
}

criterion_group!(benches, finish, scrape);
criterion_main!(benches);
