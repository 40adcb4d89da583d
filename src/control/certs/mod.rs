//! Certificates: read from files, used for handshakes with clients and servers, and renewed at run
//! time.
//!
//! `load` reads one, `file_cache` has all of them and knows which changed; `client_tls` makes
//! [`Terms`] of them for each TLS of a frontend, and `server_tls` the TLS of backends. Faults are
//! reported at the line of the configuration that names the file. A renewed file takes effect
//! without a reload; an unusable one changes nothing, whether it is found at a reload or in
//! between.

mod bundle;
mod client_tls;
mod directory;
mod file_cache;
#[cfg(test)]
pub(super) mod fixture;
mod load;
mod server_tls;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::base::{Name, Position, clock, tasks};
use crate::config::Diagnostic;
use crate::observe::{CertificateResult, event};
use crate::plan::{FileAt, Plan, Tls};
use crate::proxy::snapshot::Snapshot;
use crate::proxy::tls::{Acceptor, Resumption, Terms};

use super::{State, publish};
use client_tls::{Policy, policy_of};
use file_cache::{FileCache, Slot};
use load::Files;
use server_tls::ServerTlsSet;

/// A warning is logged so many days before a certificate expires, once for each number. 0: it has
/// expired.
const REMIND_AT_DAYS: [i64; 4] = [21, 7, 1, 0];

/// The most files, and names of certificates, that the log lists one by one; for more, it has their
/// number.
const NAMED_IN_LOG: usize = 20;

const DAY: i64 = 24 * 60 * 60;

/// All certificates of a proxy, and the sessions of their clients.
#[derive(Debug, Default)]
pub struct Certs {
    file_cache: FileCache,
    /// See [`Resumption`]. Entries of policies that no bind has are dropped.
    resumptions: HashMap<Policy, Resumption>,
    /// Findings that have not taken effect and are not in the log yet.
    findings: file_cache::Findings,
    /// For each certificate that expires soon: when it expires, and how many days before that it
    /// was last logged.
    reminded: HashMap<Files, (i64, i64)>,
}

/// The certificates of a plan, ready for use.
#[derive(Debug, Default)]
pub struct Prepared {
    /// For each frontend of the plan, for each of its TLS; `None`: it has a mistake.
    terms: Vec<Vec<Option<Arc<Terms>>>>,
    servers: ServerTlsSet,
    /// Errors where nothing can be served, warnings where other content is served.
    pub diagnostics: Vec<Diagnostic>,
}

/// The facts about certificates for metrics and status.
#[derive(Debug, Default)]
pub(super) struct Overview {
    /// By name: when it expires, in seconds since 1970; the first of several.
    pub(super) expiries: BTreeMap<Box<str>, i64>,
    /// Files that cannot be used at present, and why.
    pub(super) broken: Vec<(PathBuf, String)>,
}

impl Certs {
    /// Reads the files of `plan` and prepares handshakes from them; unchanged TLS for servers is
    /// taken over from `before`. Blocks, perhaps for seconds.
    pub fn prepare(&mut self, plan: &Plan, before: Option<&Snapshot>) -> Prepared {
        self.findings.add(self.file_cache.look(plan));
        let mut prepared = Prepared::default();
        let found = &mut prepared.diagnostics;
        for frontend in &plan.frontends {
            let terms = frontend.tls.iter();
            let terms = terms.map(|tls| self.terms(tls, found).map(Arc::new));
            prepared.terms.push(terms.collect());
        }
        prepared.servers = ServerTlsSet::of(plan, &self.file_cache, before, found);
        prepared
    }

    /// Forgets what `plan`, which runs from now on, does not use.
    fn settle(&mut self, plan: &Plan) {
        self.file_cache.retain(plan);
        let tls = plan.frontends.iter().flat_map(|frontend| &frontend.tls);
        let rules = tls.flat_map(Tls::all_rules);
        let used: HashSet<Policy> = rules
            .filter_map(|rules| Some(policy_of(self.trust(&rules.client_auth).ok()?.as_ref())))
            .collect();
        self.resumptions.retain(|policy, _| used.contains(policy));
    }

    /// Logs which certificates expire soon, a few times each.
    fn remind(&mut self) {
        let now = clock::unix_seconds(clock::wall());
        let certificates = self.file_cache.certificates().iter();
        let loaded = certificates.filter_map(|(files, slot)| Some((files, slot.good.as_ref()?)));
        for (files, loaded) in loaded {
            let left = loaded.not_after - now;
            let is_near = |days: &i64| left <= days * DAY;
            let Some(days) = REMIND_AT_DAYS.into_iter().rfind(is_near) else {
                self.reminded.remove(files);
                continue;
            };
            let this = (loaded.not_after, days);
            if self.reminded.get(files) != Some(&this) {
                event::certificate_expires(&files.certificate, left.div_euclid(DAY));
                self.reminded.insert(files.clone(), this);
            }
        }
        let known = self.file_cache.certificates();
        self.reminded.retain(|files, _| known.contains_key(files));
    }

    fn overview(&self) -> Overview {
        let mut overview = Overview::default();
        for (files, slot) in self.file_cache.certificates() {
            let Some(loaded) = &slot.good else {
                continue;
            };
            let file = files.certificate.to_string_lossy();
            let name = loaded.served.names.first().map_or(&*file, |name| &**name);
            let expiry = overview.expiries.entry(name.into()).or_insert(i64::MAX);
            *expiry = loaded.not_after.min(*expiry);
        }
        let faults = self.file_cache.faults().into_iter();
        overview.broken = faults
            .map(|(path, fault)| (path.to_owned(), fault.message.clone()))
            .collect();
        overview
    }
}

impl Prepared {
    /// Gives the frontends and backends of `snapshot`, which was made from the same plan, their
    /// TLS.
    pub fn equip(&self, snapshot: &mut Snapshot) {
        for (frontend, terms) in snapshot.frontends.iter_mut().zip(&self.terms) {
            for (tls, terms) in frontend.tls.iter_mut().zip(terms) {
                let terms = terms.as_ref().map(Arc::clone);
                tls.acceptor = terms.map(|terms| Arc::new(Acceptor::new(terms)));
            }
        }
        self.servers.equip(snapshot);
    }

    /// The backends with the same configuration as in `before` whose files have other content.
    pub(super) fn renewed(&self, plan: &Plan, before: &Snapshot) -> Vec<Name> {
        self.servers.renewed(plan, before)
    }
}

/// The diagnostics of one certificate, at the position that names it; `refused` is the effect if it
/// is not valid at present.
fn judged(
    at: &Position,
    files: &Files,
    slot: &Slot<load::Loaded>,
    now: i64,
    refused: &str,
) -> Option<Diagnostic> {
    let shown = files.certificate.display();
    match (&slot.good, &slot.fault) {
        (None, Some(fault)) => Some(Diagnostic::at(at, &fault.message, fault.help)),
        (Some(_), Some(fault)) => Some(as_before(at, &files.certificate, fault)),
        (Some(loaded), None) if !loaded.is_valid_at(now) => {
            let message = match loaded.not_after < now {
                true => format!("the certificate in {shown} has expired"),
                false => format!("the certificate in {shown} is not valid yet"),
            };
            Some(Diagnostic::warning_at(at, message, refused))
        }
        _ => None,
    }
}

/// A warning that `path` keeps its former content, because the present one cannot be used.
fn as_before(at: &Position, path: &Path, fault: &load::Fault) -> Diagnostic {
    let shown = path.display();
    let message = format!(
        "{shown} cannot be used, its last usable state stays in use: {}",
        fault.message
    );
    Diagnostic::warning_at(at, message, fault.help)
}

/// The content of a file; a fault is reported.
fn content<T: Clone>(
    file: &FileAt,
    slot: Option<&Slot<Vec<T>>>,
    found: &mut Vec<Diagnostic>,
) -> Vec<T> {
    let Some(slot) = slot else {
        return Vec::new();
    };
    match (&slot.good, &slot.fault) {
        (Some(_), Some(fault)) => found.push(as_before(&file.at, &file.path, fault)),
        (None, Some(fault)) => found.push(Diagnostic::at(&file.at, &fault.message, fault.help)),
        (_, None) => {}
    }
    slot.good
        .as_ref()
        .map_or_else(Vec::new, |good| good.to_vec())
}

fn errors(found: &[Diagnostic]) -> usize {
    found.iter().filter(|one| one.is_error()).count()
}

/// Runs [`Certs::prepare`] on a blocking thread. The caller has locked the certificates.
///
/// # Errors
///
/// There was a panic, a defect; then all files are read anew the next time.
pub(super) async fn prepare(
    certs: &mut Certs,
    plan: &Arc<Plan>,
    before: &Arc<Snapshot>,
) -> Result<Prepared, String> {
    let mut taken = std::mem::take(certs);
    let (plan, before) = (Arc::clone(plan), Arc::clone(before));
    let reading = tasks::spawn_blocking(move || {
        let prepared = taken.prepare(&plan, Some(&before));
        (taken, prepared)
    });
    let (back, prepared) = reading.await.map_err(|_| {
        "a bug in evenkeel: the thread that read the certificates panicked".to_owned()
    })?;
    *certs = back;
    Ok(prepared)
}

/// Looks for changed files, and puts them to use in frontends and backends.
pub(super) async fn look(state: &Rc<State>) {
    // A reload in progress would replace a renewed snapshot by one that it made from an older one.
    let _no_reload = state.reloading.lock().await;
    let mut certs = state.certs.lock().await;
    let snapshot = state.current.load();
    if let Ok(prepared) = prepare(&mut certs, &snapshot.plan, &snapshot).await {
        for backend in prepared.renewed(&snapshot.plan, &snapshot) {
            event::server_tls_renewed(backend.as_str());
        }
        take_up(state, &mut certs, &snapshot, &prepared);
    }
}

/// Puts `prepared` to use in `snapshot`, which runs and has the same plan. The caller keeps reloads
/// away.
pub(super) fn take_up(state: &State, certs: &mut Certs, snapshot: &Snapshot, prepared: &Prepared) {
    if certs.findings.is_change() {
        for (frontend, terms) in snapshot.frontends.iter().zip(&prepared.terms) {
            for (tls, terms) in frontend.tls.iter().zip(terms) {
                if let (Some(acceptor), Some(terms)) = (&tls.acceptor, terms) {
                    acceptor.renew(Arc::clone(terms));
                }
            }
        }
    }
    if !prepared.renewed(&snapshot.plan, snapshot).is_empty() {
        // Unlike a frontend's, their connections are pooled, and those that were opened with
        // authorities that are no longer trusted must not be used again: workers need a new
        // snapshot.
        let mut next = snapshot.following();
        prepared.servers.equip(&mut next);
        publish::snapshot(state, next);
    }
    settled(state, certs, &snapshot.plan);
}

/// Puts the certificates of the process start to use. Their faults have been reported already.
pub(super) fn begin(state: &State, certs: &mut Certs, plan: &Plan) {
    certs.findings = file_cache::Findings::default();
    settled(state, certs, plan);
}

/// All that follows when `plan` runs with these certificates.
pub(super) fn settled(state: &State, certs: &mut Certs, plan: &Plan) {
    let file_cache::Findings {
        renewed,
        broken,
        gone,
    } = std::mem::take(&mut certs.findings);
    let count = |result, count| state.metrics.certificates(result, count);
    count(
        CertificateResult::Renewed,
        (renewed.len() + gone.len()) as u64,
    );
    each_named(&gone, |(path, names)| match names.is_empty() {
        true => event::certificate_renewed(path),
        false => event::certificate_gone(path, &shown(names)),
    });
    each_named(&renewed, |path| event::certificate_renewed(path));
    count(CertificateResult::Broken, broken.len() as u64);
    each_named(&broken, |(path, fault)| {
        event::certificate_broken(path, &fault.message)
    });
    certs.settle(plan);
    certs.remind();
    *state.certificates.borrow_mut() = Arc::new(certs.overview());
}

/// Logs again which certificates expire soon, unless the files are being read.
pub(super) fn remind(state: &State) {
    if let Ok(mut certs) = state.certs.try_lock() {
        certs.remind();
    }
}

/// The directories to watch.
pub(super) async fn directories(state: &State) -> HashSet<PathBuf> {
    state.certs.lock().await.file_cache.directories()
}

/// The first of `names`, and how many more there are.
fn shown(names: &[Box<str>]) -> String {
    let first: Vec<&str> = names
        .iter()
        .take(NAMED_IN_LOG)
        .map(|name| &**name)
        .collect();
    let first = first.join(", ");
    match names.len().saturating_sub(NAMED_IN_LOG) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn each_named<T>(all: &[T], say: impl Fn(&T)) {
    all.iter().take(NAMED_IN_LOG).for_each(say);
    if let Some(more) = all.len().checked_sub(NAMED_IN_LOG + 1) {
        event::more_certificates(more as u64 + 1);
    }
}
