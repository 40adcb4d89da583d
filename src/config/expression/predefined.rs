//! Conditions that have a name: HAProxy's predefined ACLs (configuration manual, section 7.4).
//!
//! A name stands for its condition as if that were written in its place.

/// Names, each with its condition.
pub(super) const PREDEFINED: &[(&str, &str)] = &[
    ("TRUE", "always_true"),
    ("FALSE", "always_false"),
    ("HTTP", "req.proto_http"),
    ("HTTP_1.0", "req.ver == \"1.0\""),
    ("HTTP_1.1", "req.ver == \"1.1\""),
    ("HTTP_2.0", "req.ver == \"2.0\""),
    ("HTTP_CONTENT", "req.hdr_val(content-length) > 0"),
    ("HTTP_URL_ABS", "url matches \"^[^/:]*://\""),
    ("HTTP_URL_SLASH", "url starts_with \"/\""),
    ("HTTP_URL_STAR", "url == \"*\""),
    ("LOCALHOST", "src in [\"127.0.0.0/8\", \"::1\"]"),
    ("METH_CONNECT", "method == \"CONNECT\""),
    ("METH_DELETE", "method == \"DELETE\""),
    ("METH_GET", "method in [\"GET\", \"HEAD\"]"),
    ("METH_HEAD", "method == \"HEAD\""),
    ("METH_OPTIONS", "method == \"OPTIONS\""),
    ("METH_POST", "method == \"POST\""),
    ("METH_PUT", "method == \"PUT\""),
    ("METH_TRACE", "method == \"TRACE\""),
    ("RDP_COOKIE", "req.rdp_cookie_cnt > 0"),
    ("REQ_CONTENT", "req.len > 0"),
    ("WAIT_END", "wait_end"),
];

/// The condition that `name` stands for.
pub(super) fn predefined(name: &str) -> Option<&'static str> {
    let (_, condition) = PREDEFINED.iter().find(|(known, _)| *known == name)?;
    Some(condition)
}
