//! One certificate from its files: parsed, and its key matched.
//!
//! Formats as HAProxy takes them: chain and key in one PEM file, or the key in another file, which
//! is named, or is beside it as `FILE.key` or with the ending `.key` in place of the other.

use std::fs;
use std::hash::Hash;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys, SignatureAlgorithm};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use crate::base::{InWords, regular_file};
use crate::plan::Identity;
use crate::proxy::tls::{Certificate, KeyKind, provider};

/// Chains and keys are smaller; a mistyped path may name any file.
const MOST_BYTES: u64 = 1 << 20;

/// What to do about a certificate that cannot be parsed.
pub(super) const CANNOT_PARSE: &str = "`openssl x509 -text -in FILE` shows its content";

/// The files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    /// `None`: the key is searched in the usual places.
    pub(super) key: Option<PathBuf>,
}

/// A certificate that was loaded.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) served: Arc<Certificate>,
    /// Seconds since 1970, inclusive (RFC 5280 §4.1.2.5).
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

/// Why it cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    /// What to do about it; may be empty.
    pub(super) help: &'static str,
}

/// A source that is made of files.
pub(super) trait Source: Eq + Hash + Sync {
    /// The content of the files.
    type Content: Send;

    /// The path that names it in messages.
    fn path(&self) -> &Path;

    fn stamp(&self) -> Stamp;

    /// # Errors
    ///
    /// The fault of the files.
    fn read(&self) -> Result<Self::Content, Fault>;

    /// Why `next`, though it is readable, must not replace `before`.
    fn against(_before: &Self::Content, _next: &Self::Content, _now: i64) -> Option<Fault> {
        None
    }
}

/// Identifies the state of a file without reading it: device, inode, size, and time of the last
/// write. `None`: there is no such file.
pub(super) type FileStamp = Option<(u64, u64, u64, i64, i64)>;

/// The stamps of all files that a source may consist of.
pub(super) type Stamp = [FileStamp; 3];

pub(super) fn fault(message: impl Into<String>, help: &'static str) -> Fault {
    Fault {
        message: message.into(),
        help,
    }
}

impl Files {
    /// The files of our own certificate.
    pub(super) fn of_identity(identity: &Identity) -> Self {
        Self {
            certificate: identity.certificate.path.clone(),
            key: identity.key.as_ref().map(|file| file.path.clone()),
        }
    }

    fn keys_beside(&self) -> [PathBuf; 2] {
        let mut appended = self.certificate.clone().into_os_string();
        appended.push(".key");
        [appended.into(), self.certificate.with_extension("key")]
    }

    /// Reads them. A certificate that is not valid at present is no fault: see
    /// [`Loaded::is_valid_at`].
    fn load(&self) -> Result<Loaded, Fault> {
        let shown = self.certificate.display();
        let bytes = read(&self.certificate, MOST_BYTES)?;
        let Pem { chain, key } = Pem::parse(&bytes, &self.certificate)?;
        if chain.is_empty() {
            return Err(fault(
                format!("{shown} has no certificate"),
                "the file must have a block that begins with `-----BEGIN CERTIFICATE-----`",
            ));
        }
        let (key, key_file) = match (key, &self.key) {
            (_, Some(path)) => (key_in(path)?, path.clone()),
            (Some(key), None) => (key, self.certificate.clone()),
            (None, None) => match self.keys_beside().into_iter().find(|path| path.exists()) {
                Some(path) => (key_in(&path)?, path),
                None => {
                    return Err(fault(
                        format!("{shown} has no private key, and there is no key file beside it"),
                        "put the key into the same file or into FILE.key, or write \
                         `{ certificate = \"…\", key = \"…\" }`",
                    ));
                }
            },
        };
        let facts = Facts::of(&chain[0]).ok_or_else(|| {
            let message = format!("the first certificate in {shown} cannot be parsed");
            fault(message, CANNOT_PARSE)
        })?;
        if !facts.is_v3 {
            return Err(fault(
                format!(
                    "the first certificate in {shown} has an old version of X.509; version 3 is needed"
                ),
                "CAs issue only version 3; `openssl x509 -req` needs `-extfile` to make one",
            ));
        }
        let key = certified(chain, key).map_err(|error| {
            let of = key_file.display();
            let TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) = error else {
                return fault(
                    format!("the private key in {of} is of no kind that can be used"),
                    "RSA with 2048 to 8192 bits, ECDSA with P-256, P-384 or P-521, and Ed25519 can",
                );
            };
            let message = match key_file == self.certificate {
                true => format!("the private key in {of} does not belong to its first certificate"),
                false => format!(
                    "the private key in {of} does not belong to the first certificate in {shown}"
                ),
            };
            fault(
                message,
                "the server's own certificate must be the first one, CA certificates follow",
            )
        })?;
        let kind = match key.key.algorithm() {
            SignatureAlgorithm::RSA => KeyKind::Rsa,
            _ => KeyKind::Ecdsa,
        };
        Ok(Loaded {
            served: Arc::new(Certificate {
                key: Arc::new(key),
                kind,
                names: facts.names,
            }),
            not_before: facts.not_before,
            not_after: facts.not_after,
        })
    }
}

impl Loaded {
    /// Whether `now`, in seconds since 1970, is within its validity.
    pub(super) fn is_valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    CertifiedKey::from_der(chain, key, &provider())
}

fn key_in(path: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    let bytes = read(path, MOST_BYTES)?;
    Pem::parse(&bytes, path)?.key.ok_or_else(|| {
        fault(
            format!("{} has no private key", path.display()),
            "the file must have a block that begins with `-----BEGIN PRIVATE KEY-----`",
        )
    })
}

/// The blocks of a PEM file.
struct Pem {
    chain: Vec<CertificateDer<'static>>,
    /// The first key.
    key: Option<PrivateKeyDer<'static>>,
}

impl Pem {
    fn parse(bytes: &[u8], path: &Path) -> Result<Self, Fault> {
        let mut found = Self {
            chain: Vec::new(),
            key: None,
        };
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
            let (kind, der) = section.map_err(|error| not_pem(path, &error))?;
            match kind {
                SectionKind::Certificate => found.chain.push(der.into()),
                kind => {
                    found.key = found
                        .key
                        .take()
                        .or_else(|| PrivateKeyDer::from_pem(kind, der));
                }
            }
        }
        let is_encrypted = |line: &[u8]| line.starts_with(b"-----BEGIN ENCRYPTED");
        if found.key.is_none() && bytes.split(|byte| *byte == b'\n').any(is_encrypted) {
            return Err(fault(
                format!("the private key in {} is encrypted", path.display()),
                "Evenkeel cannot ask for its password: `openssl pkey -in FILE -out NEW` writes the key \
                 without encryption; let only the user of evenkeel read the new file",
            ));
        }
        Ok(found)
    }
}

pub(super) fn not_pem(path: &Path, error: &pem::Error) -> Fault {
    let why = match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no `-----END …-----` line",
        pem::Error::IllegalSectionStart { .. } => "a `-----BEGIN …-----` line is not whole",
        pem::Error::Base64Decode(_) => "a block has characters that are not base64",
        pem::Error::SectionTooLarge => "a block is too large",
        _ => "it cannot be read as one",
    };
    fault(format!("{} is not PEM: {why}", path.display()), "")
}

/// The content of a certificate.
struct Facts {
    names: Vec<Box<str>>,
    /// rustls accepts no other version, and would blame the key.
    is_v3: bool,
    not_before: i64,
    not_after: i64,
}

impl Facts {
    fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            names: names(&certificate),
            is_v3: certificate.version() == X509Version::V3,
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
}

/// Its DNS names; the common name if it is so old that it has none.
fn names(certificate: &X509Certificate<'_>) -> Vec<Box<str>> {
    let in_form = |name: &str| name.trim_end_matches('.').to_ascii_lowercase().into();
    if let Ok(Some(sans)) = certificate.subject_alternative_name() {
        let names = sans.value.general_names.iter();
        return names
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(in_form(name)),
                _ => None,
            })
            .collect();
    }
    let common = certificate.subject().iter_common_name();
    common
        .filter_map(|name| name.as_str().ok())
        .filter(|name| name.contains('.') && !name.contains(' '))
        .map(in_form)
        .collect()
}

impl Source for Files {
    type Content = Loaded;

    fn path(&self) -> &Path {
        &self.certificate
    }

    fn stamp(&self) -> Stamp {
        match &self.key {
            Some(key) => [stamp(&self.certificate), stamp(key), None],
            None => {
                let [first, second] = self.keys_beside();
                [stamp(&self.certificate), stamp(&first), stamp(&second)]
            }
        }
    }

    fn read(&self) -> Result<Loaded, Fault> {
        self.load()
    }

    fn against(before: &Loaded, next: &Loaded, now: i64) -> Option<Fault> {
        if next.is_valid_at(now) || !before.is_valid_at(now) {
            return None;
        }
        let what = match next.not_after < now {
            true => "it has expired",
            false => "it is not valid yet",
        };
        Some(fault(what, "the last usable one stays in use"))
    }
}

pub(super) fn stamp(path: &Path) -> FileStamp {
    let facts = fs::metadata(path).ok()?;
    let written = (facts.mtime(), facts.mtime_nsec());
    Some((facts.dev(), facts.ino(), facts.size(), written.0, written.1))
}

pub(super) fn read(path: &Path, most_bytes: u64) -> Result<Vec<u8>, Fault> {
    let cannot = |error: &io::Error| {
        let help = match error.kind() {
            // A relative path is shown as a whole, so that the message has the place that was
            // searched.
            io::ErrorKind::NotFound if path.is_relative() => {
                "a relative path begins at the directory of the configuration file"
            }
            io::ErrorKind::PermissionDenied => {
                "the user that evenkeel runs as must be able to read it"
            }
            _ => "",
        };
        fault(
            format!("cannot read {}: {}", path.display(), InWords(error)),
            help,
        )
    };
    let size = fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if size > most_bytes {
        let message = format!("{} is too large: {size} bytes", path.display());
        return Err(fault(message, ""));
    }
    regular_file::read(path, most_bytes).map_err(|error| cannot(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::certs::fixture::Folder;

    /// Of version 1, as `openssl x509 -req` makes them by default.
    const OLD: &str = "\
-----BEGIN CERTIFICATE-----
MIIBHzCBxwIUPEJHowUaxBa1amcXa53qBiLXlWowCgYIKoZIzj0EAwIwEjEQMA4G
A1UEAwwHdjEudGVzdDAgFw0yNjExMjAxMzA1MThaGA8yMTI2MTAyNzEzMDUxOFow
EjEQMA4GA1UEAwwHdjEudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMNx
RqCqirCvB8rRViOBvtqErogyBt29MnF46kXME9BnrbElQi2OgKSQHPCC1Vb333u2
x5SvylMaM6ugQjz2MLQwCgYIKoZIzj0EAwIDRwAwRAIgdlg6um9G5Nuc2uxuZtVR
hCCIGi6lWs+4deH5ftns9wMCIHYjQPh2iNJrUMpAPVBJl1rchfBe3COhi8vFxKnh
vZDM
-----END CERTIFICATE-----
";

    #[test]
    fn a_key_is_found_in_the_file_beside_it_or_where_it_is_said_to_be() {
        let folder = Folder::new();
        let (chain, key) = folder.pair(&["a.test", "*.A.test"]);
        let whole = folder.write("whole.pem", &format!("{key}{chain}"));
        let appended = folder.write("one.pem", &chain);
        folder.write("one.pem.key", &key);
        let replaced = folder.write("two.crt", &chain);
        folder.write("two.key", &key);
        let apart = folder.write("three.pem", &chain);
        let its_key = folder.write("elsewhere.pem", &key);
        for (certificate, key) in [
            (whole, None),
            (appended, None),
            (replaced, None),
            (apart, Some(its_key)),
        ] {
            let files = Files { certificate, key };
            let loaded = files.load().expect("a certificate");
            assert_eq!(loaded.served.names, ["a.test".into(), "*.a.test".into()]);
            assert_eq!(loaded.served.kind, KeyKind::Ecdsa);
        }
    }

    #[test]
    fn a_key_that_does_not_fit_is_named_by_its_own_file() {
        let folder = Folder::new();
        let (chain, _) = folder.pair(&["a.test"]);
        let (_, other_key) = folder.pair(&["a.test"]);
        let certificate = folder.write("fullchain.pem", &chain);
        let apart = folder.write("privkey.pem", &other_key);
        let beside = folder.write("fullchain.pem.key", &other_key);
        for (key, named) in [(Some(apart.clone()), apart), (None, beside)] {
            let certificate = certificate.clone();
            let fault = Files { certificate, key }
                .load()
                .expect_err("it is another");
            let expected = format!("the private key in {} does not belong to", named.display());
            assert!(fault.message.starts_with(&expected), "{fault:?}");
            assert!(fault.message.ends_with("/fullchain.pem"), "{fault:?}");
        }
    }

    #[test]
    fn each_fault_has_its_message() {
        let folder = Folder::new();
        let (chain, key) = folder.pair(&["a.test"]);
        let (_, other_key) = folder.pair(&["a.test"]);
        let broken = chain.replacen("MII", "MIX", 1);
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (name, text, expected) in [
            ("empty.pem", String::new(), "has no certificate"),
            (
                "lonely.pem",
                chain.clone(),
                "has no private key, and there is no key file beside it",
            ),
            ("key.pem", key.clone(), "has no certificate"),
            (
                "swapped.pem",
                chain.clone() + &other_key,
                "does not belong to its first certificate",
            ),
            ("broken.pem", broken + &key, "cannot be parsed"),
            ("old.pem", OLD.to_owned() + &key, "version 3 is needed"),
            ("secret.pem", chain.clone() + encrypted, "is encrypted"),
            (
                "torn.pem",
                format!("{}{key}", &chain[..chain.len() / 2]),
                "is not PEM",
            ),
        ] {
            let files = Files {
                certificate: folder.write(name, &text),
                key: None,
            };
            let fault = files.load().err().map(|fault| fault.message);
            let is_said = fault.as_ref().is_some_and(|said| said.contains(expected));
            assert!(is_said, "{name}: {fault:?}");
        }
        let missing = Files {
            certificate: folder.path("none.pem"),
            key: None,
        };
        let fault = missing.load().expect_err("it is not there");
        assert!(fault.message.starts_with("cannot read "), "{fault:?}");
        assert_eq!(fault.help, "");
        let relative = Files {
            certificate: PathBuf::from("none.pem"),
            key: None,
        };
        let fault = relative.load().expect_err("it is not there");
        assert!(
            fault.help.starts_with("a relative path begins at "),
            "{fault:?}"
        );
    }
}
