//! What a frontend answers handshakes with now.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::ClientHello;

use crate::plan::{ClientAuth, HostPattern, Tls, TlsRules, UnknownNames};

use super::resumption::Resumption;
use super::rules::{BadRules, Offer, Rules, Trust, rules};
use super::store::Store;
use super::vouched::Calendar;

/// A frontend's terms, which can be exchanged while it runs.
#[derive(Debug)]
pub struct Acceptor {
    /// Written by `control::certs` when a file changed; read once for each handshake.
    terms: ArcSwap<Terms>,
}

/// What a handshake is answered with. Immutable: certificates, rules and authorities fit together.
#[derive(Debug)]
pub struct Terms {
    store: Arc<Store>,
    unknown_names: UnknownNames,
    default: Offer,
    exact: HashMap<Box<str>, Offer>,
    /// By what stands behind `*.`.
    wildcard: HashMap<Box<str>, Offer>,
}

impl Terms {
    /// The terms of `plan` with the certificates in `store`. `trust_of` has what was read from the
    /// files of each policy about client certificates, and the sessions that were begun under it.
    ///
    /// # Errors
    ///
    /// What is wrong with the rules.
    pub fn new<'a>(
        plan: &Tls,
        store: Arc<Store>,
        trust_of: impl Fn(&ClientAuth) -> Option<(Option<&'a Trust>, Resumption)>,
    ) -> Result<Self, BadRules> {
        let made = |plan: &TlsRules| {
            let (trust, resumption) = trust_of(&plan.client_auth).ok_or_else(BadRules::untold)?;
            let store = Arc::clone(&store);
            rules(plan, trust, store, &resumption, Arc::new(Calendar))
        };
        let mut terms = Self {
            default: made(&plan.rules)?,
            store: Arc::clone(&store),
            unknown_names: plan.unknown_names,
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        };
        for own in &plan.names {
            let (map, name) = match &own.name {
                HostPattern::Exact(name) => (&mut terms.exact, name),
                HostPattern::Wildcard(parent) => (&mut terms.wildcard, parent),
            };
            map.insert(name.as_str().into(), made(&own.rules)?);
        }
        Ok(terms)
    }

    /// The rules for a client that has said `hello`; `None`: it is to be refused.
    pub fn choose(&self, hello: &ClientHello<'_>) -> Option<Rules> {
        let name = hello.server_name();
        let is_known = name.is_some_and(|name| self.store.has(name));
        if self.unknown_names == UnknownNames::Refused && !is_known {
            return None;
        }
        let own = name.and_then(|name| {
            self.exact
                .get(name)
                .or_else(|| self.wildcard.get(name.split_once('.')?.1))
        });
        Some(own.unwrap_or(&self.default).rules())
    }
}

impl Acceptor {
    /// Begins with `terms`.
    pub fn new(terms: Arc<Terms>) -> Self {
        Self {
            terms: ArcSwap::new(terms),
        }
    }

    /// What holds now.
    pub fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }

    /// What holds from now on; connections that are there keep what they have.
    pub fn renew(&self, terms: Arc<Terms>) {
        self.terms.store(terms);
    }
}
