//! Counts and logs exchanges that are over, for one worker.
//!
//! `proxy/worker` makes one, the data plane calls [`WorkerObserver::finish`] exactly once for each
//! exchange. That costs some stores and, with the log on, the bytes of a line: no allocation, no
//! lock, no write to a shared cache line.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::Peer;
use crate::base::clock::{self, Duration, Instant};
use crate::exchange::{
    AttemptList, ClientTls, Load, LoggedRequest, Outcome, Reason, Record, RequestId, ServerMetrics,
};
use crate::expr::Scratch;
use crate::observe::access_log::{
    Batch, Blank, Entry, Evaluation, LeftByRules, Logs, OpenConnections, Target, Times,
};
use crate::observe::calendar::Calendar;
use crate::observe::metrics::frontend::{Finished, Parked};
use crate::observe::{AccessLogHandle, FrontendMetrics, Handshake, HandshakeFailure};
use crate::plan::log::LogAs;

/// A buffer of this size is queued for the writer: enough lines to make the system call cheap for
/// each. A crash loses what is queued, the lines of a tenth of a second at most.
const FLUSH_BYTES: usize = 32 << 10;

/// The size of a buffer: most lines fit in the rest of it.
const BUFFER_BYTES: usize = FLUSH_BYTES + (2 << 10);

/// Logged and counted as the status when the client left before there was one (nginx uses it too).
const CLIENT_LEFT: u16 = 499;

/// Counts and logs for one worker; bound to its thread.
#[derive(Debug)]
pub struct WorkerObserver {
    /// The index of its shard in every counter. No other observer may have the same number at the
    /// same time.
    worker: usize,
    handle: AccessLogHandle,
    /// The version of the logs in `lines`.
    version: Cell<u64>,
    /// Whether there is a log.
    is_on: Cell<bool>,
    lines: RefCell<Lines>,
}

/// The logs, and lines that are not handed to their writers yet.
#[derive(Debug)]
struct Lines {
    logs: Arc<Logs>,
    /// One for each target.
    batches: Vec<Batch>,
    /// For each log, the position in its sample.
    turns: Vec<u32>,
    calendar: Calendar,
    scratch: Scratch,
    blank: Blank,
}

/// A request that the HTTP layer answered without an exchange: its head could not be read.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The connection's peer, or the client that a trusted proxy reports.
    pub client: Peer,
    /// Where the client connected to; `None`: no IP address.
    pub local: Option<SocketAddr>,
    /// The result of the connection's handshake; `None`: it has no TLS.
    pub tls: Option<Rc<ClientTls>>,
    /// The part of the request that was read; `None`: nothing.
    pub request: Option<LoggedRequest>,
    /// Why.
    pub reason: Reason,
    /// The id in the answer; `None`: none.
    pub id: Option<RequestId>,
    /// The status of the answer; 0 if the connection was only closed.
    pub status: u16,
    /// The generation of the connection's snapshot.
    pub generation: u64,
    /// When the first byte of the head came.
    pub began: Instant,
    /// When it was answered.
    pub ended: Instant,
    /// The same on the wall clock.
    pub wall: SystemTime,
}

/// Counts attempts for one worker: each when it is over, which may be long before the end of its
/// exchange.
#[derive(Clone, Copy, Debug)]
pub struct AttemptCounter {
    worker: usize,
}

impl AttemptCounter {
    /// The counter of worker number `worker`, counted from 0.
    pub fn of_worker(worker: usize) -> Self {
        Self { worker }
    }

    /// Counts a connection to `server` that was opened for an attempt, which took `took`.
    #[inline]
    pub fn opened(self, server: &ServerMetrics, took: Duration) {
        server.opened(self.worker, took);
    }

    /// Counts an attempt that found a connection to `server` open.
    #[inline]
    pub fn reused(self, server: &ServerMetrics) {
        server.reused(self.worker);
    }

    /// Counts an attempt at `server` that is over.
    #[inline]
    pub fn settled(self, server: &ServerMetrics, outcome: &Outcome) {
        server.settled(self.worker, outcome);
    }
}

impl WorkerObserver {
    /// The observer of worker number `worker`, counted from 0; it must be below the number of
    /// workers of the metrics.
    pub fn new(worker: usize, access_log: &AccessLogHandle) -> Self {
        // In this order: a change in between is noticed, and the logs are taken once more.
        let version = access_log.version();
        let logs = access_log.logs();
        Self {
            worker,
            handle: access_log.clone(),
            version: Cell::new(version),
            is_on: Cell::new(!logs.logs.is_empty()),
            lines: RefCell::new(Lines::of(logs)),
        }
    }

    /// Counts the attempts of the same worker.
    pub fn attempts(&self) -> AttemptCounter {
        AttemptCounter::of_worker(self.worker)
    }

    /// Whether a log is written: if not, texts that only a line needs are not kept.
    #[inline]
    pub fn is_logging(&self) -> bool {
        let version = self.handle.version();
        if version != self.version.get() {
            self.renew(version);
        }
        self.is_on.get()
    }

    /// Whether a log has the load of the backend.
    pub fn wants_load(&self) -> bool {
        self.is_logging() && self.lines.borrow().logs.wants_load
    }

    /// Takes the logs of `version`, or later ones.
    #[cold]
    fn renew(&self, version: u64) {
        let lines = &mut *self.lines.borrow_mut();
        lines.hand_in();
        let logs = self.handle.logs();
        self.version.set(version);
        self.is_on.set(!logs.logs.is_empty());
        *lines = Lines::of(logs);
    }

    /// Counts a client connection of `frontend`.
    #[inline]
    pub fn accepted(&self, frontend: &FrontendMetrics) {
        frontend.accepted(self.worker);
    }

    /// Counts a TLS handshake with a client of `frontend`.
    pub fn shook_hands(
        &self,
        frontend: &FrontendMetrics,
        outcome: Result<Handshake, HandshakeFailure>,
    ) {
        frontend.shook_hands(self.worker, outcome);
    }

    /// Counts a client connection of `frontend` as parked until the returned value is dropped.
    pub fn parked<'a>(&self, frontend: &'a FrontendMetrics) -> Parked<'a> {
        frontend.parked(self.worker)
    }

    /// Counts and logs an exchange that is over. `open` reads counters that all workers write, and is
    /// called only if a log has them.
    pub fn finish(
        &self,
        record: &Record,
        frontend: &FrontendMetrics,
        left: LeftByRules<'_>,
        open: impl FnOnce() -> OpenConnections,
    ) {
        let opening = &record.opening;
        let ended = record.ended.get().unwrap_or_else(clock::now);
        let total = ended.saturating_duration_since(opening.began);
        let reason = record.reason.get();
        // In TCP mode, the server answers the connection, and there is no status.
        let is_request = opening.first_bytes.is_none();
        let status = match is_request {
            true => status_label(record.status.get(), reason),
            false => None,
        };
        let attempts = &*record.attempts.list();
        let decisive = record.attempts.decisive();
        let attempt = decisive.and_then(|index| attempts.get(index));

        frontend.finished(
            self.worker,
            &Finished {
                status,
                reason,
                duration: (!record.is_tunnel.get()).then_some(total),
                body_bytes_in: record.body_bytes_in.get(),
                body_bytes_out: record.body_bytes_out.get(),
                body_bytes_compressed: record.body_bytes_compressed.get(),
            },
        );
        let route = record.route.get();
        if let Some(route) = route {
            route.metrics.finished(self.worker);
        }
        let log_as = record.log_as.get();
        if log_as == LogAs::Silent || !self.is_logging() {
            return;
        }

        let queued = record.queued.get();
        let has_queued = !queued.is_zero() || attempt.is_some();
        let entry = Entry {
            wall: opening.wall,
            frontend: opening.frontend.as_deref(),
            route: route.map(|route| route.name.as_str()),
            backend: record.backend.get().map(|name| &**name),
            server: attempt.map(|attempt| attempt.server.name.as_str()),
            client: opening.client,
            local: opening.local,
            tls: opening.tls.as_deref(),
            request: opening.request.as_ref(),
            sni: opening
                .first_bytes
                .as_ref()
                .and_then(|first| first.sni.as_deref()),
            is_tcp: !is_request,
            status,
            reason,
            log_as,
            id: Some(&opening.id),
            generation: opening.generation,
            attempts,
            decisive,
            body_bytes_in: record.body_bytes_in.get(),
            body_bytes_out: record.body_bytes_out.get(),
            times: Times {
                head: Some(opening.head_read.saturating_duration_since(opening.began)),
                queue: has_queued.then_some(queued),
                connect: attempt.and_then(|attempt| attempt.connect),
                response: attempt.and_then(|attempt| attempt.response),
                total,
            },
            open: self.open_if_wanted(open),
            load: record.load.get(),
        };
        self.log(&entry, left);
    }

    /// Counts and logs a request without an exchange, to the frontend `name`. `open`: as for
    /// [`WorkerObserver::finish`].
    pub fn refused(
        &self,
        refusal: &Refusal,
        name: &str,
        frontend: &FrontendMetrics,
        open: impl FnOnce() -> OpenConnections,
    ) {
        let total = refusal.ended.saturating_duration_since(refusal.began);
        let status = status_label(refusal.status, Some(refusal.reason));
        frontend.finished(
            self.worker,
            &Finished {
                status,
                reason: Some(refusal.reason),
                duration: Some(total),
                body_bytes_in: 0,
                body_bytes_out: 0,
                body_bytes_compressed: 0,
            },
        );
        if !self.is_logging() {
            return;
        }
        let entry = Entry {
            wall: refusal.wall,
            frontend: Some(name),
            route: None,
            backend: None,
            server: None,
            client: refusal.client,
            local: refusal.local,
            tls: refusal.tls.as_deref(),
            request: refusal.request.as_ref(),
            sni: None,
            is_tcp: false,
            status,
            reason: Some(refusal.reason),
            log_as: LogAs::default(),
            id: refusal.id.as_ref(),
            generation: refusal.generation,
            attempts: &AttemptList::default(),
            decisive: None,
            body_bytes_in: 0,
            body_bytes_out: 0,
            times: Times {
                head: None,
                queue: None,
                connect: None,
                response: None,
                total,
            },
            open: self.open_if_wanted(open),
            load: Load::default(),
        };
        self.log(&entry, LeftByRules::default());
    }

    fn open_if_wanted(&self, open: impl FnOnce() -> OpenConnections) -> OpenConnections {
        match self.lines.borrow().logs.wants_load {
            true => open(),
            false => OpenConnections::default(),
        }
    }

    /// Hands the lines so far to the writers and wakes them. Called by the worker's ticker, about
    /// every tenth of a second; many full buffers do not wait for it. Also leaves targets that a
    /// reload has removed.
    pub fn flush(&self) {
        // Renews the logs.
        self.is_logging();
        let lines = &mut *self.lines.borrow_mut();
        lines.hand_in();
        for target in &lines.logs.targets {
            target.queue.wake();
        }
    }

    fn log<'a>(&self, entry: &Entry<'a>, left: LeftByRules<'a>) {
        let Lines {
            logs,
            batches,
            turns,
            calendar,
            scratch,
            blank,
        } = &mut *self.lines.borrow_mut();
        let mut evaluation = Evaluation {
            facts: entry.facts(left, blank),
            scratch,
        };
        for (log, turn) in logs.logs.iter().zip(turns) {
            if !log.has_line(turn, &mut evaluation) {
                continue;
            }
            let batch = &mut batches[log.target];
            if batch.bytes.capacity() == 0 {
                // At once: a new buffer would grow, and be copied, a dozen times.
                batch.bytes.reserve(BUFFER_BYTES);
            }
            log.write(&mut batch.bytes, calendar, entry, &mut evaluation);
            batch.lines += 1;
            if batch.bytes.len() >= FLUSH_BYTES {
                hand_in(&logs.targets[log.target], batch);
            }
        }
    }
}

impl Lines {
    fn of(logs: Arc<Logs>) -> Self {
        let batches = logs.targets.iter().map(|_| Batch::default()).collect();
        Self {
            turns: vec![0; logs.logs.len()],
            logs,
            batches,
            calendar: Calendar::new(),
            scratch: Scratch::default(),
            blank: Blank::default(),
        }
    }

    fn hand_in(&mut self) {
        for (target, batch) in self.logs.targets.iter().zip(&mut self.batches) {
            if batch.lines > 0 {
                hand_in(target, batch);
            }
        }
    }
}

#[cold]
fn hand_in(target: &Target, batch: &mut Batch) {
    let full = std::mem::take(batch);
    *batch = target.queue.push(full);
}

impl Drop for WorkerObserver {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The status in the log and in the metrics.
///
/// If no status was sent, the one that would have been sent, so that every exchange has one. `None`: the stream
/// was refused, and the client, which is still there, may send the request again.
fn status_label(sent: u16, reason: Option<Reason>) -> Option<u16> {
    if sent != 0 {
        return Some(sent);
    }
    if reason == Some(Reason::RequestHeadsTooLarge) {
        return None;
    }
    let meant = reason.and_then(Reason::status);
    Some(meant.map_or(CLIENT_LEFT, |status| status.as_u16()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::base::tasks::spawn_thread;
    use crate::exchange::{Attempt, FirstBytes, RequestTexts, TakenRoute, TriedServer};
    use crate::observe::access_log::FIELDS;
    use crate::observe::fixture;
    use crate::plan::LogTarget;
    use crate::plan::log::{JsonField, LineFormat};

    struct Bench {
        observer: WorkerObserver,
        log: AccessLogHandle,
        frontend: FrontendMetrics,
        servers: [Rc<TriedServer>; 2],
        route: Rc<TakenRoute>,
        began: Instant,
    }

    impl Bench {
        fn logging_to(target: &LogTarget) -> Self {
            let log = fixture::log(target, LineFormat::Json);
            Self {
                observer: WorkerObserver::new(1, &log),
                log,
                frontend: FrontendMetrics::new(2),
                servers: ["10.0.0.1:80", "10.0.0.2:80"].map(fixture::server),
                route: fixture::route("api"),
                began: clock::now(),
            }
        }

        fn record(&self) -> Record {
            let record = fixture::record(self.began);
            record.ended.set(Some(self.after_us(2_500)));
            record
        }

        fn after_us(&self, micros: u64) -> Instant {
            self.began + Duration::from_micros(micros)
        }

        fn finish(&self, record: &Record) {
            self.observer.finish(
                record,
                &self.frontend,
                LeftByRules::default(),
                OpenConnections::default,
            );
        }

        /// The lines written since, without waiting for a full buffer.
        fn lines(&self) -> String {
            self.observer.flush();
            fixture::lines(&self.log)
        }

        fn statuses(&self) -> Vec<(u16, u64)> {
            let mut seen = Vec::new();
            self.frontend
                .each_status(|status, count| seen.push((status, count)));
            seen
        }
    }

    /// The keys of an object in their order, each with the path of its object; of an array, those
    /// of the first object.
    fn keys(line: &str) -> Vec<String> {
        let (mut keys, mut outer) = (Vec::new(), Vec::new());
        let mut rest = line;
        while let Some(index) = rest.find(['"', '{', '[', '}', ']']) {
            let (mark, after) = (&rest[index..=index], &rest[index + 1..]);
            rest = after;
            match mark {
                "\"" => {
                    let end = after.find('"').expect("no text here has a quote");
                    rest = &after[end + 1..];
                    if rest.starts_with(':') {
                        let path: String = outer.concat();
                        keys.push(path + &after[..end]);
                    }
                }
                "{" if keys.last().is_some_and(|last| last == "times_ms") => {
                    outer.push("times_ms.".to_owned());
                }
                "[" => outer.push("failed[].".to_owned()),
                "}" | "]" if rest.starts_with(',') || rest.starts_with('}') => {
                    outer.pop();
                }
                _ => {}
            }
        }
        keys
    }

    #[test]
    fn a_line_has_the_fields_of_the_reference_page_in_its_order() {
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let mut record = bench.record();
        let long = "x".repeat(9_000);
        record.opening.request = Some(LoggedRequest::of(&RequestTexts {
            method: Some(long.as_bytes()),
            target: Some(long.as_bytes()),
            host: Some(long.as_bytes()),
            user_agent: Some(long.as_bytes()),
            referer: Some(long.as_bytes()),
            version: None,
        }));
        record.opening.first_bytes = Some(FirstBytes {
            sni: Some(long.into()),
        });
        for _ in 0..2 {
            record.attempts.begin(fixture::attempt(&bench.servers[0]));
        }
        bench.finish(&record);
        let line = bench.lines();
        let expected: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(keys(&line), expected, "{line}");
        // With every text that a client can make long.
        assert!(line.len() < 12_000, "{}", line.len());
    }

    #[test]
    fn the_line_with_every_field_chosen_is_the_whole_line() {
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let record = bench.record();
        for _ in 0..2 {
            record.attempts.begin(fixture::attempt(&bench.servers[0]));
        }
        bench.finish(&record);
        let chosen = |fields: &[JsonField]| {
            let log = fixture::log(&LogTarget::Stdout, LineFormat::JsonOf(fields.to_vec()));
            let observer = WorkerObserver::new(1, &log);
            let (left, open) = (LeftByRules::default(), OpenConnections::default);
            observer.finish(&record, &bench.frontend, left, open);
            observer.flush();
            fixture::lines(&log)
        };
        assert_eq!(chosen(JsonField::ALL), bench.lines());
        let two = "{\"status\":499,\"method\":\"GET\"}\n";
        assert_eq!(chosen(&[JsonField::Status, JsonField::Method]), two);
    }

    #[test]
    fn an_exchange_that_went_well_is_one_line() {
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let record = bench.record();
        record.route.set(Rc::clone(&bench.route)).expect("unset");
        record.backend.set("app".into()).expect("unset");
        record.attempts.begin(Attempt {
            connect: Some(Duration::from_micros(210)),
            response: Some(Duration::from_nanos(1_480_999)),
            status: 200,
            ..fixture::attempt(&bench.servers[1])
        });
        record.status.set(200);
        record.body_bytes_in.set(3);
        record.body_bytes_out.set(512);
        bench.finish(&record);
        let expected = concat!(
            r#"{"time":"2026-03-01T12:34:56.789Z","frontend":"web","route":"api","backend":"app","#,
            r#""server":"10.0.0.2:80","client":"192.0.2.7:51234","method":"GET","host":"example.com","#,
            r#""target":"/v1/a?b=c","version":"HTTP/1.1","user_agent":"curl/8.5.0","referer":null,"tls_version":null,"tls_cipher":null,"sni":null,"status":200,"reason":null,"request_id":"0123456789abcdef","#,
            r#""generation":7,"attempts":1,"bytes_in":3,"bytes_out":512,"times_ms":{"head":0.120,"#,
            r#""queue":0.000,"connect":0.210,"response":1.480,"total":2.500}}"#,
            "\n"
        );
        assert_eq!(bench.lines(), expected);
        assert_eq!(bench.statuses(), [(200, 1)]);
        assert_eq!(bench.route.metrics.requests(), 1);
        assert_eq!(bench.frontend.body_bytes_in(), 3);
        assert_eq!(bench.frontend.body_bytes_out(), 512);
        let duration = bench.frontend.duration();
        assert_eq!((duration.count(), duration.sum_ns), (1, 2_500_000));
    }

    #[test]
    fn every_attempt_counts_and_the_other_ones_are_named() {
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let record = bench.record();
        record.backend.set("app".into()).expect("unset");
        for reason in [Reason::ServerConnectRefused, Reason::ServerResponseEmpty] {
            record.attempts.begin(Attempt {
                reason: Some(reason),
                ..fixture::attempt(&bench.servers[0])
            });
        }
        let unwanted = Reason::ServerResponseUnwanted;
        record.attempts.begin(Attempt {
            reason: Some(unwanted),
            status: 503,
            ..fixture::attempt(&bench.servers[0])
        });
        record.attempts.begin(Attempt {
            response: Some(Duration::from_millis(1)),
            status: 503,
            ..fixture::attempt(&bench.servers[1])
        });
        record.queued.set(Duration::from_millis(2));
        record.status.set(503);
        bench.finish(&record);

        let line: serde_json::Value = serde_json::from_str(&bench.lines()).expect("JSON");
        assert_eq!(line["attempts"], 4);
        assert_eq!(line["server"], "10.0.0.2:80");
        assert_eq!(line["reason"], serde_json::Value::Null);
        assert_eq!(line["failed"][0]["server"], "10.0.0.1:80");
        assert_eq!(line["failed"][0]["reason"], "server.connect.refused");
        assert_eq!(line["failed"][0]["status"], serde_json::Value::Null);
        assert_eq!(line["failed"][1]["reason"], "server.response.empty");
        assert_eq!(line["failed"][2]["reason"], "server.response.unwanted");
        assert_eq!(line["failed"][2]["status"], 503);
        assert_eq!(line["times_ms"]["queue"], 2.0);
        assert_eq!(line["times_ms"]["connect"], serde_json::Value::Null);
        assert_eq!(
            bench.frontend.replies(Reason::ServerConnectRefused),
            0,
            "it was made good"
        );
    }

    #[test]
    fn an_exchange_without_a_status_has_the_one_that_was_meant() {
        for (sent, reason, expected) in [
            (0, Some(Reason::ClientLeft), 499),
            (0, None, 499),
            (0, Some(Reason::ProxyPanic), 500),
            (0, Some(Reason::ClientStalled), 499),
            (200, Some(Reason::ClientLeft), 200),
        ] {
            let bench = Bench::logging_to(&LogTarget::Stdout);
            let record = bench.record();
            record.status.set(sent);
            record.reason.set(reason);
            bench.finish(&record);
            assert_eq!(bench.statuses(), [(expected, 1)], "{sent} {reason:?}");
            let line: serde_json::Value = serde_json::from_str(&bench.lines()).expect("JSON");
            assert_eq!(line["status"], expected);
            let replies = reason.map(|reason| bench.frontend.replies(reason));
            assert_eq!(replies, reason.map(|_| 1));
        }
    }

    #[test]
    fn a_refused_stream_has_no_status_because_its_client_is_still_there() {
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let record = bench.record();
        record.reason.set(Some(Reason::RequestHeadsTooLarge));
        bench.finish(&record);
        assert_eq!(bench.statuses(), []);
        let line: serde_json::Value = serde_json::from_str(&bench.lines()).expect("JSON");
        assert_eq!(line["status"], serde_json::Value::Null);
        assert_eq!(bench.frontend.replies(Reason::RequestHeadsTooLarge), 1);
    }

    #[test]
    fn steps_that_were_not_reached_are_null() {
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let record = bench.record();
        record.status.set(404);
        record.blame(Reason::RouteNone);
        bench.finish(&record);
        let line: serde_json::Value = serde_json::from_str(&bench.lines()).expect("JSON");
        for key in ["route", "backend", "server"] {
            assert_eq!(line[key], serde_json::Value::Null, "{key}");
        }
        for key in ["queue", "connect", "response"] {
            assert_eq!(line["times_ms"][key], serde_json::Value::Null, "{key}");
        }
        assert_eq!(line["attempts"], 0);
        assert!(line.get("failed").is_none());
    }

    #[test]
    fn a_refusal_counts_and_is_a_line_of_the_same_kind() {
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let refusal = Refusal {
            client: Peer::Ip(([192, 0, 2, 7], 51_234).into()),
            local: None,
            tls: None,
            request: Some(LoggedRequest::of(&RequestTexts {
                method: Some(b"GET"),
                target: Some(b"/a\0"),
                ..RequestTexts::default()
            })),
            id: None,
            reason: Reason::RequestHeadTooLarge,
            status: 431,
            generation: 7,
            began: bench.began,
            ended: bench.after_us(90),
            wall: fixture::record(bench.began).opening.wall,
        };
        let open = OpenConnections::default;
        let (observer, frontend) = (&bench.observer, &bench.frontend);
        observer.refused(&refusal, "web", frontend, open);
        let expected = concat!(
            r#"{"time":"2026-03-01T12:34:56.789Z","frontend":"web","route":null,"backend":null,"#,
            r#""server":null,"client":"192.0.2.7:51234","method":"GET","host":null,"target":"/a\u0000","#,
            r#""version":null,"user_agent":null,"referer":null,"tls_version":null,"tls_cipher":null,"sni":null,"status":431,"reason":"request.head.too_large","request_id":null,"#,
            r#""generation":7,"attempts":0,"bytes_in":0,"bytes_out":0,"times_ms":{"head":null,"#,
            r#""queue":null,"connect":null,"response":null,"total":0.090}}"#,
            "\n"
        );
        assert_eq!(bench.lines(), expected);
        assert_eq!(bench.statuses(), [(431, 1)]);
        assert_eq!(bench.frontend.replies(Reason::RequestHeadTooLarge), 1);
    }

    #[test]
    fn without_a_log_it_counts_and_writes_nothing() {
        let bench = Bench::logging_to(&LogTarget::Off);
        let record = bench.record();
        record.status.set(200);
        bench.finish(&record);
        assert_eq!(bench.lines(), "");
        assert_eq!(bench.statuses(), [(200, 1)]);
    }

    #[test]
    fn a_full_buffer_is_handed_in_without_the_ticker() {
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let record = bench.record();
        for _ in 0..200 {
            bench.finish(&record);
        }
        // So that there is work in any case, and a failure does not hang.
        bench.log.reopen();
        let work = bench.log.logs().targets[0].queue.wait_for_work();
        assert_eq!(work.batches.len(), 2);
        assert!(work.batches[0].bytes.len() >= FLUSH_BYTES);
        assert!(work.batches[0].bytes.ends_with(b"\n"));
    }

    #[test]
    fn each_tick_wakes_the_writer_for_buffers_that_were_full_before_it() {
        const TICKS: usize = 20;
        let bench = Bench::logging_to(&LogTarget::Stdout);
        let logs = bench.log.logs();
        let queue = Arc::clone(&logs.targets[0].queue);
        let (writes, written) = mpsc::channel();
        let write = move || {
            for _ in 0..TICKS {
                let count = queue.wait_for_work().batches.len();
                writes.send(count).expect("the test waits for it");
            }
        };
        let writer = spawn_thread("writer", write).expect("a thread");
        for _ in 0..TICKS {
            logs.targets[0].queue.push(Batch {
                bytes: b"{}\n".to_vec(),
                lines: 1,
            });
            bench.observer.flush();
            let written = written.recv_timeout(Duration::from_secs(60));
            assert_eq!(written, Ok(1), "the writer was woken");
        }
        writer.join().expect("no panic");
    }
}
