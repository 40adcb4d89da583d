//! `redirect`: where a client is sent.

use http::StatusCode;

use crate::plan::expr::Template;

/// `redirect = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// The new location.
    pub to: RedirectTo,
}

/// The new location of a redirect.
#[derive(Clone, Debug, PartialEq)]
pub enum RedirectTo {
    /// This URL or path.
    Location(Template),
    /// This URL or path, followed by the path and the query of the request.
    Prefix(Template),
    /// To the same host, path and query with another scheme.
    Scheme(Template),
}
