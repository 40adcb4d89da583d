//! `security_headers`: the response fields that a security review asks for.

use std::time::Duration;

/// `security_headers = { … }`; a field that the answer has already stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityHeaders {
    /// `max-age` of `Strict-Transport-Security`, which is written on TLS connections alone
    /// (RFC 6797 §7.2). `None`: it is not written.
    pub hsts: Option<Duration>,
    /// `includeSubDomains` in it.
    pub hsts_subdomains: bool,
    /// `X-Content-Type-Options: nosniff`.
    pub nosniff: bool,
    /// `X-Frame-Options` (RFC 7034).
    pub frame_options: FrameOptions,
    /// `Referrer-Policy`.
    pub referrer_policy: ReferrerPolicy,
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self {
            hsts: Some(Duration::from_hours(365 * 24)),
            hsts_subdomains: false,
            nosniff: true,
            frame_options: FrameOptions::SameOrigin,
            referrer_policy: ReferrerPolicy::StrictOriginWhenCrossOrigin,
        }
    }
}

/// Which pages may show an answer in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameOptions {
    /// None.
    Deny,
    /// Those of the same origin.
    SameOrigin,
    /// The field is not written.
    Off,
}

/// What a browser tells other sites of the page that a link is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferrerPolicy {
    /// Nothing.
    NoReferrer,
    /// The whole address to the same origin, nothing to others.
    SameOrigin,
    /// The origin alone, and nothing from HTTPS to HTTP.
    StrictOrigin,
    /// The whole address to the same origin, to others as `StrictOrigin`.
    StrictOriginWhenCrossOrigin,
    /// The field is not written.
    Off,
}
