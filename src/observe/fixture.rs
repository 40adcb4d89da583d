//! An exchange, with its route and attempts, for the tests of this room.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use http::Version;

use crate::base::Name;
use crate::base::clock::{Duration, Instant};
use crate::exchange::{
    Attempt, LoggedRequest, Opening, Record, RequestId, RequestTexts, RouteMetrics, ServerMetrics,
    TakenRoute, TriedServer,
};
use crate::observe::AccessLogHandle;
use crate::plan::log::LineFormat;
use crate::plan::{AccessLog, LogTarget};

/// `GET /v1/a?b=c` at `began`, without any later facts.
pub(super) fn record(began: Instant) -> Record {
    Record::open(Opening {
        began,
        head_read: began + Duration::from_micros(120),
        wall: UNIX_EPOCH + Duration::from_millis(1_772_368_496_789),
        client: SocketAddr::from(([192, 0, 2, 7], 51_234)).into(),
        local: None,
        tls: None,
        frontend: Some("web".into()),
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
        wants_load: false,
        first_bytes: None,
        id: RequestId::made(0x0123_4567_89ab_cdef),
    })
}

/// An attempt at `server` that was just begun.
pub(super) fn attempt(server: &Rc<TriedServer>) -> Attempt {
    Attempt::at(Rc::clone(server))
}

/// A server that was never tried, for two workers.
pub(super) fn server(name: &str) -> Rc<TriedServer> {
    Rc::new(TriedServer {
        name: Name::new(name).expect("a name"),
        metrics: Arc::new(ServerMetrics::new(2)),
    })
}

/// A route that no exchange took, for two workers.
pub(super) fn route(name: &str) -> Rc<TakenRoute> {
    Rc::new(TakenRoute {
        name: Name::new(name).expect("a name"),
        metrics: Arc::new(RouteMetrics::new(2)),
    })
}

/// An access log to `target`. No thread writes: the lines stay in the queue, where [`lines`] finds
/// them.
pub(super) fn log(target: &LogTarget, format: LineFormat) -> AccessLogHandle {
    log_of(AccessLog {
        to: target.clone(),
        format,
        ..AccessLog::default()
    })
}

/// The same of this plan.
pub(super) fn log_of(plan: AccessLog) -> AccessLogHandle {
    let (log, writers) = AccessLogHandle::open(&[plan]).expect("a target");
    std::mem::forget(writers);
    log
}

/// The lines that were handed in since.
pub(super) fn lines(log: &AccessLogHandle) -> String {
    let logs = log.logs();
    let Some(target) = logs.targets.first() else {
        return String::new();
    };
    target.queue.reopen();
    let batches = target.queue.wait_for_work().batches;
    let bytes = batches.into_iter().flat_map(|batch| batch.bytes).collect();
    String::from_utf8(bytes).expect("ASCII")
}

/// A folder that is removed at the end of the test.
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
        // A temporary folder may stay: nothing depends on it.
        let _ = fs::remove_dir_all(&self.0);
    }
}
