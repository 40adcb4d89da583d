//! What becomes of each `option` (manual §4.2).

/// What Evenkeel does about an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Read by name in `frontend`, `backend`, `health` or `log`.
    Read,
    /// It is what Evenkeel does in any case.
    Same,
    /// Something else happens, which the sentence says.
    Approximated(&'static str),
    /// Nothing changes, and that is safe.
    Without(&'static str),
    /// The file does not start; what to do instead.
    Refused(&'static str),
}

/// All options.
pub(super) const OPTIONS: &[(&str, Effect)] = {
    use Effect::{Approximated, Read, Refused, Same, Without};
    const TUNING: Effect = Without("tuning, which Evenkeel does by itself");
    const PROBES: Effect =
        Approximated("dead peers are found by timeouts, and not by TCP keep-alive");
    const STRICT: Effect = Approximated(
        "requests and answers that are not valid HTTP are refused (conf/reference/refusals.md)",
    );
    const CONNECTS: Effect = Approximated("the check only opens a connection");
    &[
        ("abortonclose", Same),
        ("accept-invalid-http-request", STRICT),
        ("accept-invalid-http-response", STRICT),
        ("accept-unsafe-violations-in-http-request", STRICT),
        ("accept-unsafe-violations-in-http-response", STRICT),
        ("allbackups", Read),
        ("checkcache", Refused("leave it out")),
        ("clitcpka", PROBES),
        ("contstats", TUNING),
        (
            "disable-h2-upgrade",
            Approximated("clients may speak HTTP/2 on every address"),
        ),
        ("dontlog-normal", Read),
        ("dontlognull", Same),
        (
            "external-check",
            Refused("write `option httpchk` or a plain `check`"),
        ),
        ("forwardfor", Read),
        ("forwarded", Refused("write `option forwardfor`")),
        ("forceclose", Read),
        (
            "h1-case-adjust-bogus-client",
            Approximated("field names are in lower case"),
        ),
        (
            "h1-case-adjust-bogus-server",
            Approximated("field names are in lower case"),
        ),
        ("http-buffer-request", Read),
        (
            "http-drop-request-trailers",
            Approximated("trailers are passed on"),
        ),
        (
            "http-drop-response-trailers",
            Approximated("trailers are passed on"),
        ),
        ("http-ignore-probes", Same),
        ("http-keep-alive", Read),
        ("http-no-delay", Same),
        ("http-pretend-keepalive", Same),
        ("http-proxy", Refused("leave it out")),
        ("http-restrict-req-hdr-names", Read),
        ("http-server-close", Read),
        ("http-tunnel", Read),
        ("http-use-htx", Same),
        (
            "http-use-proxy-header",
            Without("clients that use Evenkeel as a forward proxy are not told apart"),
        ),
        ("httpchk", Read),
        ("httpclose", Read),
        ("httplog", Read),
        ("httpslog", Read),
        ("idle-close-on-response", Same),
        (
            "independent-streams",
            Approximated("any progress of a request counts for its timeouts"),
        ),
        ("ldap-check", CONNECTS),
        (
            "log-health-checks",
            Approximated(
                "changes of servers are in the log of the process; checks that change nothing are not",
            ),
        ),
        (
            "log-separate-errors",
            Approximated("all lines go to the same log, with their severity"),
        ),
        (
            "logasap",
            Approximated("a line is written when the exchange is over"),
        ),
        ("mysql-check", CONNECTS),
        (
            "nolinger",
            Without("connections end as their protocol says"),
        ),
        (
            "originalto",
            Refused("write `http-request set-header x-original-to %[dst]`"),
        ),
        ("persist", Without("it is about cookies")),
        ("pgsql-check", CONNECTS),
        (
            "prefer-last-server",
            Approximated("each request goes to the server whose turn it is"),
        ),
        ("redis-check", CONNECTS),
        ("redispatch", Read),
        ("smtpchk", CONNECTS),
        ("socket-stats", TUNING),
        ("splice-auto", TUNING),
        ("splice-request", TUNING),
        ("splice-response", TUNING),
        ("spop-check", CONNECTS),
        ("srvtcpka", PROBES),
        ("ssl-hello-chk", CONNECTS),
        ("tcp-check", Read),
        ("tcp-smart-accept", TUNING),
        ("tcp-smart-connect", TUNING),
        ("tcpka", PROBES),
        ("tcplog", Read),
        ("transparent", Refused("leave it out")),
    ]
};

/// The effect of the option `name`.
pub(super) fn effect(name: &str) -> Option<Effect> {
    let found = OPTIONS.iter().find(|(known, _)| *known == name);
    found.map(|(_, effect)| *effect)
}
