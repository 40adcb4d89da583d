//! One exchange as one line of JSON.
//!
//! `fields` has them all, in the order of the line. A step that was not reached is `null`; only
//! `failed` and the lengths of cut texts may be missing. Every text is bounded, so that no request
//! can fill the disk. Written directly into the worker's buffer: a serializer would first need the
//! facts in a structure of its own.

use std::io::Write as _;
use std::net::SocketAddr;

use http::Version;

use crate::base::Peer;
use crate::base::address::Dotted;
use crate::base::clock::Duration;
use crate::exchange::{AttemptIndex, AttemptList, ClientTls, LoggedField, LoggedRequest, Reason};
use crate::observe::access_log::entry::{Entry, Times};
use crate::observe::calendar::Calendar;
use crate::observe::json;
use crate::plan::log::JsonField;

/// The most bytes of the name that a client asks for by TLS. A DNS name has up to 253 bytes; in TCP
/// mode it may be as long as all that is read of the client.
const SNI_BYTES_MAX: usize = 255;

/// Appends `entry` as one line, its end included.
pub(crate) fn write_line(out: &mut Vec<u8>, calendar: &mut Calendar, entry: &Entry<'_>) {
    out.extend_from_slice(b"{\"time\":\"");
    calendar.write(entry.wall, out);
    out.push(b'"');
    name(out, b",\"frontend\":", entry.frontend);
    name(out, b",\"route\":", entry.route);
    name(out, b",\"backend\":", entry.backend);
    name(out, b",\"server\":", entry.server);
    client(out, entry.client);
    request(out, entry.request);
    tls(out, entry.tls, entry.sni);
    match entry.status {
        Some(status) => number(out, b",\"status\":", u64::from(status)),
        None => out.extend_from_slice(b",\"status\":null"),
    }
    name(out, b",\"reason\":", entry.reason.map(Reason::code));
    out.extend_from_slice(b",\"request_id\":");
    match entry.id {
        Some(id) => json::string(id.as_bytes(), out),
        None => out.extend_from_slice(b"null"),
    }
    number(out, b",\"generation\":", entry.generation);
    number(out, b",\"attempts\":", entry.attempts.len() as u64);
    if entry.attempts.len() > 1 {
        others(out, entry.attempts, entry.decisive);
    }
    number(out, b",\"bytes_in\":", entry.body_bytes_in);
    number(out, b",\"bytes_out\":", entry.body_bytes_out);
    times(out, &entry.times);
    out.extend_from_slice(b"}}\n");
}

/// Without the brace at the end.
fn times(out: &mut Vec<u8>, times: &Times) {
    millis(out, b",\"times_ms\":{\"head\":", times.head);
    millis(out, b",\"queue\":", times.queue);
    millis(out, b",\"connect\":", times.connect);
    millis(out, b",\"response\":", times.response);
    millis(out, b",\"total\":", Some(times.total));
}

/// Appends the object with these fields of `entry` alone, its end included.
pub(super) fn write_fields(
    out: &mut Vec<u8>,
    calendar: &mut Calendar,
    entry: &Entry<'_>,
    fields: &[JsonField],
) {
    let start = out.len();
    for field in fields {
        write_field(out, calendar, entry, *field);
    }
    // Each field begins with a comma; where there is none, `failed` was the only one.
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.extend_from_slice(b"}\n");
}

fn write_field(out: &mut Vec<u8>, calendar: &mut Calendar, entry: &Entry<'_>, field: JsonField) {
    use JsonField as F;
    let tls = entry.tls;
    match field {
        F::Time => {
            out.extend_from_slice(b",\"time\":\"");
            calendar.write(entry.wall, out);
            out.push(b'"');
        }
        F::Frontend => name(out, b",\"frontend\":", entry.frontend),
        F::Route => name(out, b",\"route\":", entry.route),
        F::Backend => name(out, b",\"backend\":", entry.backend),
        F::Server => name(out, b",\"server\":", entry.server),
        F::Client => client(out, entry.client),
        F::Method => method(out, entry.request),
        F::Host => host(out, entry.request),
        F::Target => target(out, entry.request),
        F::Version => version(out, entry.request),
        F::UserAgent => user_agent(out, entry.request),
        F::Referer => referer(out, entry.request),
        F::TlsVersion => name(out, b",\"tls_version\":", tls.map(|tls| tls.version.code())),
        F::TlsCipher => name(out, b",\"tls_cipher\":", tls.map(|tls| tls.cipher)),
        F::Sni => server_name(out, tls, entry.sni),
        F::Status => match entry.status {
            Some(status) => number(out, b",\"status\":", u64::from(status)),
            None => out.extend_from_slice(b",\"status\":null"),
        },
        F::Reason => name(out, b",\"reason\":", entry.reason.map(Reason::code)),
        F::RequestId => {
            out.extend_from_slice(b",\"request_id\":");
            match entry.id {
                Some(id) => json::string(id.as_bytes(), out),
                None => out.extend_from_slice(b"null"),
            }
        }
        F::Generation => number(out, b",\"generation\":", entry.generation),
        F::Attempts => number(out, b",\"attempts\":", entry.attempts.len() as u64),
        F::Failed if entry.attempts.len() > 1 => others(out, entry.attempts, entry.decisive),
        F::Failed => {}
        F::BytesIn => number(out, b",\"bytes_in\":", entry.body_bytes_in),
        F::BytesOut => number(out, b",\"bytes_out\":", entry.body_bytes_out),
        F::TimesMs => {
            times(out, &entry.times);
            out.push(b'}');
        }
    }
}

fn tls(out: &mut Vec<u8>, tls: Option<&ClientTls>, sni: Option<&str>) {
    name(out, b",\"tls_version\":", tls.map(|tls| tls.version.code()));
    name(out, b",\"tls_cipher\":", tls.map(|tls| tls.cipher));
    server_name(out, tls, sni);
}

fn server_name(out: &mut Vec<u8>, tls: Option<&ClientTls>, sni: Option<&str>) {
    out.extend_from_slice(b",\"sni\":");
    match tls.and_then(|tls| tls.server_name.as_deref()).or(sni) {
        Some(name) => {
            let kept = name.floor_char_boundary(SNI_BYTES_MAX);
            json::string(&name.as_bytes()[..kept], out);
            if kept < name.len() {
                number(out, b",\"sni_bytes\":", name.len() as u64);
            }
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// A name of the configuration or a code of ours: neither needs an escape in JSON.
fn name(out: &mut Vec<u8>, key: &[u8], value: Option<&str>) {
    out.extend_from_slice(key);
    match value {
        Some(value) => {
            out.push(b'"');
            out.extend_from_slice(value.as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

fn number(out: &mut Vec<u8>, key: &[u8], value: u64) {
    out.extend_from_slice(key);
    decimal(out, value);
}

fn decimal(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Milliseconds with three decimals.
fn millis(out: &mut Vec<u8>, key: &[u8], value: Option<Duration>) {
    out.extend_from_slice(key);
    let Some(value) = value else {
        out.extend_from_slice(b"null");
        return;
    };
    decimal(
        out,
        value.as_secs() * 1_000 + u64::from(value.subsec_millis()),
    );
    let micros = value.subsec_micros() % 1_000;
    let digit = |divisor: u32| b'0' + (micros / divisor % 10) as u8;
    out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

/// The client's address with its port, as `SocketAddr` shows it; `unix` for one without.
fn client(out: &mut Vec<u8>, client: Peer) {
    out.extend_from_slice(b",\"client\":\"");
    match client {
        Peer::Ip(SocketAddr::V4(addr)) => {
            out.extend_from_slice(Dotted::of(*addr.ip()).as_bytes());
            out.push(b':');
            decimal(out, u64::from(addr.port()));
        }
        other => write!(out, "{other}").expect("a Vec takes what is written to it"),
    }
    out.push(b'"');
}

fn request(out: &mut Vec<u8>, request: Option<&LoggedRequest>) {
    method(out, request);
    host(out, request);
    target(out, request);
    version(out, request);
    user_agent(out, request);
    referer(out, request);
}

fn method(out: &mut Vec<u8>, request: Option<&LoggedRequest>) {
    let keys = (b",\"method\":".as_slice(), b",\"method_bytes\":".as_slice());
    text(out, keys, request, LoggedField::Method);
}

fn host(out: &mut Vec<u8>, request: Option<&LoggedRequest>) {
    let keys = (b",\"host\":".as_slice(), b",\"host_bytes\":".as_slice());
    text(out, keys, request, LoggedField::Host);
}

fn target(out: &mut Vec<u8>, request: Option<&LoggedRequest>) {
    let keys = (b",\"target\":".as_slice(), b",\"target_bytes\":".as_slice());
    text(out, keys, request, LoggedField::Target);
}

fn version(out: &mut Vec<u8>, request: Option<&LoggedRequest>) {
    let version = request.and_then(LoggedRequest::version);
    name(out, b",\"version\":", version.map(version_text));
}

fn user_agent(out: &mut Vec<u8>, request: Option<&LoggedRequest>) {
    let keys = (
        b",\"user_agent\":".as_slice(),
        b",\"user_agent_bytes\":".as_slice(),
    );
    text(out, keys, request, LoggedField::UserAgent);
}

fn referer(out: &mut Vec<u8>, request: Option<&LoggedRequest>) {
    let keys = (
        b",\"referer\":".as_slice(),
        b",\"referer_bytes\":".as_slice(),
    );
    text(out, keys, request, LoggedField::Referer);
}

/// A text of the request, and its length if it was cut, under these keys.
fn text(
    out: &mut Vec<u8>,
    (key, length_key): (&[u8], &[u8]),
    request: Option<&LoggedRequest>,
    field: LoggedField,
) {
    out.extend_from_slice(key);
    let Some(text) = request.and_then(|request| request.text(field)) else {
        return out.extend_from_slice(b"null");
    };
    json::string(text.bytes, out);
    if text.bytes.len() < text.whole_bytes {
        number(out, length_key, text.whole_bytes as u64);
    }
}

fn version_text(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

fn others(out: &mut Vec<u8>, attempts: &AttemptList, decisive: Option<AttemptIndex>) {
    for (index, attempt) in attempts.others(decisive).enumerate() {
        let key: &[u8] = if index == 0 {
            b",\"failed\":[{\"server\":"
        } else {
            b",{\"server\":"
        };
        name(out, key, Some(&attempt.server.name));
        name(out, b",\"reason\":", attempt.reason.map(Reason::code));
        match attempt.status {
            0 => out.extend_from_slice(b",\"status\":null}"),
            status => {
                number(out, b",\"status\":", u64::from(status));
                out.push(b'}');
            }
        }
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::RequestTexts;

    fn in_millis(value: Duration) -> String {
        let mut out = Vec::new();
        millis(&mut out, b"", Some(value));
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn milliseconds_have_three_decimals() {
        assert_eq!(in_millis(Duration::ZERO), "0.000");
        assert_eq!(in_millis(Duration::from_nanos(999)), "0.000");
        assert_eq!(in_millis(Duration::from_micros(1_070)), "1.070");
        assert_eq!(in_millis(Duration::from_micros(61_000_009)), "61000.009");
    }

    #[test]
    fn an_address_is_written_as_the_standard_library_does() {
        for text in [
            "10.0.200.1:0",
            "255.255.255.255:65535",
            "[::1]:80",
            "[fe80::1%3]:80",
        ] {
            let addr: SocketAddr = text.parse().expect("an address");
            let mut out = Vec::new();
            client(&mut out, addr.into());
            let expected = format!(",\"client\":\"{addr}\"");
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    fn written(texts: &RequestTexts<'_>) -> String {
        let mut out = Vec::new();
        request(&mut out, Some(&LoggedRequest::of(texts)));
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn a_cut_text_is_followed_by_its_length() {
        let long = "x".repeat(60_000);
        let line = written(&RequestTexts {
            method: Some(long.as_bytes()),
            target: Some(long.as_bytes()),
            host: Some(long.as_bytes()),
            user_agent: Some(long.as_bytes()),
            referer: Some(long.as_bytes()),
            version: None,
        });
        for key in ["method", "target", "host", "user_agent", "referer"] {
            assert!(
                line.contains(&format!("\",\"{key}_bytes\":60000,\"")) || line.ends_with(":60000"),
                "{key}"
            );
        }
        assert!(line.len() < 11_000, "{}", line.len());
    }

    #[test]
    fn nothing_that_a_client_sends_ends_a_string() {
        let line = written(&RequestTexts {
            target: Some(b"/a\"b{\xc3\xa9}?c\n"),
            user_agent: Some(b"\xff\x1b[2J"),
            ..RequestTexts::default()
        });
        assert!(line.contains(r#""target":"/a\"b{\u00e9}?c\n","#), "{line}");
        assert!(
            line.contains(r#""user_agent":"\ufffd\u001b[2J","#),
            "{line}"
        );
    }
}
