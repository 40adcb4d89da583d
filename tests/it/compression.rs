//! `compression`: what clients get, and what they can do with it.

use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};

use crate::rig::{Client, Gate, Http2, Line, Origin, Proxy, Setup};

const ALL: &str = "compression = { algorithms = ['zstd', 'br', 'gzip'], types = ['text/*'] }";
const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// What a client makes of the bytes in `coding`, and whether they are the whole.
#[track_caller]
fn decoded(coding: &str, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut decoder: Box<dyn DecodeV2> = match coding {
        "gzip" => Box::new(GzipDecoder::new()),
        "br" => Box::new(BrotliDecoder::new()),
        _ => Box::new(ZstdDecoder::new()),
    };
    let mut input = PartialBuffer::new(bytes);
    let mut content = Vec::new();
    loop {
        let mut room = [0; 4096];
        let mut output = WriteBuffer::new_initialized(&mut room);
        let before = input.written_len();
        let is_whole = match decoder.decode(&mut input, &mut output) {
            Ok(is_whole) => is_whole,
            // The one for gzip fails where the others wait for more.
            Err(_) if input.unwritten().is_empty() => return (content, false),
            Err(error) => unreachable!("it is valid: {error}"),
        };
        content.extend_from_slice(output.written());
        let is_stuck = output.written_len() == 0 && input.written_len() == before;
        if is_whole || is_stuck {
            return (content, is_whole && input.unwritten().is_empty());
        }
    }
}

/// The text of a page: 200 kB that compress well.
fn page() -> String {
    (0..20_000)
        .map(|number| format!("line {number}\n"))
        .collect()
}

fn answering(fields: &str, body: &str) -> Origin {
    let length = body.len();
    Origin::answering(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n{fields}\r\n{body}"
    ))
}

fn compressing(origin: &Origin) -> Proxy {
    Setup::of(&[origin]).frontend(ALL).workers(1).start()
}

fn get(accepted: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: test\r\naccept-encoding: {accepted}\r\n\r\n")
}

#[test]
fn a_client_gets_the_page_in_the_coding_that_it_accepts() {
    let origin = answering("etag: \"one\"\r\naccept-ranges: bytes\r\n", &page());
    let proxy = compressing(&origin);
    let mut client = proxy.client();
    for coding in CODINGS {
        let answer = client.ask(get(coding));
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.field("content-encoding"), Some(coding));
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.field("etag"), Some("W/\"one\""));
        assert_eq!(answer.field("content-length"), None);
        assert_eq!(answer.field("accept-ranges"), None);
        assert!(answer.body.len() < page().len() / 3, "{coding}");
        assert_eq!(decoded(coding, &answer.body), (page().into_bytes(), true));

        let mut http2 = Http2::connect(proxy.address());
        let head = http2.request("GET", "/").header("accept-encoding", coding);
        let answer = http2.ask(head).answer();
        assert_eq!(answer.field("content-encoding"), Some(coding));
        assert_eq!(decoded(coding, &answer.body), (page().into_bytes(), true));
    }
    let bytes = |line: &Line| line.number("bytes_out");
    let lines = proxy.wait_for_lines(6);
    assert!(lines.iter().all(|line| bytes(line) < 100_000), "{lines:?}");
    let all: u64 = lines.iter().map(bytes).sum();
    let frontend = [("frontend", "web")];
    let input = "evenkeel_frontend_compression_input_bytes_total";
    let output = "evenkeel_frontend_compression_output_bytes_total";
    assert_eq!(proxy.metric(input, &frontend), 6.0 * page().len() as f64);
    assert_eq!(proxy.metric(output, &frontend), all as f64);
}

#[test]
fn who_accepts_no_coding_gets_the_page_as_it_is_and_caches_learn_that_others_do() {
    let origin = answering("etag: \"one\"\r\n", &page());
    let proxy = compressing(&origin);
    let mut client = proxy.client();
    for accepted in ["identity", "deflate", "gzip;q=0"] {
        let answer = client.ask(get(accepted));
        assert_eq!(answer.field("content-encoding"), None);
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.field("etag"), Some("\"one\""));
        assert_eq!(answer.text(), page());
    }
    let old = proxy.ask("GET / HTTP/1.0\r\nhost: test\r\naccept-encoding: gzip\r\n\r\n");
    assert_eq!(old.text(), page());
}

#[test]
fn what_must_not_be_compressed_passes_as_it_is() {
    let body = "x".repeat(2000);
    let cases = [
        "200 OK\r\ncontent-type: text/html\r\ncontent-encoding: br",
        "200 OK\r\ncontent-type: text/html\r\ncache-control: no-transform",
        "200 OK\r\ncontent-type: image/png",
        "206 Partial Content\r\ncontent-type: text/html\r\ncontent-range: bytes 0-1999/4000",
        "404 Not Found\r\ncontent-type: text/html",
    ];
    for case in cases {
        let head = format!("HTTP/1.1 {case}\r\ncontent-length: 2000\r\n\r\n");
        let origin = Origin::answering(head + &body);
        let answer = compressing(&origin).ask(get("gzip"));
        assert_eq!(answer.text(), body, "{case}");
        assert_eq!(answer.field("content-length"), Some("2000"), "{case}");
        assert_eq!(answer.field("vary"), None, "{case}");
    }
    let origin = answering("", "short");
    assert_eq!(compressing(&origin).ask(get("gzip")).text(), "short");
    let unchanged = "HTTP/1.1 304 Not Modified\r\netag: \"one\"\r\n\r\n";
    let origin = Origin::answering(unchanged);
    let proxy = compressing(&origin);
    let answer = proxy.ask(get("gzip"));
    assert_eq!((answer.status(), answer.text().as_str()), (304, ""));
}

#[test]
fn an_answer_to_head_has_the_length_of_the_page_and_no_body() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5000\r\n\r\n";
    let origin = Origin::answering(head);
    let proxy = compressing(&origin);
    let mut client = proxy.client();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: test\r\naccept-encoding: gzip\r\n\r\n");
        let answer = client.response_to_head();
        assert_eq!(answer.field("content-length"), Some("5000"));
        assert_eq!(answer.field("content-encoding"), None);
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
    }
}

/// The chunks of an answer as they come.
struct Chunks(Client);

impl Chunks {
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.0.bytes(1));
        }
        String::from_utf8(line).expect("text")
    }

    fn next(&mut self) -> Vec<u8> {
        let size = self.line();
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a size");
        let chunk = self.0.bytes(size);
        assert_eq!(self.0.bytes(2), b"\r\n");
        chunk
    }
}

#[test]
fn each_event_of_a_stream_arrives_before_the_server_sends_the_next() {
    for coding in CODINGS {
        let gate = Gate::default();
        let pass = gate.clone();
        let origin = Origin::scripted(move |visit| {
            visit.request();
            visit.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
            visit.send("9\r\ndata: 1\n\n\r\n");
            pass.pass();
            visit.send("9\r\ndata: 2\n\n\r\n0\r\nx-sum: 3\r\n\r\n");
            visit.wait_for_end();
        });
        let proxy = compressing(&origin);
        let mut client = proxy.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nhost: test\r\nte: trailers\r\naccept-encoding: {coding}\r\n\r\n"
        ));
        let mut chunks = Chunks(client);
        while chunks.line() != "\r\n" {}
        let mut bytes = Vec::new();
        while decoded(coding, &bytes).0 != b"data: 1\n\n" {
            bytes.extend(chunks.next());
        }
        gate.open();
        loop {
            bytes.extend(chunks.next());
            if let (content, true) = decoded(coding, &bytes) {
                assert_eq!(content, b"data: 1\n\ndata: 2\n\n");
                break;
            }
        }
        assert_eq!(chunks.line(), "0\r\n");
        assert_eq!(chunks.line(), "x-sum: 3\r\n");
    }
}

#[test]
fn a_page_that_breaks_off_does_not_look_whole() {
    for coding in CODINGS {
        for head in ["content-length: 400000", "transfer-encoding: chunked"] {
            let chunk = match head.starts_with('t') {
                true => format!("{:x}\r\n{}\r\n", page().len(), page()),
                false => page(),
            };
            let origin = Origin::answering_once(format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n{head}\r\n\r\n{chunk}"
            ));
            let proxy = compressing(&origin);
            let mut chunks = Chunks(proxy.client());
            chunks.0.send(get(coding));
            while chunks.line() != "\r\n" {}
            // All that the server sent arrives, and then no end.
            let mut bytes = Vec::new();
            while decoded(coding, &bytes).0 != page().as_bytes() {
                bytes.extend(chunks.next());
            }
            assert!(!decoded(coding, &bytes).1, "{coding} {head}");
            let (rest, _) = chunks.0.rest();
            assert!(rest.is_empty(), "{coding} {head}: {rest:?}");
            assert_eq!(proxy.line().verdict(), (200, "server.body.incomplete"));

            let mut http2 = Http2::connect(proxy.address());
            let head = http2.request("GET", "/").header("accept-encoding", coding);
            let (bytes, _) = http2.ask(head).head().cut_after();
            assert_eq!(decoded(coding, &bytes), (page().into_bytes(), false));
        }
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_is_logged_as_such() {
    let origin = Origin::scripted(|visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
        visit.wait_for_end();
    });
    let proxy = compressing(&origin);
    let mut client = proxy.client();
    client.send(get("gzip")).head();
    drop(client);
    assert_eq!(proxy.line().verdict(), (200, "client.left"));
}

#[test]
fn the_backend_decides_before_the_frontend_and_offload_keeps_the_field_from_servers() {
    let origin = answering("", &page());
    let setup = Setup::of(&[&origin]).frontend(ALL);
    let own = "compression = { algorithms = 'gzip', offload = true, gzip_level = 9 }";
    let proxy = setup.backend(own).start();
    let answer = proxy.ask(get("zstd, br, gzip"));
    assert_eq!(answer.field("content-encoding"), Some("gzip"));
    assert_eq!(decoded("gzip", &answer.body), (page().into_bytes(), true));
    assert_eq!(origin.request().field("accept-encoding"), None);
}

#[test]
fn a_rule_can_forbid_it() {
    let origin = answering("", &page());
    let rule = "rule = [{ on = 'response', set_header = { cache-control = 'no-transform' } }]";
    let proxy = Setup::of(&[&origin]).frontend(ALL).frontend(rule).start();
    let answer = proxy.ask(get("gzip"));
    assert_eq!(answer.field("content-encoding"), None);
    assert_eq!(answer.text(), page());
}
