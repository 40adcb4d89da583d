//! What the rules of a proxy need to know of it.

use super::acl::Acls;
use super::global::Global;

/// Where a rule runs, as `on` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Request,
    Response,
    After,
}

/// What a proxy's rules need to know of it.
pub(super) struct Context<'a> {
    pub(super) acls: &'a Acls,
    /// The time of `timeout tarpit`, else that of `timeout connect`.
    pub(super) tarpit: Option<String>,
    /// The proxy's own table.
    pub(super) table: &'a str,
    /// For `errorfiles`.
    pub(super) global: &'a Global<'a>,
}
