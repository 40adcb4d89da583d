//! Bounds of heads: `limits` of a frontend and of a backend.

use crate::base::ByteSize;
use crate::plan::{BackendLimits, FrontendLimits};

use super::{Keys, key};

/// As much as one read takes; every server accepts it.
const LEAST_HEAD: ByteSize = ByteSize(8 << 10);
/// More than any real head has. It bounds the memory that one client can take.
const MOST_HEAD: ByteSize = ByteSize(16 << 20);
/// Reading more to throw it away costs more than the answer is worth.
const MOST_LINGER: ByteSize = ByteSize(1 << 40);
/// `http::HeaderMap` holds 24,576 fields, and the parser makes room for the limit at once.
const MOST_FIELDS: i64 = 20_000;
/// `http::Uri` holds two bytes less than 64 KiB.
const MOST_TARGET: ByteSize = ByteSize(65_534);

pub(super) static FRONTEND_LIMITS: Keys<FrontendLimits> = Keys {
    keys: &[
        key("head")
            .means("The size of a request head; above it: 431.")
            .also("header_size max_header_bytes")
            .size(LEAST_HEAD, MOST_HEAD, |limits| &mut limits.head),
        key("fields")
            .means("The number of its fields; above it: 431.")
            .number(1, MOST_FIELDS, |limits| &mut limits.fields),
        key("target")
            .means("The size of a request target; above it: 414.")
            .also("uri url")
            .size(ByteSize(1), MOST_TARGET, |limits| &mut limits.target),
        key("linger")
            .means("Bytes of a request that are read and discarded after its response.")
            .size(ByteSize(0), MOST_LINGER, |limits| &mut limits.linger),
    ],
    hints: "
        headers: write `fields` for their number, `head` for their size
        body max_body body_size: bodies are passed on as they come: their size has no limit
        header: write `head` for the size, `fields` for the number
        connections: write `max_connections` in the frontend
    ",
    default: Some(FrontendLimits::default),
    ..Keys::EMPTY
};

pub(super) static BACKEND_LIMITS: Keys<BackendLimits> = Keys {
    keys: &[
        key("head")
            .means("The size of a response head; above it: 502.")
            .also("header_size")
            .size(LEAST_HEAD, MOST_HEAD, |limits| &mut limits.head),
        key("fields")
            .means("The number of its fields; above it: 502.")
            .number(1, MOST_FIELDS, |limits| &mut limits.fields),
    ],
    hints: "
        headers: write `fields` for their number, `head` for their size
        body body_size: bodies are passed on as they come: their size has no limit
        target: `target` is a key of `limits` in the `[frontend.NAME]`
    ",
    default: Some(BackendLimits::default),
    ..Keys::EMPTY
};
