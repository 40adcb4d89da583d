//! Sessions of clients with a certificate: resumed only while the certificate is valid.
//!
//! When a session is resumed, rustls asks for no certificate: it takes the one in the session, and
//! puts it into the next ticket too. New ticket keys do not bound that, so a client that returns in
//! time would be admitted for ever with an expired certificate. Here each session has the end of
//! its certificate's validity, and after that there is no such session: the client does a full
//! handshake with its present certificate, or is refused. The connection is not closed afterwards:
//! a client that has renewed its certificate and still holds a ticket could never connect.
//!
//! rustls shows neither the content of a session nor its client. So each handshake has rules of its
//! own, in which one [`ClientCertHandshake`] is verifier, maker of tickets and session cache. That
//! costs a few allocations beside the signatures, and nothing if no certificate is asked for.
//! Revocation needs no check here: with each new revocation list sessions begin anew
//! (`resumption`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::base::clock;

use super::resumption::Resumption;

/// One handshake, with the traits that rustls calls.
#[derive(Debug)]
pub(super) struct ClientCertHandshake {
    verifier: Arc<dyn ClientCertVerifier>,
    resumption: Resumption,
    calendar: Arc<dyn TimeProvider>,
    /// The validity of the certificate that the client has sent, now or when its session began.
    /// Written when that is known and read when a session is kept, both by the connection's own
    /// task.
    validity: Mutex<Validity>,
}

/// A period in seconds since 1970, both ends included (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    from: i64,
    until: i64,
}

/// The wall-clock time, for rustls.
#[derive(Debug)]
pub(super) struct Calendar;

impl ClientCertHandshake {
    pub(super) fn new(
        verifier: Arc<dyn ClientCertVerifier>,
        resumption: Resumption,
        calendar: Arc<dyn TimeProvider>,
    ) -> Self {
        Self {
            verifier,
            resumption,
            calendar,
            validity: Mutex::new(Validity::ALWAYS),
        }
    }

    /// A session, with the latest moment of its resumption.
    fn marked(&self, session: &[u8]) -> Vec<u8> {
        let Validity { from, until } = *self.validity();
        [&from.to_be_bytes()[..], &until.to_be_bytes(), session].concat()
    }

    /// The session that was [`marked`](Self::marked); `None`: it must not be resumed now.
    fn still_good(&self, marked: &[u8]) -> Option<Vec<u8>> {
        let (from, rest) = marked.split_first_chunk()?;
        let (until, session) = rest.split_first_chunk()?;
        let validity = Validity {
            from: i64::from_be_bytes(*from),
            until: i64::from_be_bytes(*until),
        };
        let now = self.calendar.current_time()?.as_secs() as i64;
        if !validity.contains(now) {
            return None;
        }
        *self.validity() = validity;
        Some(session.to_vec())
    }

    fn validity(&self) -> MutexGuard<'_, Validity> {
        self.validity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Validity {
    /// Of a client without a certificate.
    const ALWAYS: Self = Self {
        from: i64::MIN,
        until: i64::MAX,
    };

    const NEVER: Self = Self {
        from: i64::MAX,
        until: i64::MIN,
    };

    /// When all of `chain` are valid. An unneeded certificate in it may shorten the period; then
    /// there is one full handshake more.
    fn of<'a>(chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> Self {
        chain.fold(Self::ALWAYS, |all, der| {
            let Ok((_, certificate)) = X509Certificate::from_der(der) else {
                return Self::NEVER;
            };
            let own = certificate.validity();
            Self {
                from: all.from.max(own.not_before.timestamp()),
                until: all.until.min(own.not_after.timestamp()),
            }
        })
    }

    fn contains(self, now: i64) -> bool {
        (self.from..=self.until).contains(&now)
    }
}

impl ClientCertVerifier for ClientCertHandshake {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .verifier
            .verify_client_cert(end_entity, intermediates, now)?;
        *self.validity() = Validity::of([end_entity].into_iter().chain(intermediates));
        Ok(verified)
    }

    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.verifier.requires_raw_public_keys()
    }
}

impl ProducesTickets for ClientCertHandshake {
    fn enabled(&self) -> bool {
        self.resumption.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.resumption.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.resumption.tickets.encrypt(&self.marked(plain))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.still_good(&self.resumption.tickets.decrypt(cipher)?)
    }
}

impl StoresServerSessions for ClientCertHandshake {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.resumption.sessions.put(key, self.marked(&value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.still_good(&self.resumption.sessions.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.still_good(&self.resumption.sessions.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.resumption.sessions.can_cache()
    }
}

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        let since = clock::wall().duration_since(std::time::SystemTime::UNIX_EPOCH);
        Some(UnixTime::since_unix_epoch(since.ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustls::server::WebPkiClientVerifier;

    use super::*;
    use crate::proxy::tls::fixture::{DAY, Shown, YEAR_2020};

    #[derive(Debug)]
    struct Day(AtomicU64);

    impl TimeProvider for Day {
        fn current_time(&self) -> Option<UnixTime> {
            let now = std::time::Duration::from_secs(self.0.load(Ordering::Relaxed));
            Some(UnixTime::since_unix_epoch(now))
        }
    }

    #[test]
    fn a_session_that_is_taken_from_memory_ends_with_the_certificate_too() {
        let end = YEAR_2020 + 366 * DAY;
        let today = Arc::new(Day(AtomicU64::new(end)));
        let handshake = ClientCertHandshake::new(
            WebPkiClientVerifier::no_client_auth(),
            Resumption::new().expect("randomness"),
            Arc::<Day>::clone(&today),
        );
        *handshake.validity() = Validity::of(Shown::until_2021().chain.iter());
        for name in [b"a", b"b"] {
            assert!(handshake.put(name.to_vec(), b"a session".to_vec()));
        }
        assert_eq!(handshake.take(b"a"), Some(b"a session".to_vec()));
        assert_eq!(handshake.take(b"a"), None, "taken once");
        today.0.store(end + 1, Ordering::Relaxed);
        assert_eq!(handshake.take(b"b"), None);
    }
}
