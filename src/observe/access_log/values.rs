//! The values of the variables in a line's template. The table is [`crate::plan::log::Variable`].
//!
//! Texts of clients are written as HAProxy writes them: a byte that is not visible ASCII, a `"` or a
//! `#` is a `#` with two hexadecimal digits, so that no byte of a request ends a quoted text, moves a
//! cursor or begins a line.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use http::Version;

use crate::base::Peer;
use crate::base::clock::Duration;
use crate::exchange::{LoggedField, LoggedRequest, Reason};
use crate::expr::{Captured, Variables};
use crate::observe::access_log::entry::Entry;
use crate::observe::calendar::{Calendar, three_digits};
use crate::plan::log::{Flags, Variable};

const BAD_REQUEST: &[u8] = b"<BADREQ>";
const NO_SERVER: &[u8] = b"<NOSRV>";
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The value of a variable that is the same in every line of a process; `None`: it is not.
pub(super) fn of_process(variable: Variable, flags: Flags) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match variable {
        Variable::Hostname => {
            let system = rustix::system::uname();
            text(&mut out, Some(system.nodename().to_bytes()), flags);
        }
        Variable::Process => integer(&mut out, std::process::id().into(), flags),
        _ => return None,
    }
    Some(out)
}

/// Appends the value of `variable`. `false`: it has none, and nothing was written.
pub(super) fn write(
    variable: Variable,
    flags: Flags,
    entry: &Entry<'_>,
    variables: Option<&Variables>,
    calendar: &mut Calendar,
    out: &mut Vec<u8>,
) -> bool {
    use Variable as V;
    match variable {
        V::ClientIp => match entry.client {
            Peer::Ip(client) => ip(out, client.ip(), flags),
            Peer::Unix => text(out, Some(b"unix"), flags),
        },
        V::ClientPort => match entry.client {
            Peer::Ip(client) => integer(out, client.port().into(), flags),
            Peer::Unix => text(out, None, flags),
        },
        V::FrontendIp => match entry.local {
            Some(local) => ip(out, local.ip(), flags),
            None => text(out, None, flags),
        },
        V::FrontendPort => match entry.local.map(|local: SocketAddr| local.port()) {
            Some(port) => integer(out, port.into(), flags),
            None => text(out, None, flags),
        },
        V::Frontend => text(out, entry.frontend.map(str::as_bytes), flags),
        V::FrontendTransport => quoted(out, flags, |out| {
            encoded(out, entry.frontend.unwrap_or("-").as_bytes(), flags);
            if entry.tls.is_some() {
                out.push(b'~');
            }
        }),
        V::Backend => text(
            out,
            entry.backend.or(entry.frontend).map(str::as_bytes),
            flags,
        ),
        V::Server => {
            let server = entry.server.map_or(NO_SERVER, str::as_bytes);
            text(out, Some(server), flags);
        }
        V::Method => of_request(out, entry, flags, |request| {
            request.text(LoggedField::Method).map(|text| text.bytes)
        }),
        V::Path | V::PathOnly => of_request(out, entry, flags, |request| Some(split(request)?.0)),
        V::Query => of_request(out, entry, flags, |request| Some(split(request)?.1)),
        V::Target => of_request(out, entry, flags, target),
        V::Version => of_request(out, entry, flags, |request| {
            Some(version_text(request.version()?).as_bytes())
        }),
        V::Request => request_line(out, entry, flags),
        V::Host => field(out, entry, LoggedField::Host, flags),
        V::UserAgent => field(out, entry, LoggedField::UserAgent, flags),
        V::Referer => field(out, entry, LoggedField::Referer, flags),
        V::Id => text(out, entry.id.map(|id| id.as_bytes()), flags),
        V::Status => number(out, entry.status.map(u64::from)),
        V::BytesOut => number(out, Some(entry.body_bytes_out)),
        V::BytesIn => number(out, Some(entry.body_bytes_in)),
        V::RequestCookie | V::ResponseCookie => text(out, None, flags),
        V::Termination => text(out, Some(&entry.termination()), flags),
        V::TerminationCookie => {
            let [cause, step] = entry.termination();
            text(out, Some(&[cause, step, b'-', b'-']), flags);
        }
        V::Reason => text(
            out,
            entry.reason.map(|reason| Reason::code(reason).as_bytes()),
            flags,
        ),
        V::TimeRequest | V::TimeToRequest => millis(out, entry.times.head),
        V::TimeWait => millis(out, entry.times.queue),
        V::TimeConnect => millis(out, connect(entry)),
        V::TimeResponse => millis(out, entry.times.response),
        V::TimeData => millis(out, data(entry)),
        V::TimeActive | V::TimeTotal | V::TimeUser => millis(out, Some(entry.times.total)),
        V::Retries => {
            if entry.has_changed_server() {
                out.push(b'+');
            }
            number(out, Some(entry.retries() as u64));
        }
        V::RequestCaptures => return captures(out, variables, Captured::Request, flags),
        V::ResponseCaptures => return captures(out, variables, Captured::Response, flags),
        V::ProcessConnections => number(out, Some(entry.open.of_process)),
        V::FrontendConnections => number(out, Some(entry.open.of_frontend)),
        V::BackendExchanges => number(out, Some(entry.load.at_backend.into())),
        V::ServerExchanges => number(out, Some(entry.load.at_server.into())),
        V::ServerQueue => number(out, Some(entry.load.waiting_for_server.into())),
        V::BackendQueue => number(out, Some(entry.load.waiting_for_any.into())),
        V::Date | V::AcceptDate => {
            calendar.write_clf(entry.began(), out);
            out.push(b'.');
            three_digits(since_1970(entry).subsec_millis(), out);
        }
        V::DateGmt | V::DateLocal | V::AcceptDateGmt | V::AcceptDateLocal => {
            calendar.write_clf(entry.began(), out);
            out.extend_from_slice(b" +0000");
        }
        V::Timestamp => integer(out, since_1970(entry).as_secs(), flags),
        V::Milliseconds => three_digits(since_1970(entry).subsec_millis(), out),
        V::Rfc3339 => calendar.write(entry.began(), out),
        V::TlsCipher => text(out, entry.tls.map(|tls| tls.cipher.as_bytes()), flags),
        V::TlsVersion => quoted(out, flags, |out| match entry.tls {
            Some(tls) => {
                out.extend_from_slice(b"TLSv");
                out.extend_from_slice(tls.version.code().as_bytes());
            }
            None if flags.quote || flags.raw => {}
            None => out.push(b'-'),
        }),
        // The compiled template has their values.
        V::Hostname | V::Process => return false,
    }
    true
}

/// Appends what rules have captured of a message as `{a|b}`; `false`: no rule has.
fn captures(out: &mut Vec<u8>, variables: Option<&Variables>, of: Captured, flags: Flags) -> bool {
    let written = variables.and_then(|variables| {
        variables.captured(of, |captures| {
            quoted(out, flags, |out| {
                out.push(b'{');
                for (index, text) in captures.iter().enumerate() {
                    if index > 0 {
                        out.push(b'|');
                    }
                    captured(out, text.as_deref().unwrap_or_default(), flags);
                }
                out.push(b'}');
            });
        })
    });
    written.is_some()
}

/// `text` without bytes that could end it within `{a|b}`, as HAProxy writes them.
fn captured(out: &mut Vec<u8>, text: &[u8], flags: Flags) {
    let is_end = |byte: u8| matches!(byte, b'{' | b'|' | b'}');
    for part in text.chunk_by(|one, other| is_end(*one) == is_end(*other)) {
        if !is_end(part[0]) {
            encoded(out, part, flags);
            continue;
        }
        for &byte in part {
            let [high, low] = [byte >> 4, byte & 0xf].map(|digit| HEX[usize::from(digit)]);
            out.extend_from_slice(&[b'#', high, low]);
        }
    }
}

/// Appends the value of an expression; `None`: it is absent. An empty one is written as an absent one, as HAProxy
/// does: a line keeps its number of words.
pub(super) fn of_expression(out: &mut Vec<u8>, value: Option<&[u8]>, flags: Flags) {
    let value = value.filter(|value| !value.is_empty());
    if !flags.escape {
        return text(out, value, flags);
    }
    // HAProxy escapes the quotes of an expression, and writes those of a request as `#22`.
    quoted(out, flags, |out| match value {
        Some(value) => {
            for (index, part) in value.split(|&byte| byte == b'"').enumerate() {
                if index > 0 {
                    out.extend_from_slice(b"\\\"");
                }
                encoded(out, part, flags);
            }
        }
        None if flags.quote => {}
        None => out.push(b'-'),
    });
}

fn since_1970(entry: &Entry<'_>) -> Duration {
    let began: SystemTime = entry.began();
    began.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The time to connect; zero if a connection was open.
fn connect(entry: &Entry<'_>) -> Option<Duration> {
    let attempt = entry.attempt()?;
    attempt
        .is_connected
        .then(|| attempt.connect.unwrap_or_default())
}

/// The time from the head of the response to the end.
fn data(entry: &Entry<'_>) -> Option<Duration> {
    let times = &entry.times;
    let before = [times.head, times.queue, times.connect, times.response];
    let before: Duration = before.into_iter().flatten().sum();
    times.response?;
    Some(times.total.saturating_sub(before))
}

fn target(request: &LoggedRequest) -> Option<&[u8]> {
    request.text(LoggedField::Target).map(|text| text.bytes)
}

/// The path, and the query with its `?`.
fn split(request: &LoggedRequest) -> Option<(&[u8], &[u8])> {
    let target = target(request)?;
    let end = target.iter().position(|&byte| byte == b'?');
    Some(target.split_at(end.unwrap_or(target.len())))
}

fn version_text(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// A part of the request line.
fn of_request(
    out: &mut Vec<u8>,
    entry: &Entry<'_>,
    flags: Flags,
    part: impl FnOnce(&LoggedRequest) -> Option<&[u8]>,
) {
    let part = entry.request.and_then(part);
    // There is no request that could be bad.
    let without = (!entry.is_tcp).then_some(BAD_REQUEST);
    text(out, part.or(without), flags);
}

fn request_line(out: &mut Vec<u8>, entry: &Entry<'_>, flags: Flags) {
    let line = entry.request.and_then(|request| {
        let method = request.text(LoggedField::Method)?;
        Some((method.bytes, target(request)?, request.version()?))
    });
    let Some((method, target, version)) = line else {
        return of_request(out, entry, flags, |_| None);
    };
    quoted(out, flags, |out| {
        encoded(out, method, flags);
        out.push(b' ');
        encoded(out, target, flags);
        out.push(b' ');
        out.extend_from_slice(version_text(version).as_bytes());
    });
}

fn field(out: &mut Vec<u8>, entry: &Entry<'_>, field: LoggedField, flags: Flags) {
    let found = entry.request.and_then(|request| request.text(field));
    text(out, found.map(|text| text.bytes), flags);
}

/// A text; `-`, or empty quotes, where there is none.
fn text(out: &mut Vec<u8>, text: Option<&[u8]>, flags: Flags) {
    quoted(out, flags, |out| match text {
        Some(text) => encoded(out, text, flags),
        None if flags.quote || flags.raw => {}
        None => out.push(b'-'),
    });
}

fn quoted(out: &mut Vec<u8>, flags: Flags, write: impl FnOnce(&mut Vec<u8>)) {
    if flags.quote {
        out.push(b'"');
    }
    write(out);
    if flags.quote {
        out.push(b'"');
    }
}

/// `text` without bytes that could end it: see the head of this file.
fn encoded(out: &mut Vec<u8>, text: &[u8], flags: Flags) {
    if flags.raw {
        return out.extend_from_slice(text);
    }
    let is_plain = |byte: u8| {
        matches!(byte, b' '..=b'~')
            & (byte != b'"')
            & (byte != b'#')
            & (byte != b'\\')
            & (byte != b']')
    };
    // Nearly always so: without a branch for each byte the compiler looks at many of them at once.
    if text
        .iter()
        .fold(true, |so_far, &byte| so_far & is_plain(byte))
    {
        return out.extend_from_slice(text);
    }
    for &byte in text {
        match byte {
            b'\\' | b']' if flags.escape => out.extend_from_slice(&[b'\\', byte]),
            b'"' | b'#' | 0..=0x1f | 0x7f.. => {
                let [high, low] = [byte >> 4, byte & 0xf].map(|digit| HEX[usize::from(digit)]);
                out.extend_from_slice(&[b'#', high, low]);
            }
            _ => out.push(byte),
        }
    }
}

fn ip(out: &mut Vec<u8>, ip: IpAddr, flags: Flags) {
    quoted(out, flags, |out| {
        let written = match ip.to_canonical() {
            IpAddr::V4(ip) if flags.hexadecimal => write!(out, "{:08X}", u32::from(ip)),
            IpAddr::V6(ip) if flags.hexadecimal => write!(out, "{:032X}", u128::from(ip)),
            IpAddr::V4(ip) => {
                out.extend_from_slice(crate::base::address::Dotted::of(ip).as_bytes());
                Ok(())
            }
            IpAddr::V6(ip) => write!(out, "{ip}"),
        };
        written.expect("a Vec takes what is written to it");
    });
}

/// A number that `+X` writes in hexadecimal.
fn integer(out: &mut Vec<u8>, value: u64, flags: Flags) {
    match flags.hexadecimal {
        true => write!(out, "{value:04X}").expect("a Vec takes what is written to it"),
        false => number(out, Some(value)),
    }
}

/// A number; -1 where there is none.
fn number(out: &mut Vec<u8>, value: Option<u64>) {
    match value {
        Some(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        None => out.extend_from_slice(b"-1"),
    }
}

fn millis(out: &mut Vec<u8>, value: Option<Duration>) {
    let millis = value.map(|value| value.as_secs() * 1_000 + u64::from(value.subsec_millis()));
    number(out, millis);
}
