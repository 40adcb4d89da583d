//! What rules and routes see of the present state of backends, servers and frontends.

use std::time::Duration;

use crate::rig::{Gate, OK, Origin, Setup, until};

/// Two servers, of which `a` takes two exchanges at a time, and a rule that answers `/state` with `text`.
fn two(a: &Origin, b: &Origin, text: &str) -> Setup {
    let servers = [
        format!(
            "{{ name = 'a', address = '{}', weight = 3, max_connections = 2 }}",
            a.address()
        ),
        format!("{{ name = 'b', address = '{}' }}", b.address()),
    ];
    Setup::servers(servers).frontend(&format!(
        "rule = [{{ when = 'path == \"/state\"', return = {{ body = \"{text}\" }} }}]"
    ))
}

#[test]
fn a_rule_sees_servers_their_slots_and_the_queue() {
    let gate = Gate::default();
    let (a, b) = (Origin::behind(&gate), Origin::answering(OK));
    let text = "usable %[nbsrv(app)], at servers %[be_conn(app)], free %[be_conn_free(app)] \
                %[connslots(app)], queued %[queue(app)] %[avg_queue(app)], a: %[srv_is_up(app/a)] \
                %[srv_weight(app/a)] %[srv_conn(app/a)] %[srv_conn_free(app/a)] %[srv_queue(app/a)], b: \
                %[srv_conn_free(app/b)]";
    let setup = two(&a, &b, text)
        .backend("queue = { max = 10 }\nrule = [{ when = 'path == \"/a\"', use_server = 'a' }]");
    let proxy = setup.start();
    let state = || proxy.get("/state").text();
    assert_eq!(
        state(),
        "usable 2, at servers 0, free -1 -1, queued 0 0, a: 1 3 0 2 0, b: -1"
    );
    let mut clients: Vec<_> = (0..5).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send("GET /a HTTP/1.1\r\nhost: test\r\n\r\n");
    }
    let full = "usable 2, at servers 5, free -1 -1, queued 3 2, a: 1 3 2 0 3, b: -1";
    until("three of five wait", || (state() == full).then_some(()));
    gate.open();
}

#[test]
fn free_slots_and_places_are_counted_where_every_server_has_a_bound() {
    let (a, b) = (Origin::answering(OK), Origin::answering(OK));
    let servers = [&a, &b].map(|origin| {
        format!(
            "{{ address = '{}', max_connections = 4 }}",
            origin.address()
        )
    });
    let setup = Setup::servers(servers)
        .frontend("rule = [{ return = { body = '%[be_conn_free(app)] %[connslots(app)]' } }]")
        .backend("queue = { max = 10 }");
    assert_eq!(setup.start().get("/").text(), "8 18");
}

#[test]
fn a_route_leads_elsewhere_while_a_backend_has_no_server() {
    let (mut app, spare) = (Origin::named("app"), Origin::named("spare"));
    let proxy = Setup::of(&[&app])
        .route("when = 'nbsrv(app) < 1'\nbackend = 'spare'")
        .backend("health = { interval = '50ms', timeout = '20s' }")
        .also("spare", &spare)
        .start();
    proxy.wait_for_state(app.address(), "up");
    assert_eq!(proxy.get("/").text(), "app");
    app.stop();
    proxy.wait_for_state(app.address(), "down");
    assert_eq!(proxy.get("/").text(), "spare");
}

#[test]
fn a_route_of_connections_leads_elsewhere_too() {
    let (mut app, spare) = (Origin::named("app"), Origin::named("spare"));
    let server = format!("app/{}", app.address());
    let proxy = Setup::of(&[&app])
        .frontend("mode = 'tcp'")
        .route(&format!(
            "when = 'not srv_is_up({server})'\nbackend = 'spare'"
        ))
        .backend("health = { interval = '50ms', timeout = '20s' }")
        .also("spare", &spare)
        .start();
    proxy.wait_for_state(app.address(), "up");
    assert_eq!(proxy.get("/").text(), "app");
    app.stop();
    proxy.wait_for_state(app.address(), "down");
    assert_eq!(proxy.get("/").text(), "spare");
}

#[test]
fn the_rules_of_a_backend_see_its_own_state_and_the_number_of_the_server() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let setup = Setup::of(&[&a, &b]).backend(
        "rule = [{ set_header = { x-servers = '%[nbsrv]' } },
                 { on = 'response', set_header = { x-id = '%[srv_id]' } }]",
    );
    let proxy = setup.start();
    for _ in 0..2 {
        let answer = proxy.get("/");
        let expected = if answer.text() == "a" { "1" } else { "2" };
        assert_eq!(answer.field("x-id"), Some(expected));
    }
    assert_eq!(a.request().field("x-servers"), Some("2"));
}

#[test]
fn the_rates_of_frontend_and_backend_are_those_of_the_last_second() {
    let origin = Origin::answering(OK);
    let setup = Setup::of(&[&origin]).frontend(
        "rule = [{ when = 'path == \"/state\"',
            return = { body = '%[fe_req_rate] %[be_sess_rate(app)] %[fe_conn(web)]' } }]",
    );
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    // The first question begins the count.
    assert_eq!(client.get("/state").text(), "0 0 1");
    for _ in 0..3 {
        client.get("/");
    }
    assert_eq!(client.get("/state").text(), "4 3 1");
    proxy.advance(Duration::from_secs(2));
    assert_eq!(client.get("/state").text(), "1 0 1");
}
