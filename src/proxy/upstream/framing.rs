//! What frames the body of an answer, held against what clients would make of it. For HTTP/1 the parser
//! has looked already (`wire::h1::response`); for HTTP/2 it is done here.

use http::{Response, StatusCode, header};

use crate::exchange::{Fault, Reason};
use crate::wire::content_length::{self, Lists};

/// Makes the length of an answer the only one that it says.
///
/// # Errors
///
/// There is more than one, or a transfer coding that is not taken off here.
pub(crate) fn check_framing<B>(response: &mut Response<B>) -> Result<(), Fault> {
    match is_framed(response) && has_one_length(response) {
        true => Ok(()),
        false => Err(Fault::new(Reason::ServerResponseMalformed)),
    }
}

/// Whether chunked is the only transfer coding: without the field, the client would take what is compressed
/// for what was meant.
fn is_framed<B>(response: &Response<B>) -> bool {
    let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// h2 does not look where no body follows, as in an answer to HEAD. Where the length means
/// nothing, it is not passed on, and is not looked at.
fn has_one_length<B>(response: &mut Response<B>) -> bool {
    let status = response.status();
    let headers = response.headers_mut();
    let means_nothing = status == StatusCode::NO_CONTENT
        || status == StatusCode::SWITCHING_PROTOCOLS
        || headers.contains_key(header::TRANSFER_ENCODING);
    means_nothing || content_length::settle(headers, Lists::Allowed).is_ok()
}
