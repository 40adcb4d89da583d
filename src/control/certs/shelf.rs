//! All files of certificates and authorities, as they were last found good.
//!
//! A file is read when its stamp is another than the last time. What can be used takes the place of
//! what was there; what cannot changes nothing, and its fault stays with it until the file changes
//! again. Reading is for a thread that may block.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::clock;
use crate::base::tasks;
use crate::control::watch::directory_of;
use crate::plan::{
    Certificates, ClientAuth, ClientCertificates, FileAt, Plan, ServerTls, Tls, Trust,
};

use super::load::{Authorities, Fault, Files, RevokedList, Source, Stamp};
use super::server_tls::files_of;

/// What the files of a plan say.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    certificates: Slots<Files>,
    authorities: Slots<Authorities>,
    revoked: Slots<RevokedList>,
    /// What was last found in each directory, or what keeps us from looking.
    directories: HashMap<PathBuf, (Vec<PathBuf>, Option<Fault>)>,
}

pub(super) type Slots<S> = HashMap<S, Slot<<S as Source>::Content>>;

/// One thing that comes from files.
#[derive(Debug)]
pub(super) struct Slot<T> {
    stamp: Stamp,
    /// The last that could be used.
    pub(super) good: Option<Arc<T>>,
    /// What is wrong with what is there now.
    pub(super) fault: Option<Fault>,
}

/// What a look at the files found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Files whose content is used from now on, and was not before.
    pub(super) renewed: Vec<PathBuf>,
    /// What became wrong, and in which file.
    pub(super) broken: Vec<(PathBuf, Fault)>,
}

/// What a plan names.
#[derive(Default)]
struct Named {
    certificates: HashSet<Files>,
    authorities: HashSet<Authorities>,
    revoked: HashSet<RevokedList>,
    directories: HashSet<PathBuf>,
}

impl Findings {
    /// Adds what was found later.
    pub(super) fn add(&mut self, later: Self) {
        self.renewed.extend(later.renewed);
        self.broken.extend(later.broken);
    }
}

impl Shelf {
    /// Looks at all files of `plan`, and reads what has changed.
    pub(super) fn look(&mut self, plan: &Plan) -> Findings {
        let mut findings = Findings::default();
        for source in of_plan(plan).flat_map(|tls| &tls.certificates) {
            self.list(source, &mut findings);
        }
        let named = self.named(plan);
        refresh(&mut self.certificates, named.certificates, &mut findings);
        refresh(&mut self.authorities, named.authorities, &mut findings);
        refresh(&mut self.revoked, named.revoked, &mut findings);
        findings
    }

    /// Forgets what `plan` does not name.
    pub(super) fn retain(&mut self, plan: &Plan) {
        let named = self.named(plan);
        self.certificates
            .retain(|files, _| named.certificates.contains(files));
        self.authorities
            .retain(|path, _| named.authorities.contains(path));
        self.revoked.retain(|path, _| named.revoked.contains(path));
        self.directories
            .retain(|path, _| named.directories.contains(path));
    }

    fn named(&self, plan: &Plan) -> Named {
        let mut named = Named::default();
        for tls in of_plan(plan) {
            for source in &tls.certificates {
                named.directories.insert(source.path.clone());
                named.certificates.extend(self.files(source));
            }
            for asked in asked(tls) {
                named.authorities.extend(paths(&asked.ca).map(Authorities));
                named.revoked.extend(paths(&asked.crl).map(RevokedList));
            }
        }
        for tls in towards_servers(plan) {
            if let Trust::Authorities(files) = &tls.trust {
                named.authorities.extend(paths(files).map(Authorities));
            }
            named.certificates.extend(tls.identity.iter().map(files_of));
        }
        named
    }

    /// The files of `source`, in the order of their names.
    pub(super) fn files(&self, source: &Certificates) -> Vec<Files> {
        match self.directories.get(&source.path) {
            Some((listed, _)) => listed
                .iter()
                .map(|path| Files {
                    certificate: path.clone(),
                    key: None,
                })
                .collect(),
            None => vec![Files {
                certificate: source.path.clone(),
                key: source.key.clone(),
            }],
        }
    }

    /// What keeps us from looking into the directory `source`.
    pub(super) fn directory_fault(&self, source: &Certificates) -> Option<&Fault> {
        self.directories.get(&source.path)?.1.as_ref()
    }

    pub(super) fn certificates(&self) -> &Slots<Files> {
        &self.certificates
    }

    pub(super) fn authorities(&self) -> &Slots<Authorities> {
        &self.authorities
    }

    pub(super) fn revoked(&self) -> &Slots<RevokedList> {
        &self.revoked
    }

    /// The directories in which something happens when one of the files changes.
    pub(super) fn directories(&self) -> HashSet<PathBuf> {
        let certificates = self.certificates.keys();
        let keys = certificates
            .clone()
            .filter_map(|files| files.key.as_deref());
        let files = certificates
            .map(Source::path)
            .chain(keys)
            .chain(self.authorities.keys().map(Source::path))
            .chain(self.revoked.keys().map(Source::path));
        let parents = files.map(directory_of);
        parents.chain(self.directories.keys().cloned()).collect()
    }

    /// Everything that is wrong at present.
    pub(super) fn faults(&self) -> Vec<(&Path, &Fault)> {
        fn of<S: Source>(slots: &Slots<S>) -> impl Iterator<Item = (&Path, &Fault)> {
            slots
                .iter()
                .filter_map(|(key, slot)| Some((key.path(), slot.fault.as_ref()?)))
        }
        let directories = self.directories.iter();
        let mut faults: Vec<_> = of(&self.certificates)
            .chain(of(&self.authorities))
            .chain(of(&self.revoked))
            .chain(directories.filter_map(|(path, (_, fault))| Some((&**path, fault.as_ref()?))))
            .collect();
        faults.sort_by_key(|(path, _)| *path);
        faults
    }

    /// Lists the directory that `source` may be.
    fn list(&mut self, source: &Certificates, findings: &mut Findings) {
        if source.key.is_some() || !(source.path.is_dir() || self.is_directory(source)) {
            return;
        }
        let (listed, fault) = self.directories.entry(source.path.clone()).or_default();
        match list(&source.path) {
            Ok(found) => {
                // One that is gone is served no more; nothing else would say so. `found` is in order.
                if listed.iter().any(|path| found.binary_search(path).is_err()) {
                    findings.renewed.push(source.path.clone());
                }
                (*listed, *fault) = (found, None);
            }
            Err(new) => {
                if fault.as_ref() != Some(&new) {
                    findings.broken.push((source.path.clone(), new.clone()));
                }
                *fault = Some(new);
            }
        }
    }

    fn is_directory(&self, source: &Certificates) -> bool {
        self.directories.contains_key(&source.path)
    }
}

fn of_plan(plan: &Plan) -> impl Iterator<Item = &Tls> {
    let frontends = plan.frontends.iter();
    frontends.filter_map(|frontend| frontend.tls.as_ref())
}

fn towards_servers(plan: &Plan) -> impl Iterator<Item = &ServerTls> {
    let backends = plan.backends.iter();
    backends.filter_map(|backend| backend.tls.as_ref())
}

fn paths(files: &[FileAt]) -> impl Iterator<Item = PathBuf> {
    files.iter().map(|file| file.path.clone())
}

/// The policies about client certificates that ask for any.
fn asked(tls: &Tls) -> impl Iterator<Item = &ClientCertificates> {
    tls.all_rules()
        .filter_map(|rules| match &rules.client_auth {
            ClientAuth::On(certificates) => Some(certificates),
            ClientAuth::Off => None,
        })
}

/// Brings `slots` up to what the files of `sources` say.
fn refresh<S: Source>(slots: &mut Slots<S>, sources: HashSet<S>, findings: &mut Findings)
where
    S::Content: Send,
{
    let now = clock::unix_seconds(clock::wall());
    let known = |source: &S| slots.get(source).map(|slot| slot.stamp);
    let sources: Vec<(Option<Stamp>, S)> = sources
        .into_iter()
        .map(|source| (known(&source), source))
        .collect();
    let read = tasks::in_parallel(&sources, |(known, source)| {
        // Before it is read: what is written in between is noticed the next time.
        let stamp = source.stamp();
        (*known != Some(stamp)).then(|| (stamp, source.read()))
    });
    for ((_, source), read) in sources.into_iter().zip(read) {
        let Some((stamp, outcome)) = read else {
            continue;
        };
        let before = slots.get(&source).and_then(|slot| slot.good.clone());
        let against = |next: &S::Content| S::against(before.as_deref()?, next, now);
        let outcome = outcome.and_then(|next| match against(&next) {
            None => Ok(next),
            Some(fault) => Err(fault),
        });
        let path = source.path().to_owned();
        let (good, fault) = match outcome {
            Ok(next) => {
                findings.renewed.push(path);
                (Some(Arc::new(next)), None)
            }
            Err(fault) => {
                findings.broken.push((path, fault.clone()));
                (before, Some(fault))
            }
        };
        slots.insert(source, Slot { stamp, good, fault });
    }
}

/// The files in a directory that hold certificates: those that end in `.pem`, `.crt` or `.cer` and
/// are not hidden. One that holds only a key belongs to another.
fn list(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let cannot = |error: std::io::Error| Fault {
        message: format!("cannot list {}: {error}", directory.display()),
        help: "",
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        let has_ending = ["pem", "crt", "cer"].iter().any(|known| ending == *known);
        if !name.starts_with('.') && has_ending && path.is_file() && !is_lone_key(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_lone_key(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    name == "privkey.pem" || name.ends_with(".key.pem") || name.ends_with("-key.pem")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::control::certs::scene::{Folder, pair_until};

    fn plan(folder: &Folder, certificates: &str) -> Plan {
        let text = format!(
            "[frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\n\
             tls = ['{}']\n[backend.app]\nservers = '10.0.0.1:80'",
            folder.path(certificates).display()
        );
        match config::load_text("test.toml", &text) {
            Ok(loaded) => loaded.plan,
            Err(diagnostics) => unreachable!("{diagnostics}"),
        }
    }

    fn the_one(shelf: &Shelf) -> &Slot<super::super::load::Loaded> {
        shelf.certificates().values().next().expect("a certificate")
    }

    #[test]
    fn what_did_not_change_is_not_read_again() {
        let folder = Folder::new();
        folder.write("a.pem", &folder.whole(&["a.test"]));
        let plan = plan(&folder, "a.pem");
        let mut shelf = Shelf::default();
        assert_eq!(shelf.look(&plan).renewed.len(), 1);
        let first = the_one(&shelf).good.clone().expect("good");
        assert!(shelf.look(&plan).renewed.is_empty());
        assert!(Arc::ptr_eq(
            &first,
            the_one(&shelf).good.as_ref().expect("good")
        ));
        folder.write("a.pem", &folder.whole(&["a.test"]));
        assert_eq!(shelf.look(&plan).renewed.len(), 1);
    }

    #[test]
    fn what_is_broken_or_expired_does_not_take_the_place_of_what_is_good() {
        let folder = Folder::new();
        folder.write("a.pem", &folder.whole(&["a.test"]));
        let plan = plan(&folder, "a.pem");
        let mut shelf = Shelf::default();
        shelf.look(&plan);
        let first = the_one(&shelf).good.clone().expect("good");
        let (chain, key) = pair_until(&["a.test"], 2001);
        for (text, expected) in [
            ("nothing".to_owned(), "has no certificate"),
            (chain + &key, "it has expired"),
        ] {
            folder.write("a.pem", &text);
            let findings = shelf.look(&plan);
            assert!(findings.renewed.is_empty());
            assert!(
                findings.broken[0].1.message.contains(expected),
                "{findings:?}"
            );
            assert!(Arc::ptr_eq(
                &first,
                the_one(&shelf).good.as_ref().expect("good")
            ));
            assert_eq!(shelf.faults().len(), 1);
            assert!(shelf.look(&plan).broken.is_empty(), "it is said once");
        }
        folder.write("a.pem", &folder.whole(&["a.test"]));
        assert_eq!(shelf.look(&plan).renewed.len(), 1);
        assert!(shelf.faults().is_empty());
    }

    #[test]
    fn a_file_named_without_a_directory_is_watched_where_the_process_runs() {
        let text = "[frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\n\
                    [frontend.web.tls]\ncertificates = 'certs/a.pem'\n\
                    client_auth = { ca = 'ca.pem', crl = '/etc/crl.pem' }\n\
                    [backend.app]\nservers = '10.0.0.1:80'";
        let Ok(loaded) = config::load_text("test.toml", text) else {
            unreachable!("it is valid");
        };
        let mut shelf = Shelf::default();
        shelf.look(&loaded.plan);
        let expected = [".", "certs", "/etc"].map(PathBuf::from);
        assert_eq!(shelf.directories(), HashSet::from(expected));
    }

    #[test]
    fn a_directory_is_what_is_in_it() {
        let folder = Folder::new();
        std::fs::create_dir(folder.path("all")).expect("a folder");
        let (chain, key) = folder.pair(&["b.test"]);
        folder.write("all/a.pem", &folder.whole(&["a.test"]));
        folder.write("all/b.crt", &chain);
        folder.write("all/b.key", &key);
        folder.write("all/README", "none");
        let plan = plan(&folder, "all");
        let mut shelf = Shelf::default();
        assert_eq!(shelf.look(&plan).renewed.len(), 2);
        assert!(shelf.faults().is_empty(), "{:?}", shelf.faults());
        std::fs::remove_file(folder.path("all/a.pem")).expect("removed");
        assert_eq!(shelf.look(&plan).renewed, [folder.path("all")]);
        shelf.retain(&plan);
        assert_eq!(shelf.certificates().len(), 1);
    }
}
