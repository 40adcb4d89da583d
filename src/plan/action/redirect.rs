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
    /// Whether the query of the request is left out, with a prefix or a scheme.
    pub drop_query: bool,
    /// Whether the location gets a `/` at its end; only without a query.
    pub append_slash: bool,
    /// Whether the query of the request follows a location.
    pub keep_query: bool,
    /// Whether the rule has no effect if the value of the new location is empty.
    pub ignore_empty: bool,
    /// A cookie that the client sets or removes.
    pub cookie: Option<RedirectCookie>,
}

/// The cookie of a redirect, for every path of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectCookie {
    /// `set_cookie = "name=value"`, until the browser is closed.
    Set(String),
    /// `clear_cookie = "name"`
    Clear(String),
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
