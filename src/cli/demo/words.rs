//! The texts of the demo: its configuration, and what to try.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses of the demo.
pub(super) struct Addresses {
    /// The frontend.
    pub(super) listen: SocketAddr,
    /// The admin listener.
    pub(super) admin: SocketAddr,
    /// Names and addresses of the app servers.
    pub(super) apps: Vec<(String, SocketAddr)>,
}

/// A whole configuration, for the demo and as a start for one's own.
pub(super) fn configuration(addresses: &Addresses) -> String {
    let Addresses {
        listen,
        admin,
        apps,
    } = addresses;
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
servers = [          # the demo's own app servers: write yours here
{servers}]

[admin]
listen = "{admin}"

[log.access]
to = "off"           # "stdout": one line of JSON for each request

[shutdown]
timeout = "0s"       # Ctrl-C does not wait for open requests; the default is 30s
"#
    )
}

/// The text that is printed when everything runs.
pub(super) fn guide(addresses: &Addresses) -> String {
    let web = reachable(addresses.listen);
    let admin = reachable(addresses.admin);
    let configuration = configuration(addresses);
    format!(
        "\
Evenkeel balances http://{web} over three small app servers, which also run in this process.
This is its configuration. Save it, change it, and run it with `evenkeel run --config FILE`:

{configuration}
Try in another terminal:

  Each server gets a request in turn:
    for i in 1 2 3 4 5 6; do curl -s http://{web}/; done

  The server that answers stops for 5 seconds. No request fails, and you see below how the
  health checks notice it:
    curl -s 'http://{web}/stop?for=5s'; for i in 1 2 3 4 5 6; do curl -s http://{web}/; done

  All three servers stop: 503, with the reason and Retry-After:
    for i in 1 2 3; do curl -s 'http://{web}/stop?for=6s'; done; sleep 2; curl -si http://{web}/

  The request as a server gets it; a slow response; an error of the server:
    curl -s -d 'a body' http://{web}/echo
    curl -s 'http://{web}/slow?ms=500'
    curl -si http://{web}/status/503

  Status as JSON, and metrics for Prometheus:
    curl -s http://{admin}/status
    curl -s http://{admin}/metrics | grep evenkeel_server_requests_total

Ctrl-C ends it. Events:

"
    )
}

/// `address`, with loopback in place of all addresses of the host.
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

    fn addresses(listen: &str) -> Addresses {
        let address = |text: &str| text.parse().expect("an address");
        Addresses {
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
        let text = configuration(&addresses("127.0.0.1:8080"));
        let loaded = load_text("demo", &text).expect("it is valid");
        assert!(loaded.warnings.is_empty());
        let backend = &loaded.plan.backends[0];
        assert_eq!(backend.servers.len(), 2);
        assert!(backend.health.is_some());
    }

    #[test]
    fn lines_to_paste_name_an_address_that_can_be_connected_to() {
        let text = guide(&addresses("0.0.0.0:8080"));
        assert!(text.contains("curl -s http://127.0.0.1:8080/; done"));
        assert!(text.contains("listen = \"0.0.0.0:8080\""));
        let text = guide(&addresses("[::]:8080"));
        assert!(text.contains("curl -s http://[::1]:8080/; done"));
    }
}
