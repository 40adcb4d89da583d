//! The answers of the admin listener by path and method.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use crate::base::clock::{self, Instant};
use crate::base::tasks;
use crate::control::certs::Overview;
use crate::control::reload::reload;
use crate::control::{Command, State};
use crate::observe::{
    AccessLogHandle, BackendRow, CertificateRow, FrontendRow, ProcessMetrics, RateLimitRow,
    RouteRow, Scrape, ServerConnections, ServerRow, TableRow,
};
use crate::proxy::snapshot::Snapshot;

use super::browser::Refused;
use super::readiness::why_not_ready;
use super::status::status;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The list of paths: the answer to any other path.
const INDEX: &str = "\
GET  /metrics  metrics for Prometheus
GET  /live     200 while the process runs
GET  /ready    200 when Evenkeel takes traffic, else 503 and the reason
GET  /status   frontends, backends and servers as JSON
POST /reload   read the configuration again
";

/// An answer to a client of the admin listener.
pub(super) type Answer = Response<Full<Bytes>>;

/// When to ask again after [`busy`], in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// Whether `path` is that of a probe: its answer is short, at once, and no secret.
pub(super) fn is_probe(path: &str) -> bool {
    matches!(path, "/live" | "/ready")
}

/// The answer if too many answers are being made or sent.
pub(super) fn busy() -> Answer {
    let text = "too many requests to the admin listener are under way; ask again\n";
    let mut response = say(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
    let seconds = HeaderValue::from_static(RETRY_AFTER_SECONDS);
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

/// The answer to a request that only a web page sends.
pub(super) fn refused(why: &Refused) -> Answer {
    say(why.status(), TEXT, format!("{why}\n"))
}

pub(super) async fn answer(state: Rc<State>, request: Request<Incoming>) -> Answer {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    match request.uri().path() {
        "/metrics" if is_read => made(EXPOSITION, metrics(&state).await),
        "/live" if is_read => say(StatusCode::OK, TEXT, "live\n"),
        "/ready" if is_read => ready(&state),
        "/status" if is_read => made(JSON, status(&state).await),
        "/reload" if request.method() == Method::POST => reloaded(&state).await,
        "/" if is_read => say(StatusCode::OK, TEXT, INDEX),
        "/metrics" | "/live" | "/ready" | "/status" | "/" => not_allowed("GET, HEAD"),
        "/reload" => not_allowed("POST"),
        _ => say(StatusCode::NOT_FOUND, TEXT, INDEX),
    }
}

fn ready(state: &State) -> Answer {
    match why_not_ready(state) {
        None => say(StatusCode::OK, TEXT, "ready\n"),
        Some(why) => say(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
    }
}

async fn reloaded(state: &Rc<State>) -> Answer {
    let outcome = reload(state).await;
    // The receiver closes only when the program ends. There may be other files to watch.
    let _ = state.command_sender.send(Command::CertificatesTouched);
    match outcome {
        Ok(applied) => {
            let body = json!({
                "generation": applied.generation,
                "changes": applied.changes.0,
                "warnings": applied.warnings,
            });
            say(StatusCode::OK, JSON, pretty(&body))
        }
        Err(refused) => {
            let body = json!({
                "generation": state.current.load().generation,
                "diagnostics": refused.json,
                "text": refused.text,
            });
            say(StatusCode::UNPROCESSABLE_ENTITY, JSON, pretty(&body))
        }
    }
}

/// All metrics as text. Made on a blocking thread: health checks must not wait for the text of ten
/// thousands of servers.
async fn metrics(state: &State) -> Result<String, tasks::JoinError> {
    let (snapshot, certificates) = (state.current.load(), state.certificates.borrow().clone());
    let (process, access_log) = (Arc::clone(&state.metrics), state.access_log.clone());
    let now = clock::now();
    let connections = ServerConnections {
        open: state.descriptors.open(),
        limit: state.descriptors.limit(),
        closed_for_room: state.descriptors.closed(),
    };
    let text = move || {
        scrape(
            &snapshot,
            &certificates,
            &process,
            &access_log,
            connections,
            now,
        )
    };
    tasks::spawn_blocking(text).await
}

fn scrape(
    snapshot: &Snapshot,
    certificates: &Overview,
    process: &ProcessMetrics,
    access_log: &AccessLogHandle,
    server_connections: ServerConnections,
    now: Instant,
) -> String {
    let frontends: Vec<FrontendRow<'_>> = snapshot
        .frontends
        .iter()
        .map(|frontend| FrontendRow {
            name: &frontend.live.name,
            metrics: &frontend.live.metrics,
            open_connections: frontend.live.gate.open(),
            open_tunnels: frontend.live.tunnels(),
        })
        .collect();
    let routes: Vec<RouteRow<'_>> = snapshot
        .frontends
        .iter()
        .zip(&snapshot.plan.frontends)
        .flat_map(|(frontend, plan)| {
            let routes = plan.routes.iter().map(|route| &route.name);
            let tcp_routes = plan.tcp_routes.iter().map(|tcp_route| &tcp_route.name);
            let routes = routes.zip(frontend.route_metrics.iter());
            let tcp_routes = tcp_routes.zip(frontend.tcp_route_metrics.iter());
            routes.chain(tcp_routes).map(|(name, metrics)| RouteRow {
                frontend: &plan.name,
                route: name,
                metrics,
            })
        })
        .collect();
    let backends: Vec<BackendRow<'_>> = snapshot
        .backends
        .iter()
        .map(|backend| BackendRow {
            name: &backend.plan.name,
            queued: backend.queued() as u64,
            queue_has_appeared: backend.queue_has_appeared(),
        })
        .collect();
    let sets: Vec<_> = snapshot.backends.iter().map(|one| one.set()).collect();
    let servers: Vec<ServerRow<'_>> = snapshot
        .backends
        .iter()
        .zip(&sets)
        .flat_map(|(backend, set)| {
            set.servers().iter().map(|server| ServerRow {
                backend: &backend.plan.name,
                server: &server.name,
                metrics: &server.metrics,
                health: &server.health_metrics,
                state: server.health().into(),
                queued: backend.queued_at(server) as u64,
                in_flight: u64::from(server.in_flight()),
            })
        })
        .collect();
    let names = certificates.expiries.iter();
    let names: Vec<CertificateRow<'_>> = names
        .map(|(name, &expires)| CertificateRow { name, expires })
        .collect();
    let tables = snapshot.tables.tables().iter();
    let tables: Vec<TableRow<'_>> = tables
        .map(|(name, table)| TableRow {
            name,
            entries: table.used(now) as u64,
            bytes: table.bytes() as u64,
            evictions: table.evicted(),
            refusals: table.refused(),
        })
        .collect();
    let limits = snapshot.tables.limits().iter();
    let rate_limits: Vec<RateLimitRow<'_>> = limits
        .map(|(name, limit)| RateLimitRow {
            name,
            keys: limit.used() as u64,
            evictions: limit.evicted(),
            over: limit.over(),
        })
        .collect();
    let scrape = Scrape {
        process,
        access_log,
        frontends: &frontends,
        routes: &routes,
        backends: &backends,
        servers: &servers,
        tables: &tables,
        rate_limits: &rate_limits,
        certificates: &names,
        certificates_broken: certificates.broken.len() as u64,
        server_connections,
        now,
    };
    scrape.render()
}

/// A text that was made on a blocking thread; a panic there is a defect.
fn made(content_type: &'static str, text: Result<String, tasks::JoinError>) -> Answer {
    match text {
        Ok(text) => say(StatusCode::OK, content_type, text),
        Err(_) => {
            let why = "a bug in evenkeel: the thread that made this page panicked\n";
            say(StatusCode::INTERNAL_SERVER_ERROR, TEXT, why.to_owned())
        }
    }
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut response = say(StatusCode::METHOD_NOT_ALLOWED, TEXT, INDEX);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn say(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::sync::mpsc;

    use super::*;
    use crate::base::rng::Rng;
    use crate::control::{Certs, Control, Parts, Source, assemble};
    use crate::net::{Descriptors, Network};
    use crate::proxy::frontend::Gate;
    use crate::proxy::snapshot::Current;

    async fn control() -> Control {
        let text = "[admin]\nlisten = \"off\"\n\
                    [frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
                    [backend.app]\nservers = [\"127.0.0.1:1\"]";
        let source = Source::Text {
            name: "test.toml".to_owned(),
            text: text.to_owned(),
        };
        let loaded = source.load().expect("a valid configuration");
        let (command_sender, commands) = mpsc::unbounded_channel();
        let (access_log, _writer) = AccessLogHandle::open(&[]).expect("no file");
        let parts = Parts {
            current: Arc::new(Current::new(assemble(loaded.plan, 1))),
            workers: Vec::new(),
            network: Network::System,
            rng: Rng::seeded(1),
            metrics: Arc::default(),
            access_log,
            logging: None,
            process_gate: Arc::new(Gate::new(1)),
            descriptors: Arc::new(Descriptors::new(u64::MAX, 1)),
            source,
            certs: Certs::default(),
            commands,
            command_sender,
        };
        let control = Control::start(parts, loaded.watch).await;
        control.expect("a free port")
    }

    /// The text that `made` returns; it must be made on a blocking thread. The only one of this
    /// runtime is occupied, so `made` can end with its first poll only if the polling thread makes
    /// the text.
    async fn made_elsewhere<E: std::fmt::Debug>(
        made: impl Future<Output = Result<String, E>>,
    ) -> String {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let occupied = tasks::spawn_blocking(move || released.recv());
        let mut made = pin!(made);
        let first = made.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending(), "health checks would have waited for it");
        drop(release);
        let _ = occupied.await.expect("no panic");
        made.await.expect("no panic")
    }

    #[test]
    fn health_checks_do_not_wait_for_the_text_of_metrics_and_status() {
        let runtime = tasks::local_runtime_with_one_blocking_thread().expect("a runtime");
        runtime.block_on(async {
            let control = control().await;
            let text = made_elsewhere(metrics(&control.state)).await;
            assert!(
                text.contains("evenkeel_server_up{backend=\"app\""),
                "{text}"
            );
            let text = made_elsewhere(status(&control.state)).await;
            let status: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let server = &status["backends"]["app"]["servers"]["127.0.0.1:1"];
            assert_eq!(server["state"], "up", "{text}");
            assert_eq!(status["certificates"]["names"], 0, "{text}");
        });
    }
}
