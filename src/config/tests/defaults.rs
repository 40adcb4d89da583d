//! `[defaults]`: the values that frontends and backends get from it, and the messages about
//! mistakes in it.

use std::time::Duration;

use super::{BASE, errors, plan, warnings};
use crate::base::ByteSize;
use crate::config::show;
use crate::plan::{Balance, Mode, Probe, ProxyProtocol, RequestIds, RetryOn};

const TWO: &str = "
[frontend.api]
listen = '127.0.0.1:8081'
backend = 'api'

[backend.api]
servers = '10.0.0.2:80'
";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[track_caller]
fn with(defaults: &str, rest: &str) -> crate::plan::Plan {
    plan(&format!("{defaults}\n{BASE}{TWO}{rest}"))
}

#[test]
fn every_frontend_and_backend_has_the_values_of_the_defaults() {
    let plan = with(
        "[defaults.frontend]
        request_id = 'off'
        max_connections = 7
        timeout = { head = '3s' }
        [defaults.backend]
        balance = 'least-connections'
        attempts = 2
        health = '/healthz'
        timeout.connect = '4s'",
        "",
    );
    assert_eq!((plan.frontends.len(), plan.backends.len()), (2, 2));
    for frontend in &plan.frontends {
        assert_eq!(frontend.request_id, RequestIds::Off);
        assert_eq!(frontend.max_connections, Some(7));
        assert_eq!(frontend.timeout.head, seconds(3));
        assert_eq!(frontend.timeout.body, seconds(30), "not in the defaults");
    }
    for backend in &plan.backends {
        assert_eq!(backend.balance, Balance::LeastConnections);
        assert_eq!(backend.retry.attempts, 2);
        assert_eq!(backend.timeout.connect, seconds(4));
        let health = backend.health.as_ref().expect("checks");
        assert!(matches!(&health.probe, Probe::Http(check) if check.path == "/healthz"));
    }
}

#[test]
fn attempts_of_a_backend_replace_those_of_the_defaults_in_either_form() {
    let attempts = |defaults: &str, own: &str| {
        let plan = with(
            &format!("[defaults.backend]\n{defaults}"),
            &format!("[backend.own]\nservers = '10.0.0.9:80'\n{own}"),
        );
        plan.backends[2].retry.clone()
    };
    let (short, long) = ("attempts = 2", "retry = { attempts = 4, on = ['empty'] }");
    assert_eq!(attempts(short, "").attempts, 2);
    assert_eq!(attempts(short, "retry.attempts = 5").attempts, 5);
    assert_eq!(attempts(long, "attempts = 5").attempts, 5);
    assert_eq!(attempts(long, "attempts = 5").on, [RetryOn::Empty]);
    assert_eq!(attempts(long, "retry.on = []").attempts, 4);
    assert_eq!(attempts(short, "retry.on = ['503']").attempts, 2);
}

#[test]
fn a_written_value_replaces_the_default_and_tables_are_joined_key_by_key() {
    let plan = with(
        "[defaults.frontend]
        timeout = { head = '3s', body = '4s' }
        trusted_proxies = ['10.0.0.0/8']
        [defaults.backend]
        health = { path = '/healthz', interval = '9s' }
        timeout.connect = '4s'",
        "[frontend.api.timeout]
        body = '5s'
        [frontend.own]
        listen = '127.0.0.1:8082'
        backend = 'own'
        trusted_proxies = []
        [backend.api.health]
        interval = '8s'
        [backend.own]
        servers = '10.0.0.3:80'
        health = 'off'",
    );
    let api = &plan.frontends[1];
    assert_eq!(
        (api.timeout.head, api.timeout.body),
        (seconds(3), seconds(5))
    );
    assert!(!api.trusted_proxies.networks.is_empty());
    assert!(plan.frontends[2].trusted_proxies.networks.is_empty());
    let health = plan.backends[1].health.as_ref().expect("checks");
    assert_eq!(health.interval, seconds(8));
    assert!(matches!(&health.probe, Probe::Http(check) if check.path == "/healthz"));
    assert_eq!(plan.backends[2].health, None);
    assert_eq!(plan.backends[2].timeout.connect, seconds(4));
}

#[test]
fn a_frontend_in_tcp_mode_has_the_defaults_that_it_knows() {
    let plan = with(
        "[defaults.frontend]
        field_names = 'reject'
        proxy_protocol = 'required'
        timeout = { head = '3s', tunnel = '4s' }
        limits.head = '9KiB'",
        "[frontend.database]
        mode = 'tcp'
        listen = '127.0.0.1:8082'
        backend = 'app'",
    );
    let database = &plan.frontends[2];
    assert_eq!(database.mode, Mode::Tcp);
    assert_eq!(database.timeout.tunnel, Some(seconds(4)));
    assert_eq!(database.binds[0].proxy_protocol, ProxyProtocol::Required);
    assert_eq!(plan.frontends[0].limits.head, ByteSize(9 << 10));
}

#[test]
fn the_mode_of_the_defaults_is_that_of_frontends_without_one() {
    let plan = with(
        "[defaults.frontend]\nmode = 'tcp'\ntimeout.head = '3s'",
        "[frontend.http]
        mode = 'http'
        listen = '127.0.0.1:8082'
        backend = 'app'",
    );
    let modes: Vec<Mode> = plan.frontends.iter().map(|each| each.mode).collect();
    assert_eq!(modes, [Mode::Tcp, Mode::Tcp, Mode::Http]);
    assert_eq!(plan.frontends[2].timeout.head, seconds(3));
}

#[test]
fn protocols_of_the_defaults_are_no_mistake_where_only_bytes_are_sent() {
    let text = "
[defaults.backend]
protocol = 'h2'
header_case = 'title'

[frontend.database]
mode = 'tcp'
listen = '127.0.0.1:8082'
backend = 'database'

[backend.database]
servers = '10.0.0.3:80'
";
    assert_eq!(warnings(text), "");
    let own = text.replace("servers", "protocol = 'h2'\nservers");
    assert!(warnings(&own).contains("`protocol` has no effect"));
}

#[test]
fn the_defaults_are_shown_in_each_frontend_and_backend() {
    let plan = with(
        "[defaults.frontend]\nheader_case = 'title'\n[defaults.backend]\npool.max_idle = 3",
        "",
    );
    let shown = show(&plan);
    assert_eq!(shown.matches("header_case = \"title\"").count(), 2);
    assert_eq!(shown.matches("max_idle = 3").count(), 2);
    assert!(!shown.contains("[defaults"), "{shown}");
}

/// The number of messages with `part` about a configuration with `defaults`, and all messages.
fn said(defaults: &str, rest: &str, part: &str) -> (usize, String) {
    let said = errors(&format!("{defaults}\n{BASE}{TWO}{rest}"));
    (said.matches(part).count(), said)
}

#[test]
fn a_mistake_in_the_defaults_is_reported_once_at_its_place() {
    for (defaults, mistake) in [
        (
            "[defaults.frontend]\nhalf_close = 'x'",
            "must be `true` or `false`",
        ),
        (
            "[defaults.frontend]\nhalf_closed = true",
            "unknown key `half_closed`",
        ),
        (
            "[defaults.frontend.timeout]\nhead = 5",
            "`head = 5` has no unit",
        ),
        (
            "[defaults.frontend.timeout]\nheads = '5s'",
            "unknown key `heads`",
        ),
        (
            "[defaults.frontend]\ntrusted_proxies = ['x']",
            "is not an IP address",
        ),
        (
            "[defaults.frontend.http2]\nstream_window = '4MiB'",
            "`stream_window` is larger than `connection_window`",
        ),
        (
            "[defaults.frontend.http2]\nopen_requests = '2MiB'",
            "`open_requests` leaves no room for heads beside `connection_window`",
        ),
        (
            "[defaults.frontend]\nmode = 'udp'",
            "`mode` cannot be \"udp\"",
        ),
        ("[defaults.frontend.proxy_protocol]", "names no peer"),
        (
            "[defaults.backend]\nattempts = 0",
            "must be a whole number from 1 to 10",
        ),
        (
            "[defaults.backend.health]\nintervall = '2s'",
            "unknown key `intervall`",
        ),
        ("[defaults.backend]\nbalance = 'hash'", "does not exist yet"),
    ] {
        let (count, said) = said(defaults, "", mistake);
        assert_eq!(count, 1, "{defaults}\n{said}");
        assert_eq!(said.matches("error: ").count(), 1, "{defaults}\n{said}");
        assert!(
            said.contains("--> evenkeel.toml:2:") || defaults.ends_with(']'),
            "{said}"
        );
        assert!(!said.contains("frontend.web"), "{said}");
    }
}

#[test]
fn a_warning_about_the_defaults_is_given_once() {
    let text = format!("[defaults.backend.health]\ninterval = '1s'\ntimeout = '2s'\n{BASE}{TWO}");
    let said = warnings(&text);
    assert_eq!(
        said.matches("`timeout` of the check is longer").count(),
        1,
        "{said}"
    );
}

#[test]
fn a_wrong_default_names_a_frontend_or_backend_that_has_it() {
    let (count, said) = said(
        "[defaults.backend]\nhealth = '/healthz'",
        "[backend.api.tls]",
        "checks over TLS need a host name",
    );
    assert_eq!(count, 1, "{said}");
    assert!(
        said.contains("`[backend.api]` has this value from `[defaults]`"),
        "{said}"
    );
}

#[test]
fn keys_that_defaults_cannot_have_get_help() {
    for (text, help) in [
        (
            "[defaults]\ntimeout.connect = '1s'",
            "[defaults.backend.timeout]",
        ),
        (
            "[defaults]\nbalance = 'round-robin'",
            "write it in `[defaults.backend]`",
        ),
        (
            "[defaults.frontend]\nlisten = ':80'",
            "write it in each `[frontend.NAME]`",
        ),
        (
            "[defaults.backend]\ntls = true",
            "write it in each `[backend.NAME]`",
        ),
        ("defaults = true", "`defaults` must be a table"),
        (
            "defaults",
            "write `[defaults.frontend]` and `[defaults.backend]`",
        ),
    ] {
        let (count, said) = said(text, "", help);
        assert_eq!(count, 1, "{text}\n{said}");
    }
}

#[test]
fn a_frontend_or_backend_that_cannot_have_its_name_is_checked_all_the_same() {
    let text = "[frontend.' ']\nhalf_close = 1\n[backend.' ']\nattempts = 0";
    for mistake in ["`half_close` must be", "`attempts` must be"] {
        let (count, said) = said("", text, mistake);
        assert_eq!(count, 1, "{said}");
    }
}
