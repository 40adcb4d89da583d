//! The files that TLS towards servers needs: authorities, and certificates of our own.
//!
//! They are read for `check`, at the start and at each reload; a fault is said at the line that names
//! the file. What says the same as before stays as it is, with its connections and tickets.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::base::{Name, Place};
use crate::config::Diagnostic;
use crate::plan::{Backend, FileAt, Identity, Plan, ServerTls, Trust};
use crate::proxy::backend;
use crate::proxy::snapshot::Snapshot;
use crate::proxy::upstream::{Materials, Tls};

/// What the backends of a plan shake hands with, in their order.
#[derive(Debug)]
pub struct ServerTlsSet(Vec<Option<Arc<Tls>>>);

type Chain = Vec<CertificateDer<'static>>;

impl ServerTlsSet {
    /// Reads what `plan` names, and keeps what `before` has of it. Gives everything that is wrong with
    /// the files, too; with an error among that the set is of no use.
    pub(super) fn read(plan: &Plan, before: Option<&Snapshot>) -> (Self, Vec<Diagnostic>) {
        let mut found = Vec::new();
        let list = plan.backends.iter().map(|backend| {
            let tls = backend.tls.as_ref()?;
            let known = before.and_then(|before| known_of(before, backend));
            one(tls, backend, known, &mut found)
        });
        (Self(list.collect()), found)
    }

    /// The backends that `before` has in the same words, and whose files say something else.
    pub(super) fn renewed(&self, plan: &Plan, before: &Snapshot) -> Vec<Name> {
        let renewed = plan.backends.iter().zip(&self.0).filter(|(backend, tls)| {
            let known = before.backends.iter().find(|one| one.plan == **backend);
            known.is_some_and(|known| !is_same(known.tls.as_ref(), tls.as_ref()))
        });
        renewed.map(|(backend, _)| backend.name.clone()).collect()
    }

    /// Gives each backend of `snapshot` its own. The snapshot is that of the plan this was made for,
    /// and nobody else has it yet.
    pub fn equip(self, snapshot: &mut Snapshot) {
        for (slot, tls) in snapshot.backends.iter_mut().zip(self.0) {
            if is_same(slot.tls.as_ref(), tls.as_ref()) {
                continue;
            }
            match Arc::get_mut(slot) {
                Some(backend) => backend.tls = tls,
                // It runs: only what its files say has changed.
                None => {
                    let mut fresh =
                        backend::Backend::new(slot.plan.clone(), slot.servers.clone(), Some(slot));
                    fresh.tls = tls;
                    *slot = Arc::new(fresh);
                }
            }
        }
    }
}

fn is_same(left: Option<&Arc<Tls>>, right: Option<&Arc<Tls>>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left, right),
        (None, None) => true,
        _ => false,
    }
}

fn known_of<'a>(before: &'a Snapshot, plan: &Backend) -> Option<&'a Arc<Tls>> {
    let known = before
        .backends
        .iter()
        .find(|one| one.plan.name == plan.name);
    known?.tls.as_ref()
}

fn one(
    tls: &ServerTls,
    backend: &Backend,
    known: Option<&Arc<Tls>>,
    found: &mut Vec<Diagnostic>,
) -> Option<Arc<Tls>> {
    let mut hasher = DefaultHasher::new();
    let roots = match &tls.trust {
        Trust::Anyone => None,
        Trust::System => Some(system_roots(&tls.at, found)),
        Trust::Authorities(files) => Some(authorities(files, &mut hasher, found)),
    };
    let identity = match &tls.identity {
        None => None,
        Some(identity) => Some(our_own(identity, &mut hasher, found)?),
    };
    if found.iter().any(Diagnostic::is_error) {
        return None;
    }
    let fingerprint = hasher.finish();
    if let Some(known) = known.filter(|known| known.is_of(tls, backend.protocol, fingerprint)) {
        return Some(Arc::clone(known));
    }
    let materials = Materials {
        roots,
        identity,
        fingerprint,
    };
    match Tls::new(tls, backend.protocol, materials) {
        Ok(tls) => Some(Arc::new(tls)),
        Err(error) => {
            let at = match &tls.identity {
                Some(identity) => &identity.certificate.at,
                None => &tls.at,
            };
            let help = "the certificate and its key must belong together";
            found.push(Diagnostic::at(
                at,
                format!("TLS towards the servers cannot be set up: {error}"),
                help,
            ));
            None
        }
    }
}

fn system_roots(at: &Place, found: &mut Vec<Diagnostic>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    // Some systems have authorities that nobody can read; the others still count.
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        found.push(Diagnostic::at(
            at,
            "the system believes no authority, so no server could be believed",
            "install the package `ca-certificates`, or write `ca = \"/path/to/ca.pem\"`",
        ));
    }
    roots
}

fn authorities(
    files: &[FileAt],
    hasher: &mut DefaultHasher,
    found: &mut Vec<Diagnostic>,
) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for file in files {
        let Some(chain) = read_chain(file, hasher, found) else {
            continue;
        };
        for certificate in chain {
            if let Err(error) = roots.add(certificate) {
                complain(
                    file,
                    &format!("has an authority that cannot be used: {error}"),
                    found,
                );
            }
        }
    }
    roots
}

fn our_own(
    identity: &Identity,
    hasher: &mut DefaultHasher,
    found: &mut Vec<Diagnostic>,
) -> Option<(Chain, PrivateKeyDer<'static>)> {
    let chain = read_chain(&identity.certificate, hasher, found);
    let file = identity.key.as_ref().unwrap_or(&identity.certificate);
    let text = read(file, found)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => {
            key.secret_der().hash(hasher);
            Some((chain?, key))
        }
        Err(PemError::NoItemsFound) => {
            complain(file, "has no private key", found);
            None
        }
        Err(error) => {
            complain(file, &format!("is no PEM file: {error}"), found);
            None
        }
    }
}

fn read_chain(
    file: &FileAt,
    hasher: &mut DefaultHasher,
    found: &mut Vec<Diagnostic>,
) -> Option<Chain> {
    let text = read(file, found)?;
    let chain: Result<Chain, PemError> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            complain(file, "has no certificate", found);
            None
        }
        Ok(chain) => {
            for certificate in &chain {
                certificate.as_ref().hash(hasher);
            }
            Some(chain)
        }
        Err(error) => {
            complain(file, &format!("is no PEM file: {error}"), found);
            None
        }
    }
}

fn read(file: &FileAt, found: &mut Vec<Diagnostic>) -> Option<Vec<u8>> {
    match fs::read(&file.path) {
        Ok(text) => Some(text),
        Err(error) => {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "does not exist".to_owned(),
                _ => format!("cannot be read: {error}"),
            };
            complain(file, &why, found);
            None
        }
    }
}

fn complain(file: &FileAt, why: &str, found: &mut Vec<Diagnostic>) {
    let message = format!("`{}` {why}", file.path.display());
    found.push(Diagnostic::at(&file.at, message, ""));
}
