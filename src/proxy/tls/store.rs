//! Certificates by name.
//!
//! An exact name comes before a wildcard, which stands for exactly one label (RFC 9525 §6.3). Of
//! several for one name and one kind of key, the first one is used. Immutable: a renewed
//! certificate makes another store, which shares all that has not changed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

use crate::plan::HostPattern;

/// A certificate that can be served.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// The chain and the key.
    pub key: Arc<CertifiedKey>,
    /// The kind of the key.
    pub kind: KeyKind,
    /// In lower case; wildcards begin with `*.`.
    pub names: Vec<Box<str>>,
}

/// A kind of key, the cheapest to sign with first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyKind {
    /// On any curve; Ed25519 too.
    Ecdsa,
    /// Any length.
    Rsa,
}

/// All certificates of binds with the same TLS.
#[derive(Debug, Default)]
pub struct Store {
    exact: HashMap<Box<str>, Choice>,
    /// By the part after `*.`.
    wildcard: HashMap<Box<str>, Choice>,
    /// The part after the first label of each of `exact`.
    parents: HashSet<Box<str>>,
    default: Choice,
}

/// The certificates of one name, at most one of each kind, in the order of kinds.
type Choice = Vec<Arc<Certificate>>;

/// A store that is being built.
#[derive(Debug, Default)]
pub(crate) struct StoreBuilder(Store);

impl StoreBuilder {
    /// Adds a certificate; the first is the default.
    pub(crate) fn add(&mut self, certificate: &Arc<Certificate>) {
        let store = &mut self.0;
        for name in &certificate.names {
            let (map, name) = match name.strip_prefix("*.") {
                Some(parent) => (&mut store.wildcard, parent),
                None => {
                    if let Some((_, parent)) = name.split_once('.')
                        && !store.parents.contains(parent)
                    {
                        store.parents.insert(parent.into());
                    }
                    (&mut store.exact, &**name)
                }
            };
            add(map.entry(name.into()).or_default(), certificate);
        }
        // A certificate with the same names as the first and another kind of key belongs to it.
        let is_twin = |first: &Arc<Certificate>| first.names == certificate.names;
        if store.default.first().is_none_or(is_twin) {
            add(&mut store.default, certificate);
        }
    }

    /// The store; `default` is the name of its default certificates, if given. `None`: no
    /// certificate has that name.
    pub(crate) fn build(self, default: Option<&str>) -> Option<Store> {
        let mut store = self.0;
        if let Some(name) = default {
            store.default = store.of(name)?.clone();
        }
        Some(store)
    }
}

fn add(choice: &mut Choice, certificate: &Arc<Certificate>) {
    if choice.iter().all(|known| known.kind != certificate.kind) {
        choice.push(Arc::clone(certificate));
        choice.sort_by_key(|known| known.kind);
    }
}

impl Store {
    /// Whether some certificate is for `name`, which is in lower case.
    pub fn has(&self, name: &str) -> bool {
        self.of(name).is_some()
    }

    /// Whether some certificate covers a name that matches `pattern`, a wildcard for one label.
    pub fn covers(&self, pattern: &HostPattern) -> bool {
        match pattern {
            HostPattern::Exact(name) => self.has(name),
            HostPattern::Wildcard(parent) => {
                self.wildcard.contains_key(parent.as_str())
                    || self.parents.contains(parent.as_str())
            }
        }
    }

    /// The best certificate for a client with the ClientHello `hello`; `None`: none is usable.
    pub(super) fn find(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let choice = hello.server_name().and_then(|name| self.of(name));
        choice
            .unwrap_or(&self.default)
            .iter()
            .find(|certificate| is_usable(certificate, hello.signature_schemes()))
            .map(|certificate| Arc::clone(&certificate.key))
    }

    fn of(&self, name: &str) -> Option<&Choice> {
        self.exact
            .get(name)
            .or_else(|| self.wildcard.get(name.split_once('.')?.1))
    }
}

fn is_usable(certificate: &Certificate, schemes: &[SignatureScheme]) -> bool {
    certificate.key.key.choose_scheme(schemes).is_some()
}
