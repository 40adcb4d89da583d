//! What a connection brings along: `listen` fills it, and `inspect` and `serve` use it.

use crate::exchange::ProxyFields;
use crate::expr::Variables;
use crate::tables::Tracked;

/// What a connection has from before it is served, besides its ends.
#[derive(Default)]
pub(crate) struct Earlier {
    /// The fields of its PROXY header.
    pub(crate) proxy_fields: Option<Box<ProxyFields>>,
    /// The entries of tables that it tracks.
    pub(crate) tracked: Tracked,
    /// The variables that rules have set.
    pub(crate) variables: Variables,
}
