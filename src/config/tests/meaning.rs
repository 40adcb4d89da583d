//! The meaning of well-formed text: short forms, and values that have several spellings.

use std::time::Duration;

use super::{BASE, load, plan};
use crate::base::{Name, Peer, clock};
use crate::plan::log::{LineFormat, Preset};
use crate::plan::{
    Backend, Frontend, Health, HostPattern, HttpCheck, Initial, LogTarget, PathPattern, Probe,
    RequestIds, ServerTls, Sni, StatusSet, ValuePattern,
};

fn frontend(lines: &str) -> Frontend {
    let text = BASE.replace(
        "backend = \"app\"\n",
        &format!("backend = \"app\"\n{lines}\n"),
    );
    plan(&text).frontends.remove(0)
}

fn backend(lines: &str) -> Backend {
    plan(&format!("{BASE}{lines}\n")).backends.remove(0)
}

fn health(value: &str) -> Health {
    backend(&format!("health = {value}"))
        .health
        .expect("checks")
}

#[test]
fn one_value_is_a_list_of_one() {
    let one = plan(&BASE.replace("[\"10.0.0.1:80\"]", "\"10.0.0.1:80\""));
    assert_eq!(one, plan(BASE));
}

#[test]
fn a_server_is_called_by_its_address_as_written() {
    let servers = "servers = ['localhost:80', { address = '[::1]:80' }, { name = 'a', address = '10.0.0.1:80' }]";
    let plan = plan(&BASE.replace("servers = [\"10.0.0.1:80\"]", servers));
    let names: Vec<&str> = plan.backends[0]
        .servers
        .iter()
        .map(|server| &*server.name)
        .collect();
    assert_eq!(names, ["localhost:80", "[::1]:80", "a"]);
}

#[test]
fn a_position_is_where_the_value_is_written() {
    let plan = plan(BASE);
    assert_eq!(
        plan.frontends[0].binds[0].at.to_string(),
        "evenkeel.toml:3:10"
    );
    assert_eq!(
        plan.backends[0].servers[0].at.to_string(),
        "evenkeel.toml:7:12"
    );
}

#[test]
fn tables_are_in_the_order_of_the_file() {
    let text = BASE.replace(
        "[backend.app]",
        "[backend.zebra]\nservers = []\n[backend.app]",
    );
    let plan = plan(&text);
    let names: Vec<&str> = plan.backends.iter().map(|backend| &*backend.name).collect();
    assert_eq!(names, ["zebra", "app"]);
}

#[test]
fn a_check_has_short_forms() {
    let path = Health {
        probe: Probe::Http(HttpCheck {
            path: "/healthz?full=1".to_owned(),
            ..HttpCheck::default()
        }),
        ..Health::default()
    };
    assert_eq!(health("'/healthz?full=1'"), path);
    assert_eq!(health("{ path = '/healthz?full=1' }"), path);
    assert_eq!(health("'tcp'").probe, Probe::Tcp);
    assert_eq!(health("{ type = 'tcp' }"), health("'tcp'"));
    assert_eq!(backend("health = 'off'").health, None);
}

#[test]
fn the_times_of_a_check_follow_its_interval() {
    let check = health("{ interval = '5s', initial = 'up' }");
    assert_eq!(check.fast_interval, Duration::from_secs(5));
    assert_eq!(check.timeout, Duration::from_secs(5));
    assert_eq!(check.initial, Initial::Up);
}

#[test]
fn statuses_are_numbers_and_ranges() {
    for (written, ranges) in [
        ("200", vec![200..=200]),
        ("'204'", vec![204..=204]),
        ("'200-399'", vec![200..=399]),
        ("['200-299', 304]", vec![200..=299, 304..=304]),
    ] {
        let Probe::Http(check) = health(&format!("{{ status = {written} }}")).probe else {
            unreachable!("a check is HTTP unless it says otherwise");
        };
        assert_eq!(check.status, StatusSet(ranges), "{written}");
    }
}

#[test]
fn off_takes_a_bound_away() {
    assert_eq!(
        frontend("timeout = { exchange = '1s' }").timeout.exchange,
        Some(Duration::from_secs(1))
    );
    assert_eq!(
        frontend("timeout = { exchange = 'off' }").timeout.exchange,
        None
    );
    assert_eq!(frontend("max_connections = 'off'").max_connections, None);
    assert_eq!(frontend("request_id = 'off'").request_id, RequestIds::Off);
    assert_eq!(
        backend("pool = { max_age = 'off', max_requests = 'off' }").pool,
        Default::default()
    );
    assert_eq!(plan(&format!("admin.listen = 'off'\n{BASE}")).admin, None);
}

#[test]
fn a_log_file_keeps_its_path_and_place() {
    let logs = plan(&format!("log.access.to = './access.log'\n{BASE}"))
        .log
        .access;
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].to, LogTarget::File("./access.log".into()));
    assert_eq!(logs[0].at.to_string(), "evenkeel.toml:1:17");
}

#[test]
fn several_access_logs_are_a_list_and_each_has_its_format() {
    let text = "[[log.access]]\nto = 'stdout'\n[[log.access]]\nto = './a.log'\nformat = 'clf'\n\
                [[log.access]]\nformat = '%{+Q,-E}o  %ci %{-Q}r 100%%'";
    let logs = plan(&format!("{text}\n{BASE}")).log.access;
    let formats: Vec<String> = logs
        .iter()
        .map(|log| match &log.format {
            LineFormat::Json | LineFormat::JsonOf(_) => "json".to_owned(),
            LineFormat::Ecs => "ecs".to_owned(),
            LineFormat::Preset(preset, _) => preset.name().to_owned(),
            LineFormat::Template(template) => template.to_string(),
        })
        .collect();
    assert_eq!(formats, ["json", "clf", " %{+Q}ci %r 100%%"]);
}

#[test]
fn every_preset_is_a_template_that_its_text_parses_to() {
    for preset in Preset::ALL {
        let text = format!("log.access.format = '{}'\n{BASE}", preset.name());
        let log = plan(&text).log.access.remove(0);
        let LineFormat::Preset(_, template) = log.format else {
            unreachable!("{text}");
        };
        assert_eq!(template.to_string(), preset.template());
    }
}

#[test]
fn trusted_proxies_are_addresses_and_networks() {
    let proxies =
        frontend("trusted_proxies = ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']").trusted_proxies;
    let shown: Vec<String> = proxies.networks.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]);
    let from = |text: &str| Peer::Ip(text.parse().expect("an address"));
    assert!(proxies.have(from("[::ffff:10.1.2.3]:80")));
    assert!(!proxies.have(from("11.0.0.1:80")));
    assert!(!proxies.have(Peer::Unix));
    let proxies = frontend("trusted_proxies = 'unix'").trusted_proxies;
    assert!(proxies.have(Peer::Unix));
    assert!(!proxies.have(from("10.0.0.1:80")));
}

#[test]
fn patterns_are_in_the_form_that_requests_are_compared_in() {
    let route = frontend(
        "
[[frontend.web.route]]
host = ['EXAMPLE.com.', '*.Example.COM', '[0::1]', '10.0.0.1']
path = ['/%7euser/%2f', '/v1/*', '/*', '*', '/']
method = ['GET', 'PROPFIND']
header = { X-B = 'v*', x-a = '*', x-c = 'v' }
query = { q = '' }
backend = 'app'
",
    )
    .routes
    .remove(0);
    assert_eq!(route.name, Name::new("1").expect("a name"));
    let exact = |text: &str| HostPattern::Exact(text.to_owned());
    assert_eq!(
        route.hosts,
        [
            exact("example.com"),
            HostPattern::Wildcard("example.com".to_owned()),
            exact("[::1]"),
            exact("10.0.0.1"),
        ]
    );
    let prefix = |text: &str| PathPattern::Prefix(text.to_owned());
    assert_eq!(
        route.paths,
        [
            PathPattern::Exact("/~user/%2F".to_owned()),
            prefix("/v1"),
            prefix(""),
            prefix(""),
            PathPattern::Exact("/".to_owned()),
        ]
    );
    let headers: Vec<_> = route
        .headers
        .into_iter()
        .map(|p| (p.name.to_string(), p.value))
        .collect();
    assert_eq!(
        headers,
        [
            ("x-a".to_owned(), ValuePattern::Present),
            ("x-b".to_owned(), ValuePattern::Prefix("v".to_owned())),
            ("x-c".to_owned(), ValuePattern::Exact("v".to_owned())),
        ]
    );
    assert_eq!(route.queries[0].value, ValuePattern::Exact(String::new()));
}

#[test]
fn a_star_among_hosts_is_any_host() {
    let route = "[[frontend.web.route]]\nhost = ['a', '*']\nbackend = 'app'";
    assert_eq!(frontend(route).routes[0].hosts, []);
}

#[test]
fn the_order_of_conditions_and_the_layout_of_the_file_are_no_part_of_the_plan() {
    let route =
        |header: &str| format!("\n\n[[frontend.web.route]]\nheader = {header}\nbackend = 'app'");
    assert_eq!(
        frontend(&route("{ x-a = '1', x-b = '2' }")),
        frontend(&route("{ X-B = '2', X-A = '1' }"))
    );
}

#[test]
fn a_variable_can_stand_in_any_string() {
    let text = BASE
        .replace("127.0.0.1:8080", "127.0.0.1:${PORT}")
        .replace("10.0.0.1:80", "${HOST:-10.0.0.1}:80");
    assert_eq!(plan(&text), plan(BASE));
}

#[test]
fn a_value_that_is_one_variable_can_be_a_number_or_a_switch() {
    let numbers = "
[process]
workers = '${FEW:-3}'
max_connections = '${PORT}'

[reload]
watch = '${WATCH:-false}'

[frontend.web]
listen = '127.0.0.1:8080'
backend = 'app'
max_connections = '${NONE:-off}'
half_close = '${HALF:-true}'
limits = { fields = '${PORT}', head = '${HEAD:-64KiB}' }

[backend.app]
servers = [{ address = '10.0.0.1:80', weight = '${FEW:-3}', backup = '${BACKUP:-false}' }]
tls = '${TLS:-true}'
health = { rise = '${FEW:-3}', status = '${STATUS:-204}', host = 'app', interval = '${EVERY:-3s}' }
";
    let written = numbers
        .replace("'${PORT}'", "8080")
        .replace("'${FEW:-3}'", "3")
        .replace("'${WATCH:-false}'", "false")
        .replace("${NONE:-off}", "off")
        .replace("'${HALF:-true}'", "true")
        .replace("${HEAD:-64KiB}", "64KiB")
        .replace("'${BACKUP:-false}'", "false")
        .replace("'${TLS:-true}'", "true")
        .replace("'${STATUS:-204}'", "204")
        .replace("${EVERY:-3s}", "3s");
    assert!(!written.contains("${"), "{written}");
    assert_eq!(plan(numbers), plan(&written));
    // A text with more than the variable in it is a string.
    let composed = numbers.replace("'${FEW:-3}'", "'1${FEW:-3}'");
    assert!(load(&composed).is_err());
}

#[test]
fn each_route_that_an_earlier_one_covers_is_found_and_no_other() {
    let covered = |earlier: &str, later: &str| {
        let routes = format!(
            "[[frontend.web.route]]\n{earlier}\nbackend = 'app'\n[[frontend.web.route]]\n{later}\nbackend = 'app'\n"
        );
        let loaded = load(&BASE.replace("[backend.app]", &format!("{routes}[backend.app]")));
        !loaded.expect("no mistakes").warnings.is_empty()
    };
    for (earlier, later) in [
        ("", ""),
        ("", "host = 'a'"),
        ("host = '*.a'", "host = 'b.a'"),
        ("host = '*.a'", "host = '*.b.a'"),
        ("host = ['a', 'b']", "host = 'b'"),
        ("path = '/*'", "path = '/a'"),
        ("path = '/a/*'", "path = '/a'"),
        ("path = '/a/*'", "path = '/a/b/*'"),
        ("method = ['GET', 'HEAD']", "method = 'GET'\npath = '/a'"),
        ("header = { a = '*' }", "header = { a = 'b' }"),
        ("query = { a = 'b*' }", "query = { a = 'bc*', d = '*' }"),
    ] {
        assert!(covered(earlier, later), "{earlier} / {later}");
    }
    for (earlier, later) in [
        ("host = 'a'", ""),
        ("host = '*.a'", "host = 'a'"),
        ("host = '*.a'", "host = '*.a.b'"),
        ("host = 'a'", "host = ['a', 'b']"),
        ("path = '/a'", "path = '/a/*'"),
        ("path = '/a/*'", "path = '/ab'"),
        ("path = '/*'", ""),
        ("method = 'GET'", "method = ['GET', 'POST']"),
        ("header = { a = 'b' }", "header = { a = 'b*' }"),
        ("header = { a = 'b' }", "query = { a = 'b' }"),
        ("query = { a = '*' }", "query = { b = '*' }"),
    ] {
        assert!(!covered(earlier, later), "{earlier} / {later}");
    }
}

#[test]
fn ten_thousand_routes_are_compared_in_one_pass() {
    // Comparing each pair of routes would take minutes.
    let route = "[[frontend.web.route]]\nhost = '*.example.com'\npath = '/a/*'\nbackend = 'app'\n";
    let text = BASE.replace(
        "[backend.app]",
        &format!("{}[backend.app]", route.repeat(10_000)),
    );
    assert_eq!(load(&text).expect("no mistakes").warnings.len(), 9_999);
}

#[test]
fn a_frontend_of_many_times_the_addresses_is_read_at_as_many_times_the_cost() {
    clock::assert_linear(|count| {
        let address = |index| {
            let (high, low, port) = (index / 250, index % 250, (index % 2) * 443);
            let tls = format!("tls = '/etc/certificates/of/{index}.pem'");
            format!("{{ address = '127.1.{high}.{low}:{port}', {tls} }},\n")
        };
        let listen: String = (0..count).map(address).collect();
        let text = BASE.replace("\"127.0.0.1:8080\"", &format!("[{listen}]"));
        move || {
            let frontend = load(&text).expect("no mistakes").plan.frontends.remove(0);
            assert_eq!((frontend.binds.len(), frontend.tls.len()), (count, count));
            frontend
        }
    });
}

#[test]
fn path_regex_is_a_condition_that_one_of_its_expressions_matches() {
    let when = |lines: &str| {
        let text = format!("{BASE}[[frontend.web.route]]\nbackend = 'app'\n{lines}");
        let plan = plan(&text);
        assert_eq!(super::plan(&crate::config::show(&plan)), plan, "{lines}");
        plan.frontends[0].routes[0]
            .when
            .clone()
            .expect("a condition")
    };
    for (short, long) in [
        ("path_regex = '^/a$'", "when = 'path matches \"^/a$\"'"),
        (
            "path_regex = ['^/a$', 'b']",
            "when = 'path matches \"^/a$\" or path matches \"b\"'",
        ),
        (
            "path_regex = ['^/a$', 'b']\nwhen = 'ssl_fc'",
            "when = '(path matches \"^/a$\" or path matches \"b\") and ssl_fc'",
        ),
        (
            "path_regex = '^/a$'\nwhen = 'ssl_fc and method == \"GET\"'",
            "when = 'path matches \"^/a$\" and ssl_fc and method == \"GET\"'",
        ),
        (
            "path_regex = '^/a$'\nwhen = 'ssl_fc or method == \"GET\"'",
            "when = 'path matches \"^/a$\" and (ssl_fc or method == \"GET\")'",
        ),
    ] {
        assert_eq!(when(short), when(long), "{short}");
    }
}

#[test]
fn a_path_regex_that_is_none_says_why() {
    let text = format!("{BASE}[[frontend.web.route]]\nbackend = 'app'\npath_regex = '('");
    let said = super::errors(&text);
    assert!(said.contains("is not a regular expression"), "{said}");
    assert!(said.contains("https://docs.rs/regex"), "{said}");
    assert!(said.contains("evenkeel.toml:10:14"), "{said}");
}

/// Describes the TLS settings `of`: "clear", "system", or the fixed name in `sni`.
fn shown_tls(of: Option<&ServerTls>) -> &str {
    match of.map(|tls| &tls.sni) {
        None => "clear",
        Some(Sni::Fixed(name)) => name,
        Some(_) => "system",
    }
}

#[test]
fn the_tls_that_is_written_closest_holds_for_a_server_and_for_its_checks() {
    const A: &str = "{ sni = 'a.test' }";
    const B: &str = "{ sni = 'b.test' }";
    const C: &str = "{ sni = 'c.test' }";
    for (of_backend, of_server, of_checks, of_check, exchanges, checks) in [
        // Nothing is written.
        ("false", "", "", "", "clear", "clear"),
        (A, "", "", "", "a.test", "a.test"),
        // At the server.
        (A, "false", "", "", "clear", "clear"),
        ("false", B, "", "", "b.test", "b.test"),
        (A, B, "", "", "b.test", "b.test"),
        // `true`.
        ("true", "", "", "", "system", "system"),
        ("false", "true", "", "", "system", "system"),
        (A, "true", "", "", "a.test", "a.test"),
        // In `health` of the backend.
        (A, "", "false", "", "a.test", "clear"),
        (A, "", B, "", "a.test", "b.test"),
        (A, "", "true", "", "a.test", "a.test"),
        ("false", "", "true", "", "clear", "system"),
        (A, "false", "true", "", "clear", "a.test"),
        (A, B, C, "", "b.test", "c.test"),
        // In `health` of the server.
        (A, "", "", "false", "a.test", "clear"),
        (A, "", "false", "true", "a.test", "a.test"),
        (A, B, "false", "true", "b.test", "b.test"),
        (A, "false", "", "true", "clear", "a.test"),
        ("false", "", "", "true", "clear", "system"),
        (A, B, "true", C, "b.test", "c.test"),
    ] {
        let line = |key: &str, value: &str| match value {
            "" => String::new(),
            value => format!(", {key} = {value}"),
        };
        let text = format!(
            "tls = {of_backend}\nhealth = {{ path = '/', host = 'a'{} }}\n\
             servers = [{{ address = '10.0.0.1:80'{}, health = {{ port = 81{} }} }}]",
            line("tls", of_checks),
            line("tls", of_server),
            line("tls", of_check)
        );
        let plan = plan(&BASE.replace("servers = [\"10.0.0.1:80\"]", &text));
        let backend = &plan.backends[0];
        let own = &backend.servers[0].own;
        assert_eq!(shown_tls(backend.tls_of(own)), exchanges, "{text}");
        assert_eq!(shown_tls(backend.check_tls_of(own)), checks, "{text}");
        assert_eq!(super::plan(&crate::config::show(&plan)), plan, "{text}");
    }
}

#[test]
fn a_server_with_tls_as_its_backend_stays_the_same_when_that_changes() {
    let own = |tls: &str| {
        let text = format!("tls = {tls}\nservers = [{{ address = '10.0.0.1:80', tls = true }}]");
        let plan = plan(&BASE.replace("servers = [\"10.0.0.1:80\"]", &text));
        plan.backends[0].servers[0].own.clone()
    };
    assert_eq!(own("{ sni = 'a.test' }"), own("{ sni = 'b.test' }"));
    assert_ne!(own("{ sni = 'a.test' }"), own("false"));
}

#[test]
fn tls_for_checks_of_a_server_overrides_that_of_its_backend() {
    let on = "tls = { sni = 'a.example' }";
    let with = |of_server: &str, of_backend: &str| {
        let server = format!("{{ address = '10.0.0.1:80', {of_server} }}");
        let lines = format!("[{server}]\nhealth = {{ path = '/', {of_backend} }}");
        let plan = plan(&BASE.replace("[\"10.0.0.1:80\"]", &lines));
        let backend = &plan.backends[0];
        let own = &backend.servers[0].own;
        let of_checks = backend.check_tls_of(own);
        (backend.tls_of(own).is_some(), of_checks.is_some())
    };
    let check = |tls: &str| format!("health = {{ {tls} }}");
    let off = "tls = false";
    assert_eq!(with(&check(on), off), (false, true));
    assert_eq!(with(&check(off), on), (false, false));
    assert_eq!(with("weight = 1", on), (false, true));
    assert_eq!(
        with(&format!("{on}, {}", check(off)), "rise = 1"),
        (true, false)
    );
    assert_eq!(with(on, off), (true, false));
    assert_eq!(with(on, "rise = 1"), (true, true));
}
