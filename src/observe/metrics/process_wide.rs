//! The metrics of the whole process: configuration, log, build, defects.
//!
//! These change seldom, so they go through the `metrics` facade and its Prometheus exporter, with
//! handles that are kept: the facade's macros would look a name up in a global recorder each time.
//! Written by `control` and, very rarely, by workers; rendered by `exposition`.

use ::metrics::{self as facade, Counter, Gauge, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::observe::metrics::health::ServerState;
use crate::observe::metrics::names::{
    ACCESS_LOG_DROPPED, BUILD_INFO, CERTIFICATE_FILES, CONFIG_GENERATION, CONFIG_RELOADS,
    EXCHANGES_CUT, Kind, Metric, PANICS, SERVERS_TRANSITIONS, Unit,
};

/// The metrics of one proxy that belong to no frontend and no server.
pub struct ProcessMetrics {
    generation: Gauge,
    /// By [`ReloadResult`].
    reloads: [Counter; ReloadResult::ALL.len()],
    /// All servers: to up, to down.
    transitions: [Counter; 2],
    /// By [`CertificateResult`].
    certificates: [Counter; CertificateResult::ALL.len()],
    cut: Counter,
    panics: Counter,
    log_dropped: Counter,
    handle: PrometheusHandle,
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// A new configuration runs.
    Applied,
    /// The file means what already runs.
    Unchanged,
    /// Nothing changed, because there was a mistake.
    Failed,
}

impl ReloadResult {
    pub(crate) const ALL: [Self; 3] = [Self::Applied, Self::Unchanged, Self::Failed];

    /// Its label in metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// The result for a changed file with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateResult {
    /// It is used.
    Renewed,
    /// It cannot be used, and the former content stays.
    Broken,
}

impl CertificateResult {
    pub(crate) const ALL: [Self; 2] = [Self::Renewed, Self::Broken];

    /// Its label in metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Broken => "broken",
        }
    }
}

impl ProcessMetrics {
    /// With a recorder of its own, for one proxy.
    pub fn new() -> Self {
        // Not `install_recorder`, which sets it for the whole process.
        let recorder = PrometheusBuilder::new().build_recorder();
        let build = [
            Label::from_static_parts("version", env!("CARGO_PKG_VERSION")),
            Label::from_static_parts("commit", env!("EVENKEEL_COMMIT")),
            Label::from_static_parts("rustc", env!("EVENKEEL_RUSTC")),
        ];
        gauge(&recorder, &BUILD_INFO, build.into()).set(1.0);
        let reloads = ReloadResult::ALL.map(|result| {
            let label = Label::from_static_parts("result", result.code());
            counter(&recorder, &CONFIG_RELOADS, vec![label])
        });
        let certificates = CertificateResult::ALL.map(|result| {
            let label = Label::from_static_parts("result", result.code());
            counter(&recorder, &CERTIFICATE_FILES, vec![label])
        });
        let transitions = [ServerState::Up, ServerState::Down].map(|to| {
            let label = Label::from_static_parts("to", to.code());
            counter(&recorder, &SERVERS_TRANSITIONS, vec![label])
        });
        Self {
            transitions,
            certificates,
            generation: gauge(&recorder, &CONFIG_GENERATION, Vec::new()),
            reloads,
            cut: counter(&recorder, &EXCHANGES_CUT, Vec::new()),
            panics: counter(&recorder, &PANICS, Vec::new()),
            log_dropped: counter(&recorder, &ACCESS_LOG_DROPPED, Vec::new()),
            handle: recorder.handle(),
        }
    }

    /// Sets the generation of the configuration that runs.
    pub fn runs_generation(&self, generation: u64) {
        self.generation.set(generation as f64);
    }

    /// Counts a reload.
    pub fn reloaded(&self, result: ReloadResult) {
        self.reloads[result as usize].increment(1);
    }

    /// Counts a server that has gone from up to down, or from down to up.
    pub fn server_changed(&self, to: ServerState) {
        let [up, down] = &self.transitions;
        match to {
            ServerState::Up => up.increment(1),
            ServerState::Down => down.increment(1),
            ServerState::Checking => {}
        }
    }

    /// Counts files with certificates that had changed.
    pub fn certificates(&self, result: CertificateResult, files: u64) {
        self.certificates[result as usize].increment(files);
    }

    /// Counts exchanges that were cut because the shutdown's time was over.
    pub fn cut(&self, exchanges: u64) {
        self.cut.increment(exchanges);
    }

    /// Counts a defect that was caught.
    pub fn panicked(&self) {
        self.panics.increment(1);
    }

    /// Lets the exporter aggregate its samples; to be called every few seconds, else it grows with
    /// each recorded sample when there are no scrapes.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    pub(super) fn render(&self, log_dropped: u64) -> String {
        self.log_dropped.absolute(log_dropped);
        self.handle.render()
    }
}

impl Default for ProcessMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for ProcessMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProcessMetrics")
    }
}

/// The origin of a series for the facade; the exporter ignores it.
const ORIGIN: Metadata<'static> = Metadata::new("evenkeel", Level::INFO, None);

fn counter(recorder: &PrometheusRecorder, metric: &Metric, labels: Vec<Label>) -> Counter {
    debug_assert_eq!(metric.kind, Kind::Counter, "{}", metric.name);
    recorder.describe_counter(
        metric.name.into(),
        Some(metric.unit.in_facade()),
        metric.help.into(),
    );
    recorder.register_counter(&Key::from_parts(metric.name, labels), &ORIGIN)
}

fn gauge(recorder: &PrometheusRecorder, metric: &Metric, labels: Vec<Label>) -> Gauge {
    debug_assert_eq!(metric.kind, Kind::Gauge, "{}", metric.name);
    recorder.describe_gauge(
        metric.name.into(),
        Some(metric.unit.in_facade()),
        metric.help.into(),
    );
    recorder.register_gauge(&Key::from_parts(metric.name, labels), &ORIGIN)
}

impl Unit {
    fn in_facade(self) -> facade::Unit {
        match self {
            Self::Count => facade::Unit::Count,
            Self::Seconds => facade::Unit::Seconds,
            Self::Bytes => facade::Unit::Bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_proxies_in_one_process_count_apart() {
        let (first, second) = (ProcessMetrics::new(), ProcessMetrics::new());
        first.runs_generation(7);
        first.reloaded(ReloadResult::Failed);
        first.cut(3);
        first.panicked();
        first.upkeep();
        let text = first.render(11);
        for line in [
            "evenkeel_config_generation 7",
            "evenkeel_config_reloads_total{result=\"failed\"} 1",
            "evenkeel_config_reloads_total{result=\"applied\"} 0",
            "evenkeel_exchanges_cut_total 3",
            "evenkeel_panics_total 1",
            "evenkeel_access_log_dropped_total 11",
            "# TYPE evenkeel_config_generation gauge",
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line}\n{text}"
            );
        }
        let other = second.render(0);
        assert!(other.contains("evenkeel_config_generation 0\n"), "{other}");
        assert!(
            other.contains("evenkeel_exchanges_cut_total 0\n"),
            "{other}"
        );
    }
}
