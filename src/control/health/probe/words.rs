//! The findings of a check, in words for people.

use std::io;

use crate::base::InWords;
use crate::control::health::state::Verdict;
use crate::exchange::{Cause, Fault, Http2InWords, Reason};
use crate::proxy::upstream::not_http2;
use crate::wire::h1::Refusal;

/// The characters of an expected text that a reason quotes.
const QUOTE_BOUND: usize = 40;

/// A verdict and its reason.
pub(super) type Finding = (Verdict, String);

pub(super) fn passed(reason: impl Into<String>) -> Finding {
    (Verdict::Passed, reason.into())
}

pub(super) fn failed(reason: impl Into<String>) -> Finding {
    (Verdict::Failed, reason.into())
}

/// The finding for a connection that failed.
pub(super) fn of_connecting(fault: &Fault) -> Finding {
    let said = match &fault.cause {
        Some(Cause::Io(error)) => of_io(error),
        Some(cause) => cause.to_string(),
        None => "no connection".to_owned(),
    };
    match fault.reason {
        // A shortage of ours proves nothing about the server.
        Reason::ProxyDescriptors => (
            Verdict::Unclear,
            format!("the check could not be made: {said}"),
        ),
        _ => failed(said),
    }
}

pub(super) fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::BrokenPipe => "connection closed".to_owned(),
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        _ => InWords(error).to_string(),
    }
}

/// The words for an answer whose head exchanges would refuse.
pub(super) fn of_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotHttp => "response is not HTTP".to_owned(),
        Refusal::HeadTooLarge => "response head is too large".to_owned(),
        refusal => format!("response is malformed: {refusal}"),
    }
}

/// The words for a failed handshake; the reason's code has whose side it was.
pub(super) fn of_handshake(fault: &Fault) -> String {
    match &fault.cause {
        Some(cause @ Cause::NotSpoken(_)) => cause.to_string(),
        Some(cause) => format!("TLS failed: {cause}"),
        None => "TLS failed".to_owned(),
    }
}

/// The finding for a connection that ended without an answer.
pub(super) fn of_first(error: &h2::Error) -> String {
    let stranger = not_http2(error).and_then(|fault| fault.cause);
    stranger.map_or_else(|| of_stream(error), |cause| cause.to_string())
}

pub(super) fn of_stream(error: &h2::Error) -> String {
    if let Some(error) = error.get_io() {
        of_io(error)
    } else if error.is_library() {
        "response is not HTTP/2".to_owned()
    } else {
        format!("no response: {}", Http2InWords(error))
    }
}

/// `text` for use in a reason: escaped, and no longer than a line.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTE_BOUND) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
