//! `use_server`: the request goes to this server of the backend if it is up.

use http::Request;

use crate::base::Name;
use crate::proxy::rules::{Flow, Scope, UsedServers};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct UseServer(pub(super) Name);

impl Act for UseServer {
    fn on_request<B>(&self, request: &mut Request<B>, _: &Scope<'_>) -> Done {
        let named = request.extensions_mut();
        let UsedServers(named) = named.get_or_insert_default();
        named.push(self.0.clone());
        Ok(Flow::Continue)
    }
}
