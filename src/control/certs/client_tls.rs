//! TLS towards clients: certificates by name, and which clients are accepted.
//!
//! The cache has read the files; a fault is reported at the line that names the file. Each TLS of a
//! frontend becomes [`Terms`], which all its binds with that TLS share.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::base::{Position, clock};
use crate::config::Diagnostic;
use crate::net::{TlsPeer, tls_error};
use crate::plan::{ClientAuth, HostPattern, Need, Tls, UnknownNames};
use crate::proxy::tls::{Resumption, Store, StoreBuilder, Terms, Trust};

use super::bundle::{Authorities, RevokedList};
use super::{Certs, as_before, content, errors, judged};

/// The effect of a frontend's certificate that is not valid at present.
const REFUSED_BY_CLIENTS: &str = "clients will refuse it";

/// Which clients may begin a session. Only binds with equal policies share a session cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Policy {
    Any,
    Shown {
        need: Need,
        roots: Vec<CertificateDer<'static>>,
        revoked: Vec<Vec<u8>>,
    },
}

impl Certs {
    /// The terms of `tls`; `None`: it has a mistake, which is in `found`.
    pub(super) fn terms(&mut self, tls: &Tls, found: &mut Vec<Diagnostic>) -> Option<Terms> {
        let store = self.store(tls, found);
        let errors_before = errors(found);
        let mut trusts: HashMap<&ClientAuth, (Option<Trust>, Resumption)> = HashMap::new();
        for rules in tls.all_rules() {
            if trusts.contains_key(&rules.client_auth) {
                continue;
            }
            match self.trust(&rules.client_auth) {
                Ok(trust) => match self.resumption(trust.as_ref()) {
                    Ok(resumption) => {
                        trusts.insert(&rules.client_auth, (trust, resumption));
                    }
                    Err(error) => {
                        let why = tls_error(&error, TlsPeer::Client);
                        found.push(at_certificates(tls, why));
                    }
                },
                Err(diagnostics) => found.extend(diagnostics),
            }
        }
        if errors(found) > errors_before {
            return None;
        }
        let trust_of = |auth: &ClientAuth| {
            let known = trusts.get(auth);
            known.map(|(trust, resumption)| (trust.as_ref(), resumption.clone()))
        };
        match Terms::new(tls, Arc::new(store?), trust_of) {
            Ok(terms) => Some(terms),
            Err(error) => {
                let asked = tls.all_rules().find_map(|rules| match &rules.client_auth {
                    ClientAuth::On(asked) => asked.ca.first(),
                    ClientAuth::Off => None,
                });
                found.push(match asked {
                    Some(file) => Diagnostic::at(
                        &file.at,
                        format!("client certificates cannot be verified: {error}"),
                        "",
                    ),
                    None => at_certificates(tls, error.to_string()),
                });
                None
            }
        }
    }

    /// The certificates of `tls` that can be served. In a directory, a file that could never be
    /// used is an error but does not prevent the others: the caller refuses `tls` because of
    /// `found`.
    fn store(&self, tls: &Tls, found: &mut Vec<Diagnostic>) -> Option<Store> {
        let errors_before = errors(found);
        let now = clock::unix_seconds(clock::wall());
        let mut store = StoreBuilder::default();
        let mut is_empty = true;
        for source in &tls.certificates {
            let listed = self.file_cache.files(source);
            if let Some(fault) = self.file_cache.directory_fault(source) {
                found.push(match listed.is_empty() {
                    true => Diagnostic::at(&source.at, &fault.message, fault.help),
                    false => as_before(&source.at, &source.path, fault),
                });
            }
            for files in listed {
                let Some(slot) = self.file_cache.certificates().get(&files) else {
                    continue;
                };
                found.extend(judged(&source.at, &files, slot, now, REFUSED_BY_CLIENTS));
                if let Some(loaded) = &slot.good {
                    store.add(&loaded.served);
                    is_empty = false;
                }
            }
        }
        let has_errors = errors(found) > errors_before;
        if is_empty {
            if !has_errors {
                found.push(at_certificates(
                    tls,
                    "there is no certificate here: only files that end in `.pem`, `.crt` or `.cer` are \
                     read from a directory"
                        .to_owned(),
                ));
            }
            return None;
        }
        let name = tls.default.as_ref().map(|default| default.name.as_str());
        let store = store.build(name);
        if has_errors {
            // The names of the unusable file are not known.
            return store;
        }
        found.extend(store.iter().flat_map(|store| uncovered(tls, store)));
        if let (None, Some(default)) = (&store, &tls.default) {
            found.push(Diagnostic::at(
                &default.at,
                format!("no certificate here has the name {:?}", default.name),
                "write a name that is in one of the certificates",
            ));
        }
        store
    }

    /// The CAs of clients' certificates, from the files.
    pub(super) fn trust(&self, auth: &ClientAuth) -> Result<Option<Trust>, Vec<Diagnostic>> {
        let ClientAuth::On(asked) = auth else {
            return Ok(None);
        };
        let mut found = Vec::new();
        let mut trust = Trust {
            need: asked.need,
            roots: Vec::new(),
            revoked: Vec::new(),
        };
        for file in &asked.ca {
            let slot = self
                .file_cache
                .authorities()
                .get(&Authorities(file.path.clone()));
            trust.roots.extend(content(file, slot, &mut found));
        }
        for file in &asked.crl {
            let slot = self
                .file_cache
                .revoked()
                .get(&RevokedList(file.path.clone()));
            trust.revoked.extend(content(file, slot, &mut found));
        }
        match found.is_empty() {
            true => Ok(Some(trust)),
            false => Err(found),
        }
    }

    fn resumption(&mut self, trust: Option<&Trust>) -> Result<Resumption, rustls::Error> {
        let policy = policy_of(trust);
        if let Some(known) = self.resumptions.get(&policy) {
            return Ok(known.clone());
        }
        let new = Resumption::new()?;
        self.resumptions.insert(policy, new.clone());
        Ok(new)
    }
}

/// Names with rules for which there is no certificate.
fn uncovered(tls: &Tls, store: &Store) -> impl Iterator<Item = Diagnostic> {
    let uncovered = tls.names.iter().filter(|own| !store.covers(&own.name));
    uncovered.map(|own| {
        let shown = match &own.name {
            HostPattern::Exact(name) => name.clone(),
            HostPattern::Wildcard(parent) => format!("*.{parent}"),
        };
        let outcome = match tls.unknown_names {
            UnknownNames::Default => "clients that ask for it get the default certificate",
            UnknownNames::Refused => "clients that ask for it are refused",
        };
        let message = format!("no certificate here has the name {shown:?}: {outcome}");
        let help = "add its certificate to `certificates`, or leave this name out";
        Diagnostic::warning_at(&own.at, message, help)
    })
}

pub(super) fn policy_of(trust: Option<&Trust>) -> Policy {
    match trust {
        None => Policy::Any,
        Some(trust) => Policy::Shown {
            need: trust.need,
            roots: trust.roots.clone(),
            revoked: trust.revoked.iter().map(|list| list.to_vec()).collect(),
        },
    }
}

fn at_certificates(tls: &Tls, message: String) -> Diagnostic {
    let at = tls.certificates.first().map(|source| source.at.clone());
    Diagnostic::at(&at.unwrap_or_else(Position::built_in), message, "")
}
