//! Files with many blocks of one kind: certificates of authorities, and lists of revoked certificates.
//!
//! `file_cache` reads them as it reads certificates: as a [`Source`].

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

use super::load::{CANNOT_PARSE, Fault, Source, Stamp, fault, not_pem, read, stamp};

/// Bundles of authorities and revocation lists may be larger.
const MOST_BUNDLE_BYTES: u64 = 64 << 20;

/// A file with certificates of authorities.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Authorities(pub(super) PathBuf);

/// A file with revocation lists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RevokedList(pub(super) PathBuf);

impl Source for Authorities {
    type Content = Vec<CertificateDer<'static>>;

    fn path(&self) -> &Path {
        &self.0
    }

    fn stamp(&self) -> Stamp {
        [stamp(&self.0), None, None]
    }

    fn read(&self) -> Result<Self::Content, Fault> {
        let found: Self::Content = blocks(&self.0, "has no CA certificate")?;
        let mut roots = RootCertStore::empty();
        for certificate in &found {
            roots.add(certificate.clone()).map_err(|_| {
                let shown = self.0.display();
                fault(
                    format!("{shown} has a CA certificate that cannot be parsed"),
                    CANNOT_PARSE,
                )
            })?;
        }
        Ok(found)
    }
}

impl Source for RevokedList {
    type Content = Vec<CertificateRevocationListDer<'static>>;

    fn path(&self) -> &Path {
        &self.0
    }

    fn stamp(&self) -> Stamp {
        [stamp(&self.0), None, None]
    }

    fn read(&self) -> Result<Self::Content, Fault> {
        blocks(&self.0, "has no list of revoked certificates (CRL)")
    }
}

/// All blocks of one kind in a file; `none` is the message if there is none.
fn blocks<T: PemObject>(path: &Path, none: &str) -> Result<Vec<T>, Fault> {
    let bytes = read(path, MOST_BUNDLE_BYTES)?;
    let found: Result<Vec<_>, _> = T::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| not_pem(path, &error))?;
    if found.is_empty() {
        return Err(fault(format!("{} {none}", path.display()), ""));
    }
    Ok(found)
}
