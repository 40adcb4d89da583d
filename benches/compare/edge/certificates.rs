//! The certificates of all proxies of a run: made at its start, useless after it.

use std::path::Path;
use std::{fs, io};

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

use crate::face::Key;

/// The name that every client asks for.
pub(crate) const NAME: &str = "bench.test";

/// Writes a file with a key and its certificate for each kind of key.
pub(crate) fn write(dir: &Path) -> io::Result<()> {
    for key in Key::ALL {
        let pem = pem(key).map_err(io::Error::other)?;
        fs::write(key.file(dir), pem)?;
    }
    Ok(())
}

fn pem(key: Key) -> Result<String, rcgen::Error> {
    let pair = match key {
        Key::Ecdsa => KeyPair::generate()?,
        Key::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
    };
    let certificate = CertificateParams::new([NAME.to_owned()])?.self_signed(&pair)?;
    Ok(certificate.pem() + &pair.serialize_pem())
}
