//! The TLS terms of the binds of a frontend that have the same TLS.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

use crate::plan::{ClientAuth, HostPattern, Tls, TlsRules, UnknownNames};

use super::admission::{Admission, Lapsed};
use super::client_cert_sessions::Calendar;
use super::resumption::{PolicyId, Resumption};
use super::rules::{BadRules, Offer, Rules, Trust, rules};
use super::store::Store;

/// The terms of one TLS of a frontend, which can be exchanged at run time.
#[derive(Debug)]
pub struct Acceptor {
    /// Written by `control::certs` when a file has changed; read once for each handshake.
    terms: ArcSwap<Terms>,
    /// How often `terms` were exchanged. Written after them with `Release`; a handshake that reads the new
    /// number with `Acquire` finds the new terms.
    version: AtomicU64,
}

/// The terms of handshakes. Immutable: certificates, rules and authorities fit together.
#[derive(Debug)]
pub struct Terms {
    store: Arc<Store>,
    unknown_names: UnknownNames,
    default: Rule,
    exact: HashMap<Box<str>, Rule>,
    /// By the part after `*.`.
    wildcard: HashMap<Box<str>, Rule>,
}

/// The rules of one name.
#[derive(Debug)]
struct Rule {
    offer: Offer,
    policy: PolicyId,
}

impl Terms {
    /// The terms of `plan` with the certificates in `store`. `trust_of` has the content of the
    /// files of each policy about client certificates, and the sessions that were begun under it.
    ///
    /// # Errors
    ///
    /// The mistake in the rules.
    pub fn new<'a>(
        plan: &Tls,
        store: Arc<Store>,
        trust_of: impl Fn(&ClientAuth) -> Option<(Option<&'a Trust>, Resumption)>,
    ) -> Result<Self, BadRules> {
        let made = |plan: &TlsRules| {
            let (trust, resumption) = trust_of(&plan.client_auth).ok_or_else(BadRules::untold)?;
            let store = Arc::clone(&store);
            let offer = rules(plan, trust, store, &resumption, Arc::new(Calendar))?;
            let policy = resumption.policy();
            Ok::<_, BadRules>(Rule { offer, policy })
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

    /// The rules for a client with the ClientHello `hello`, and the policy under which they admit
    /// it; `None`: it must be refused.
    pub fn choose(&self, hello: &ClientHello<'_>) -> Option<(Rules, PolicyId)> {
        let name = hello.server_name();
        let is_known = name.is_some_and(|name| self.store.has(name));
        if self.unknown_names == UnknownNames::Refused && !is_known {
            return None;
        }
        let rule = self.rule_of(name);
        Some((rule.offer.rules(), rule.policy.clone()))
    }

    /// The certificate for a client with the ClientHello `hello`.
    pub fn certificate(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.store.find(hello)
    }

    /// Whether a client that was admitted by `admission` with the SNI `server_name` would be
    /// admitted now.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_again(
        &self,
        server_name: Option<&str>,
        admission: &Admission,
        now: SystemTime,
    ) -> Result<(), Lapsed> {
        let Rule { offer, policy } = self.rule_of(server_name);
        admission.check_again(offer, policy, now)
    }

    /// Whether some name requires a client certificate.
    pub fn needs_certificates(&self) -> bool {
        let own = self.exact.values().chain(self.wildcard.values());
        own.chain([&self.default])
            .any(|rule| rule.offer.needs_certificate())
    }

    fn rule_of(&self, name: Option<&str>) -> &Rule {
        let own = name.and_then(|name| {
            self.exact
                .get(name)
                .or_else(|| self.wildcard.get(name.split_once('.')?.1))
        });
        own.unwrap_or(&self.default)
    }
}

impl Acceptor {
    /// Begins with `terms`.
    pub fn new(terms: Arc<Terms>) -> Self {
        Self {
            terms: ArcSwap::new(terms),
            version: AtomicU64::new(0),
        }
    }

    /// The present terms.
    pub fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }

    /// How often they have changed.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Sets the terms. Existing connections keep their keys; whether their clients would still be
    /// admitted is checked before their next requests.
    pub fn renew(&self, terms: Arc<Terms>) {
        self.terms.store(terms);
        self.version.fetch_add(1, Ordering::Release);
    }
}
