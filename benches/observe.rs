//! What an exchange pays for being observed: its counters, and its line in the access log.
//!
//! `cargo bench --bench observe`

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{Criterion, criterion_group, criterion_main};
use evenkeel::base::clock::{self, Duration};
use evenkeel::base::{Name, Position, tasks};
use evenkeel::exchange::{Attempt, LoggedRequest, Opening, Record, RequestId, RequestTexts};
use evenkeel::observe::{
    AccessLogHandle, BackendRow, FrontendMetrics, FrontendRow, HealthMetrics, Places,
    ProcessMetrics, QueueAppeared, RouteMetrics, Scrape, ServerConnections, ServerMetrics,
    ServerRow, ServerState, WorkerObserver,
};
use evenkeel::plan::{
    Attempts, Backend, BackendHttp2, BackendLimits, BackendTimeouts, Balance, ClientCertificate,
    ClientField, Forwarding, Frontend, FrontendLimits, FrontendTimeouts, HeaderCase, Log,
    LogTarget, Peers, Plan, Pool, Process, Protocol, ProxyProtocol, Queue, Reload, RequestIds,
    Route, RouteKind, Server, Shutdown, Target,
};
use http::Version;

/// A plan whose servers share their counters.
struct Stage<'a> {
    plan: &'a Plan,
    server: &'a ServerMetrics,
    route: &'a RouteMetrics,
}

impl Places for Stage<'_> {
    fn frontend(&self, frontend: u32) -> Option<&str> {
        let frontend = self.plan.frontends.get(frontend as usize)?;
        Some(frontend.name.as_str())
    }

    fn route(&self, frontend: u32, route: u32, kind: RouteKind) -> Option<&str> {
        let name = self.plan.name_of_route(frontend, route, kind)?;
        Some(name.as_str())
    }

    fn route_metrics(&self, _: u32, _: u32, _: RouteKind) -> Option<&RouteMetrics> {
        Some(self.route)
    }

    fn backend(&self, backend: u32) -> Option<&str> {
        let backend = self.plan.backends.get(backend as usize)?;
        Some(backend.name.as_str())
    }

    fn server(&self, backend: u32, server: u32) -> Option<(&str, &ServerMetrics)> {
        let backend = self.plan.backends.get(backend as usize)?;
        let server = backend.servers.get(server as usize)?;
        Some((server.name.as_str(), self.server))
    }
}

fn finish(criterion: &mut Criterion) {
    let plan = plan();
    let record = record();
    let mut group = criterion.benchmark_group("finish");
    let targets = [
        ("without a log", LogTarget::Off),
        ("with a log", LogTarget::File("/dev/null".into())),
    ];
    for (name, target) in targets {
        let (log, writer) = AccessLogHandle::open(&target).expect("it opens");
        let thread = tasks::spawn_thread("access-log", move || writer.run()).expect("a thread");
        let observer = WorkerObserver::new(0, &log);
        let frontend = FrontendMetrics::new(2);
        let (server, route) = (ServerMetrics::new(2), RouteMetrics::new(2));
        let stage = Stage {
            plan: &plan,
            server: &server,
            route: &route,
        };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                observer.finish(black_box(&record), &stage, &frontend);
            });
        });
        drop(observer);
        assert!(log.close(Duration::from_secs(10)), "it writes what it has");
        thread.join().expect("it ends");
        println!("lines dropped: {}", log.dropped());
    }
    group.finish();
}

/// 1,000 servers with traffic on two workers.
fn scrape(criterion: &mut Criterion) {
    let plan = plan();
    let record = record();
    let now = clock::now();
    let (log, _writer) = AccessLogHandle::open(&LogTarget::Off).expect("nothing to open");
    let process = ProcessMetrics::new();
    let (frontend, route) = (FrontendMetrics::new(2), RouteMetrics::new(2));
    let servers: Vec<_> = (0..1_000)
        .map(|number| {
            let metrics = ServerMetrics::new(2);
            for worker in 0..2 {
                let stage = Stage {
                    plan: &plan,
                    server: &metrics,
                    route: &route,
                };
                WorkerObserver::new(worker, &log).finish(&record, &stage, &frontend);
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

fn record() -> Record {
    let began = clock::now();
    let record = Record::open(Opening {
        began,
        head_read: began + Duration::from_micros(20),
        wall: clock::wall(),
        client: SocketAddr::from(([192, 0, 2, 7], 51_234)).into(),
        local: None,
        tls: None,
        frontend: 0,
        generation: 7,
        version: Version::HTTP_11,
        request: Some(request()),
        first_bytes: None,
        id: RequestId::made(0x0123_4567_89ab_cdef),
    });
    record.route.set(Some(0));
    record.backend.set(Some(0));
    record.attempt.set(Some(Attempt {
        backend: 0,
        server: 0,
        connect: None,
        response: Some(Duration::from_micros(830)),
        status: 200,
        reason: None,
    }));
    record.status.set(200);
    record.body_bytes_out.set(1_024);
    record.ended.set(Some(began + Duration::from_micros(950)));
    record
}

fn plan() -> Plan {
    let name = |text: &str| Name::new(text).expect("a name");
    Plan {
        process: Process::default(),
        log: Log::default(),
        reload: Reload::default(),
        shutdown: Shutdown::default(),
        admin: None,
        frontends: vec![Frontend {
            name: name("web"),
            listen: Vec::new(),
            mode: Default::default(),
            tcp_routes: Vec::new(),
            tls: None,
            rules: Vec::new(),
            routes: vec![Route {
                rules: Vec::new(),
                name: name("api"),
                hosts: Vec::new(),
                paths: Vec::new(),
                methods: Vec::new(),
                headers: Vec::new(),
                queries: Vec::new(),
                when: None,
                client_certificate: ClientCertificate::Any,
                target: Target::Backend(name("app")),
                at: Position::built_in(),
            }],
            backend: None,
            max_connections: None,
            timeout: FrontendTimeouts::default(),
            limits: FrontendLimits::default(),
            http2: Default::default(),
            half_close: false,
            proxy_protocol: ProxyProtocol::default(),
            trusted_proxies: Peers::default(),
            client_field: ClientField::default(),
            forwarding: Forwarding::default(),
            request_id: RequestIds::default(),
            field_names: Default::default(),
            header_case: HeaderCase::default(),
            upgrades: Frontend::default_upgrades(),
        }],
        backends: vec![Backend {
            rules: Vec::new(),
            name: name("app"),
            balance: Balance::default(),
            servers: vec![Server {
                name: name("10.0.0.1:80"),
                address: SocketAddr::from(([10, 0, 0, 1], 80)).into(),
                weight: 1,
                max_connections: None,
                backup: false,
                at: Position::built_in(),
            }],
            timeout: BackendTimeouts::default(),
            health: None,
            attempts: Attempts::default(),
            queue: Queue::default(),
            pool: Pool::default(),
            limits: BackendLimits::default(),
            protocol: Protocol::default(),
            tls: None,
            send_proxy: None,
            http2: BackendHttp2::default(),
            header_case: HeaderCase::default(),
        }],
    }
}

criterion_group!(benches, finish, scrape);
criterion_main!(benches);
