//! Values that rules keep for the log.

use std::fs;

use crate::rig::{Origin, Setup, until};

#[test]
fn captured_values_are_in_the_log_by_their_places_and_for_later_rules() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nserver: a|b\r\ncontent-length: 2\r\n\r\nok");
    let rules = "rule = [
        { capture = { value = 'req.hdr(host)', len = 4 } },
        { capture = { value = 'req.hdr(x-none)' } },
        { when = 'path == \"/more\"', capture = { value = 'int(7)', id = 3 } },
        { on = 'response', capture = { value = 'res.hdr(server)' } },
        { on = 'response', capture = { value = 'capture.req.hdr(0),upper' } },
        { on = 'after', set_header = { x-captured = '%[capture.req.hdr(0)] %[capture.req.hdr(1)] %[capture.res.hdr(1)]' } }]";
    let log = "[[log.access]]\nto = '{log}'\nformat = '%HU %hr %hs %{+Q}hr %[capture.req.hdr(0)]'
        [[log.access]]\nto = '{log}.json'\nformat = '%{+json}o %(a)HU %(b)hr'";
    let proxy = Setup::of(&[&origin])
        .frontend(rules)
        .access_logs(log)
        .start();
    let mut client = proxy.client();
    let answer = client.ask("GET /a HTTP/1.1\r\nhost: test.example\r\n\r\n");
    assert_eq!(answer.field("x-captured"), Some("test  TEST"));
    client.ask("GET /more HTTP/1.1\r\nhost: b\r\n\r\n");
    let written = |name: &str| {
        until("the lines are written", || {
            let text = fs::read_to_string(proxy.folder().path(name)).unwrap_or_default();
            (text.lines().count() == 2).then_some(text)
        })
    };
    let json = written("access.log.json");
    assert_eq!(json.lines().next(), Some(r#"{"a":"/a","b":"{test|||}"}"#));
    let text = written("access.log");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "/a {test|||} {a#7Cb|TEST} \"{test|||}\" test");
    assert_eq!(lines[1], "/more {b|||7} {a#7Cb|B} \"{b|||7}\" b");
}
