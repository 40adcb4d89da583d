//! How incomplete answers end, and answers that come before the end of the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use h2::Reason;
use h2::client::Builder;
use rustix::process::Signal;

use crate::rig::framed::{
    DATA, Framed, HEADERS, PREFACE, RST_STREAM, ask, grant, request_for, settings,
};
use crate::rig::{
    Authority, Client, Ending, Folder, Frames, Gate, Http2, Message, OK, Origin, Program, Proxy,
    RefusingAddress, Setup, Slow, Speech, kind, setting, until,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
const OLD_GET: &str = "GET / HTTP/1.0\r\nhost: test\r\n\r\n";

/// How often a race is run.
const TRIES: usize = 20;

/// More than the proxy buffers of an answer.
const MUCH: usize = 400_000;

/// More than all sockets on the way hold.
const UPLOAD: usize = 8 << 20;

/// The head of an upload.
fn upload() -> String {
    format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {UPLOAD}\r\n\r\n")
}

// Answers that are cut.

/// Answers that end too early: their heads, the sent part of the body, and the size of that without
/// framing.
fn cut_answers() -> Vec<(&'static str, Vec<u8>, usize)> {
    let big = vec![b'x'; MUCH];
    let chunked = [format!("{MUCH:x}\r\n").as_bytes(), &big, b"\r\n"].concat();
    vec![
        ("content-length: 20", b"ok".to_vec(), 2),
        ("transfer-encoding: chunked", b"5\r\nhello\r\n".to_vec(), 5),
        ("content-length: 900000", big, MUCH),
        ("transfer-encoding: chunked", chunked, MUCH),
    ]
}

/// A server that answers with this and closes.
fn cutting(head: &str, body: &[u8]) -> Origin {
    let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n");
    Origin::answering_once([head.as_bytes(), body].concat())
}

/// The bytes of `bytes` after the head.
#[track_caller]
fn body_of(bytes: &[u8]) -> &[u8] {
    assert!(bytes.starts_with(b"HTTP/1."), "not even the status line");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    &bytes[end.expect("a head") + 4..]
}

/// The size of a chunked body as far as it came, without framing.
#[track_caller]
fn chunks_of(mut bytes: &[u8]) -> usize {
    let mut size = 0;
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let digits = std::str::from_utf8(&bytes[..end]).expect("a size");
        let chunk = usize::from_str_radix(digits, 16).expect("a size");
        assert!(chunk > 0, "it looks whole");
        bytes = &bytes[end + 2..];
        assert_eq!(&bytes[chunk..chunk + 2], b"\r\n");
        bytes = &bytes[chunk + 2..];
        size += chunk;
    }
    assert_eq!(bytes, b"");
    size
}

/// Checks that each exchange was logged as cut after so many bytes.
#[track_caller]
fn logged_as_cut(proxy: &Proxy, bytes: usize) {
    for line in proxy.wait_for_lines(TRIES) {
        assert_eq!(line.verdict(), (200, "server.body.incomplete"));
        assert_eq!(line.number("bytes_out"), bytes as u64);
    }
}

#[test]
fn a_cut_answer_lost_what_the_server_had_sent_of_it() {
    for (head, body, size) in cut_answers() {
        let origin = cutting(head, &body);
        let proxy = Setup::of(&[&origin]).start();
        for _ in 0..TRIES {
            let (answer, ending) = proxy.client().send(GET).rest();
            let body = body_of(&answer);
            let came = match head {
                "transfer-encoding: chunked" => chunks_of(body),
                _ => body.len(),
            };
            assert_eq!((came, ending), (size, Ending::Closed), "{head}");
        }
        logged_as_cut(&proxy, size);
    }
}

#[test]
fn a_cut_answer_that_ends_with_its_connection_is_reset_when_the_client_has_what_there_was() {
    for (head, body, size) in cut_answers() {
        if head != "transfer-encoding: chunked" {
            continue;
        }
        let origin = cutting(head, &body);
        let proxy = Setup::of(&[&origin]).start();
        for _ in 0..TRIES {
            let (answer, ending) = proxy.client().send(OLD_GET).rest();
            let came = body_of(&answer).len();
            assert_eq!((came, ending), (size, Ending::Reset));
        }
        logged_as_cut(&proxy, size);
    }
}

/// A proxy with TLS in front of `origin`, and its clients.
fn under_tls(origin: &Origin) -> (Proxy, Speech, Folder) {
    let authority = Authority::new("Test CA");
    let folder = Folder::new();
    let pem = folder.write("test.pem", &authority.pair(&["test"]).whole());
    let tls = format!("tls = {{ certificates = \"{}\" }}", pem.display());
    let proxy = Setup::of(&[origin]).frontend(&tls).start();
    (proxy, Speech::trusting(&authority), folder)
}

#[test]
fn under_tls_a_cut_answer_arrives_as_far_as_it_came_and_only_a_framed_one_ends_with_close_notify() {
    for (head, body, size) in cut_answers() {
        let origin = cutting(head, &body);
        let (proxy, speech, _folder) = under_tls(&origin);
        let is_chunked = head == "transfer-encoding: chunked";
        for _ in 0..TRIES {
            let mut client = speech.connect(proxy.address(), "test");
            client.send(GET).expect("it takes it");
            let (answer, ended) = client.rest();
            let came = match is_chunked {
                true => chunks_of(body_of(&answer)),
                false => body_of(&answer).len(),
            };
            assert_eq!((came, ended), (size, Ok(())), "{head}");
        }
        logged_as_cut(&proxy, size);
        if is_chunked {
            let mut client = speech.connect(proxy.address(), "test");
            client.send(OLD_GET).expect("it takes it");
            let (answer, ended) = client.rest();
            let error = std::io::ErrorKind::UnexpectedEof;
            assert_eq!((body_of(&answer).len(), ended), (size, Err(error)));
        }
    }
}

#[test]
fn a_cut_answer_by_http2_is_reset_when_the_client_has_what_there_was() {
    for (head, body, size) in cut_answers() {
        let origin = cutting(head, &body);
        let proxy = Setup::of(&[&origin]).start();
        let mut windows = Builder::new();
        windows
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 30);
        let mut client = Http2::connect_with(proxy.address(), &windows);
        for _ in 0..TRIES {
            let request = client.request("GET", "/");
            let mut coming = client.ask(request).head();
            let mut came = 0;
            let error = loop {
                match coming.piece().expect("it does not look whole") {
                    Ok(piece) => came += piece.len(),
                    Err(error) => break error,
                }
            };
            let code = error.reason().expect("RST_STREAM");
            assert_eq!((came, code), (size, Reason::INTERNAL_ERROR), "{head}");
        }
        logged_as_cut(&proxy, size);
    }
}

/// Queued data of other streams goes first, and fills the connection: a reset at once would drop
/// the queued data of this stream.
#[test]
fn a_cut_answer_by_http2_waits_for_its_turn_on_a_connection_that_is_full() {
    const NEIGHBOURS: usize = 260;
    const SHORT: u32 = 2 * NEIGHBOURS as u32 + 1;
    const LONG: usize = 64 << 10;
    let (gate, bodies) = (Gate::default(), Gate::default());
    let sent = Arc::new(AtomicUsize::new(0));
    let origin = Origin::scripted({
        let gate = gate.clone();
        let (bodies, sent) = (bodies.clone(), Arc::clone(&sent));
        move |visit| match visit.request().as_ref().map(Message::target) {
            Some("/short") => {
                visit.send("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok");
                gate.pass();
            }
            Some(_) => {
                visit.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LONG}\r\n\r\n"));
                bodies.pass();
                visit.send([b'x'; LONG]);
                sent.fetch_add(1, Ordering::SeqCst);
                visit.wait_for_end();
            }
            None => {}
        }
    });
    // The clock stands still: no timeout ends the wait.
    let setup = Setup::of(&[&origin]).frontend("http2.max_streams = 500");
    let proxy = setup.start_paused();
    let mut client = Framed::narrow(proxy.address());
    client.send(PREFACE);
    client
        .send(settings(&[(1, 0), (4, 0)]))
        .send(grant(0, 1 << 30));
    // All of them wait for the client to open its windows, the short one last.
    for number in 0..NEIGHBOURS {
        client.send(ask(2 * number as u32 + 1));
    }
    for _ in 0..NEIGHBOURS {
        client.frame_that(|frame| frame.kind == HEADERS);
    }
    client.send(request_for(SHORT, "/short"));
    client.frame_that(|frame| frame.kind == HEADERS);
    bodies.open();
    until("their bodies are sent", || {
        (sent.load(Ordering::SeqCst) == NEIGHBOURS).then_some(())
    });
    proxy.advance(Duration::from_millis(5));
    client.send(settings(&[(4, 1 << 20)]));
    client.wait_until_full(proxy.address());
    gate.open();
    origin.wait_for_end_of(NEIGHBOURS);
    proxy.advance(Duration::from_millis(5));
    let mut came = Vec::new();
    let reset = loop {
        let frame = client.frame().expect("the connection goes on");
        match (frame.kind, frame.stream) {
            (DATA, SHORT) => came.extend_from_slice(&frame.payload),
            (RST_STREAM, SHORT) => break frame,
            _ => {}
        }
    };
    assert_eq!(String::from_utf8_lossy(&came), "ok");
    assert_eq!(reset.code(), u32::from(Reason::INTERNAL_ERROR));
    // Lines of its neighbours may come before.
    let line = until("its line", || {
        let mut lines = proxy.wait_for_lines(1).into_iter();
        lines.find(|line| line.verdict() == (200, "server.body.incomplete"))
    });
    assert_eq!(line.number("bytes_out"), 2);
}

/// Its client has read all of it long before the server closes: only the reset is left to send.
#[test]
fn a_cut_answer_by_http2_is_reset_when_its_server_closes() {
    let gate = Gate::default();
    let origin = Origin::scripted({
        let gate = gate.clone();
        move |visit| {
            visit.request();
            visit.send("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok");
            gate.pass();
        }
    });
    let proxy = Setup::of(&[&origin]).start_paused();
    let mut client = Framed::connect(proxy.address());
    client.send(ask(1));
    let came = client.frame_that(|frame| frame.kind == DATA);
    assert_eq!(String::from_utf8_lossy(&came.payload), "ok");
    gate.open();
    // The clock stands still: a reset that waited for any timeout would never come.
    assert_eq!(client.reset_of(1), u32::from(Reason::INTERNAL_ERROR));
    assert_eq!(proxy.line().verdict(), (200, "server.body.incomplete"));
}

#[test]
fn an_exchange_that_takes_too_long_is_cut_when_the_client_has_what_there_was() {
    let length = 64 << 20;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let origin = Origin::scripted(move |visit| {
        visit.request();
        visit.send(&head);
        while visit.send([b'x'; 64 << 10]) {}
    });
    let setup = Setup::of(&[&origin]).frontend("timeout.exchange = \"2s\"");
    let proxy = setup.start_paused();
    let mut client = Client::connect_narrow(proxy.address());
    client.send(GET).head();
    // The proxy is stuck when the time is over, with more than the socket takes.
    Slow::WhenFull.wait(client.address(), proxy.address());
    proxy.advance(Duration::from_millis(2_500));
    let (body, ending) = client.rest();
    assert_eq!(ending, Ending::Closed);
    let line = proxy.line();
    assert_eq!(line.verdict(), (200, "exchange.timeout"));
    assert_eq!(line.number("bytes_out"), body.len() as u64);
}

#[test]
fn an_answer_that_the_end_of_the_proxy_cuts_is_logged_with_the_bytes_that_left() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 64 << 20);
    let origin = Origin::scripted(move |visit| {
        visit.request();
        visit.send(&head);
        while visit.send([b'x'; 64 << 10]) {}
    });
    let setup = Setup::of(&[&origin]).rest("[shutdown]\ntimeout = \"100ms\"");
    let mut program = Program::start(&setup);
    let mut client = Client::connect_narrow(program.address());
    client.send(GET).head();
    // The proxy is stuck, with more than the socket takes.
    Slow::WhenFull.wait(client.address(), program.address());
    program.signal(Signal::TERM);
    assert_eq!(program.exit_code(), 0);
    let (body, _) = client.rest();
    let log = program.log();
    assert!(log.contains("\"reason\":\"proxy.stopped\""), "{log}");
    let bytes = format!("\"bytes_out\":{},", body.len());
    assert!(log.contains(&bytes), "{bytes} {log}");
}

// Answers that come early.

/// A server that answers after the head of a request and closes with unread bytes: its answer
/// comes, and then a reset.
fn refusing() -> Origin {
    let body = "x".repeat(30_000);
    let answer = format!(
        "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 30000\r\n\r\n{body}"
    );
    Origin::scripted(move |visit| {
        visit.head();
        visit.send(&answer);
    })
}

#[test]
fn a_client_that_sends_all_before_it_reads_gets_an_early_answer() {
    let origin = refusing();
    let proxy = Setup::of(&[&origin]).start();
    for _ in 0..TRIES {
        let mut client = proxy.client();
        client.send(upload()).send(vec![b'x'; UPLOAD]);
        let answer = client.response();
        assert_eq!((answer.status(), answer.body.len()), (413, 30_000));
        // Unless the whole request was read before the answer came.
        if answer.field("connection") == Some("close") {
            client.is_closed();
        }
    }
    for line in proxy.wait_for_lines(TRIES) {
        assert_eq!(line.verdict(), (413, "-"), "the answer came first");
    }
    assert_eq!(proxy.metric("evenkeel_attempt_faults_total", &[]), 0.0);
}

#[test]
fn a_connection_that_was_answered_before_its_request_was_sent_carries_no_other() {
    let origin = Origin::scripted(|visit| {
        while let Some(head) = visit.head() {
            visit.send(OK);
            visit.body(head);
        }
    });
    // Each worker has connections of its own.
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\n");
    assert_eq!(client.response().text(), "ok");
    client.send("hello");
    proxy.line();
    assert_eq!(proxy.client().get("/").text(), "ok");
    assert_eq!(origin.connections(), 2);
}

/// Whether the connection to the server carries the next request, if the server answers when the
/// proxy has begun to send an upload of `size` bytes, and reads none of the body before that answer
/// has come. `proxy_stops`: the proxy finds the answer and the rest of the upload at once.
fn is_reused_after_early_answer(size: usize, proxy_stops: bool) -> bool {
    let (gates, is_answered) = ([Gate::default(), Gate::default()], Gate::default());
    let origin = Origin::scripted({
        let (gates, is_answered) = (gates.clone(), is_answered.clone());
        move |visit| {
            visit.narrow();
            while let Some(head) = visit.head() {
                let is_upload = head.method() == "POST";
                if is_upload {
                    gates[0].pass();
                    visit.send(OK);
                    is_answered.open();
                    gates[1].pass();
                }
                visit.body(head);
                if !is_upload {
                    visit.send(OK);
                }
            }
        }
    });
    // Each worker has connections of its own.
    let program = Program::start(&Setup::of(&[&origin]).workers(1));
    let mut client = program.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {size}\r\n\r\n"
    ));
    // The proxy adds fields.
    let head = until("the proxy has written the head", || {
        let head = origin.received(0);
        head.ends_with("\r\n\r\n").then_some(head.len())
    });
    client.send([b'x'; 100]);
    let written = |bytes: usize| {
        until("the proxy has written it", || {
            // Not more: bytes on their way may be counted twice.
            (origin.bytes_written_from("POST / ")? == head + bytes).then_some(())
        });
    };
    written(100);
    if proxy_stops {
        program.halt();
        client.send(vec![b'x'; size - 100]);
        gates[0].open();
        is_answered.pass();
        until("the answer has come", || {
            origin.has_delivered(0).then_some(())
        });
        program.go_on();
    } else {
        client.send(vec![b'x'; size - 100]);
        written(size);
        gates[0].open();
    }
    assert_eq!(client.response().text(), "ok");
    gates[1].open();
    assert_eq!(program.client().get("/").text(), "ok");
    origin.connections() == 1
}

#[test]
fn a_connection_whose_answer_came_before_the_end_of_its_request_carries_no_other() {
    assert!(!is_reused_after_early_answer(200, true));
}

#[test]
fn a_connection_whose_server_has_not_received_the_answered_request_carries_no_other() {
    // More than the server's socket takes, and less than that and the proxy's.
    assert!(!is_reused_after_early_answer(1 << 20, false));
}

#[test]
fn an_answer_that_has_come_wins_over_the_write_that_fails_before_it_is_read() {
    let gate = Gate::default();
    let origin = Origin::scripted({
        let gate = gate.clone();
        move |visit| {
            visit.head();
            gate.pass();
            let body = "x".repeat(30_000);
            visit.send(format!(
                "HTTP/1.1 413 Content Too Large\r\ncontent-length: 30000\r\n\r\n{body}"
            ));
        }
    });
    let program = Program::start(&Setup::of(&[&origin]));
    let mut client = program.client();
    client.send(upload());
    until("the head is read", || {
        origin.received(0).ends_with("\r\n\r\n").then_some(())
    });
    client.send([b'x'; 4_000]);
    until("the server has something unread", || {
        let written = origin.bytes_written_from("POST / ")?;
        (written > origin.received(0).len()).then_some(())
    });
    // All of the following happens before the proxy runs again, and it has more to write.
    program.halt();
    client.send([b'x'; 4_000]);
    gate.open();
    origin.wait_for_end_of(0);
    program.go_on();
    let answer = client.response();
    assert_eq!((answer.status(), answer.body.len()), (413, 30_000));
    until("it is logged", || {
        let log = program.log();
        log.contains("\"reason\":null,").then_some(())
    });
}

#[test]
fn a_client_that_sends_all_before_it_reads_learns_that_no_server_is_there() {
    let refusing = RefusingAddress::new();
    let proxy = Setup::at([refusing.address()]).start();
    let mut client = proxy.client();
    client.send(upload()).send(vec![b'x'; UPLOAD]);
    assert_eq!(client.response().status(), 503);
    client.is_closed();
}

#[test]
fn under_tls_a_client_that_sends_all_before_it_reads_gets_an_early_answer() {
    let origin = refusing();
    let (proxy, speech, _folder) = under_tls(&origin);
    let mut client = speech.connect(proxy.address(), "test");
    client.send(upload()).expect("it takes it");
    client.send(vec![b'x'; UPLOAD]).expect("it takes it");
    let answer = client.try_response().expect("an answer");
    assert_eq!((answer.status(), answer.body.len()), (413, 30_000));
    client.is_closed();
}

#[test]
fn a_client_of_http2_that_sends_all_before_it_reads_gets_an_early_answer() {
    let origin = refusing();
    let proxy = Setup::of(&[&origin]).start();
    let mut client = Http2::connect(proxy.address());
    for _ in 0..TRIES {
        let request = client.request("POST", "/");
        let mut asked = client.begin(request);
        asked.send_last(vec![b'x'; UPLOAD]);
        let answer = asked.answer();
        assert_eq!((answer.status, answer.body.len()), (413, 30_000));
    }
    assert_eq!(proxy.metric("evenkeel_attempt_faults_total", &[]), 0.0);
}

#[test]
fn an_early_answer_of_a_server_of_http2_wins_over_the_end_of_its_connection() {
    for length in ["", "content-length"] {
        let origin = Origin::scripted(move |visit| {
            let settings = [(setting::WINDOW, 1 << 24)];
            let Some(mut frames) = Frames::begin(visit, &settings) else {
                return;
            };
            let room = (1_u32 << 24).to_be_bytes();
            frames.send(kind::WINDOW_UPDATE, 0, 0, &room);
            let Some(stream) = frames.request() else {
                return;
            };
            // `:status: 413`, and perhaps the length.
            let mut head = b"\x08\x03413".to_vec();
            if !length.is_empty() {
                head.extend_from_slice(b"\x0f\x0d\x016");
            }
            frames.send(kind::HEADERS, 4, stream, &head);
            frames.last(stream, b"enough");
            // Closed with unread bytes.
        });
        let proxy = Setup::of(&[&origin]).backend("protocol = \"h2\"").start();
        for _ in 0..TRIES {
            let mut client = proxy.client();
            client.send(upload()).send(vec![b'x'; UPLOAD]);
            let answer = client.try_response().expect("a whole answer");
            let text = answer.text();
            assert_eq!((answer.status(), text.as_str()), (413, "enough"));
        }
        for line in proxy.wait_for_lines(TRIES) {
            assert_eq!(line.verdict(), (413, "-"));
        }
    }
}

/// Continues to send after the answer until that fails, and returns how many bytes and how long it
/// took.
fn sent_until_refused(client: &mut Client, piece: &[u8], pause: Duration) -> (usize, Duration) {
    let began = Instant::now();
    let mut sent = 0;
    until("the port is closed", || {
        thread::park_timeout(pause);
        match client.try_send(piece) {
            Ok(()) => {
                sent += piece.len();
                None
            }
            Err(_) => Some(()),
        }
    });
    (sent, began.elapsed())
}

#[test]
fn a_client_that_sends_on_for_too_long_after_its_answer_is_not_listened_to() {
    let origin = refusing();
    let setup = Setup::of(&[&origin]).frontend("timeout.linger = \"500ms\"");
    let proxy = setup.start();
    let mut client = proxy.client();
    client.send(upload());
    assert_eq!(client.response().status(), 413);
    let (_, took) = sent_until_refused(&mut client, b"x", Duration::from_millis(5));
    assert!(took >= Duration::from_millis(400), "{took:?}");
}

#[test]
fn a_client_that_sends_too_much_after_its_answer_is_not_listened_to() {
    let origin = refusing();
    let setup = Setup::of(&[&origin]).frontend("limits.linger = \"1MiB\"");
    let proxy = setup.start();
    let mut client = proxy.client();
    client.send(upload());
    assert_eq!(client.response().status(), 413);
    let piece = vec![b'x'; 64 << 10];
    let (sent, _) = sent_until_refused(&mut client, &piece, Duration::from_millis(1));
    // Bytes in sockets are more than those that were read.
    assert!(sent >= 1 << 20, "{sent}");
}

#[test]
fn a_client_that_asks_on_behind_its_last_request_is_not_reset() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    let last = "GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    client.send([last, GET].concat());
    assert_eq!(client.response().text(), "a");
    // Bytes that came to a closed socket would be answered with a reset, which can cost the client the
    // answer: these are read and thrown away.
    for _ in 0..UPLOAD / GET.len() / 1000 {
        client.send(GET.repeat(1000));
    }
    client.half_close().is_closed();
    assert_eq!(origin.requests().len(), 1);
    assert_eq!(proxy.line().verdict(), (200, "-"));
}

#[test]
fn a_client_of_http2_that_sends_on_after_its_answer_is_told_to_stop() {
    let origin = refusing();
    for limit in ["timeout.linger = \"300ms\"", "limits.linger = \"1MiB\""] {
        let proxy = Setup::of(&[&origin]).frontend(limit).start();
        let mut client = Http2::connect(proxy.address());
        let request = client.request("POST", "/");
        let mut asked = client.begin(request);
        asked.send("x");
        assert_eq!(asked.answer().status, 413);
        if limit.starts_with("limits") {
            let piece = bytes::Bytes::from(vec![b'x'; 2 << 20]);
            let _ = asked.try_send(piece, false);
        }
        assert_eq!(asked.stopped_with(), Reason::NO_ERROR, "{limit}");
    }
}
