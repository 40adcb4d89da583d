//! Both families of addresses, where the machine has both.

use std::net::{SocketAddr, TcpListener};

use crate::case::{Case, case};
use crate::rig::{Client, Origin, Setup};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(several_addresses_of_both_families_are_listened_on, IPV6),
        case!(a_star_is_both_families_on_one_port, IPV6),
    ]
}

fn several_addresses_of_both_families_are_listened_on() {
    let origin = Origin::named("a");
    let six = "[frontend.six]\nlisten = [\"[::1]:0\", \"127.0.0.2:0\"]\nbackend = \"app\"";
    let proxy = Setup::of(&[&origin]).rest(six).start();
    let addresses = proxy.addresses("six");
    assert_eq!(addresses.len(), 2);
    for address in &addresses {
        assert_eq!(Client::connect(*address).get("/").text(), "a");
    }
    let lines = proxy.wait_for_lines(2);
    assert!(
        lines
            .iter()
            .any(|line| line.text("client").starts_with("[::1]:"))
    );
    let seen = origin.requests();
    assert!(
        seen.iter()
            .any(|request| request.field("x-forwarded-for") == Some("::1"))
    );
}

fn a_star_is_both_families_on_one_port() {
    let origin = Origin::named("a");
    // A port that was free a moment ago; on both families, since the probe is.
    let port = {
        let probe = TcpListener::bind("[::]:0").expect("IPv6");
        probe.local_addr().expect("bound").port()
    };
    let star = format!("[frontend.star]\nlisten = \":{port}\"\nbackend = \"app\"");
    let proxy = Setup::of(&[&origin]).rest(&star).start();
    for host in ["127.0.0.1", "[::1]"] {
        let address: SocketAddr = format!("{host}:{port}").parse().expect("an address");
        assert_eq!(Client::connect(address).get("/").text(), "a", "{host}");
    }
    let bound: Vec<String> = proxy
        .addresses("star")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(bound.len(), 2, "{bound:?}");
}
