//! TLS towards servers: trusted certificates, and SNI.
//!
//! `control` reads the files and makes one [`Tls`] for all servers and checks of a backend that
//! have equal settings. All workers share it, and with it the tickets by which a handshake is
//! shortened. It is kept over reloads while its settings and the content of its files are the same.

use std::io;
use std::sync::Arc;

use http::HeaderValue;
use rustls::client::Resumption;
use rustls::crypto;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InvalidMessage, RootCertStore};

use crate::base::{Address, Fingerprint};
use crate::exchange::{Fault, Reason};
use crate::net::{CERTIFICATE_REFUSED, HandshakeFault, Stream, TlsPeer, tls_error};
use crate::plan::{Protocol, ServerTls, Sni};
use crate::wire::host::Authority;

use super::trust::verifier;

/// The most tickets that are kept, by the name of the server.
const TICKETS: usize = 1024;

/// The TLS for handshakes with servers.
#[derive(Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    sni: Sni,
    protocol: Protocol,
    fingerprint: u64,
}

/// The content of the files that the plan names.
pub struct Materials {
    /// The certificates that are trusted.
    pub trusted: Trusted,
    /// Our certificate and its key.
    pub identity: Option<Arc<CertifiedKey>>,
    /// A hash of everything in them: another one means that a file has other content.
    pub fingerprint: u64,
}

/// The certificates of servers that are trusted.
#[derive(Debug)]
pub enum Trusted {
    /// Any.
    All,
    /// Certificates that one of the authorities has signed, and the certificates beside them (`ca`
    /// may name either). Name and validity are checked in both cases.
    Signed {
        /// The authorities; may be empty.
        roots: RootCertStore,
        /// Certificates that need no authority.
        certificates: Vec<Fingerprint>,
    },
    /// Exactly these, whatever is in them.
    These(Vec<Fingerprint>),
}

impl Tls {
    /// The TLS of `plan`, with the content of its files.
    ///
    /// # Errors
    ///
    /// The rules contradict themselves.
    pub fn new(
        plan: &ServerTls,
        protocol: Protocol,
        materials: Materials,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let verifier = verifier(plan, materials.trusted, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match materials.identity {
            Some(ours) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(ours))),
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = plan.sni != Sni::Off;
        config.resumption = Resumption::in_memory_sessions(TICKETS);
        config.alpn_protocols = match protocol {
            Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        Ok(Self {
            config: Arc::new(config),
            sni: plan.sni.clone(),
            protocol,
            fingerprint: materials.fingerprint,
        })
    }

    /// A hash of everything in the files that it was made from.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether the SNI is the request's host.
    pub(super) fn asks_by_host(&self) -> bool {
        self.sni == Sni::Host
    }

    /// The SNI for a server with the name `name` at `address`, for a request to `host`.
    pub fn name_of(
        &self,
        host: Option<&HeaderValue>,
        name: &str,
        address: &Address,
    ) -> ServerName<'static> {
        let fixed = |name: &str| ServerName::try_from(name.to_owned()).ok();
        let wanted = match &self.sni {
            Sni::Host => host.and_then(name_of_host),
            Sni::Fixed(name) => fixed(name),
            Sni::Server => fixed(name),
            Sni::Off => None,
        };
        wanted
            .or_else(|| name_in(address.as_host().as_bytes()))
            .expect("an address can be written as a host")
    }

    /// Does the handshake with the server `name`, with ALPN.
    ///
    /// # Errors
    ///
    /// `server.tls.*`, safe to try again.
    pub async fn secure(
        &self,
        stream: Stream,
        name: ServerName<'static>,
    ) -> Result<(Stream, Agreed), Fault> {
        let stream = stream
            .connect_tls(Arc::clone(&self.config), name)
            .await
            .map_err(fault_of)?;
        let chosen = stream.tls().and_then(|facts| facts.alpn);
        let agreed = match (self.protocol, chosen.as_deref()) {
            (_, Some(b"h2")) => Agreed::Http2,
            (Protocol::Http2, _) => {
                let text = "the server does not support HTTP/2 (ALPN)";
                return Err(Fault::with_text(Reason::ServerTlsHandshake, text.into()));
            }
            _ => Agreed::Http1,
        };
        Ok((stream, agreed))
    }

    /// Does the handshake with the server `name` for a fixed protocol; for bytes of an unknown
    /// protocol without ALPN.
    ///
    /// # Errors
    ///
    /// `server.tls.*`, safe to try again.
    pub async fn secure_for(
        &self,
        stream: Stream,
        name: ServerName<'static>,
        spoken: Spoken,
    ) -> Result<Stream, Fault> {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = match spoken {
            Spoken::Http1 => vec![b"http/1.1".to_vec()],
            Spoken::Unknown => Vec::new(),
        };
        let handshake = stream.connect_tls(Arc::new(config), name);
        handshake.await.map_err(fault_of)
    }
}

/// The fixed protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.1.
    Http1,
    /// Unknown bytes of client and server.
    Unknown,
}

/// The result of ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// The SNI for `host`, a request's `Host`; `None`: it is not valid as one.
pub(super) fn name_of_host(host: &HeaderValue) -> Option<ServerName<'static>> {
    name_in(host.as_bytes())
}

fn name_in(authority: &[u8]) -> Option<ServerName<'static>> {
    let authority = Authority::parse(authority).ok()?;
    let host = authority.host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).ok()
}

fn fault_of(fault: HandshakeFault) -> Fault {
    match fault {
        HandshakeFault::Connection(ref error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let why = fault.explained(TlsPeer::Server);
            Fault::with_text(Reason::ServerTlsHandshake, why.into())
        }
        HandshakeFault::Connection(error) => Fault::io(Reason::ServerTlsHandshake, error),
        HandshakeFault::Tls(error) => {
            let why = tls_error(&error, TlsPeer::Server);
            let reason = match error {
                rustls::Error::InvalidCertificate(_) => Reason::ServerTlsCertificate,
                _ if is_no_record(&error) => {
                    let detail = "it answers with something else";
                    return Fault::not_spoken(Reason::ServerTlsHandshake, "TLS", &detail);
                }
                _ => Reason::ServerTlsHandshake,
            };
            Fault::with_text(reason, why.into())
        }
    }
}

/// The fault of a connection that ended with `error` where an answer should have begun.
pub(super) fn ended_unanswered(error: io::Error) -> Fault {
    refused_certificate(&error).unwrap_or_else(|| Fault::io(Reason::ServerResponseEmpty, error))
}

/// The fault if `error` means that the server refused our certificate, or required one.
pub(super) fn refused_certificate(error: &io::Error) -> Option<Fault> {
    let is_refusal = error.kind() == CERTIFICATE_REFUSED;
    is_refusal.then(|| Fault::with_text(Reason::ServerTlsHandshake, error.to_string().into()))
}

/// Whether the bytes were not even a TLS record (RFC 8446 §5.1): a server with another protocol is
/// recognised by the first five bytes.
fn is_no_record(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
        )
    )
}
