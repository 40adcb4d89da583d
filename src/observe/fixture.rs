//! A small plan and an exchange under it, for the tests of this room.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use http::Version;

use crate::base::clock::{Duration, Instant};
use crate::base::{Address, Name, Position};
use crate::exchange::{Attempt, LoggedRequest, Opening, Record, RequestId, RequestTexts};
use crate::observe::{Places, RouteMetrics, ServerMetrics};
use crate::plan::{
    Attempts, Backend, BackendHttp2, BackendLimits, BackendTimeouts, Balance, ClientCertificate,
    ClientField, Forwarding, Frontend, FrontendLimits, FrontendTimeouts, HeaderCase, Log, OddNames,
    Peers, Plan, Pool, Process, Protocol, ProxyProtocol, Queue, Reload, RequestIds, Route,
    RouteKind, Server, Shutdown, Target,
};

/// Frontend `web` with route `api` to backend `app`, which has servers `10.0.0.1:80` and `10.0.0.2:80`.
pub(super) fn plan() -> Plan {
    Plan {
        process: Process::default(),
        log: Log::default(),
        reload: Reload::default(),
        shutdown: Shutdown::default(),
        admin: None,
        frontends: vec![frontend()],
        backends: vec![backend()],
    }
}

/// `GET /v1/a?b=c` at `began`, of which nothing more is known yet.
pub(super) fn record(began: Instant) -> Record {
    Record::open(Opening {
        began,
        head_read: began + Duration::from_micros(120),
        wall: UNIX_EPOCH + Duration::from_millis(1_772_368_496_789),
        client: SocketAddr::from(([192, 0, 2, 7], 51_234)).into(),
        local: None,
        tls: None,
        frontend: 0,
        generation: 7,
        version: Version::HTTP_11,
        request: Some(LoggedRequest::of(&RequestTexts {
            method: Some(b"GET"),
            target: Some(b"/v1/a?b=c"),
            host: Some(b"example.com"),
            user_agent: Some(b"curl/8.5.0"),
            referer: None,
            version: Some(Version::HTTP_11),
        })),
        first_bytes: None,
        id: RequestId::made(0x0123_4567_89ab_cdef),
    })
}

/// An attempt at `server` of `app` that was just begun.
pub(super) fn attempt(server: u32) -> Attempt {
    Attempt {
        backend: 0,
        server,
        connect: None,
        response: None,
        status: 0,
        reason: None,
    }
}

fn frontend() -> Frontend {
    Frontend {
        name: name("web"),
        listen: Vec::new(),
        mode: Default::default(),
        tcp_routes: Vec::new(),
        tls: None,
        routes: vec![Route {
            name: name("api"),
            hosts: Vec::new(),
            paths: Vec::new(),
            methods: Vec::new(),
            headers: Vec::new(),
            queries: Vec::new(),
            when: None,
            client_certificate: ClientCertificate::Any,
            rules: Vec::new(),
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
        field_names: OddNames::default(),
        header_case: HeaderCase::default(),
        upgrades: Frontend::default_upgrades(),
        rules: Vec::new(),
    }
}

fn backend() -> Backend {
    Backend {
        name: name("app"),
        balance: Balance::default(),
        servers: vec![server("10.0.0.1:80"), server("10.0.0.2:80")],
        timeout: BackendTimeouts::default(),
        health: None,
        rules: Vec::new(),
        attempts: Attempts::default(),
        queue: Queue::default(),
        pool: Pool::default(),
        limits: BackendLimits::default(),
        protocol: Protocol::default(),
        tls: None,
        send_proxy: None,
        http2: BackendHttp2::default(),
        header_case: HeaderCase::default(),
    }
}

fn server(address: &str) -> Server {
    Server {
        name: name(address),
        address: Address::Ip(address.parse().expect("an address")),
        weight: 1,
        max_connections: None,
        backup: false,
        at: Position::built_in(),
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// A folder that is gone when the test is over.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("evenkeel-observe-{process}-{number}"));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Only a test's leavings: nothing depends on it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A plan whose first backend has counters, and whose routes share one.
pub(super) struct Stage<'a> {
    pub(super) plan: &'a Plan,
    pub(super) servers: &'a [ServerMetrics],
    pub(super) route: &'a RouteMetrics,
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

    fn route_metrics(&self, frontend: u32, route: u32, kind: RouteKind) -> Option<&RouteMetrics> {
        let name = self.plan.name_of_route(frontend, route, kind);
        name.map(|_| self.route)
    }

    fn backend(&self, backend: u32) -> Option<&str> {
        let backend = self.plan.backends.get(backend as usize)?;
        Some(backend.name.as_str())
    }

    fn server(&self, backend: u32, server: u32) -> Option<(&str, &ServerMetrics)> {
        let names = &self.plan.backends.get(backend as usize)?.servers;
        let server = server as usize;
        Some((names.get(server)?.name.as_str(), &self.servers[server]))
    }
}
