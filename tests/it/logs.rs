//! Access logs as users see them: formats, targets, several at once, reloads.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::rig::{Folder, Origin, Proxy, RefusingAddress, Setup, until};

/// Longer than any of these takes.
const TIMEOUT: Duration = Duration::from_secs(60);

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
fn a_line_in_json_has_the_names_of_the_user() {
    let origin = Origin::named("a");
    let tables = "[[log.access]]\nto = \"{log}\"\n[[log.access]]\nto = \"{log}.json\"\n\
                  format = '%{+json}o %(method)HM %(status)ST %(agent)agent %(tenant)[var(txn.tenant)]'\n";
    let rule = "rule = [{ set_var = { 'txn.tenant' = 'req.hdr(x-tenant)' } }]";
    let setup = Setup::of(&[&origin]).access_logs(tables).frontend(rule);
    let proxy = setup.start();
    proxy.ask("GET / HTTP/1.1\r\nhost: test\r\nuser-agent: a\"b\\c\r\n\r\n");
    assert_eq!(
        lines(&proxy, ".json", 1),
        [r#"{"method":"GET","status":200,"agent":"a\"b\\c","tenant":null}"#]
    );
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

/// A log with `format` to the syslog `target`.
fn syslog(target: &str, format: &str) -> String {
    format!(
        "[log.access]\nto = \"{target}\"\nformat = \"%HU %ST\"\n\
         syslog = {{ format = \"{format}\", facility = \"local7\", tag = \"edge\" }}"
    )
}

/// `message` without what is different in each run: the date, the host and the process.
#[track_caller]
fn without_head(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).into_owned();
    let (priority, rest) = text.split_once('>').expect("a priority");
    let (head, line) = rest.rsplit_once(" edge").expect("a tag");
    assert!(!head.is_empty());
    let line = line.trim_start_matches(|c: char| "[]: ".contains(c) || c.is_ascii_digit());
    format!("{priority}> {line}")
}

#[test]
fn syslog_servers_get_a_datagram_for_each_line_with_its_severity() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a port");
    receiver.set_read_timeout(Some(TIMEOUT)).expect("a socket");
    let target = format!("udp://{}", receiver.local_addr().expect("it is bound"));
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin])
        .workers(1)
        .access_logs(&syslog(&target, "rfc5424"))
        .frontend("rule = [{ when = 'path == \"/deny\"', deny = 403 }]")
        .start();
    proxy.get("/1");
    proxy.get("/deny");
    let mut messages = Vec::new();
    let mut buffer = [0; 1024];
    while messages.len() < 2 {
        let length = receiver.recv(&mut buffer).expect("a message");
        messages.push(without_head(&buffer[..length]));
    }
    // local7 is 23: 8 * 23 + 6, and + 4.
    assert_eq!(messages, ["<190> - - /1 200", "<188> - - /deny 403"]);
}

#[test]
fn the_system_log_is_found_again_after_it_was_restarted() {
    let folder = Folder::new();
    let path = folder.path("log");
    let receiver = || {
        let receiver = UnixDatagram::bind(&path).expect("a socket");
        receiver.set_read_timeout(Some(TIMEOUT)).expect("a socket");
        receiver
    };
    let target = format!("unix:{}", path.display());
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).workers(1);
    let proxy = setup.access_logs(&syslog(&target, "rfc3164")).start();
    let mut buffer = [0; 1024];
    for target in ["/1", "/2"] {
        let receiver = receiver();
        proxy.get(target);
        let length = receiver.recv(&mut buffer).expect("a message");
        let message = without_head(&buffer[..length]);
        assert_eq!(message, format!("<190> {target} 200"));
        drop(receiver);
        fs::remove_file(&path).expect("it is there");
    }
    assert_eq!(proxy.metric("evenkeel_access_log_dropped_total", &[]), 0.0);
}

#[test]
fn a_syslog_server_that_closes_is_connected_to_again() {
    let receiver = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = format!("tcp://{}", receiver.local_addr().expect("it is bound"));
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).workers(1);
    let proxy = setup.access_logs(&syslog(&target, "rfc3164")).start();
    for target in ["/1", "/2"] {
        proxy.get(target);
        let (stream, _) = receiver.accept().expect("a connection");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
        let mut line = Vec::new();
        BufReader::new(stream)
            .read_until(b'\n', &mut line)
            .expect("a line");
        assert_eq!(without_head(&line), format!("<190> {target} 200\n"));
    }
    assert_eq!(proxy.metric("evenkeel_access_log_dropped_total", &[]), 0.0);
}

#[test]
fn a_syslog_server_that_is_gone_costs_its_own_lines_and_nothing_else() {
    let gone = RefusingAddress::new();
    let origin = Origin::named("a");
    let tables = format!(
        "[[log.access]]\nto = \"tcp://{}\"\n[[log.access]]\nto = \"{{log}}\"",
        gone.address()
    );
    let proxy = Setup::of(&[&origin]).access_logs(&tables).start();
    for _ in 0..20 {
        assert_eq!(proxy.get("/").status(), 200);
    }
    assert_eq!(proxy.wait_for_lines(20).len(), 20);
    proxy.wait_for_metric("evenkeel_access_log_dropped_total", &[], 20.0);
}

#[test]
fn errors_have_a_log_of_their_own_and_a_sample_has_a_part_of_the_lines() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let tables = "[[log.access]]\nto = \"{log}.errors\"\nformat = \"%HU %ST %[var(txn.who)]\"\n\
                  when = 'status >= 400 and not var(txn.probe)'\n\
                  [[log.access]]\nto = \"{log}.some\"\nformat = \"%HU\"\nsample = \"2:3\"\n\
                  [[log.access]]\nto = \"{log}\"\nformat = \"%HU\"\n";
    let rules = "rule = [\n\
                 { set_var = { \"txn.who\" = \"req.hdr(x-who)\" } },\n\
                 { when = 'path == \"/probe\"', set_var = { \"txn.probe\" = \"bool(true)\" } },\n\
                 { when = 'path in [\"/deny\", \"/probe\"]', deny = 403 },\n]";
    let proxy = Setup::of(&[&origin])
        .workers(1)
        .access_logs(tables)
        .frontend(rules)
        .start();
    let mut client = proxy.client();
    for path in ["/1", "/2", "/3", "/4", "/probe", "/deny"] {
        client.ask(format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nx-who: me\"\tx\r\n\r\n"
        ));
    }
    assert_eq!(lines(&proxy, "", 6).len(), 6);
    assert_eq!(lines(&proxy, ".errors", 1), ["/deny 403 me#22#09x"]);
    assert_eq!(lines(&proxy, ".some", 2), ["/2", "/probe"]);
}

#[test]
fn a_log_does_not_contain_what_is_masked_and_another_one_does() {
    let origin = Origin::named("a");
    let tables = "[[log.access]]\nto = \"{log}\"\nfields = [\"client\", \"target\", \"user_agent\", \"referer\", \"failed\"]\n\
                  mask = [\"client\", \"user_agent\"]\nmask_query = [\"token\"]\n\
                  [[log.access]]\nto = \"{log}.ecs\"\nformat = \"ecs\"\nmask_query = \"*\"\n\
                  [[log.access]]\nto = \"{log}.whole\"\nformat = \"%HU %agent %[src]\"\n\
                  [[log.access]]\nto = \"{log}.masked\"\nformat = \"%HU %[src]\"\nmask = \"client\"\n";
    let proxy = Setup::of(&[&origin]).access_logs(tables).start();
    let fields = "user-agent: me\r\nreferer: http://a/?token=s&b\r\n";
    proxy.client().ask(format!(
        "GET /a?token=s&b=c HTTP/1.1\r\nhost: a\r\n{fields}\r\n"
    ));
    assert_eq!(
        lines(&proxy, "", 1),
        [
            r#"{"client":"127.0.0.0:0","target":"/a?token=***&b=c","user_agent":"***","referer":"http://a/?token=***&b"}"#
        ]
    );
    assert_eq!(lines(&proxy, ".whole", 1), ["/a?token=s&b=c me 127.0.0.1"]);
    assert_eq!(lines(&proxy, ".masked", 1), ["/a?token=s&b=c 127.0.0.0"]);
    let ecs = lines(&proxy, ".ecs", 1).remove(0);
    assert!(ecs.contains(r#""url.query":"token=***&b=***""#), "{ecs}");
}
