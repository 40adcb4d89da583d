//! The rules of a handshake, in the form for rustls.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, VerifierBuilderError, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    ConfigBuilder, RootCertStore, ServerConfig, SupportedProtocolVersion, WantsVerifier, version,
};

use crate::base::TlsVersion;
use crate::net::{TlsPeer, tls_error};
use crate::plan::{Need, TlsRules};

use super::client_cert_sessions::ClientCertHandshake;
use super::resolver::Resolver;
use super::resumption::{Resumption, Sessions};
use super::store::Store;
use super::tickets::Tickets;

/// Rules for handshakes.
pub(super) type Rules = Arc<ServerConfig>;

/// The CAs of client certificates, as read from files.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Whether a client must have a certificate.
    pub need: Need,
    /// The authorities.
    pub roots: Vec<CertificateDer<'static>>,
    /// Their revocation lists.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
}

/// Rules that contradict themselves or the files.
#[derive(Debug)]
pub struct BadRules(String);

/// The cryptography of all TLS here: AWS-LC, with X25519MLKEM768 among the key exchanges.
///
/// Passed at each use and never installed as the process's default: two proxies in one process, or
/// a library with another provider, would conflict.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

/// Rules for handshakes, compiled.
#[derive(Clone, Debug)]
pub(super) enum Offer {
    /// The same for all.
    Shared(Rules),
    /// If clients may have certificates, see `client_cert_sessions`.
    ForEach(Arc<Asking>),
}

/// The parts for the rules of one handshake.
#[derive(Debug)]
pub(super) struct Asking {
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    verifier: Arc<dyn ClientCertVerifier>,
    calendar: Arc<dyn TimeProvider>,
    resolver: Arc<Resolver>,
    resumption: Resumption,
    protocols: Vec<Vec<u8>>,
}

/// The rules of `plan`, with the certificates in `store`. `calendar` is the clock for the validity
/// of client certificates.
///
/// # Errors
///
/// rustls refuses them: an authority is invalid, or a revocation list is unreadable.
pub(super) fn rules(
    plan: &TlsRules,
    trust: Option<&Trust>,
    store: Arc<Store>,
    resumption: &Resumption,
    calendar: Arc<dyn TimeProvider>,
) -> Result<Offer, BadRules> {
    let builder = ServerConfig::builder_with_details(provider(), Arc::clone(&calendar))
        .with_protocol_versions(versions(plan.min_version))?;
    let protocols = plan.alpn.iter();
    let protocols: Vec<_> = protocols.map(|name| name.clone().into_bytes()).collect();
    let resolver = Arc::new(Resolver(store));
    let Some(trust) = trust else {
        let mut config = builder
            .with_client_cert_verifier(Arc::new(NoClientAuth))
            .with_cert_resolver(resolver);
        config.ticketer = Arc::<Tickets>::clone(&resumption.tickets);
        config.session_storage = Arc::<Sessions>::clone(&resumption.sessions);
        return Ok(Offer::Shared(finished(config, protocols)));
    };
    Ok(Offer::ForEach(Arc::new(Asking {
        builder,
        verifier: verifier(trust)?,
        calendar,
        resolver,
        resumption: resumption.clone(),
        protocols,
    })))
}

impl Offer {
    /// The rules of the next handshake.
    pub(super) fn rules(&self) -> Rules {
        match self {
            Self::Shared(rules) => Arc::clone(rules),
            Self::ForEach(asking) => asking.rules(),
        }
    }

    /// Whether a client without a certificate is refused.
    pub(super) fn needs_certificate(&self) -> bool {
        match self {
            Self::Shared(_) => false,
            Self::ForEach(asking) => asking.verifier.client_auth_mandatory(),
        }
    }
}

impl Asking {
    /// Verifies this client certificate.
    pub(super) fn verify(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        self.verifier.verify_client_cert(own, others, now).map(drop)
    }

    fn rules(&self) -> Rules {
        let handshake = Arc::new(ClientCertHandshake::new(
            Arc::clone(&self.verifier),
            self.resumption.clone(),
            Arc::clone(&self.calendar),
        ));
        let builder = self.builder.clone();
        let mut config = builder
            .with_client_cert_verifier(Arc::<ClientCertHandshake>::clone(&handshake))
            .with_cert_resolver(Arc::<Resolver>::clone(&self.resolver));
        config.ticketer = Arc::<ClientCertHandshake>::clone(&handshake);
        config.session_storage = handshake;
        finished(config, self.protocols.clone())
    }
}

fn finished(mut config: ServerConfig, protocols: Vec<Vec<u8>>) -> Rules {
    config.alpn_protocols = protocols;
    // Early data can be replayed by an attacker who saw it (RFC 8446 §8), and we cannot know which
    // requests are safe then.
    config.max_early_data_size = 0;
    Arc::new(config)
}

fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_1_2: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
    match least {
        TlsVersion::V1_2 => &FROM_1_2,
        TlsVersion::V1_3 => &FROM_1_2[..1],
    }
}

fn verifier(trust: &Trust) -> Result<Arc<dyn ClientCertVerifier>, BadRules> {
    let mut roots = RootCertStore::empty();
    for root in &trust.roots {
        roots.add(root.clone())?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .with_crls(trust.revoked.iter().cloned());
    let builder = match trust.need {
        Need::Optional => builder.allow_unauthenticated(),
        Need::Required => builder,
    };
    builder.build().map_err(|error| {
        BadRules(match error {
            VerifierBuilderError::InvalidCrl(error) => tls_error(
                &rustls::Error::InvalidCertRevocationList(error),
                TlsPeer::Client,
            ),
            _ => "there is no CA that may sign them".to_owned(),
        })
    })
}

impl BadRules {
    /// The authorities of client certificates are not known. Serving without asking for one is no
    /// alternative.
    pub(super) fn untold() -> Self {
        Self("the authorities of its clients were not read".to_owned())
    }
}

impl From<rustls::Error> for BadRules {
    fn from(error: rustls::Error) -> Self {
        Self(tls_error(&error, TlsPeer::Client))
    }
}

impl fmt::Display for BadRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadRules {}
