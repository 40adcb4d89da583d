//! Evenkeel's configuration: for each face, and for the reloads.

use std::fmt::Write;

use crate::face::Face;
use crate::proxies::Mode;

use super::Setup;

pub(crate) fn config(setup: &Setup, mode: Mode, face: Face) -> String {
    let [first, second] = setup.servers;
    let mut text = head(setup, mode);
    match face {
        Face::Tls(key) => {
            let file = key.file(setup.dir);
            let _ = writeln!(text, "tls = {{ certificates = [\"{}\"] }}", file.display());
        }
        Face::Tcp => text.push_str("mode = \"tcp\"\n"),
        // A port without TLS accepts HTTP/2 and upgrades by default.
        Face::Plain | Face::H2 | Face::H2Narrow | Face::H2Both | Face::Upgrades => {}
        Face::Rules(rules) => {
            let parts = rules.of_evenkeel(setup.dir);
            text.push_str(&parts.inside);
            text.push_str(&parts.outside);
        }
    }
    let _ = writeln!(
        text,
        "\n[backend.origin]\nservers = [\"{first}\", \"{second}\"]"
    );
    if face == Face::H2Both {
        text.push_str("protocol = \"h2\"\n");
    }
    text
}

/// For `reload`: the servers named, so that a weight can change and nothing else.
pub(crate) fn weighted(setup: &Setup, weight: u32) -> String {
    let mut text = head(setup, Mode::On);
    text.push_str(&weighted_backend(setup, weight));
    text
}

/// For `reload-1000`: 1,000 backends with 10 servers each beside the one that carries traffic, and a
/// host route to each.
pub(crate) fn thousand(setup: &Setup, weight: u32) -> String {
    let mut text = head(setup, Mode::On);
    for backend in 0..1_000 {
        let _ = write!(
            text,
            "\n[[frontend.bench.route]]\nhost = \"host{backend}.test\"\nbackend = \"app{backend}\"\n"
        );
    }
    text.push_str(&weighted_backend(setup, weight));
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

fn head(setup: &Setup, mode: Mode) -> String {
    let Setup {
        listen, admin, log, ..
    } = setup;
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

fn weighted_backend(setup: &Setup, weight: u32) -> String {
    let [first, second] = setup.servers;
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
