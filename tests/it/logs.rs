//! Access logs as users see them: formats, several at once, reloads.

use std::fs;

use crate::rig::{Origin, Proxy, RefusingAddress, Setup, until};

/// The lines in `access.log` with this ending, once there are `count`.
#[track_caller]
fn lines(proxy: &Proxy, ending: &str, count: usize) -> Vec<String> {
    let path = proxy.folder().path(&format!("access.log{ending}"));
    until("there are lines", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (text.ends_with('\n') && lines.len() >= count).then_some(lines)
    })
}

/// `line` with its date and each of its times as `*`.
fn without_times(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let is_times = |word: &String| word.split('/').all(|part| part.parse::<i64>().is_ok());
    words[1] = "[*]".to_owned();
    let times = words.iter_mut().find(|word| is_times(word));
    let times = times.expect("a line has times");
    let each = times.split('/').map(|part| match part {
        "-1" => "-1",
        _ => "*",
    });
    *times = each.collect::<Vec<_>>().join("/");
    words.join(" ")
}

#[test]
fn several_logs_write_each_in_its_format_and_two_share_a_file() {
    let origin = Origin::named("a");
    let tables = "[[log.access]]\nto = \"{log}\"\n\
                  [[log.access]]\nto = \"{log}.other\"\nformat = \"haproxy-http\"\n\
                  [[log.access]]\nto = \"{log}.other\"\nformat = \"%HM %HU %reason\"\n";
    let proxy = Setup::of(&[&origin]).access_logs(tables).start();
    let mut client = proxy.client();
    client.get("/a?b=c");
    assert_eq!(proxy.line().text("target"), "/a?b=c");
    let (from, server) = (client.address(), origin.address());
    let found = lines(&proxy, ".other", 2);
    assert_eq!(
        without_times(&found[0]),
        format!(
            "{from} [*] web app/{server} */*/*/*/* 200 1 - - ---- 1/1/0/0/0 0/0 \"GET /a?b=c HTTP/1.1\""
        )
    );
    assert_eq!(found[1], "GET /a?b=c -");
}

#[test]
fn endings_have_the_letters_that_haproxy_writes() {
    let origin = Origin::scripted(|visit| {
        let Some(request) = visit.request() else {
            return;
        };
        let answer = match request.target() {
            "/cut" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhal",
            "/bad" => "garbage\r\n\r\n",
            _ => "",
        };
        visit.send(answer);
    });
    let refusing = RefusingAddress::new();
    let rules = "rule = [\n\
                 { when = 'path == \"/deny\"', deny = 403 },\n\
                 { when = 'path == \"/red\"', redirect = { location = \"/x\" } },\n\
                 { when = 'path == \"/ret\"', return = { status = 200 } },\n]";
    let tables = "[log.access]\nto = \"{log}\"\nformat = \"%HP %b/%s %Tr %ST %tsc %r\"";
    let proxy = Setup::of(&[&origin])
        .access_logs(tables)
        .frontend(rules)
        .route("path = \"/refuse\"\nbackend = \"refusing\"")
        .rest(&format!(
            "[backend.refusing]\nservers = [\"{}\"]",
            refusing.address()
        ))
        .start();
    // As HAProxy 2.6 logs the same.
    let cases = [
        ("/deny", "web/<NOSRV> -1 403 PR--"),
        ("/red", "web/<NOSRV> -1 302 LR--"),
        ("/ret", "web/<NOSRV> -1 200 LR--"),
        ("/refuse", "refusing/SERVER -1 503 SC--"),
        ("/cut", "app/SERVER 0 200 SD--"),
        ("/empty", "app/SERVER -1 502 SH--"),
        ("/bad", "app/SERVER -1 502 PH--"),
    ];
    for (number, (path, expected)) in cases.into_iter().enumerate() {
        let mut client = proxy.client();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let found = lines(&proxy, "", number + 1).remove(number);
        let found = found
            .replace(&origin.address().to_string(), "SERVER")
            .replace(&refusing.address().to_string(), "SERVER");
        let (line, request) = found.split_once("-- ").expect("its parts");
        let words: Vec<&str> = line.split(' ').collect();
        // A time that is not -1.
        let time = if words[2] == "-1" { "-1" } else { "0" };
        let seen = format!("{} {time} {}--", words[1], words[3..].join(" "));
        assert_eq!((words[0], seen.as_str()), (path, expected));
        assert_eq!(request, format!("GET {path} HTTP/1.1"));
    }
    proxy.client().send("garbage\r\n\r\n");
    let found = lines(&proxy, "", cases.len() + 1).remove(cases.len());
    assert_eq!(found, "<BADREQ> web/<NOSRV> -1 400 PR-- <BADREQ>");
}

#[test]
fn a_reload_adds_and_removes_logs_and_loses_no_line() {
    let origin = Origin::named("a");
    let log = |ending: &str, format: &str| {
        format!("[[log.access]]\nto = \"{{log}}{ending}\"\nformat = \"{format}\"\n")
    };
    // The lines of two workers have no order.
    let setup = Setup::of(&[&origin]).workers(1);
    let proxy = setup.clone().access_logs(&log(".1", "%HU")).start();
    proxy.get("/1");
    let both = log(".2", "%HM %HU") + &log(".1", "%HU %ST");
    proxy.apply(&setup.clone().access_logs(&both));
    proxy.get("/2");
    proxy.apply(&setup.clone().access_logs(&log(".2", "%HU")));
    proxy.get("/3");
    let two = lines(&proxy, ".2", 2);
    let one = lines(&proxy, ".1", 2);
    assert_eq!(two, ["GET /2", "/3"]);
    assert_eq!(one, ["/1", "/2 200"]);
    assert_eq!(proxy.metric("evenkeel_access_log_dropped_total", &[]), 0.0);
}
