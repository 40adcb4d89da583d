//! The proxies' configuration files, each as its maintainers would have it in production.
//!
//! All three do the same work: one worker, keep-alive on both sides, two servers by round robin,
//! `X-Forwarded-For/-Proto/-Host` towards the server. With logs and metrics on, each writes one line a
//! request to a file and keeps its counters. Limits that would end a connection within a run are raised
//! alike. `benches/README.md` says why each setting is as it is.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use crate::proxies::Mode;

/// Where a proxy listens and what it forwards to.
pub(crate) struct Places<'a> {
    pub(crate) listen: SocketAddr,
    /// Metrics, statistics, administration.
    pub(crate) admin: SocketAddr,
    pub(crate) servers: [SocketAddr; 2],
    /// The access log.
    pub(crate) log: &'a Path,
    /// For files that only the proxy itself needs.
    pub(crate) dir: &'a Path,
}

pub(crate) fn evenkeel(places: &Places, mode: Mode) -> String {
    let [first, second] = places.servers;
    let mut text = evenkeel_head(places, mode);
    let _ = writeln!(
        text,
        "\n[backend.origin]\nservers = [\"{first}\", \"{second}\"]"
    );
    text
}

/// For `reload`: the servers named, so that a weight can change and nothing else.
pub(crate) fn evenkeel_weighted(places: &Places, weight: u32) -> String {
    let mut text = evenkeel_head(places, Mode::On);
    text.push_str(&weighted_backend(places, weight));
    text
}

/// For `reload-1000`: 1,000 backends with 10 servers each beside the one that carries traffic, and a
/// host route to each.
pub(crate) fn evenkeel_thousand(places: &Places, weight: u32) -> String {
    let mut text = evenkeel_head(places, Mode::On);
    for backend in 0..1_000 {
        let _ = write!(
            text,
            "\n[[frontend.bench.route]]\nhost = \"host{backend}.test\"\nbackend = \"app{backend}\"\n"
        );
    }
    text.push_str(&weighted_backend(places, weight));
    for backend in 0..1_000 {
        let _ = write!(text, "\n[backend.app{backend}]\nservers = [");
        for server in 1..=10 {
            let (high, low) = (backend / 250 + 1, backend % 250);
            let _ = write!(text, "\"127.{high}.{low}.{server}:8000\", ");
        }
        text.push_str("]\n");
    }
    text
}

fn evenkeel_head(places: &Places, mode: Mode) -> String {
    let Places {
        listen, admin, log, ..
    } = places;
    let log = match mode {
        Mode::On => log.display().to_string(),
        Mode::Off => "off".to_owned(),
    };
    format!(
        r#"[process]
workers = 1

[admin]
listen = "{admin}"

[log.access]
to = "{log}"

[frontend.bench]
listen = "{listen}"
backend = "origin"
"#
    )
}

fn weighted_backend(places: &Places, weight: u32) -> String {
    let [first, second] = places.servers;
    format!(
        r#"
[backend.origin]
servers = [
  {{ name = "a", address = "{first}", weight = {weight} }},
  {{ name = "b", address = "{second}", weight = 1 }},
]
"#
    )
}

pub(crate) fn haproxy(places: &Places, mode: Mode) -> String {
    let Places {
        listen,
        admin,
        servers: [first, second],
        ..
    } = places;
    let (log_target, log_lines, stats) = match mode {
        // Standard output is the log file: a production setting (containers), as cheap as a ring over
        // TCP and cheaper than datagrams; the figures are in benches/README.md.
        Mode::On => (
            "    log stdout format raw local0 info\n",
            "    log global\n    option httplog\n",
            format!(
                r"
frontend stats
    bind {admin}
    no log
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /stats
"
            ),
        ),
        Mode::Off => ("", "", String::new()),
    };
    format!(
        r"global
    nbthread 1
    maxconn 9500
{log_target}
defaults
    mode http
{log_lines}    option http-keep-alive
    option forwardfor
    http-reuse always
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 60s
{stats}
frontend bench
    bind {listen}
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    default_backend origin

backend origin
    balance roundrobin
    server a {first}
    server b {second}
"
    )
}

pub(crate) fn nginx(places: &Places, mode: Mode) -> String {
    let Places {
        listen,
        admin,
        servers: [first, second],
        log,
        dir,
    } = places;
    let (log, dir) = (log.display(), dir.display());
    let (access, status) = match mode {
        Mode::On => (
            format!("access_log {log} combined buffer=64k flush=1s;"),
            format!(
                "server {{ listen {admin}; access_log off; location = /status {{ stub_status; }} }}"
            ),
        ),
        Mode::Off => ("access_log off;".to_owned(), String::new()),
    };
    format!(
        r#"daemon off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.err warn;
worker_processes 1;
events {{
    worker_connections 10240;
}}
http {{
    {access}
    client_body_temp_path {dir}/nginx-body;
    proxy_temp_path {dir}/nginx-proxy;
    fastcgi_temp_path {dir}/nginx-fastcgi;
    uwsgi_temp_path {dir}/nginx-uwsgi;
    scgi_temp_path {dir}/nginx-scgi;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    upstream origin {{
        server {first};
        server {second};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {listen} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
    {status}
}}
"#
    )
}
