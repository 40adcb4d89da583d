//! Rules for connections: before TLS and before the first request, in both modes.

use std::net::{IpAddr, Ipv4Addr};

use crate::rig::{Authority, Client, Ending, Folder, OK, Origin, Proxy, Setup, Speech, until};

const REFUSALS: &str = "evenkeel_frontend_connections_refused_total";
const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const HEADER: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";

/// A proxy for `origin` whose connections have these rules.
fn ruled(origin: &Origin, rules: &str) -> Setup {
    Setup::of(&[origin]).frontend(&format!("connection_rule = [{rules}]"))
}

fn client_at(proxy: &Proxy, last: u8) -> Client {
    let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    Client::connect_from(ip, proxy.address())
}

/// Whether the connection of `client` is served.
fn is_served(mut client: Client) -> bool {
    // It may be reset before all is sent.
    let _ = client.try_send(REQUEST);
    client.try_response().is_ok()
}

#[test]
fn a_rejected_client_is_reset_before_it_can_ask_and_others_are_served() {
    let origin = Origin::answering(OK);
    for action in ["reject", "silent_drop"] {
        let rule = format!("{{ when = 'src == \"127.0.0.2\"', {action} = true }}");
        let proxy = ruled(&origin, &rule).start();
        // Over a network, `silent_drop` differs: its reset ends at the first router.
        assert_eq!(client_at(&proxy, 2).rest(), (Vec::new(), Ending::Reset));
        let cause = if action == "reject" {
            "rejected"
        } else {
            "dropped"
        };
        proxy.wait_for_metric(REFUSALS, &[("frontend", "web"), ("cause", cause)], 1.0);
        assert_eq!(client_at(&proxy, 3).get("/").status(), 200);
        assert_eq!(proxy.metric(REFUSALS, &[]), 1.0);
    }
}

#[test]
fn the_first_rule_that_accepts_or_rejects_wins() {
    let origin = Origin::answering(OK);
    let rules = "{ when = 'src == \"127.0.0.2\"', accept = true }, { reject = true }";
    let proxy = ruled(&origin, rules).start();
    assert_eq!(client_at(&proxy, 2).get("/").status(), 200);
    assert_eq!(client_at(&proxy, 3).rest(), (Vec::new(), Ending::Reset));
}

#[test]
fn a_client_is_rejected_before_its_tls_handshake() {
    let origin = Origin::answering(OK);
    let authority = Authority::new("Test CA");
    let folder = Folder::new();
    let pair = folder.write("pair.pem", &authority.pair(&["a.test"]).whole());
    let setup = ruled(&origin, "{ when = 'src == \"127.0.0.2\"', reject = true }");
    let setup = setup.frontend(&format!("tls = '{}'", pair.display()));
    let proxy = setup.start();
    assert_eq!(client_at(&proxy, 2).rest(), (Vec::new(), Ending::Reset));
    let failures = "evenkeel_tls_handshake_failures_total";
    assert_eq!(proxy.metric(failures, &[]), 0.0);
    let speech = Speech::trusting(&authority);
    let mut client = speech.connect(proxy.address(), "a.test");
    assert_eq!(client.get("a.test", "/").status(), 200);
}

#[test]
fn rules_hold_in_tcp_mode_too() {
    let origin = Origin::scripted(|visit| {
        visit.send("220 ready");
        visit.wait_for_end();
    });
    let rules = "connection_rule = [{ when = 'src == \"127.0.0.2\"', reject = true }]";
    let setup = Setup::of(&[&origin]).frontend(&format!("mode = \"tcp\"\n{rules}"));
    let proxy = setup.start();
    assert_eq!(client_at(&proxy, 2).rest(), (Vec::new(), Ending::Reset));
    assert_eq!(client_at(&proxy, 3).bytes(9), b"220 ready");
}

/// A table of clients.
const TABLE: &str = "[table.clients]\nkey = 'ip'\nsize = 100\nexpire = '1h'\n\
    store = ['conn_cur', 'conn_cnt', 'http_req_cnt', 'http_err_cnt', 'bytes_out_cnt']\n";
const TRACK: &str = "{ track = { table = 'clients', key = 'src' } }";

#[test]
fn connections_of_one_client_are_bounded_by_what_a_rule_tracks() {
    let origin = Origin::answering(OK);
    let rules = format!("{TRACK}, {{ when = 'sc_conn_cur(0) > 2', reject = true }}");
    let proxy = ruled(&origin, &rules).rest(TABLE).start();
    let mut first = client_at(&proxy, 2);
    let mut second = client_at(&proxy, 2);
    assert_eq!(first.get("/").status(), 200);
    assert_eq!(second.get("/").status(), 200);
    assert_eq!(client_at(&proxy, 2).rest(), (Vec::new(), Ending::Reset));
    assert_eq!(client_at(&proxy, 3).get("/").status(), 200);
    drop(first);
    until("a closed connection is counted no more", || {
        is_served(client_at(&proxy, 2)).then_some(())
    });
}

#[test]
fn requests_are_counted_in_the_entry_that_their_connection_tracks() {
    let origin = Origin::answering("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n");
    let reads = "%[sc_conn_cnt(0)]/%[sc_http_req_cnt(0)]/%[sc_http_err_cnt(0)]";
    let rules = format!("connection_rule = [{TRACK}]");
    let seen = format!("rule = [{{ set_header = {{ x-seen = '{reads}' }} }}]");
    let setup = Setup::of(&[&origin]).frontend(&format!("{rules}\n{seen}"));
    let proxy = setup.rest(TABLE).start();
    let mut client = client_at(&proxy, 2);
    client.get("/");
    client.get("/");
    client_at(&proxy, 2).get("/");
    let requests = origin.requests();
    let seen = requests.iter().map(|request| request.field("x-seen"));
    let seen: Vec<_> = seen.map(|seen| seen.expect("the field")).collect();
    assert_eq!(seen, ["1/1/0", "1/2/1", "2/3/2"]);
}

#[test]
fn a_rule_decides_which_peers_send_a_proxy_header() {
    let origin = Origin::answering(OK);
    let rules = "{ when = 'src == \"127.0.0.2\"', expect_proxy = true }, \
                 { when = 'src == \"192.0.2.8\"', reject = true }";
    let proxy = ruled(&origin, rules).start();
    let mut client = client_at(&proxy, 2);
    client.send(format!("{HEADER}{REQUEST}"));
    assert_eq!(client.response().status(), 200);
    // Of the connection, not of its first request.
    assert_eq!(client.get("/").status(), 200);
    let lines = proxy.wait_for_lines(2);
    let clients: Vec<_> = lines.iter().map(|line| line.text("client")).collect();
    assert_eq!(clients, ["192.0.2.7:4711"; 2]);
    // The rules after it see the client of the header.
    let mut client = client_at(&proxy, 2);
    client.send(HEADER.replace("192.0.2.7", "192.0.2.8"));
    assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
    // From other peers a header is no header.
    let mut client = client_at(&proxy, 3);
    client.send(format!("{HEADER}{REQUEST}"));
    assert_eq!(client.response().status(), 400);
    // And from those that must send one, a request alone is none.
    let mut client = client_at(&proxy, 2);
    let _ = client.try_send(REQUEST);
    assert!(client.rest().0.is_empty());
    let failures = "evenkeel_frontend_proxy_protocol_failures_total";
    proxy.wait_for_metric(failures, &[("cause", "signature")], 1.0);
}

#[test]
fn set_src_changes_the_client_for_logs_and_servers() {
    let origin = Origin::answering(OK);
    let rules = "{ when = 'src == \"127.0.0.2\"', set_src = 'ipv4(192.0.2.9)' }, \
                 { set_src = 'src,ipmask(24)' }";
    let proxy = ruled(&origin, rules).start();
    let mut client = client_at(&proxy, 2);
    let port = client.address().port();
    assert_eq!(client.get("/").status(), 200);
    let line = proxy.line();
    assert_eq!(line.text("client"), format!("192.0.2.0:{port}"));
    let requests = origin.requests();
    assert_eq!(requests[0].field("x-forwarded-for"), Some("192.0.2.0"));
}

#[test]
fn a_connection_whose_address_a_rule_changed_outlives_a_reload() {
    let origin = Origin::answering(OK);
    let rules = "{ when = 'src == \"127.0.0.2\"', expect_proxy = true }, \
                 { when = 'src == \"127.0.0.3\"', set_src = 'ipv4(192.0.2.9)' }";
    let proxy = ruled(&origin, rules).start();
    let mut announced = client_at(&proxy, 2);
    announced.send(format!("{HEADER}{REQUEST}"));
    assert_eq!(announced.response().status(), 200);
    let mut changed = client_at(&proxy, 3);
    assert_eq!(changed.get("/").status(), 200);
    proxy.apply(&ruled(&origin, rules).frontend("max_connections = 1000"));
    assert_eq!(announced.get("/").status(), 200);
    assert_eq!(changed.get("/").status(), 200);
}

#[test]
fn one_address_gets_no_more_connections_than_its_limit() {
    let origin = Origin::answering(OK);
    let rules = "connection_rule = [{ when = 'src == \"127.0.0.9\"', expect_proxy = true }]";
    let setup = Setup::of(&[&origin]).frontend(&format!("max_connections_per_ip = 2\n{rules}"));
    let proxy = setup.start();
    let mut first = client_at(&proxy, 2);
    let mut second = client_at(&proxy, 2);
    assert_eq!(first.get("/").status(), 200);
    assert_eq!(second.get("/").status(), 200);
    assert_eq!(client_at(&proxy, 2).rest(), (Vec::new(), Ending::Reset));
    let labels = [("frontend", "web"), ("cause", "ip_limit")];
    proxy.wait_for_metric(REFUSALS, &labels, 1.0);
    assert_eq!(client_at(&proxy, 3).get("/").status(), 200);
    // The clients of one proxy are those in its headers.
    let mut announced: Vec<Client> = (0..3)
        .map(|last| {
            let mut client = client_at(&proxy, 9);
            let header = HEADER.replace("192.0.2.7", &format!("192.0.2.{last}"));
            client.send(format!("{header}{REQUEST}"));
            client
        })
        .collect();
    for client in &mut announced {
        assert_eq!(client.response().status(), 200);
    }
    drop(first);
    until("a closed connection leaves room", || {
        is_served(client_at(&proxy, 2)).then_some(())
    });
}

#[test]
fn rules_set_both_ends_for_later_rules_requests_and_servers() {
    let origin = Origin::answering(OK);
    let rules = "{ set_src = 'ipv4(192.0.2.9)' }, { set_src_port = 'int(4711)' }, \
        { set_dst = 'ipv4(198.51.100.2)' }, { set_dst_port = 'int(443)' }, { set_dst_port = 'int(65536)' }, \
        { set_var = { 'sess.end' = 'dst' } }";
    let seen = "rule = [{ set_header = { x-ends = '%[src]:%[src_port] %[dst]:%[dst_port] %[var(sess.end)]' } }]";
    let setup = ruled(&origin, rules).frontend(seen);
    let proxy = setup.start();
    assert_eq!(client_at(&proxy, 2).get("/").status(), 200);
    let wanted = "192.0.2.9:4711 198.51.100.2:443 198.51.100.2";
    assert_eq!(origin.request().field("x-ends"), Some(wanted));
    assert_eq!(proxy.line().text("client"), "192.0.2.9:4711");
}
