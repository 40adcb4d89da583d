//! Where earlier sessions are remembered, so that a client that comes back needs no full handshake.
//!
//! One for each policy about client certificates, and never one for two: on resumption rustls asks
//! for no certificate and believes the one that the session has, so a session that was begun without
//! a certificate would go on where one is required (the class of CVE-2025-23419 in nginx).
//! `control::certs` keeps them across reloads and renewals, and drops one when its policy has gone.

use std::fmt;
use std::sync::Arc;

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

use super::tickets::Tickets;

/// Sessions of clients that take no tickets. A few hundred bytes each, so some MB for each policy.
const SESSIONS: usize = 20_000;

/// The memory of one policy.
#[derive(Clone)]
pub struct Resumption {
    /// For clients that keep their sessions themselves: all of TLS 1.3, most of 1.2.
    pub(super) tickets: Arc<Tickets>,
    /// For clients of TLS 1.2 that take no tickets.
    pub(super) sessions: Arc<dyn StoresServerSessions>,
}

impl Resumption {
    /// An empty memory with keys of its own.
    ///
    /// # Errors
    ///
    /// That the system gives no randomness.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self {
            tickets: Arc::new(Tickets::new()?),
            sessions: ServerSessionMemoryCache::new(SESSIONS),
        })
    }
}

impl fmt::Debug for Resumption {
    /// Keys are in there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resumption")
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Signed, generate_simple_self_signed};
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::sign::CertifiedKey;
    use rustls::{
        ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection,
        SupportedProtocolVersion, version,
    };

    use super::super::rules::{Rules, provider, rules};
    use super::super::store::{Certificate, KeyKind, StoreBuilder};
    use super::*;
    use crate::base::clock::{self, Duration};
    use crate::plan::TlsRules;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// A server, and somebody who trusts it and comes back.
    struct Pair {
        server: Rules,
        client: Arc<ClientConfig>,
    }

    impl Pair {
        fn of(version: &'static SupportedProtocolVersion) -> Self {
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
            let server = rules(&TlsRules::default(), None, store, &resumption);
            let mut roots = RootCertStore::empty();
            roots.add(cert.der().clone()).expect("a root");
            let client = ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[version])
                .expect("a version")
                .with_root_certificates(roots)
                .with_no_client_auth();
            Self {
                server: server.expect("rules"),
                client: Arc::new(client),
            }
        }

        /// Whether the session of the last visit went on.
        fn visit(&self) -> bool {
            let name = ServerName::try_from("a.test").expect("a name");
            let client = ClientConnection::new(Arc::clone(&self.client), name);
            let mut client = client.expect("rules");
            let mut server = ServerConnection::new(Arc::clone(&self.server)).expect("rules");
            while client.wants_write() || server.wants_write() {
                let mut flight = Vec::new();
                while client.wants_write() {
                    client.write_tls(&mut flight).expect("room");
                }
                read(&flight, |bytes| server.read_tls(bytes));
                server.process_new_packets().expect("a handshake");
                flight.clear();
                while server.wants_write() {
                    server.write_tls(&mut flight).expect("room");
                }
                read(&flight, |bytes| client.read_tls(bytes));
                client.process_new_packets().expect("a handshake");
            }
            assert_eq!(client.handshake_kind(), server.handshake_kind());
            client.handshake_kind() == Some(HandshakeKind::Resumed)
        }
    }

    fn read(mut bytes: &[u8], mut by: impl FnMut(&mut &[u8]) -> std::io::Result<usize>) {
        while !bytes.is_empty() {
            by(&mut bytes).expect("bytes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_comes_back_after_two_changes_of_keys_shakes_hands_in_full() {
        for version in [&version::TLS13, &version::TLS12] {
            let pair = Pair::of(version);
            assert!(!pair.visit());
            assert!(pair.visit());
            clock::sleep(7 * HOUR).await;
            assert!(pair.visit(), "one change later");
            clock::sleep(12 * HOUR).await;
            assert!(!pair.visit(), "two changes later");
            assert!(pair.visit(), "with the ticket of the new key");
        }
    }
}
