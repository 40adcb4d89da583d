//! Certificates that are made on the spot, for the tests of this room.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// A folder that is removed at the end of the test.
pub(in crate::control) struct Folder(PathBuf);

impl Folder {
    pub(in crate::control) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("evenkeel-certs-{process}-{number}"));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub(in crate::control) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        // As a renewal should be done: readers never see half a file.
        let aside = path.with_extension("new");
        fs::write(&aside, text).expect("a file");
        fs::rename(&aside, &path).expect("a file");
        path
    }

    /// A chain and its key for `names`.
    pub(super) fn pair(&self, names: &[&str]) -> (String, String) {
        pair_until(names, 2100)
    }

    /// The same in one text.
    pub(super) fn whole(&self, names: &[&str]) -> String {
        let (chain, key) = self.pair(names);
        chain + &key
    }
}

/// A chain and a key for `names`, good until the first day of `year`.
pub(super) fn pair_until(names: &[&str], year: i32) -> (String, String) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A temporary folder may stay: nothing depends on it.
        let _ = fs::remove_dir_all(&self.0);
    }
}
