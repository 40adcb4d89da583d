//! Resolves the certificate of a handshake, for rustls.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::store::Store;

/// Looks certificates up in a store.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Arc<Store>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.find(&hello)
    }
}
