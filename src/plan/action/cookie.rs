//! Attributes of cookies that servers set.

/// `cookie_attributes = { … }`, on `Set-Cookie` (RFC 6265 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CookieAttributes {
    /// The names of the cookies; empty: all.
    pub names: Vec<String>,
    /// Whether `Secure` is added.
    pub secure: bool,
    /// Whether `HttpOnly` is added.
    pub http_only: bool,
    /// The value of `SameSite`, in place of the server's.
    pub same_site: Option<SameSite>,
}

/// The value of `SameSite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// `Strict`
    Strict,
    /// `Lax`
    Lax,
    /// `None`
    None,
}
