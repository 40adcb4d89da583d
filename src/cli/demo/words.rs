//! What the demo says: the configuration that it runs with, and what to try.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Who listens where.
pub(super) struct Places {
    /// The frontend.
    pub(super) listen: SocketAddr,
    /// The admin listener.
    pub(super) admin: SocketAddr,
    /// Names and addresses of the app servers.
    pub(super) apps: Vec<(String, SocketAddr)>,
}

/// A whole configuration, to run with and to start one's own from.
pub(super) fn configuration(places: &Places) -> String {
    let Places {
        listen,
        admin,
        apps,
    } = places;
    let servers: String = apps
        .iter()
        .map(|(name, address)| format!("  {{ name = \"{name}\", address = \"{address}\" }},\n"))
        .collect();
    format!(
        r#"[frontend.web]
listen = "{listen}"
backend = "app"

[backend.app]
balance = "round-robin"
health = {{ path = "/healthz", interval = "500ms", rise = 2, fall = 2 }}
servers = [          # the demo's own app servers: put yours here
{servers}]

[admin]
listen = "{admin}"

[log.access]
to = "off"           # "stdout": a line of JSON for each request

[shutdown]
timeout = "0s"       # Ctrl-C waits for no request; without this line: up to 30s
"#
    )
}

/// What is said when everything runs.
pub(super) fn guide(places: &Places) -> String {
    let web = reachable(places.listen);
    let admin = reachable(places.admin);
    let configuration = configuration(places);
    format!(
        "\
evenkeel balances http://{web} over three small app servers, which run in this process too.
This is its configuration; `evenkeel run --config FILE` runs with it, or with what you make of it:

{configuration}
Try in another terminal:

  Each server in its turn:
    for i in 1 2 3 4 5 6; do curl -s http://{web}/; done

  The server that answers goes away for 5 seconds. No request fails, and below you see that the
  health checks notice:
    curl -s 'http://{web}/stop?for=5s'; for i in 1 2 3 4 5 6; do curl -s http://{web}/; done

  All three go away: 503, with the reason and when to come again:
    for i in 1 2 3; do curl -s 'http://{web}/stop?for=6s'; done; sleep 2; curl -si http://{web}/

  What a server sees of a request; an answer that takes its time; an error of the server's own:
    curl -s -d 'a body' http://{web}/echo
    curl -s 'http://{web}/slow?ms=500'
    curl -si http://{web}/status/503

  The state of everything, and numbers for Prometheus:
    curl -s http://{admin}/status
    curl -s http://{admin}/metrics | grep evenkeel_server_requests_total

Ctrl-C ends it. What happens:

"
    )
}

/// `address`, or where a client on this host finds what listens on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use crate::config::load_text;

    use super::*;

    fn places(listen: &str) -> Places {
        let address = |text: &str| text.parse().expect("an address");
        Places {
            listen: address(listen),
            admin: address("127.0.0.1:9900"),
            apps: vec![
                ("app-1".to_owned(), address("127.0.0.1:4001")),
                ("app-2".to_owned(), address("127.0.0.1:4002")),
            ],
        }
    }

    #[test]
    fn the_configuration_can_be_saved_and_used() {
        let text = configuration(&places("127.0.0.1:8080"));
        let loaded = load_text("demo", &text).expect("it is valid");
        assert!(loaded.warnings.is_empty());
        let backend = &loaded.plan.backends[0];
        assert_eq!(backend.servers.len(), 2);
        assert!(backend.health.is_some());
    }

    #[test]
    fn lines_to_paste_name_an_address_that_can_be_connected_to() {
        let text = guide(&places("0.0.0.0:8080"));
        assert!(text.contains("curl -s http://127.0.0.1:8080/; done"));
        assert!(text.contains("listen = \"0.0.0.0:8080\""));
        let text = guide(&places("[::]:8080"));
        assert!(text.contains("curl -s http://[::1]:8080/; done"));
    }
}
