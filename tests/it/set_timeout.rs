//! Deadlines that rules set for one exchange.

use crate::rig::{Gate, Origin, Setup};

#[test]
fn a_rule_shortens_and_lengthens_what_a_server_may_take() {
    let origin = Origin::silent();
    let rules = "rule = [{ when = 'path == \"/short\"', set_timeout = { response = '5s' } },
                         { when = 'path == \"/both\"', set_timeout = { response = '1s', exchange = '3s' } },
                         { when = 'path == \"/both\"', set_timeout = { response = '90s' } }]";
    let setup = Setup::of(&[&origin])
        .frontend(rules)
        .backend("timeout = { response = '10s' }\nattempts = 1");
    let proxy = setup.start_paused();
    let mut clients = ["/usual", "/short", "/both"].map(|target| {
        let mut client = proxy.client();
        client.send(format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n"));
        client
    });
    origin.wait_for_requests(3);
    let [usual, short, both] = &mut clients;
    both.hears_in_time(&proxy);
    assert_eq!(both.response().reason(), "exchange.timeout");
    assert!(!short.hears());
    short.hears_in_time(&proxy);
    assert_eq!(short.response().reason(), "server.response.timeout");
    assert!(!usual.hears());
    usual.hears_in_time(&proxy);
    assert_eq!(usual.response().reason(), "server.response.timeout");
}

#[test]
fn a_rule_says_how_long_a_request_waits_for_a_slot() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let address = origin.address();
    let rules = "rule = [{ when = 'path == \"/short\"', set_timeout = { queue = '1s' } }]";
    let setup = Setup::servers([format!("{{ address = '{address}', max_connections = 1 }}")])
        .frontend(rules)
        .backend("timeout = { queue = '60s' }")
        .workers(1);
    let proxy = setup.start_paused();
    let mut first = proxy.client();
    first.send("GET /first HTTP/1.1\r\nhost: test\r\n\r\n");
    origin.wait_for_requests(1);
    let mut second = proxy.client();
    second.send("GET /short HTTP/1.1\r\nhost: test\r\n\r\n");
    second.hears_in_time(&proxy);
    let answer = second.response();
    assert_eq!(
        (answer.status(), answer.reason().as_str()),
        (503, "queue.timeout")
    );
    gate.open();
    assert_eq!(first.response().text(), "ok");
}
