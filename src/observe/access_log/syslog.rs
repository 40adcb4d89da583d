//! The head of a syslog message, which comes before a line.
//!
//! RFC 5424 §6, and RFC 3164 §4.1 as syslog servers read it. The severity is that of the exchange's
//! outcome.

use crate::exchange::{Reason, Side};
use crate::observe::access_log::entry::Entry;
use crate::observe::calendar::Calendar;
use crate::plan::LogTarget;
use crate::plan::log::{LogAs, Severity, Syslog, SyslogFormat};

/// The head of all messages of a log.
#[derive(Debug)]
pub(super) struct Head {
    format: SyslogFormat,
    /// The number of the facility, times 8.
    facility: u64,
    /// All that follows the date, with a space before it.
    rest: Box<[u8]>,
}

impl Head {
    /// `None`: the target is no syslog.
    pub(super) fn of(syslog: &Syslog, target: &LogTarget) -> Option<Self> {
        if !target.is_syslog() {
            return None;
        }
        let system = rustix::system::uname();
        let host: String = system.nodename().to_string_lossy().into_owned();
        let (tag, process) = (&syslog.tag, std::process::id());
        let is_local = matches!(target, LogTarget::Unix(_));
        let rest = match syslog.format {
            // The system's log expects no host from its own.
            SyslogFormat::Rfc3164 if is_local => format!(" {tag}[{process}]: "),
            SyslogFormat::Rfc3164 => format!(" {host} {tag}[{process}]: "),
            SyslogFormat::Rfc5424 => format!(" {host} {tag} {process} - - "),
        };
        Some(Self {
            format: syslog.format,
            facility: u64::from(syslog.facility.number()) * 8,
            rest: rest.into_bytes().into(),
        })
    }

    /// Appends the head of the message about `entry`.
    pub(super) fn write(&self, out: &mut Vec<u8>, calendar: &mut Calendar, entry: &Entry<'_>) {
        let priority = self.facility + severity(entry) as u64;
        out.push(b'<');
        out.extend_from_slice(itoa::Buffer::new().format(priority).as_bytes());
        match self.format {
            SyslogFormat::Rfc3164 => {
                out.push(b'>');
                calendar.write_bsd(entry.ended(), out);
            }
            SyslogFormat::Rfc5424 => {
                out.extend_from_slice(b">1 ");
                calendar.write(entry.ended(), out);
            }
        }
        out.extend_from_slice(&self.rest);
    }
}

/// What a rule says, or else: error: the server or the proxy has failed. Warning: the client has, or was refused.
fn severity(entry: &Entry<'_>) -> Severity {
    if let LogAs::Severity(severity) = entry.log_as {
        return severity;
    }
    let is_failure = entry.status.is_some_and(|status| status >= 500);
    match entry.reason {
        _ if is_failure => Severity::Error,
        None
        | Some(
            Reason::RuleReturned
            | Reason::RuleRedirected
            | Reason::RuleMonitor
            | Reason::TunnelIdle
            | Reason::TunnelDrained,
        ) => Severity::Info,
        Some(reason) => match reason.side() {
            Side::Client => Severity::Warning,
            Side::Proxy | Side::Server => Severity::Error,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;
    use crate::exchange::Record;
    use crate::observe::{FrontendMetrics, LeftByRules, OpenConnections, WorkerObserver, fixture};
    use crate::plan::AccessLog;
    use crate::plan::log::{Facility, LineFormat};

    fn message(to: LogTarget, syslog: Syslog, record: &Record) -> String {
        let format = LineFormat::Template(crate::config::written::line_template("%HU"));
        let plan = AccessLog {
            to,
            format,
            syslog,
            ..AccessLog::default()
        };
        let log = fixture::log_of(plan);
        let observer = WorkerObserver::new(0, &log);
        let open = OpenConnections::default;
        let variables = LeftByRules::default();
        observer.finish(record, &FrontendMetrics::new(1), variables, open);
        observer.flush();
        let process = format!("{}", std::process::id());
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        let line = fixture::lines(&log);
        line.replacen(&process, "PID", 1).replacen(&host, "HOST", 1)
    }

    fn record(status: u16, reason: Option<Reason>) -> Record {
        let record = fixture::record(clock::now());
        record.ended.set(Some(record.opening.began));
        record.status.set(status);
        record.reason.set(reason);
        record
    }

    fn unix() -> LogTarget {
        LogTarget::Unix("/dev/log".into())
    }

    fn udp() -> LogTarget {
        let host = "logs.example".to_owned();
        LogTarget::Udp(crate::plan::log::LogServer { host, port: 514 })
    }

    #[test]
    fn a_rule_decides_the_severity_whatever_the_outcome_is() {
        let record = record(500, Some(Reason::ServerResponseEmpty));
        let syslog = || Syslog {
            format: SyslogFormat::Rfc3164,
            facility: Facility::Daemon,
            tag: "edge".to_owned(),
        };
        assert!(message(unix(), syslog(), &record).starts_with("<27>"));
        record.log_as.set(LogAs::Severity(Severity::Notice));
        assert!(message(unix(), syslog(), &record).starts_with("<29>"));
    }

    #[test]
    fn a_message_has_the_head_that_its_receiver_expects() {
        let record = record(200, None);
        let syslog = |format| Syslog {
            format,
            facility: Facility::Daemon,
            tag: "edge".to_owned(),
        };
        let old = syslog(SyslogFormat::Rfc3164);
        let new = syslog(SyslogFormat::Rfc5424);
        assert_eq!(
            message(unix(), old.clone(), &record),
            "<30>Mar  1 12:34:56 edge[PID]: /v1/a?b=c\n"
        );
        assert_eq!(
            message(udp(), old, &record),
            "<30>Mar  1 12:34:56 HOST edge[PID]: /v1/a?b=c\n"
        );
        assert_eq!(
            message(udp(), new, &record),
            "<30>1 2026-03-01T12:34:56.788Z HOST edge PID - - /v1/a?b=c\n"
        );
        let file = message(LogTarget::Stdout, Syslog::default(), &record);
        assert_eq!(file, "/v1/a?b=c\n");
    }

    #[test]
    fn the_severity_says_whose_failure_it_was() {
        use Reason as R;
        for (status, reason, severity) in [
            (200, None, 6),
            (404, None, 6),
            (500, None, 3),
            (302, Some(R::RuleRedirected), 6),
            (503, Some(R::RuleReturned), 3),
            (403, Some(R::RuleDenied), 4),
            (400, Some(R::RequestHeadMalformed), 4),
            (200, Some(R::ClientLeft), 4),
            (200, Some(R::ServerBodyIncomplete), 3),
            (503, Some(R::ServerConnectRefused), 3),
            (101, Some(R::TunnelIdle), 6),
        ] {
            let line = message(unix(), Syslog::default(), &record(status, reason));
            let expected = format!("<{}>", 16 * 8 + severity);
            assert!(line.starts_with(&expected), "{status} {reason:?}: {line}");
        }
    }
}
