//! The terms under which a client connection was admitted, and whether it would be admitted now.
//!
//! The handshake decides whether a client needs a certificate, and which are valid. A connection
//! can live for days after it, while a reload begins to require a certificate, or the client's is
//! revoked or expires. So `http` checks again before a request if the configuration or a file has
//! changed since the last time, or if a certificate has expired.
//!
//! While the policy is the same and no certificate has expired, the check is two comparisons.
//! Otherwise the certificates are verified as in a handshake, about 0.1 ms, once for each change.
//! The chain is kept for that: one or two kB for each client with a certificate.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::SystemTime;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::base::clock::{self, Duration};
use crate::net::{TlsPeer, tls_error};

use super::resumption::PolicyId;
use super::rules::Offer;

/// When to verify a certificate again whose expiry cannot be read, in seconds.
const UNKNOWN_END_SECONDS: i64 = 60;

/// The terms of one connection's admission.
#[derive(Debug)]
pub struct Admission {
    /// The policy under which the certificates were last valid.
    policy: RefCell<PolicyId>,
    /// The client's chain, its own certificate first; empty: none.
    chain: Box<[CertificateDer<'static>]>,
    /// When the next certificate of the chain expires, in seconds since 1970.
    good_until: Cell<i64>,
}

/// Why a connection would not be admitted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lapsed {
    /// Its client has no certificate, and needs one now.
    CertificateMissing,
    /// Its client has a certificate, and no policy verifies it any more.
    NothingVerifies,
    /// Its client's certificate is not valid any more.
    CertificateBad(String),
}

impl fmt::Display for Lapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateMissing => {
                f.write_str("a client certificate is required now, and the client has shown none")
            }
            Self::NothingVerifies => {
                f.write_str("client certificates are not verified here any more")
            }
            Self::CertificateBad(why) => {
                write!(f, "what let the connection in is gone: {why}")
            }
        }
    }
}

impl Admission {
    /// A client with the certificates `chain` that was admitted under `policy`.
    pub fn new(policy: PolicyId, chain: Vec<CertificateDer<'static>>) -> Self {
        let now = clock::unix_seconds(clock::wall());
        let chain = chain.into_boxed_slice();
        Self {
            policy: RefCell::new(policy),
            good_until: Cell::new(next_end(&chain, now)),
            chain,
        }
    }

    /// Whether the client has a certificate.
    pub fn has_certificate(&self) -> bool {
        !self.chain.is_empty()
    }

    /// Whether a certificate has expired since the last check.
    #[inline]
    pub fn has_ended(&self, now: SystemTime) -> bool {
        let good_until = self.good_until.get();
        good_until != i64::MAX && clock::unix_seconds(now) > good_until
    }

    pub(super) fn check_again(
        &self,
        offer: &Offer,
        policy: &PolicyId,
        now: SystemTime,
    ) -> Result<(), Lapsed> {
        if *self.policy.borrow() == *policy && !self.has_ended(now) {
            return Ok(());
        }
        let seconds = clock::unix_seconds(now);
        match (offer, &*self.chain) {
            (Offer::ForEach(_), []) if offer.needs_certificate() => {
                return Err(Lapsed::CertificateMissing);
            }
            (_, []) => {}
            (Offer::Shared(_), _) => return Err(Lapsed::NothingVerifies),
            (Offer::ForEach(asking), [own, others @ ..]) => {
                let now = Duration::from_secs(seconds.max(0).unsigned_abs());
                let now = UnixTime::since_unix_epoch(now);
                let verified = asking.verify(own, others, now);
                verified
                    .map_err(|error| Lapsed::CertificateBad(tls_error(&error, TlsPeer::Client)))?;
            }
        }
        self.policy.replace(policy.clone());
        self.good_until.set(next_end(&self.chain, seconds));
        Ok(())
    }
}

/// When the first certificate expires that has not expired `now`. Clients may send certificates
/// that are not needed; if one of these has expired, it must not end the admission.
fn next_end(chain: &[CertificateDer<'_>], now: i64) -> i64 {
    let ends = chain.iter().map(|der| {
        X509Certificate::from_der(der).map_or(now + UNKNOWN_END_SECONDS, |(_, certificate)| {
            certificate.validity().not_after.timestamp()
        })
    });
    ends.filter(|end| *end >= now).min().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::generate_simple_self_signed;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::sign::CertifiedKey;

    use super::super::client_cert_sessions::Calendar;
    use super::super::fixture::{DAY, Shown, YEAR_2020};
    use super::super::resumption::Resumption;
    use super::super::rules::{Trust, provider, rules};
    use super::super::store::{Certificate, KeyKind, Store, StoreBuilder};
    use super::*;
    use crate::plan::{Need, TlsRules};

    fn store() -> Arc<Store> {
        let made = generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let key = provider().key_provider.load_private_key(key);
        let chain = vec![made.cert.der().clone()];
        let certificate = Certificate {
            key: Arc::new(CertifiedKey::new(chain, key.expect("a key"))),
            kind: KeyKind::Ecdsa,
            names: vec!["a.test".into()],
        };
        let mut store = StoreBuilder::default();
        store.add(&Arc::new(certificate));
        Arc::new(store.build(None).expect("a store"))
    }

    /// The settings for client certificates, as a policy of its own.
    fn policy(trusting: Option<(&Shown, Need)>) -> (Offer, PolicyId) {
        let trust = trusting.map(|(shown, need)| Trust {
            need,
            roots: vec![shown.root.clone()],
            revoked: Vec::new(),
        });
        let resumption = Resumption::new().expect("randomness");
        let plan = TlsRules::default();
        let calendar = Arc::new(Calendar);
        let offer = rules(&plan, trust.as_ref(), store(), &resumption, calendar);
        (offer.expect("rules"), resumption.policy())
    }

    fn day(days: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(YEAR_2020 + days * DAY)
    }

    /// A client that was admitted on the first day of 2020.
    fn admission(policy: &PolicyId, chain: &[CertificateDer<'static>]) -> Admission {
        let admission = Admission::new(policy.clone(), chain.to_vec());
        let now = clock::unix_seconds(day(0));
        admission.good_until.set(next_end(&admission.chain, now));
        admission
    }

    #[test]
    fn a_client_without_a_certificate_stays_until_one_is_required() {
        let shown = Shown::until_2021();
        let (open, none) = policy(None);
        let (optional, may) = policy(Some((&shown, Need::Optional)));
        let (required, must) = policy(Some((&shown, Need::Required)));
        let client = admission(&none, &[]);
        assert_eq!(client.check_again(&open, &none, day(0)), Ok(()));
        assert_eq!(client.check_again(&optional, &may, day(0)), Ok(()));
        let refused = client.check_again(&required, &must, day(0));
        assert_eq!(refused, Err(Lapsed::CertificateMissing));
    }

    #[test]
    fn a_certificate_is_verified_again_under_another_policy() {
        let (shown, unrelated) = (Shown::until_2021(), Shown::until_2021());
        let (_, first) = policy(Some((&shown, Need::Required)));
        let client = admission(&first, &shown.chain);
        let (same, renewed) = policy(Some((&shown, Need::Optional)));
        assert_eq!(client.check_again(&same, &renewed, day(1)), Ok(()));
        assert!(*client.policy.borrow() == renewed, "it is not asked twice");
        let (other, others) = policy(Some((&unrelated, Need::Required)));
        let refused = client.check_again(&other, &others, day(1));
        assert!(
            matches!(refused, Err(Lapsed::CertificateBad(_))),
            "{refused:?}"
        );
        let (open, none) = policy(None);
        let refused = client.check_again(&open, &none, day(1));
        assert_eq!(refused, Err(Lapsed::NothingVerifies));
    }

    #[test]
    fn an_expired_certificate_is_not_valid_under_the_same_policy() {
        let shown = Shown::until_2021();
        let (offer, policy) = policy(Some((&shown, Need::Required)));
        let client = admission(&policy, &shown.chain);
        // Only an expiry makes it be verified again.
        assert!(!client.has_ended(day(365)));
        assert_eq!(client.check_again(&offer, &policy, day(365)), Ok(()));
        assert!(client.has_ended(day(367)));
        let refused = client.check_again(&offer, &policy, day(367));
        assert!(
            matches!(refused, Err(Lapsed::CertificateBad(_))),
            "{refused:?}"
        );
    }

    #[test]
    fn a_certificate_that_nothing_depends_on_may_expire() {
        let (shown, other) = (Shown::until_2021(), Shown::until_2021());
        let mut chain = shown.chain.clone();
        chain.extend(other.chain);
        let now = clock::unix_seconds(day(0));
        let end = next_end(&chain, now);
        assert_eq!(end, now + 366 * DAY as i64);
        let past = next_end(&chain, end + 1);
        assert_eq!(past, i64::MAX, "it is not looked at again");
    }
}
