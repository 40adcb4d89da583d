//! The events of servers: up, down, and why one gets no traffic.

use std::fmt::Display;

use tracing::{debug, error, info, warn};

use crate::exchange::Fault;

use super::plural;

/// The files of a backend's `tls`, or the system's authorities, have changed, and are used.
pub(crate) fn server_tls_renewed(backend: &str) {
    info!(
        event = "server.tls_renewed",
        backend, "backend {backend}: its TLS files were renewed; new connections use them"
    );
}

/// A server takes traffic from now on, after `passed` checks; `up` of `total` servers do now. With
/// 0 `passed` it has no checks any more.
pub(crate) fn server_up(backend: &str, server: &str, passed: u32, up: usize, total: usize) {
    let why = match passed {
        0 => "no longer checked".to_owned(),
        passed => format!("after {passed} passed check{}", plural(passed.into())),
    };
    info!(
        event = "server.up",
        backend, server, up, total, "{backend}/{server} is up, {why}; {up} of {total} up"
    );
}

/// The servers of a backend when one of them is down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// Servers that take traffic.
    pub up: usize,
    /// Servers that still wait for their first check.
    pub unchecked: usize,
    /// All servers.
    pub total: usize,
}

/// A server takes no more traffic because of `why`, after `failed` checks.
pub(crate) fn server_down(backend: &str, server: &str, why: &dyn Display, failed: u32, left: Left) {
    let s = plural(failed.into());
    let why = why.to_string();
    let Left {
        up,
        unchecked,
        total,
    } = left;
    let rest = match unchecked {
        0 => String::new(),
        count => format!(", {count} not yet checked"),
    };
    macro_rules! at {
        ($level:ident) => {
            $level!(
                event = "server.down",
                backend,
                server,
                why,
                up,
                unchecked,
                total,
                "{backend}/{server} is down: {why}, after {failed} failed check{s}; {up} of {total} up{rest}"
            )
        };
    }
    // Without the last server nothing is served: that is urgent. At a start, servers that are not
    // checked yet may well be up.
    if up + unchecked == 0 {
        at!(error)
    } else {
        at!(warn)
    }
}

/// A check failed without changing the server's state.
pub(crate) fn check_failed(backend: &str, server: &str, why: &dyn Display) {
    debug!(
        event = "server.check_failed",
        backend, server, "{backend}/{server} failed a check: {why}"
    );
}

/// TLS failed with the server of an exchange. Not to be logged for each exchange.
pub(crate) fn server_not_believed(backend: &str, server: &str, fault: &Fault) {
    let reason = fault.reason.code();
    warn!(
        event = "server.tls_failed",
        backend, server, reason, "{backend}/{server} gets no traffic: TLS failed: {fault}"
    );
}

/// The server of an exchange does not speak HTTP/2. Not to be logged for each exchange.
pub(crate) fn server_not_understood(backend: &str, server: &str, fault: &Fault) {
    let reason = fault.reason.code();
    warn!(
        event = "server.http2_failed",
        backend, server, reason, "{backend}/{server} gets no traffic: HTTP/2 failed: {fault}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Reason;
    use crate::observe::logging::captured;
    use crate::plan::{LogFormat, LogLevel};

    fn said(work: impl FnOnce()) -> String {
        captured(LogLevel::Debug, LogFormat::Human, work)
    }

    #[test]
    fn a_server_that_is_not_believed_is_reported_with_the_cause() {
        let fault = Fault::with_text(Reason::ServerTlsCertificate, "it has expired".into());
        let said = said(|| server_not_believed("app", "a", &fault));
        assert!(
            said.contains(
                "WARN  app/a gets no traffic: TLS failed: server.tls.certificate: it has expired"
            ),
            "{said}"
        );
    }

    #[test]
    fn a_server_that_goes_down_is_reported_with_what_is_left() {
        let refused = "connection refused";
        let down = |failed, up, unchecked| {
            let total = 2;
            let left = Left {
                up,
                unchecked,
                total,
            };
            said(|| server_down("app", "10.0.0.1:80", &refused, failed, left))
        };
        let text = down(3, 1, 0);
        let expected =
            "WARN  app/10.0.0.1:80 is down: connection refused, after 3 failed checks; 1 of 2 up\n";
        assert!(text.ends_with(expected), "{text}");
        let text = down(1, 0, 0);
        let expected =
            "ERROR app/10.0.0.1:80 is down: connection refused, after 1 failed check; 0 of 2 up\n";
        assert!(text.ends_with(expected), "{text}");
        let text = down(1, 0, 1);
        let expected = "WARN  app/10.0.0.1:80 is down: connection refused, after 1 failed check; \
                        0 of 2 up, 1 not yet checked\n";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn a_server_that_comes_up_is_reported_with_how_many_are() {
        let text = said(|| server_up("app", "10.0.0.1:80", 2, 2, 2));
        let expected = "INFO  app/10.0.0.1:80 is up, after 2 passed checks; 2 of 2 up\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
