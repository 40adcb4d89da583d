//! Rules for content: the first bytes of a connection decide, in both modes.

use crate::rig::{Client, Ending, OK, Origin, Proxy, Setup, until};

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const REFUSALS: &str = "evenkeel_frontend_connections_refused_total";

/// The beginning of a ClientHello with the SNI `name`: one record.
fn hello(name: &str) -> Vec<u8> {
    let with_length = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).expect("short").to_be_bytes();
        [&length, bytes].concat()
    };
    let entry = [&[0][..], &with_length(name.as_bytes())].concat();
    let server_name = [&[0, 0][..], &with_length(&with_length(&entry))].concat();
    let alpn = [&[0, 16][..], &with_length(&with_length(b"\x02h2"))].concat();
    let extensions = with_length(&[server_name, alpn].concat());
    let body = [
        &[3, 3],
        &[7; 32][..],
        &[0, 0, 2, 0x13, 1, 1, 0],
        &extensions,
    ]
    .concat();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    let message = [&[1], &length[1..], &body].concat();
    [&[22, 3, 1][..], &with_length(&message)].concat()
}

/// Says its name when a connection begins, and then all that it hears.
fn speaker(name: &'static str) -> Origin {
    Origin::scripted(move |visit| {
        visit.send(name);
        let (mut from, mut to) = (visit.stream(), visit.stream());
        let _ = std::io::copy(&mut from, &mut to);
    })
}

/// A proxy in TCP mode before `a`, with `b` as another backend and these lines.
fn tcp(a: &Origin, b: &Origin, lines: &str) -> Setup {
    within("1h", a, b, lines)
}

/// The same with this `inspect_delay`.
fn within(delay: &str, a: &Origin, b: &Origin, lines: &str) -> Setup {
    let setup = Setup::of(&[a]).also("b", b);
    setup.frontend(&format!("mode = 'tcp'\ninspect_delay = '{delay}'\n{lines}"))
}

/// What the client of `proxy` hears that sends `bytes` one by one.
fn heard_after(proxy: &Proxy, bytes: &[u8]) -> Vec<u8> {
    let mut client = proxy.client();
    for byte in bytes {
        client.send([*byte]);
    }
    let heard = client.bytes(1 + bytes.len());
    assert_eq!(&heard[1..], bytes, "the bytes are passed on unchanged");
    heard[..1].to_vec()
}

#[test]
fn rules_wait_until_the_first_bytes_decide_and_choose_the_backend() {
    let (a, b) = (speaker("a"), speaker("b"));
    let rules = "content_rule = [\
        { when = 'req.payload(0,4) == \"SSH-\"', use_backend = 'b' },\
        { when = 'req.ssl_sni == \"b.test\" and req.ssl_alpn == \"h2\"', use_backend = 'b' },\
        { when = 'req.ssl_hello_type == 1 and req.ssl_ver == 196611', accept = true },\
        { when = 'not req.proto_http', reject = true }]";
    let proxy = tcp(&a, &b, rules).start();
    assert_eq!(heard_after(&proxy, b"SSH-2.0"), b"b");
    assert_eq!(heard_after(&proxy, &hello("b.test")), b"b");
    assert_eq!(heard_after(&proxy, &hello("a.test")), b"a");
    assert_eq!(heard_after(&proxy, REQUEST.as_bytes()), b"a");
    let mut client = proxy.client();
    client.send("\0\0\0\0\0");
    assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
}

#[test]
fn a_rejected_connection_in_tcp_mode_has_a_line_in_the_log() {
    let (a, b) = (speaker("a"), speaker("b"));
    let rules = "content_rule = [{ when = 'req.payload(0,1) == \"x\"', reject = true }]";
    let proxy = tcp(&a, &b, rules).start();
    let mut client = proxy.client();
    client.send("x");
    assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
    assert_eq!(proxy.line().text("reason"), "rule.rejected");
}

#[test]
fn a_server_that_speaks_first_is_not_kept_waiting_by_rules_without_bytes() {
    let (a, b) = (speaker("a"), speaker("b"));
    let rules = "content_rule = [{ when = 'src == \"127.0.0.9\" and req.len > 0', reject = true }]";
    let proxy = tcp(&a, &b, rules).start();
    assert_eq!(proxy.client().bytes(1), b"a");
}

#[test]
fn when_the_time_is_over_what_has_come_decides() {
    let (a, b) = (speaker("a"), speaker("b"));
    let rules = "content_rule = [\
        { when = 'req.ssl_hello_type == 1', accept = true },\
        { when = 'wait_end and req.len == 2', use_backend = 'b' }]";
    let proxy = within("1s", &a, &b, rules).start_paused();
    let mut client = proxy.client();
    client.send([22, 3]);
    client.hears_in_time(&proxy);
    assert_eq!(client.bytes(3), [b'b', 22, 3]);
    let proxy = within("1h", &a, &b, rules).start();
    // The end of what the client sends is the end of the wait, too.
    let mut client = proxy.client();
    client.send([22, 3]).half_close();
    assert_eq!(client.bytes(3), [b'b', 22, 3]);
}

#[test]
fn no_more_than_16_kib_are_waited_for() {
    let (a, b) = (speaker("a"), speaker("b"));
    let rules = "content_rule = [{ when = 'req.len > 20000', reject = true },\
                 { when = 'req.len == 16384', use_backend = 'b' }]";
    let proxy = tcp(&a, &b, rules).start();
    let mut client = proxy.client();
    let sent = vec![b'x'; 16 << 10];
    client.send(&sent[1..]);
    client.send(&sent[..1]);
    let heard = client.bytes(1 + sent.len());
    assert_eq!(heard[..1], *b"b");
    assert!(heard[1..] == sent);
}

#[test]
fn routes_of_tcp_mode_wait_for_the_bytes_that_they_look_at() {
    let (a, b) = (speaker("a"), speaker("b"));
    let setup = tcp(&a, &b, "").route("when = 'req.payload(0,4) == \"SSH-\"'\nbackend = 'b'");
    let proxy = setup.start();
    assert_eq!(heard_after(&proxy, b"SSH-2.0"), b"b");
    assert_eq!(heard_after(&proxy, b"GET / HTTP"), b"a");
}

#[test]
fn values_are_kept_for_the_log_and_for_routes() {
    let (a, b) = (speaker("a"), speaker("b"));
    let rules = "content_rule = [\
        { set_var = { 'sess.name' = 'req.ssl_sni' } },\
        { capture = { value = 'req.ssl_alpn', len = 1 } }]";
    let logs = "[[log.access]]\nto = '{log}'\nformat = '%[var(sess.name)] %hr'";
    let setup = tcp(&a, &b, rules).route("when = 'var(sess.name) == \"b.test\"'\nbackend = 'b'");
    let proxy = setup.access_logs(logs).start();
    let mut client = proxy.client();
    client.send(hello("b.test"));
    assert_eq!(client.bytes(1), b"b");
    drop(client);
    until("there is a line", || {
        let log = std::fs::read_to_string(proxy.folder().path("access.log"));
        log.is_ok_and(|log| log == "b.test {h}\n").then_some(())
    });
}

#[test]
fn the_cookie_of_a_remote_desktop_client_is_read() {
    let (a, b) = (speaker("a"), speaker("b"));
    let rules = "content_rule = [{ when = 'rdp_cookie(mstshash) == \"joe\"', use_backend = 'b' }]";
    let proxy = tcp(&a, &b, rules).start();
    let request = |user: &str| {
        let cookie = format!("Cookie: mstshash={user}\r\n");
        let length = (11 + cookie.len()) as u8;
        let heads = [3, 0, 0, length, length - 5, 0xe0, 0, 0, 0, 0, 0];
        [&heads[..], cookie.as_bytes()].concat()
    };
    assert_eq!(heard_after(&proxy, &request("joe")), b"b");
    assert_eq!(heard_after(&proxy, &request("ann")), b"a");
}

#[test]
fn in_http_mode_rules_run_before_the_first_request() {
    let origin = Origin::answering(OK);
    let rules = "inspect_delay = '1h'\ncontent_rule = [\
        { when = 'req.payload(0,4) == \"SSH-\"', reject = true },\
        { set_var = { 'sess.first' = 'req.payload(0,3)' } }]\n\
        rule = [{ set_header = { x-first = '%[var(sess.first)]' } }]";
    let proxy = Setup::of(&[&origin]).frontend(rules).start();
    let mut client = proxy.client();
    client.send("SSH-2.0-x\r\n");
    assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
    proxy.wait_for_metric(REFUSALS, &[("frontend", "web"), ("cause", "rejected")], 1.0);
    let mut client = Client::connect(proxy.address());
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(client.get("/").status(), 200);
    for request in origin.requests() {
        assert_eq!(request.field("x-first"), Some("GET"));
    }
}
