//! The key of rules that keep values for the log, and its table.

use crate::config::keys::kind::Shape;
use crate::config::keys::{Key, Keys, key};
use crate::config::page::string;
use crate::plan::{Action, Capture, LAST_CAPTURE, MOST_CAPTURED_BYTES, Rule};

use super::REQUEST_OR_RESPONSE;

/// The table of `capture`.
pub(in crate::config) static CAPTURE_TABLE: Keys<Capture> = Keys {
    keys: &[
        key("value")
            .means("The expression whose value is kept.")
            .also("sample")
            .compiled(Shape::Text, |capture| {
                Some(string(&capture.value.to_string()))
            }),
        key("len")
            .means("The most bytes that are kept of it.")
            .also("length max")
            .number(1, MOST_CAPTURED_BYTES as i64, |capture| &mut capture.len),
        key("id")
            .means("Its place in `%hr` or `%hs`; else its position among the rules of its list with `capture` and the same `on`.")
            .also("slot index")
            .number(0, LAST_CAPTURE as i64, |capture| &mut capture.id),
    ],
    ..Keys::EMPTY
};

pub(super) const CAPTURE: Key<Rule> = key("capture")
    .means("Keep a value for the log.")
    .also("capture_request_header capture_response_header declare_capture")
    .action(
        REQUEST_OR_RESPONSE,
        &[(
            "capture = { value = \"req.hdr(host)\", len = 64 }",
            "Keeps the value for the log, where `%hr` has those of requests and `%hs` those of responses, and for later rules as `capture.req.hdr(0)` or `capture.res.hdr(0)`: see below.",
        )],
    )
    .compiled(Shape::Table(&CAPTURE_TABLE), |rule| match &rule.action {
        Action::Capture(capture) => Some(CAPTURE_TABLE.whole().inline(capture)),
        _ => None,
    });
