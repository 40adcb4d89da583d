//! The keys of rules about the bodies of requests.

use crate::base::ByteSize;
use crate::config::keys::kind::Shape;
use crate::config::keys::{Key, key};
use crate::config::page::string;
use crate::plan::{Action, Rule};

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
