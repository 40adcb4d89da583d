//! All files of certificates and authorities, each with its last good content.
//!
//! A file is read when its stamp has changed. Usable content replaces the old content; with
//! unusable content the old stays, and the fault is kept until the file changes again. Reads on a
//! thread that may block.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::clock;
use crate::base::tasks;
use crate::control::watch::directory_of;
use crate::plan::{
    Backend, Certificates, ClientAuth, ClientCertificates, FileAt, Plan, ServerTls, Tls, Trust,
};

use super::bundle::{Authorities, RevokedList};
use super::directory::{emptied, list};
use super::load::{Fault, Files, Loaded, Source, Stamp};

/// The content of the files of a plan.
#[derive(Debug, Default)]
pub(super) struct FileCache {
    certificates: Slots<Files>,
    authorities: Slots<Authorities>,
    revoked: Slots<RevokedList>,
    directories: HashMap<PathBuf, Directory>,
}

/// The files in a directory of certificates.
#[derive(Debug, Default)]
struct Directory {
    /// The present files, ordered by name.
    listed: Vec<PathBuf>,
    /// Files that are gone and still served, because nothing usable has replaced them.
    kept: Vec<PathBuf>,
    /// Why the directory cannot be listed, or why the list cannot be complete.
    fault: Option<Fault>,
}

pub(super) type Slots<S> = HashMap<S, Slot<<S as Source>::Content>>;

/// The content that comes from files.
#[derive(Debug)]
pub(super) struct Slot<T> {
    stamp: Stamp,
    /// The last usable content.
    pub(super) good: Option<Arc<T>>,
    /// The fault of the present files.
    pub(super) fault: Option<Fault>,
}

/// The result of looking at the files.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Files whose new content is used from now on.
    pub(super) renewed: Vec<PathBuf>,
    /// Faults that are new, and their files.
    pub(super) broken: Vec<(PathBuf, Fault)>,
    /// Directories from which files are gone, and the names for which their frontends have no
    /// certificate any more.
    pub(super) gone: Vec<(PathBuf, Vec<Box<str>>)>,
}

/// The files that a plan names.
#[derive(Default)]
struct Named {
    certificates: HashSet<Files>,
    authorities: HashSet<Authorities>,
    revoked: HashSet<RevokedList>,
    directories: HashSet<PathBuf>,
}

impl Findings {
    /// Adds the findings of a later look.
    pub(super) fn add(&mut self, later: Self) {
        self.renewed.extend(later.renewed);
        self.broken.extend(later.broken);
        self.gone.extend(later.gone);
    }

    /// Whether certificates or names to serve have been added or removed.
    pub(super) fn is_change(&self) -> bool {
        !self.renewed.is_empty() || !self.gone.is_empty()
    }
}

impl FileCache {
    /// Looks at all files of `plan`, and reads those that have changed.
    pub(super) fn look(&mut self, plan: &Plan) -> Findings {
        let mut findings = Findings::default();
        // Many frontends may name one directory.
        let mut listed: HashSet<&Path> = HashSet::new();
        for source in of_plan(plan).flat_map(|tls| &tls.certificates) {
            if source.key.is_none() && listed.insert(&source.path) {
                self.list(source, &mut findings);
            }
        }
        // Kept files do not exist any more and are not read.
        let named = named(plan, |source| self.files_of(source, |found| &found.listed));
        refresh(&mut self.certificates, named.certificates, &mut findings);
        refresh(&mut self.authorities, named.authorities, &mut findings);
        refresh(&mut self.revoked, named.revoked, &mut findings);
        self.let_go(plan, &mut findings);
        findings
    }

    /// Forgets files that `plan` does not name.
    pub(super) fn retain(&mut self, plan: &Plan) {
        let named = named(plan, |source| self.files(source));
        self.certificates
            .retain(|files, _| named.certificates.contains(files));
        self.authorities
            .retain(|path, _| named.authorities.contains(path));
        self.revoked.retain(|path, _| named.revoked.contains(path));
        self.directories
            .retain(|path, _| named.directories.contains(path));
    }

    /// The files of `source`, in the order of their names.
    pub(super) fn files(&self, source: &Certificates) -> Vec<Files> {
        let mut files = self.files_of(source, |found| found.listed.iter().chain(&found.kept));
        files.sort_by(|one, other| one.certificate.cmp(&other.certificate));
        files
    }

    /// The file `source`, or the files that `of` yields if it is a directory.
    fn files_of<'a, I>(&'a self, source: &Certificates, of: fn(&'a Directory) -> I) -> Vec<Files>
    where
        I: IntoIterator<Item = &'a PathBuf>,
    {
        match self.directories.get(&source.path) {
            Some(found) => of(found)
                .into_iter()
                .map(|path| in_directory(path))
                .collect(),
            None => vec![Files {
                certificate: source.path.clone(),
                key: source.key.clone(),
            }],
        }
    }

    /// The fault of the directory `source` itself.
    pub(super) fn directory_fault(&self, source: &Certificates) -> Option<&Fault> {
        self.directories.get(&source.path)?.fault.as_ref()
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

    /// The directories to watch for changes of the files.
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

    /// All present faults.
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
            .chain(directories.filter_map(|(path, found)| Some((&**path, found.fault.as_ref()?))))
            .collect();
        faults.sort_by_key(|(path, _)| *path);
        faults
    }

    /// Lists `source`, which names no key, if it is a directory.
    fn list(&mut self, source: &Certificates, findings: &mut Findings) {
        if !(source.path.is_dir() || self.is_directory(source)) {
            return;
        }
        let found = self.directories.entry(source.path.clone()).or_default();
        let (listed, fault) = match list(&source.path) {
            Ok(listed) => (listed, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        let certificates = &self.certificates;
        let is_served = |path: &PathBuf| {
            let slot = certificates.get(&in_directory(path));
            slot.is_some_and(|slot| slot.good.is_some())
        };
        let before = std::mem::take(&mut found.listed).into_iter();
        let mut kept: Vec<PathBuf> = before
            .chain(std::mem::take(&mut found.kept))
            // `listed` is sorted.
            .filter(|path| listed.binary_search(path).is_err() && is_served(path))
            .collect();
        kept.sort();
        // A lost volume looks the same, and operators do not empty a directory to keep its former
        // content.
        let is_emptied = fault.is_none() && listed.is_empty() && !kept.is_empty();
        let fault = fault.or_else(|| is_emptied.then(|| emptied(&source.path)));
        if let Some(new) = &fault
            && found.fault.as_ref() != Some(new)
        {
            findings.broken.push((source.path.clone(), new.clone()));
        }
        *found = Directory {
            listed,
            kept,
            fault,
        };
    }

    /// Forgets the files that are gone from a directory, if all its present files can be served;
    /// else its frontends do not change.
    fn let_go(&mut self, plan: &Plan, findings: &mut Findings) {
        let certificates = &self.certificates;
        let good = |files: &Files| certificates.get(files)?.good.as_ref();
        let is_usable = |path: &PathBuf| good(&in_directory(path)).is_some();
        let mut gone: Vec<(PathBuf, Vec<Box<str>>)> = Vec::new();
        for (path, found) in &mut self.directories {
            if found.kept.is_empty() || found.fault.is_some() {
                continue;
            }
            if found.listed.iter().all(is_usable) {
                let kept = std::mem::take(&mut found.kept);
                let kept = kept.iter().filter_map(|path| good(&in_directory(path)));
                let names = kept.flat_map(|loaded| loaded.served.names.iter().cloned());
                gone.push((path.clone(), names.collect()));
            }
        }
        if gone.is_empty() {
            return;
        }
        let mut users: HashMap<&Path, Vec<&Tls>> = HashMap::new();
        for tls in of_plan(plan) {
            for source in &tls.certificates {
                users.entry(&source.path).or_default().push(tls);
            }
        }
        for (path, had) in gone {
            let mut lost: BTreeSet<Box<str>> = BTreeSet::new();
            for tls in users.get(&*path).into_iter().flatten() {
                let files = tls
                    .certificates
                    .iter()
                    .flat_map(|source| self.files(source));
                let left: Vec<_> = files.filter_map(|files| self.good(&files)).collect();
                let left: HashSet<&str> = left
                    .iter()
                    .flat_map(|loaded| loaded.served.names.iter().map(|name| &**name))
                    .collect();
                lost.extend(had.iter().filter(|name| !is_covered(name, &left)).cloned());
            }
            findings.gone.push((path, lost.into_iter().collect()));
        }
    }

    fn good(&self, files: &Files) -> Option<&Arc<Loaded>> {
        self.certificates.get(files)?.good.as_ref()
    }

    fn is_directory(&self, source: &Certificates) -> bool {
        self.directories.contains_key(&source.path)
    }
}

/// The files that `plan` names; `files` yields those of a source of certificates.
fn named(plan: &Plan, files: impl Fn(&Certificates) -> Vec<Files>) -> Named {
    let mut named = Named::default();
    for tls in of_plan(plan) {
        for source in &tls.certificates {
            let is_new = named.directories.insert(source.path.clone());
            // A directory that many frontends name is read once.
            if is_new || source.key.is_some() {
                named.certificates.extend(files(source));
            }
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
        named
            .certificates
            .extend(tls.identity.iter().map(Files::of_identity));
    }
    named
}

/// One of the files of a directory.
fn in_directory(path: &Path) -> Files {
    Files {
        certificate: path.to_owned(),
        key: None,
    }
}

/// Whether one of `names` covers `name`: by itself, or as a wildcard for its first label.
fn is_covered(name: &str, names: &HashSet<&str>) -> bool {
    let wildcard = || Some(format!("*.{}", name.split_once('.')?.1));
    names.contains(name) || wildcard().is_some_and(|wildcard| names.contains(&*wildcard))
}

fn of_plan(plan: &Plan) -> impl Iterator<Item = &Tls> {
    let frontends = plan.frontends.iter();
    frontends.flat_map(|frontend| &frontend.tls)
}

fn towards_servers(plan: &Plan) -> impl Iterator<Item = &ServerTls> {
    plan.backends.iter().flat_map(Backend::all_tls)
}

fn paths(files: &[FileAt]) -> impl Iterator<Item = PathBuf> {
    files.iter().map(|file| file.path.clone())
}

/// The policies that ask for client certificates.
fn asked(tls: &Tls) -> impl Iterator<Item = &ClientCertificates> {
    tls.all_rules()
        .filter_map(|rules| match &rules.client_auth {
            ClientAuth::On(certificates) => Some(certificates),
            ClientAuth::Off => None,
        })
}

/// Updates `slots` with the files of `sources`.
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
        // Before it is read: a later write is noticed the next time.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::control::certs::fixture::{Folder, pair_until};

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

    fn the_one(file_cache: &FileCache) -> &Slot<Loaded> {
        file_cache
            .certificates()
            .values()
            .next()
            .expect("a certificate")
    }

    #[test]
    fn unchanged_files_are_not_read_again() {
        let folder = Folder::new();
        folder.write("a.pem", &folder.whole(&["a.test"]));
        let plan = plan(&folder, "a.pem");
        let mut file_cache = FileCache::default();
        assert_eq!(file_cache.look(&plan).renewed.len(), 1);
        let first = the_one(&file_cache).good.clone().expect("good");
        assert!(file_cache.look(&plan).renewed.is_empty());
        assert!(Arc::ptr_eq(
            &first,
            the_one(&file_cache).good.as_ref().expect("good")
        ));
        folder.write("a.pem", &folder.whole(&["a.test"]));
        assert_eq!(file_cache.look(&plan).renewed.len(), 1);
    }

    #[test]
    fn a_broken_or_expired_file_does_not_replace_a_good_one() {
        let folder = Folder::new();
        folder.write("a.pem", &folder.whole(&["a.test"]));
        let plan = plan(&folder, "a.pem");
        let mut file_cache = FileCache::default();
        file_cache.look(&plan);
        let first = the_one(&file_cache).good.clone().expect("good");
        let (chain, key) = pair_until(&["a.test"], 2001);
        for (text, expected) in [
            ("nothing".to_owned(), "has no certificate"),
            (chain + &key, "it has expired"),
        ] {
            folder.write("a.pem", &text);
            let findings = file_cache.look(&plan);
            assert!(findings.renewed.is_empty());
            assert!(
                findings.broken[0].1.message.contains(expected),
                "{findings:?}"
            );
            assert!(Arc::ptr_eq(
                &first,
                the_one(&file_cache).good.as_ref().expect("good")
            ));
            assert_eq!(file_cache.faults().len(), 1);
            assert!(file_cache.look(&plan).broken.is_empty(), "it is said once");
        }
        folder.write("a.pem", &folder.whole(&["a.test"]));
        assert_eq!(file_cache.look(&plan).renewed.len(), 1);
        assert!(file_cache.faults().is_empty());
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
        let mut file_cache = FileCache::default();
        file_cache.look(&loaded.plan);
        let expected = [".", "certs", "/etc"].map(PathBuf::from);
        assert_eq!(file_cache.directories(), HashSet::from(expected));
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
        let mut file_cache = FileCache::default();
        assert_eq!(file_cache.look(&plan).renewed.len(), 2);
        assert!(file_cache.faults().is_empty(), "{:?}", file_cache.faults());
        std::fs::remove_file(folder.path("all/a.pem")).expect("removed");
        let gone = (folder.path("all"), vec!["a.test".into()]);
        assert_eq!(file_cache.look(&plan).gone, [gone]);
        assert!(!file_cache.look(&plan).is_change(), "it is said once");
        file_cache.retain(&plan);
        assert_eq!(file_cache.certificates().len(), 1);
    }

    #[test]
    fn a_directory_that_is_emptied_keeps_what_it_had() {
        let folder = Folder::new();
        std::fs::create_dir(folder.path("all")).expect("a folder");
        for name in ["a", "b"] {
            let whole = folder.whole(&[&format!("{name}.test")]);
            folder.write(&format!("all/{name}.pem"), &whole);
        }
        let plan = plan(&folder, "all");
        let mut file_cache = FileCache::default();
        file_cache.look(&plan);
        let (all, aside) = (folder.path("all"), folder.path("aside"));
        let empty = || std::fs::create_dir(&all).expect("a folder");
        for (what, then, why) in [
            (
                "emptied",
                &empty as &dyn Fn(),
                "has no certificates any more",
            ),
            ("gone", &|| (), "cannot list"),
        ] {
            std::fs::rename(&all, &aside).expect("moved");
            then();
            let findings = file_cache.look(&plan);
            assert!(!findings.is_change(), "{what}: {findings:?}");
            assert_eq!(findings.broken.len(), 1, "{what}: {findings:?}");
            assert!(findings.broken[0].1.message.contains(why), "{findings:?}");
            file_cache.retain(&plan);
            assert!(file_cache.look(&plan).broken.is_empty(), "it is said once");
            assert_eq!(
                (file_cache.certificates().len(), file_cache.faults().len()),
                (2, 1)
            );
            // An empty directory may stay, so that the name is free.
            let _ = std::fs::remove_dir(&all);
            std::fs::rename(&aside, &all).expect("moved");
            assert!(!file_cache.look(&plan).is_change(), "{what}");
            assert!(file_cache.faults().is_empty(), "{what}");
        }
    }

    #[test]
    fn a_file_that_goes_is_kept_until_what_is_there_can_be_served() {
        let folder = Folder::new();
        std::fs::create_dir(folder.path("all")).expect("a folder");
        folder.write("all/a.pem", &folder.whole(&["a.test", "x.b.test"]));
        let plan = plan(&folder, "all");
        let mut file_cache = FileCache::default();
        file_cache.look(&plan);
        std::fs::remove_file(folder.path("all/a.pem")).expect("removed");
        folder.write("all/b.pem", "nothing");
        let findings = file_cache.look(&plan);
        assert!(!findings.is_change(), "{findings:?}");
        assert_eq!(file_cache.certificates().len(), 2);
        folder.write("all/b.pem", &folder.whole(&["*.b.test"]));
        // `x.b.test` has a wildcard now.
        let gone = (folder.path("all"), vec!["a.test".into()]);
        assert_eq!(file_cache.look(&plan).gone, [gone]);
    }
}
