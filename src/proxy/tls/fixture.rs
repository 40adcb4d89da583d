//! Certificates of clients, for tests of this room.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The first moment of 2020, in seconds since 1970.
pub(super) const YEAR_2020: u64 = 1_577_836_800;

pub(super) const DAY: u64 = 24 * 60 * 60;

/// An authority, and a certificate that it has issued.
pub(super) struct Shown {
    pub(super) root: CertificateDer<'static>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Shown {
    /// A certificate that is valid in 2019 and 2020.
    pub(super) fn until_2021() -> Self {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = root.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(root, key);
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let own = params.signed_by(&key, &issuer).expect("a certificate");
        Self {
            root: certificate.der().clone(),
            chain: vec![own.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        }
    }
}
