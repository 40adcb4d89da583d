//! TLS towards servers: trusted authorities, and our own certificate.
//!
//! The cache has read the files; a fault is reported at the line that names the file. The system's
//! authorities are in no file that the configuration names: they are read here, at each look at
//! files. Unchanged TLS is kept, with its connections and tickets.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::base::{Fingerprint, Name, Position, clock};
use crate::config::Diagnostic;
use crate::net::{TlsPeer, tls_error};
use crate::plan::{Backend, FileAt, Identity, Plan, Protocol, ServerTls, Trust};
use crate::proxy::backend::{self, TlsBySettings};
use crate::proxy::snapshot::Snapshot;
use crate::proxy::upstream::{Materials, Tls, Trusted};

use super::bundle::Authorities;
use super::file_cache::FileCache;
use super::load::{CANNOT_PARSE, Files};
use super::{content, judged};

/// The TLS of the backends of a plan, in their order. Settings with a mistake are missing, unless
/// they run already.
#[derive(Debug, Default)]
pub(super) struct ServerTlsSet(Vec<TlsBySettings>);

/// The sources of authorities and certificates.
struct Sources<'a> {
    file_cache: &'a FileCache,
    /// The system's authorities, once a backend needs them: many files, the same for all.
    system: OnceCell<Vec<CertificateDer<'static>>>,
}

impl Sources<'_> {
    fn system(&self) -> &[CertificateDer<'static>] {
        // Some systems have authorities that cannot be parsed; the others still count.
        self.system
            .get_or_init(|| rustls_native_certs::load_native_certs().certs)
    }
}

impl ServerTlsSet {
    /// The TLS that `plan` needs, from the files in `file_cache`; unchanged TLS is taken over from
    /// `before`.
    pub(super) fn of(
        plan: &Plan,
        file_cache: &FileCache,
        before: Option<&Snapshot>,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let sources = Sources {
            file_cache,
            system: OnceCell::new(),
        };
        let known = before.map(by_name).unwrap_or_default();
        let each = plan.backends.iter().map(|backend| {
            let known = known.get(&backend.name).copied();
            of_backend(backend, &sources, known, found)
        });
        Self(each.collect())
    }

    /// The backends with the same configuration as in `before` whose files have other content.
    pub(super) fn renewed(&self, plan: &Plan, before: &Snapshot) -> Vec<Name> {
        let known = by_name(before);
        let renewed = plan.backends.iter().zip(&self.0).filter(|(backend, tls)| {
            let Some(known) = known.get(&backend.name) else {
                return false;
            };
            let is_renewed = |(settings, tls)| {
                let known = known.tls.get(settings);
                known.is_some_and(|known| !Arc::ptr_eq(known, tls))
            };
            tls.iter().any(is_renewed) && known.is_like(backend)
        });
        renewed.map(|(backend, _)| backend.name.clone()).collect()
    }

    /// Gives each backend of `snapshot` its TLS. The snapshot is of the plan that this was made
    /// for, and is not shared yet.
    pub(super) fn equip(&self, snapshot: &mut Snapshot) {
        for (slot, tls) in snapshot.backends.iter_mut().zip(&self.0) {
            if are_same(&slot.tls, tls) {
                continue;
            }
            match Arc::get_mut(slot) {
                Some(backend) => backend.tls = tls.clone(),
                // It runs, and one of its files has other content, or its servers or their checks
                // have other settings.
                None => *slot = Arc::new(slot.with_tls(tls.clone())),
            }
        }
    }
}

fn are_same(known: &TlsBySettings, tls: &TlsBySettings) -> bool {
    let is_known = |(settings, tls)| {
        let known = known.get(settings);
        known.is_some_and(|known| Arc::ptr_eq(known, tls))
    };
    known.len() == tls.len() && tls.iter().all(is_known)
}

/// The backends of `snapshot` that have TLS.
fn by_name(snapshot: &Snapshot) -> HashMap<&Name, &Arc<backend::Backend>> {
    let backends = snapshot.backends.iter();
    backends
        .filter(|backend| !backend.tls.is_empty())
        .map(|backend| (&backend.plan.name, backend))
        .collect()
}

/// The TLS of `backend`: one for all of its servers and checks that have equal settings. It is not
/// shared with another backend, because its ticket cache is for a few hundred names.
fn of_backend(
    backend: &Backend,
    sources: &Sources<'_>,
    known: Option<&Arc<backend::Backend>>,
    found: &mut Vec<Diagnostic>,
) -> TlsBySettings {
    let mut made = TlsBySettings::new();
    for settings in backend.all_tls() {
        if made.contains_key(settings) {
            continue;
        }
        let known = known.and_then(|known| Some((known.plan.protocol, known.tls.get(settings)?)));
        let same = known.filter(|(protocol, _)| *protocol == backend.protocol);
        let same = same.map(|(_, tls)| tls);
        let tls = one(settings, backend.protocol, sources, same, found);
        // If nothing better can be made, the running TLS is kept.
        let tls = tls.or_else(|| known.map(|(_, tls)| Arc::clone(tls)));
        made.extend(tls.map(|tls| (settings.clone(), tls)));
    }
    made
}

/// The TLS for the settings `tls` and their files; `known`, if that is the same.
fn one(
    tls: &ServerTls,
    protocol: Protocol,
    sources: &Sources<'_>,
    known: Option<&Arc<Tls>>,
    found: &mut Vec<Diagnostic>,
) -> Option<Arc<Tls>> {
    let errors_before = super::errors(found);
    let mut hasher = DefaultHasher::new();
    let trusted = match &tls.trust {
        Trust::Authorities(files) => authorities(files, sources.file_cache, &mut hasher, found),
        Trust::System => Trusted::Signed {
            roots: system_roots(&tls.at, sources.system(), &mut hasher, found),
            certificates: Vec::new(),
        },
        Trust::Fingerprints(fingerprints) => Trusted::These(fingerprints.clone()),
        Trust::Anyone => Trusted::All,
    };
    let identity = match &tls.identity {
        Some(identity) => our_own(identity, sources.file_cache, &mut hasher, found),
        None => None,
    };
    if super::errors(found) > errors_before {
        return None;
    }
    let fingerprint = hasher.finish();
    if let Some(known) = known.filter(|known| known.fingerprint() == fingerprint) {
        return Some(Arc::clone(known));
    }
    let materials = Materials {
        trusted,
        identity,
        fingerprint,
    };
    match Tls::new(tls, protocol, materials) {
        Ok(tls) => Some(Arc::new(tls)),
        Err(error) => {
            let why = tls_error(&error, TlsPeer::Server);
            let message = format!("TLS to the servers cannot be set up: {why}");
            found.push(Diagnostic::at(&tls.at, message, ""));
            None
        }
    }
}

fn system_roots(
    at: &Position,
    system: &[CertificateDer<'static>],
    hasher: &mut DefaultHasher,
    found: &mut Vec<Diagnostic>,
) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in system {
        certificate.as_ref().hash(hasher);
    }
    roots.add_parsable_certificates(system.iter().cloned());
    if roots.is_empty() {
        found.push(Diagnostic::at(
            at,
            "the system has no CA certificates, so no server could be verified",
            "install the package `ca-certificates`, or write `ca = \"/path/to/ca.pem\"`",
        ));
    }
    roots
}

fn authorities(
    files: &[FileAt],
    file_cache: &FileCache,
    hasher: &mut DefaultHasher,
    found: &mut Vec<Diagnostic>,
) -> Trusted {
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for file in files {
        let slot = file_cache
            .authorities()
            .get(&Authorities(file.path.clone()));
        for certificate in content(file, slot, found) {
            certificate.as_ref().hash(hasher);
            // It may be the server's own certificate, which needs no authority.
            certificates.push(Fingerprint::of(&certificate));
            if !may_sign(&certificate) {
                continue;
            }
            if roots.add(certificate).is_err() {
                let shown = file.path.display();
                let message = format!("{shown} has a CA certificate that cannot be parsed");
                found.push(Diagnostic::at(&file.at, message, CANNOT_PARSE));
            }
        }
    }
    Trusted::Signed {
        roots,
        certificates,
    }
}

/// Whether it may sign other certificates: not with CA:FALSE, whatever file it is in.
fn may_sign(der: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der.as_ref()) else {
        return true;
    };
    let constraints = certificate.basic_constraints().ok().flatten();
    constraints.is_none_or(|constraints| constraints.value.ca)
}

fn our_own(
    identity: &Identity,
    file_cache: &FileCache,
    hasher: &mut DefaultHasher,
    found: &mut Vec<Diagnostic>,
) -> Option<Arc<CertifiedKey>> {
    let files = Files::of_identity(identity);
    let slot = file_cache.certificates().get(&files)?;
    let now = clock::unix_seconds(clock::wall());
    let refusing = "servers will refuse it";
    found.extend(judged(
        &identity.certificate.at,
        &files,
        slot,
        now,
        refusing,
    ));
    let ours = Arc::clone(&slot.good.as_ref()?.served.key);
    // The key is not part of the fingerprint: it belongs to the first certificate.
    for certificate in &ours.cert {
        certificate.as_ref().hash(hasher);
    }
    Some(ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::control::assemble;
    use crate::control::certs::Certs;
    use crate::control::certs::fixture::Folder;

    #[test]
    fn tls_with_equal_files_stays_and_with_other_files_is_renewed() {
        let folder = Folder::new();
        let (authority, _) = folder.pair(&["an authority"]);
        folder.write("ca.pem", &authority);
        folder.write("own.pem", &folder.whole(&["a.test"]));
        let path = |name| folder.path(name).display().to_string();
        let text = format!(
            "[frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\n\
             [backend.app]\nservers = '10.0.0.1:443'\n\
             tls = {{ ca = '{}', certificate = '{}' }}",
            path("ca.pem"),
            path("own.pem")
        );
        let Ok(loaded) = config::load_text("test.toml", &text) else {
            unreachable!("it is valid");
        };
        let mut certs = Certs::default();
        let mut runs = assemble(loaded.plan.clone(), 1);
        certs.prepare(&loaded.plan, None).equip(&mut runs);
        let first = runs.backends[0].tls.clone();
        assert_eq!(first.len(), 1);
        let app = [runs.backends[0].plan.name.clone()];
        let mut renewed = |before: &Snapshot| {
            let prepared = certs.prepare(&loaded.plan, Some(before));
            let names = prepared.renewed(&loaded.plan, before);
            let mut next = before.following();
            prepared.equip(&mut next);
            (names, next)
        };
        // The same content written again.
        folder.write("ca.pem", &authority);
        let (names, next) = renewed(&runs);
        assert_eq!(names, []);
        assert!(are_same(&next.backends[0].tls, &first));
        folder.write("ca.pem", "nothing");
        let (names, next) = renewed(&next);
        assert_eq!(names, []);
        assert!(are_same(&next.backends[0].tls, &first));
        folder.write("ca.pem", &folder.pair(&["another authority"]).0);
        let (names, next) = renewed(&next);
        assert_eq!(names, app);
        assert!(!are_same(&next.backends[0].tls, &first));
        folder.write("own.pem", &folder.whole(&["a.test"]));
        assert_eq!(renewed(&next).0, app);
    }

    #[test]
    fn servers_with_equal_settings_share_what_was_made_and_others_are_kept_when_one_changes() {
        let folder = Folder::new();
        for name in ["a.pem", "b.pem"] {
            folder.write(name, &folder.pair(&[name]).0);
        }
        let path = |name| folder.path(name).display().to_string();
        let (a, b) = (path("a.pem"), path("b.pem"));
        let plan = |protocol: &str| {
            let text = format!(
                "[frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\n\
                 [backend.app]\nprotocol = '{protocol}'\ntls = {{ ca = '{a}' }}\n\
                 health = {{ path = '/', host = 'a.test', tls = {{ ca = '{b}' }} }}\n\
                 servers = ['10.0.0.1:443', {{ address = '10.0.0.2:443', tls = {{ ca = '{b}' }} }},\n\
                 {{ address = '10.0.0.3:443', tls = {{ ca = '{b}' }} }}]"
            );
            config::load_text("test.toml", &text).map(|loaded| loaded.plan)
        };
        let first = plan("auto").expect("it is valid");
        let mut certs = Certs::default();
        let mut runs = assemble(first.clone(), 1);
        certs.prepare(&first, None).equip(&mut runs);
        let tls = runs.backends[0].tls.clone();
        assert_eq!(tls.len(), 2, "one for each file");
        let of = |ca: &str, tls: &TlsBySettings| {
            let is_it = |settings: &&ServerTls| match &settings.trust {
                Trust::Authorities(files) => files[0].path.to_str() == Some(ca),
                _ => false,
            };
            let settings = tls.keys().find(is_it).expect("it is there");
            Arc::clone(&tls[settings])
        };
        folder.write("b.pem", &folder.pair(&["other"]).0);
        let prepared = certs.prepare(&first, Some(&runs));
        assert_eq!(prepared.renewed(&first, &runs).len(), 1);
        let mut next = runs.following();
        prepared.equip(&mut next);
        let renewed = &next.backends[0].tls;
        assert!(Arc::ptr_eq(&of(&a, renewed), &of(&a, &tls)));
        assert!(!Arc::ptr_eq(&of(&b, renewed), &of(&b, &tls)));
        // ALPN offers another protocol.
        let second = plan("h2").expect("it is valid");
        let mut next = assemble(second.clone(), 1);
        certs.prepare(&second, Some(&runs)).equip(&mut next);
        assert!(!Arc::ptr_eq(&of(&a, &next.backends[0].tls), &of(&a, &tls)));
    }
}
