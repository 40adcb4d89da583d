//! Compares the framing of an answer's body with the way clients would read it. For HTTP/1 the
//! parser has done so (`wire::h1::response`); for HTTP/2 it is done here.

use http::{Response, StatusCode, header};

use crate::exchange::{Fault, Reason};
use crate::wire::content_length::{self, Lists};

/// Replaces the lengths of an answer by a single one.
///
/// # Errors
///
/// There are different lengths, or a transfer coding that is not decoded here.
pub(crate) fn check_framing<B>(response: &mut Response<B>) -> Result<(), Fault> {
    match is_framed(response) && has_one_length(response) {
        true => Ok(()),
        false => Err(Fault::new(Reason::ServerResponseMalformed)),
    }
}

/// Whether chunked is the only transfer coding: without the field, the client would take the coded
/// bytes for the content.
fn is_framed<B>(response: &Response<B>) -> bool {
    let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// h2 does not check the length if no body follows, as in an answer to HEAD. A length without a
/// meaning is not passed on, and not checked.
fn has_one_length<B>(response: &mut Response<B>) -> bool {
    let status = response.status();
    let headers = response.headers_mut();
    let means_nothing = status == StatusCode::NO_CONTENT
        || status == StatusCode::SWITCHING_PROTOCOLS
        || headers.contains_key(header::TRANSFER_ENCODING);
    means_nothing || content_length::settle(headers, Lists::Allowed).is_ok()
}
