//! What the rules of a proxy need to know of it.

use std::cell::Cell;

use super::acl::Acls;
use super::capture::Places;
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
    /// For `errorfiles`, and the lists of users.
    pub(super) global: &'a Global<'a>,
    /// Where captured values go.
    pub(super) places: &'a Places<'a>,
    /// The variable that is set where `allow` has ended the rules of this part; `None`: none has yet.
    pub(super) allowed: Cell<Option<On>>,
    /// Whether the passwords of the list of users have been verified.
    pub(super) has_verified: Cell<bool>,
}
