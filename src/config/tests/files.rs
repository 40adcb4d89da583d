//! The files of `conf/`: each loads without a warning, and `full.toml` leaves nothing out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::keys::tables;
use super::plan;
use crate::config::raw::{Kind, Table, Value};
use crate::config::source::Sources;
use crate::config::variables::Variables;
use crate::config::{load, raw, show};

pub(super) fn conf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf")
}

pub(super) fn toml_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of configurations");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect()
}

#[test]
fn every_file_loads_without_a_warning() {
    let mut files = toml_files(&conf());
    files.extend(toml_files(&conf().join("recipes")));
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let loaded = load(&file).expect("a configuration without mistakes");
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let is_list = |path: &PathBuf| path.parent().is_some_and(|at| at.ends_with("lists"));
        let own = loaded.watch.files.iter().filter(|path| !is_list(path));
        assert_eq!(own.collect::<Vec<_>>(), [&file]);
    }
}

#[test]
fn full_says_the_default_of_every_key() {
    let full = load(&conf().join("full.toml")).expect("a configuration without mistakes");
    let same = plan(
        r#"
[frontend.web]
listen = { address = ':8080', proxy_protocol = 'off' }
backend = 'app'
connection_rule = [
    { when = 'src == "192.0.2.66"', reject = true },
    { track = { table = 'clients', key = 'src', counter = 1 } },
]
content_rule = [{ when = 'req.payload(0,4) == "SSH-"', reject = true }]
rule = [
    { when = 'path starts_with "/internal/"', deny = 403 },
    { when = 'path == "/robots.txt"', return = { headers = { cache-control = 'max-age=3600', content-type = 'text/plain' }, body = "User-agent: *\nDisallow: /\n" } },
    { when = 'req.hdr(host) == "old.example.com"', redirect = { prefix = 'https://www.example.com' } },
    { track = { table = 'clients', key = 'src' } },
    { when = 'path starts_with "/tokens/"', jwt = { secret = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', issuer = 'https://issuer.example.com', audience = 'app', claims = { x-user = 'sub' } } },
    { when = 'path starts_with "/members/"', forward_auth = { backend = 'app', path = '/verify', host = 'auth.example.com', send = ['cookie', 'authorization'], copy = 'x-user' } },
    { when = 'path starts_with "/ops/"', auth = { users = { joe = '$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7' }, groups = { operators = 'joe' } } },
    { when = 'path starts_with "/v1/"', cors = { origins = 'https://app.example.com', headers = 'content-type', expose = 'x-total-count' } },
    { on = 'after', security_headers = true },
]

[[frontend.web.route]]
name = 'api'
host = ['api.example.com', '*.api.example.com']
path = '/v1/*'
method = ['GET', 'POST']
header = { x-tenant = 'blue' }
query = { debug = '*' }
backend = 'app'

[frontend.passed-on]
mode = 'tcp'
listen = { address = ':8443', proxy_protocol = 'off' }
backend = 'app'

[[frontend.passed-on.route]]
name = 'database'
sni = ['db.example.com', '*.db.example.com']
alpn = ['postgresql', 'h2']
backend = 'app'

[backend.app]
servers = [{ address = '10.0.0.1:80', tls = false, send_proxy = 'off', health = { address = '10.0.0.1', port = 80, tls = false } }]
health = '/'

[table.clients]
key = 'ip'
size = 100000
expire = '10m'
store = ['http_req_rate(10s)', 'http_err_cnt', 'gpc(2)']
"#,
    );
    assert_eq!(show(&full.plan), show(&same));
    assert_eq!(full.plan, same);
}

#[test]
fn full_has_every_known_key_and_no_other() {
    let text = fs::read_to_string(conf().join("full.toml")).expect("the file");
    // Keys without a default are commented out in the file.
    let whole: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_example(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let mut sources = Sources::default();
    let span = sources.add(Path::new("full.toml"), whole);
    let variables = Variables {
        environment: &|_| None,
        directory: None,
    };
    let parsed = raw::parse(sources.text(span), span, &variables);
    assert!(parsed.syntax.is_empty());
    let mut found = BTreeMap::new();
    collect(&parsed.table, "", &mut found);
    for (path, table) in tables() {
        let mut known = table.names();
        let mut written = found.get(&path).cloned().unwrap_or_default();
        known.sort_unstable();
        written.sort();
        // The file may have several tables of one list, each with the same keys.
        written.dedup();
        assert_eq!(written, known, "[{path}]");
    }
}

/// Whether `text` is `key = value` with a bare key, or the header of a table.
fn is_example(text: &str) -> bool {
    text.starts_with("[frontend.web.")
        || text.starts_with("[defaults.")
        || text.starts_with("[log.")
        || text.starts_with("[[admin.")
        || text.split_once(" = ").is_some_and(|(key, _)| {
            key.bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        })
}

fn is_tcp(mode: &Value) -> bool {
    matches!(&mode.kind, Kind::String(text) if text.value == "tcp")
}

/// The keys of each table by its path, with `NAME` for names that the user chooses.
fn collect(table: &Table, path: &str, found: &mut BTreeMap<String, Vec<String>>) {
    for entry in &table.entries {
        let is_name = matches!(
            path,
            "frontend" | "backend" | "table" | "frontend.NAME.tls.names"
        );
        let key = match &entry.value.kind {
            // A frontend in TCP mode has keys of its own.
            Kind::Table(table) if is_name && table.get("mode").is_some_and(is_tcp) => "TCP",
            _ if is_name => "NAME",
            _ => entry.key.as_str(),
        };
        let inner = match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        found
            .entry(path.to_owned())
            .or_default()
            .push(entry.key.clone());
        match &entry.value.kind {
            Kind::Table(table) => collect(table, &inner, found),
            Kind::Array(items) => {
                for item in items {
                    if let Kind::Table(table) = &item.kind {
                        collect(table, &inner, found);
                    }
                }
            }
            _ => {}
        }
    }
}
