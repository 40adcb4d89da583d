//! Both families of addresses, where the machine has both.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

use crate::case::{Case, case};
use crate::rig::{Client, Origin, Setup};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(several_addresses_of_both_families_are_listened_on, IPV6),
        case!(a_star_is_both_families_on_one_port, IPV6),
        case!(
            a_shared_port_of_another_process_is_not_taken_for_our_own,
            IPV6
        ),
        case!(dst_is_the_address_of_the_connection, IPV6),
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
    // A port that was free a moment ago; on both families, because the probe binds both.
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

fn a_shared_port_of_another_process_is_not_taken_for_our_own() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]);
    let at = |address: SocketAddr| {
        let six = format!("[frontend.six]\nlisten = \"{address}\"\nbackend = \"app\"");
        setup.clone().rest(&six)
    };
    let one = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let proxy = at(one(0)).start();
    let address = proxy.addresses("six")[0];
    // As a process of the same user could, without an error of the kernel.
    let other: OwnedFd = socket(AddressFamily::INET6, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_reuseport(&other, true).expect("an option");
    sockopt::set_socket_reuseaddr(&other, true).expect("an option");
    bind(&other, &address).expect("it is shared");
    listen(&other, 1).expect("it is bound");
    let all = at(SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port())));
    proxy.write(&all);
    let answer = proxy.reload();
    assert_eq!(answer.status(), 422, "{}", answer.text());
    assert!(answer.text().contains("another process listens on it"));
    drop(other);
    proxy.apply(&all);
    assert_eq!(Client::connect(address).get("/").text(), "a");
}

fn dst_is_the_address_of_the_connection() {
    let origin = Origin::named("a");
    let rule = "rule = [{ return = { body = '%[dst]' } }]";
    let six =
        format!("[frontend.six]\nlisten = [\"[::1]:0\", \"[::]:0\"]\nbackend = \"app\"\n{rule}");
    let proxy = Setup::of(&[&origin]).rest(&six).start();
    for address in proxy.addresses("six") {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
        assert_eq!(Client::connect(address).get("/").text(), "::1");
    }
}
