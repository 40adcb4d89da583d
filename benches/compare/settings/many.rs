//! For `reload-33000`: so many hosts with a backend each, one of which is added and removed.
//!
//! Each proxy is configured as its documentation recommends for many hosts: HAProxy with a map
//! file, nginx with a `server` and an `upstream` for each.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::proxies::Proxy;

use super::Setup;

/// The host that is added and removed. Without a route it is not answered 200.
pub(crate) const CHANGED: &str = "changed.test";

/// Whether [`CHANGED`] is configured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Without = 0,
    With = 1,
}

/// The last host's name: that of [`CHANGED`], or another in its place.
fn last(variant: Variant) -> &'static str {
    match variant {
        Variant::With => CHANGED,
        Variant::Without => "unchanged.test",
    }
}

pub(crate) fn config(proxy: Proxy, setup: &Setup, hosts: usize, variant: Variant) -> String {
    match proxy {
        Proxy::Haproxy | Proxy::HaproxySplice => haproxy(setup, hosts),
        Proxy::Nginx => nginx(setup, hosts, variant),
        Proxy::Evenkeel | Proxy::Relay | Proxy::RelaySplice => evenkeel(setup, hosts, variant),
    }
}

/// A file beside the configuration that changes with it: writes it, and returns it to be written
/// again.
pub(crate) fn write_beside(
    proxy: Proxy,
    setup: &Setup,
    hosts: usize,
    variant: Variant,
) -> Option<(PathBuf, String)> {
    if proxy != Proxy::Haproxy {
        return None;
    }
    let mut map = String::new();
    for (host, backend) in all(setup, hosts, variant) {
        let _ = writeln!(map, "{host} {backend}");
    }
    let path = map_of(setup);
    if variant == Variant::Without {
        // HAProxy reports an error here: it does not start without the file.
        let _ = fs::write(&path, &map);
    }
    Some((path, map))
}

/// Hosts with their backends: the address itself, to test readiness, the numbered ones, and the
/// last.
fn all(setup: &Setup, hosts: usize, variant: Variant) -> Vec<(String, String)> {
    let numbered = (0..hosts - 2).map(|index| (format!("host{index}.test"), format!("app{index}")));
    let own = [
        (setup.listen.ip().to_string(), "origin".to_owned()),
        (last(variant).to_owned(), "last".to_owned()),
    ];
    numbered.chain(own).collect()
}

/// Backends with their servers. Only two of the servers exist.
fn backends(setup: &Setup, hosts: usize) -> Vec<(String, String)> {
    let [first, second] = setup.servers;
    let numbered = (0..hosts - 2).map(|index| {
        let (high, low) = (index / 250 % 250, index % 250 + 1);
        let server = format!("127.{}.{high}.{low}:8000", index / 62_500 + 1);
        (format!("app{index}"), server)
    });
    let own = [
        ("origin".to_owned(), first.to_string()),
        ("last".to_owned(), second.to_string()),
    ];
    numbered.chain(own).collect()
}

fn evenkeel(setup: &Setup, hosts: usize, variant: Variant) -> String {
    let Setup {
        listen, admin, log, ..
    } = setup;
    let mut text = format!(
        "[process]\nworkers = 1\n\n[reload]\nwatch = false\n\n[admin]\nlisten = \"{admin}\"\n\n\
         [log.access]\nto = \"{}\"\n\n[frontend.bench]\nlisten = \"{listen}\"\n",
        log.display()
    );
    for (host, backend) in all(setup, hosts, variant) {
        let _ = write!(
            text,
            "\n[[frontend.bench.route]]\nhost = \"{host}\"\nbackend = \"{backend}\"\n"
        );
    }
    for (backend, server) in backends(setup, hosts) {
        let _ = write!(text, "\n[backend.{backend}]\nservers = [\"{server}\"]\n");
    }
    text
}

fn map_of(setup: &Setup) -> PathBuf {
    setup.dir.join("haproxy.map")
}

fn haproxy(setup: &Setup, hosts: usize) -> String {
    let Setup { listen, admin, .. } = setup;
    let map = map_of(setup);
    let mut text = format!(
        r"global
    master-worker
    nbthread 1
    maxconn 9500
    log stdout format raw local0 info
defaults
    mode http
    log global
    option httplog
    option http-keep-alive
    option forwardfor
    http-reuse always
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout connect 2s
    timeout client 60s
    timeout server 60s

frontend stats
    bind {admin}
    no log
    http-request use-service prometheus-exporter if {{ path /metrics }}

frontend bench
    bind {listen}
    use_backend %[req.hdr(host),field(1,:),lower,map({})]
",
        map.display()
    );
    for (backend, server) in backends(setup, hosts) {
        let _ = write!(text, "\nbackend {backend}\n    server a {server}\n");
    }
    text
}

fn nginx(setup: &Setup, hosts: usize, variant: Variant) -> String {
    let Setup {
        listen,
        admin,
        log,
        dir,
        ..
    } = setup;
    let dir = dir.display();
    let mut text = format!(
        "daemon off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.err warn;
worker_processes 1;
events {{
    worker_connections 10240;
}}
http {{
    client_body_temp_path {dir}/nginx-body;
    proxy_temp_path {dir}/nginx-proxy;
    fastcgi_temp_path {dir}/nginx-fastcgi;
    uwsgi_temp_path {dir}/nginx-uwsgi;
    scgi_temp_path {dir}/nginx-scgi;
    access_log {} combined buffer=64k flush=1s;
    server_names_hash_max_size 262144;
    server_names_hash_bucket_size 128;
    proxy_http_version 1.1;
    proxy_set_header Connection \"\";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    server {{ listen {admin}; access_log off; location = /status {{ stub_status; }} }}
    server {{ listen {listen} default_server; return 404; }}
",
        log.display()
    );
    for (backend, server) in backends(setup, hosts) {
        let _ = writeln!(
            text,
            "    upstream {backend} {{ server {server}; keepalive 4; }}"
        );
    }
    for (host, backend) in all(setup, hosts, variant) {
        let _ = writeln!(
            text,
            "    server {{ listen {listen}; server_name {host}; location / {{ proxy_pass http://{backend}; }} }}"
        );
    }
    text.push_str("}\n");
    text
}
