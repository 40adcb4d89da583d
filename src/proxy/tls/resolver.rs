//! The certificate for a handshake, as rustls asks for it.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::store::Store;

/// Looks into a store.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Arc<Store>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.find(&hello)
    }
}
