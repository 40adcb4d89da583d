//! Session caches, so that a client that returns needs no full handshake.
//!
//! One cache for each policy about client certificates, for all frontends and binds that have it,
//! and never one for two policies: on resumption rustls asks for no certificate and trusts the one
//! in the session, so a session that was begun without a certificate would be resumed where one is
//! required (the class of CVE-2025-23419 in nginx). A renewed revocation list is another policy, so
//! no session of the old one is resumed; `client_cert_sessions` handles certificates that expire.
//! `control::certs` keeps the caches across reloads and renewals, and drops one when its policy is
//! not used any more. So the policy identifies a cache, not the address: sessions are resumed when
//! a bind gets another certificate, another version or another address, and with rustls only for
//! the name that they were begun for.

use std::fmt;
use std::sync::Arc;

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

use crate::base::clock::{self, Instant};

use super::tickets::{TICKET_LIFE, Tickets};

/// The most sessions of clients without tickets. A few hundred bytes each, so some MB for each
/// policy.
const SESSIONS: usize = 20_000;

/// The session cache of one policy.
#[derive(Clone)]
pub struct Resumption {
    /// For clients that keep their sessions themselves: all of TLS 1.3, most of 1.2.
    pub(super) tickets: Arc<Tickets>,
    /// For clients of TLS 1.2 that take no tickets.
    pub(super) sessions: Arc<Sessions>,
}

/// The policy of a [`Resumption`]: two are equal if every client that was admitted under one would
/// have been admitted under the other.
#[derive(Clone)]
pub struct PolicyId(Arc<Tickets>);

/// Sessions that we keep ourselves: the newest, each no longer than a ticket is valid.
pub(super) struct Sessions {
    /// The ages of sessions count from here.
    since: Instant,
    /// Each after the seconds from `since` to its insertion.
    kept: Arc<ServerSessionMemoryCache>,
}

impl Resumption {
    /// An empty cache with keys of its own.
    ///
    /// # Errors
    ///
    /// The system gives no randomness.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self {
            tickets: Arc::new(Tickets::new()?),
            sessions: Arc::new(Sessions::new()),
        })
    }

    /// The policy of this cache.
    pub fn policy(&self) -> PolicyId {
        PolicyId(Arc::clone(&self.tickets))
    }
}

impl Sessions {
    fn new() -> Self {
        Self {
            since: clock::now(),
            kept: ServerSessionMemoryCache::new(SESSIONS),
        }
    }

    fn now(&self) -> u64 {
        clock::now().duration_since(self.since).as_secs()
    }

    fn not_too_old(&self, kept: &[u8]) -> Option<Vec<u8>> {
        let (put_at, session) = kept.split_first_chunk()?;
        let age = self.now().saturating_sub(u64::from_be_bytes(*put_at));
        (age < TICKET_LIFE.as_secs()).then(|| session.to_vec())
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let put_at = self.now().to_be_bytes();
        self.kept.put(key, [&put_at, &*value].concat())
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.not_too_old(&self.kept.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.not_too_old(&self.kept.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.kept.can_cache()
    }
}

impl PartialEq for PolicyId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for PolicyId {
    /// It contains keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PolicyId")
    }
}

impl fmt::Debug for Sessions {
    /// It contains keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl fmt::Debug for Resumption {
    /// It contains keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resumption")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use rcgen::{CertifiedKey as Signed, generate_simple_self_signed};
    use rustls::client::{Resumption as Remembered, Tls12Resumption};
    use rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};
    use rustls::sign::CertifiedKey;
    use rustls::time_provider::TimeProvider;
    use rustls::{
        CertificateError, ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore,
        ServerConnection, SupportedProtocolVersion, version,
    };

    use super::super::fixture::{DAY, Shown, YEAR_2020};
    use super::super::rules::{Offer, Trust, provider, rules};
    use super::super::store::{Certificate, KeyKind, StoreBuilder};
    use super::*;
    use crate::base::clock::Duration;
    use crate::plan::{Need, TlsRules};

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// How clients resume sessions.
    const WAYS: [(&SupportedProtocolVersion, Tls12Resumption); 3] = [
        (&version::TLS13, Tls12Resumption::Disabled),
        (&version::TLS12, Tls12Resumption::SessionIdOrTickets),
        (&version::TLS12, Tls12Resumption::SessionIdOnly),
    ];

    /// The wall clock of server and client, which the test sets.
    #[derive(Debug)]
    struct Day(AtomicU64);

    impl TimeProvider for Day {
        fn current_time(&self) -> Option<UnixTime> {
            let now = Duration::from_secs(self.0.load(Ordering::Relaxed));
            Some(UnixTime::since_unix_epoch(now))
        }
    }

    /// A server, and a client that trusts it and connects repeatedly.
    struct Pair {
        server: Offer,
        client: Arc<ClientConfig>,
        today: Arc<Day>,
    }

    impl Pair {
        fn of(
            way: (&'static SupportedProtocolVersion, Tls12Resumption),
            shown: Option<Shown>,
        ) -> Self {
            let made = generate_simple_self_signed(["a.test".to_owned()]);
            let Signed { cert, signing_key } = made.expect("a certificate");
            let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
            let key = provider().key_provider.load_private_key(key);
            let chain = vec![cert.der().clone()];
            let certificate = Certificate {
                key: Arc::new(CertifiedKey::new(chain, key.expect("a key"))),
                kind: KeyKind::Ecdsa,
                names: vec!["a.test".into()],
            };
            let mut store = StoreBuilder::default();
            store.add(&Arc::new(certificate));
            let store = Arc::new(store.build(None).expect("a store"));
            let resumption = Resumption::new().expect("randomness");
            let today = Arc::new(Day(AtomicU64::new(YEAR_2020)));
            let trust = shown.as_ref().map(|shown| Trust {
                need: Need::Required,
                roots: vec![shown.root.clone()],
                revoked: Vec::new(),
            });
            let server = rules(
                &TlsRules::default(),
                trust.as_ref(),
                store,
                &resumption,
                Arc::<Day>::clone(&today),
            );
            let mut roots = RootCertStore::empty();
            roots.add(cert.der().clone()).expect("a root");
            let client = ClientConfig::builder_with_details(provider(), Arc::<Day>::clone(&today))
                .with_protocol_versions(&[way.0])
                .expect("a version")
                .with_root_certificates(roots);
            let mut client = match shown {
                None => client.with_no_client_auth(),
                Some(shown) => client
                    .with_client_auth_cert(shown.chain, shown.key)
                    .expect("a pair"),
            };
            client.resumption = Remembered::in_memory_sessions(8).tls12_resumption(way.1);
            Self {
                server: server.expect("rules"),
                client: Arc::new(client),
                today,
            }
        }

        /// Whether the session of the last visit was resumed.
        fn handshake(&self) -> bool {
            self.try_visit().expect("a handshake")
        }

        /// The same, if the server may refuse.
        fn try_visit(&self) -> Result<bool, Error> {
            let name = ServerName::try_from("a.test").expect("a name");
            let client = ClientConnection::new(Arc::clone(&self.client), name);
            let mut client = client.expect("rules");
            let mut server = ServerConnection::new(self.server.rules()).expect("rules");
            while client.wants_write() || server.wants_write() {
                let mut flight = Vec::new();
                while client.wants_write() {
                    client.write_tls(&mut flight).expect("room");
                }
                read(&flight, |bytes| server.read_tls(bytes));
                server.process_new_packets()?;
                flight.clear();
                while server.wants_write() {
                    server.write_tls(&mut flight).expect("room");
                }
                read(&flight, |bytes| client.read_tls(bytes));
                client.process_new_packets().expect("a handshake");
            }
            assert_eq!(client.handshake_kind(), server.handshake_kind());
            let shown = server.peer_certificates().map(<[_]>::len);
            assert_eq!(shown.is_some(), matches!(self.server, Offer::ForEach(_)));
            Ok(client.handshake_kind() == Some(HandshakeKind::Resumed))
        }

        fn it_is(&self, seconds: u64) {
            self.today.0.store(seconds, Ordering::Relaxed);
        }
    }

    fn read(mut bytes: &[u8], mut by: impl FnMut(&mut &[u8]) -> std::io::Result<usize>) {
        while !bytes.is_empty() {
            by(&mut bytes).expect("bytes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_comes_back_after_two_changes_of_keys_shakes_hands_in_full() {
        for way in WAYS {
            let pair = Pair::of(way, None);
            assert!(!pair.handshake());
            assert!(pair.handshake());
            clock::sleep(7 * HOUR).await;
            assert!(pair.handshake(), "one change later");
            clock::sleep(12 * HOUR).await;
            assert!(!pair.handshake(), "two changes later");
            assert!(pair.handshake(), "with the ticket of the new key");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_kept_here_ends_however_often_its_client_comes() {
        let (way, all) = (WAYS[2], TICKET_LIFE.as_secs() / HOUR.as_secs());
        let pair = Pair::of(way, None);
        assert!(!pair.handshake());
        for _ in 1..all {
            clock::sleep(HOUR).await;
            assert!(pair.handshake());
        }
        clock::sleep(HOUR).await;
        assert!(!pair.handshake());
    }

    #[test]
    fn a_session_ends_with_the_certificate_of_its_client() {
        for way in WAYS {
            let pair = Pair::of(way, Some(Shown::until_2021()));
            let end = YEAR_2020 + 366 * DAY;
            // A second too early, the certificate is not valid either.
            pair.it_is(end - 2);
            assert!(!pair.handshake());
            // Its session is not only that of the first visit, but also of resumed ones.
            assert!(pair.handshake());
            assert!(pair.handshake());
            pair.it_is(end);
            assert!(pair.handshake(), "to the end");
            pair.it_is(end + 1);
            let refused = pair.try_visit().expect_err("refused");
            let Error::InvalidCertificate(CertificateError::ExpiredContext { .. }) = refused else {
                unreachable!("{refused}");
            };
        }
    }

    #[test]
    fn a_session_of_a_client_with_a_certificate_resumes_hours_later() {
        for way in WAYS {
            let pair = Pair::of(way, Some(Shown::until_2021()));
            assert!(!pair.handshake());
            pair.it_is(YEAR_2020 + TICKET_LIFE.as_secs() - 1);
            assert!(pair.handshake());
        }
    }

    #[test]
    fn a_session_does_not_resume_before_the_certificate_is_valid() {
        for way in WAYS {
            let pair = Pair::of(way, Some(Shown::until_2021()));
            assert!(!pair.handshake());
            pair.it_is(YEAR_2020 - 366 * DAY);
            pair.try_visit().expect_err("refused");
        }
    }
}
