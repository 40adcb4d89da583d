//! The time of a start with tens of thousands of certificates.
//!
//! Each is a file of its own with chain and key; all are read, parsed and matched with their keys,
//! as at a start, at a reload and in `evenkeel check`. Prints seconds;
//! `cargo bench --bench certificates -- 1000` uses fewer.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock itself"
)]

use std::fs;
use std::path::Path;
use std::time::Instant;

use evenkeel::config::load_text;
use evenkeel::control::verify;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

const CERTIFICATES: usize = 50_000;

fn main() {
    let wanted = std::env::args().find_map(|argument| argument.parse().ok());
    let count = wanted.unwrap_or(CERTIFICATES);
    let ecdsa = KeyPair::generate().expect("a key");
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    for (kind, key) in [("ECDSA P-256", ecdsa), ("RSA 2048", rsa)] {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("certificates");
        // Files of a run that was aborted.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        for number in 0..count {
            let name = format!("customer-{number}.example.com");
            let params = CertificateParams::new([name]).expect("a name");
            let certificate = params.self_signed(&key).expect("a certificate");
            let text = certificate.pem() + &key.serialize_pem();
            fs::write(folder.join(format!("{number}.pem")), text).expect("a file");
        }
        let text = format!(
            "[frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\ntls = '{}'\n\
             [backend.app]\nservers = '127.0.0.1:1'",
            folder.display()
        );
        let loaded = load_text("bench.toml", &text).expect("a configuration");
        let began = Instant::now();
        let mut verified = verify(&loaded.plan, &loaded.warnings).expect("good files");
        let first = began.elapsed();
        let began = Instant::now();
        verified.certs.prepare(&loaded.plan, None);
        let again = began.elapsed();
        println!(
            "{count} x {kind}: read in {:.2} s, looked at again in {:.2} s",
            first.as_secs_f64(),
            again.as_secs_f64()
        );
        fs::remove_dir_all(&folder).expect("our own");
    }
}
