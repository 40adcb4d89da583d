//! HAProxy's configuration, for each face.

use crate::face::Face;
use crate::proxies::Mode;

use super::Setup;

/// How bytes go from one socket to the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// As by default.
    Copied,
    /// By splice(2), where HAProxy expects a gain.
    Spliced,
}

pub(crate) fn config(setup: &Setup, mode: Mode, face: Face, bytes: Bytes) -> String {
    let Setup {
        listen,
        admin,
        servers: [first, second],
        ..
    } = setup;
    let protocol = match face {
        Face::Tcp => TCP.to_owned(),
        _ => http(face),
    };
    let log = match (mode, face) {
        (Mode::Off, _) => "",
        (Mode::On, Face::Tcp) => "    log global\n    option tcplog\n",
        (Mode::On, _) => "    log global\n    option httplog\n",
    };
    let (log_target, stats) = match mode {
        // Standard output is the log file: a production setting (containers), as cheap as a ring over
        // TCP and cheaper than datagrams; the figures are in benches/README.md.
        Mode::On => (
            "    log stdout format raw local0 info\n",
            format!(
                r"
frontend stats
    mode http
    bind {admin}
    no log
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /stats
"
            ),
        ),
        Mode::Off => ("", String::new()),
    };
    // As many as 20,000 descriptors allow, if that many come.
    let connections = match face {
        Face::Upgrades => 9_900,
        _ => 9_500,
    };
    let (splice, pipes) = match bytes {
        Bytes::Copied => ("", ""),
        // Two for each connection of the largest cell; by default it reserves descriptors for more than
        // there are.
        Bytes::Spliced => ("    option splice-auto\n", "    maxpipes 128\n"),
    };
    let rules = match face {
        Face::Rules(rules) => rules.of_haproxy(setup.dir).inside,
        _ => String::new(),
    };
    let (bind, fields, server) = (
        bind_options(setup, face),
        fields(face),
        server_options(face),
    );
    format!(
        r"global
    nbthread 1
    maxconn {connections}
{pipes}{log_target}
defaults
{protocol}{log}{splice}    timeout connect 2s
    timeout client 60s
    timeout server 60s
{stats}
frontend bench
    bind {listen}{bind}
{rules}{fields}    default_backend origin

backend origin
    balance roundrobin
    server a {first}{server}
    server b {second}{server}
"
    )
}

const TCP: &str = "    mode tcp\n";

fn http(face: Face) -> String {
    let more = match face {
        // As in Debian's own file: else each connection without a request has a line, at the cost
        // of the handshake cells.
        Face::Tls(_) => "    option dontlognull\n",
        Face::Upgrades => "    timeout tunnel 1h\n",
        _ => "",
    };
    format!(
        "    mode http
    option http-keep-alive
    option forwardfor
    http-reuse always
    timeout http-request 10s
    timeout http-keep-alive 60s
{more}"
    )
}

fn bind_options(setup: &Setup, face: Face) -> String {
    match face {
        Face::Tls(key) => format!(
            " ssl crt {} alpn h2,http/1.1 ssl-min-ver TLSv1.3",
            key.file(setup.dir).display()
        ),
        Face::H2 | Face::H2Narrow | Face::H2Both => " proto h2".to_owned(),
        Face::Plain | Face::Upgrades | Face::Rules(_) | Face::Tcp => String::new(),
    }
}

fn server_options(face: Face) -> &'static str {
    match face {
        Face::H2Both => " proto h2",
        _ => "",
    }
}

fn fields(face: Face) -> String {
    let scheme = match face {
        Face::Tcp => return String::new(),
        Face::Tls(_) => "https",
        _ => "http",
    };
    format!(
        "    http-request set-header X-Forwarded-Proto {scheme}
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
"
    )
}
