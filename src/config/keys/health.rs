//! Active checks: `health` of a backend.

use http::HeaderValue;

use crate::config::page::{key as quoted_key, list, string};
use crate::plan::{Health, HttpCheck, Initial, Probe};

use super::kind::Shape;
use super::tls::{SERVER_TLS_SHAPE, own_tls};
use super::words::Words;
use super::{Keys, key};

/// The keys that only HTTP checks have are read in `compile`, together with `type`.
pub(in crate::config) static HEALTH: Keys<Health> = Keys {
    keys: &[
        key("interval")
            .means("From one check of a server to the next.")
            .also("inter period frequency every")
            .duration(|health| &mut health.interval),
        key("fast_interval")
            .means("The same while a server changes its state; at most `interval`.")
            .also("fastinter")
            .duration(|health| &mut health.fast_interval),
        key("timeout")
            .means("For one whole check.")
            .duration(|health| &mut health.timeout),
        key("rise")
            .means("Passed checks in a row that bring a server up.")
            .also("healthy_threshold success_threshold")
            .number(1, MOST_CHECKS, |health| &mut health.rise),
        key("fall")
            .means("Failed checks in a row that take a server down.")
            .also("unhealthy_threshold failure_threshold retries")
            .number(1, MOST_CHECKS, |health| &mut health.fall),
        key("port")
            .means("Another port for checks than the server's.")
            .compiled(Shape::Number(1, 65_535), |health| {
                health.port.map(|port| port.to_string())
            }),
        key("tls")
            .means("Whether checks are over TLS, if that is not as requests are; or a table.")
            .compiled(SERVER_TLS_SHAPE, |health| own_tls(&health.tls)),
        key("initial")
            .means("Before its first check a server is down (\"checked\"), or \"up\".")
            .word(Initial::words, |health| &mut health.initial),
        key("type")
            .means("\"http\": a GET must be answered well; \"tcp\": a connection must be accepted.")
            .compiled(Shape::Words(&["http", "tcp"]), |health| {
                Some(string(match health.probe {
                    Probe::Http(_) => "http",
                    Probe::Tcp => "tcp",
                }))
            }),
        key("path")
            .means("The path of the GET.")
            .also("uri url endpoint")
            .compiled(Shape::Text, |health| Some(string(&http(health)?.path))),
        key("host")
            .means("The Host field; else the server's address.")
            .also("hostname")
            .compiled(Shape::Text, |health| http(health)?.host.as_ref().map(value)),
        key("status")
            .means("Statuses that pass: one, a range, or a list of both.")
            .also("expected_status expect_status status_code status_codes")
            .compiled(
                Shape::List(&Shape::AnyOf(&[Shape::Text, Shape::Number(100, 999)])),
                |health| {
                    let ranges = http(health)?.status.0.iter();
                    Some(list(ranges.map(|range| {
                        match range.start() == range.end() {
                            true => range.start().to_string(),
                            false => string(&format!("{}-{}", range.start(), range.end())),
                        }
                    })))
                },
            ),
        key("body")
            .means("A text that the body must contain, in its first 64 KiB.")
            .also("expected_body expect_string string")
            .compiled(Shape::Text, |health| {
                http(health)?.body.as_deref().map(string)
            }),
        key("headers")
            .means("More fields.")
            .also("header")
            .compiled_tables(Shape::Named(&Shape::Text), |health, path, page| {
                let headers = http(health).map_or(&[][..], |check| &check.headers);
                if !headers.is_empty() {
                    page.table(path);
                }
                for (name, field) in headers {
                    page.set(&quoted_key(name.as_str()), value(field));
                }
            }),
    ],
    hints: r#"
        downinter: leave it out: servers that are down are checked every `interval`
        expect: write `status` or `body`
        method: leave it out: a check is a GET
        rstatus: write `status = "200-399"`
        rstring: regular expressions do not exist yet; `body` is a text that the answer must contain
        ssl scheme check_ssl: write `tls = true`, or leave it out: checks use the `tls` of requests
        no_check_ssl: write `tls = false`
        sni check_sni verify ca_file: write it in `tls = { … }`
        check_port: write `port`
        address addr: write `health = { address = "…" }` in a server
        protocol: write `type`: "http" or "tcp"
        start_period initial_delay: leave it out: a server takes traffic after its first passed check
        enabled: write `health = "off"` to switch checks off
        check: write `health = "/path"` or `health = "tcp"`
    "#,
    default: Some(Health::default),
    ..Keys::EMPTY
};

const MOST_CHECKS: i64 = u32::MAX as i64;

fn http(health: &Health) -> Option<&HttpCheck> {
    match &health.probe {
        Probe::Http(check) => Some(check),
        Probe::Tcp => None,
    }
}

fn value(value: &HeaderValue) -> String {
    if value.is_sensitive() {
        return format!("{} # from a secret file, not shown", string("***"));
    }
    string(&String::from_utf8_lossy(value.as_bytes()))
}
