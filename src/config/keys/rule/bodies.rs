//! The keys of rules about the bodies of requests.

use crate::base::ByteSize;
use crate::config::keys::kind::Shape;
use crate::config::keys::{Key, Keys, key};
use crate::config::page::{duration, string};
use crate::plan::{Action, Rule, WaitForBody};

use super::REQUEST;

/// The bounds of `max_body`.
pub(in crate::config) const MAX_BODY_SIZES: (ByteSize, ByteSize) =
    (ByteSize(0), ByteSize(i64::MAX as u64));

pub(super) const MAX_BODY: Key<Rule> = key("max_body")
    .means("The most bytes that the body of the request may have.")
    .also("client_max_body_size max_body_size max_request_body_bytes request_body")
    .action(
        REQUEST,
        &[(
            "max_body = \"1MiB\"",
            "Refuses a request with a longer body: see below. Reason `request.body.too_large`.",
        )],
    )
    .compiled(Shape::Size, |rule| match &rule.action {
        Action::MaxBody(size) => Some(string(&size.to_string())),
        _ => None,
    });

/// The table of `wait_for_body`.
pub(in crate::config) static WAIT_FOR_BODY_TABLE: Keys<WaitForBody> = Keys {
    keys: &[
        key("time")
            .means("How long the client may take; then 408.")
            .also("timeout")
            .compiled(Shape::Duration, |wait| Some(duration(wait.time))),
        key("at_least")
            .means("When so much has come, the rest is not waited for.")
            .compiled(Shape::Size, |wait| {
                wait.at_least.map(|size| string(&size.to_string()))
            }),
        key("size")
            .means("The most that is waited for and kept, at most \"1MiB\".")
            .also("max bufsize")
            .size(WaitForBody::SIZES.0, WaitForBody::SIZES.1, |wait| {
                &mut wait.size
            }),
    ],
    ..Keys::EMPTY
};

pub(super) const WAIT_FOR_BODY: Key<Rule> = key("wait_for_body")
    .means("Wait for the body of the request, for later rules.")
    .also("http_buffer_request buffer_request proxy_request_buffering")
    .action(
        REQUEST,
        &[(
            "wait_for_body = { time = \"10s\" }",
            "Waits for the body, for at most this time, so that later rules and routes can look at it (`req.body`, `req.body_param(name)`): see below. Reason `request.body.timeout`.",
        )],
    )
    .compiled(
        Shape::Table(&WAIT_FOR_BODY_TABLE),
        |rule| match &rule.action {
            Action::WaitForBody(wait) => Some(WAIT_FOR_BODY_TABLE.whole().inline(wait)),
            _ => None,
        },
    );
