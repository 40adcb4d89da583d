//! Certificates that are made for a test, and a TLS client.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize, SanType,
    SerialNumber, date_time_ymd,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, RootCertStore,
    SignatureScheme, StreamOwned,
};

use super::message::Message;
use super::wait::TIMEOUT;

/// An authority that signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// Its own certificate as PEM.
    pub(crate) pem: String,
}

/// A certificate with its key, both as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// One of that name.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// One whose own certificate forbids signing (CA:FALSE).
    pub(crate) fn without_right_to_sign(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for these names.
    pub(crate) fn pair(&self, names: &[&str]) -> Pair {
        self.signed(names, &KeyPair::generate().expect("a key"), 2100, 1)
    }

    /// The same with an RSA key.
    pub(crate) fn rsa_pair(&self, names: &[&str]) -> Pair {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
        self.signed(names, &key.expect("a key"), 2100, 1)
    }

    /// The same, valid until the first day of `year`.
    pub(crate) fn pair_until(&self, names: &[&str], year: i32) -> Pair {
        self.signed(names, &KeyPair::generate().expect("a key"), year, 1)
    }

    /// The same, valid for so many days and a half from now.
    pub(crate) fn pair_for_days(&self, names: &[&str], days: u64) -> Pair {
        self.pair_for(names, Duration::from_secs((24 * days + 12) * 60 * 60))
    }

    /// The same, valid for `span` from now on, in whole seconds.
    pub(crate) fn pair_for(&self, names: &[&str], span: Duration) -> Pair {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = since.expect("a clock that is set");
        self.signed_until(names, &KeyPair::generate().expect("a key"), 1, |params| {
            params.not_after = date_time_ymd(1970, 1, 1) + now + span;
        })
    }

    /// A certificate for a client; its first name is its subject's.
    pub(crate) fn client(&self, names: &[&str], serial: u8) -> Pair {
        self.signed(names, &KeyPair::generate().expect("a key"), 2100, serial)
    }

    fn signed(&self, names: &[&str], key: &KeyPair, year: i32, serial: u8) -> Pair {
        self.signed_until(names, key, serial, |params| {
            params.not_after = date_time_ymd(year, 1, 1);
        })
    }

    fn signed_until(
        &self,
        names: &[&str],
        key: &KeyPair,
        serial: u8,
        set_end: impl FnOnce(&mut CertificateParams),
    ) -> Pair {
        let mut params = CertificateParams::default();
        let name = names.first().copied().unwrap_or_default();
        params.distinguished_name.push(DnType::CommonName, name);
        let san = |name: &&str| SanType::DnsName((*name).try_into().expect("ASCII"));
        params.subject_alt_names = names.iter().map(san).collect();
        params.serial_number = Some(SerialNumber::from(vec![serial]));
        params.not_before = date_time_ymd(2000, 1, 1);
        set_end(&mut params);
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A list that revokes the certificates with these numbers.
    pub(crate) fn revoking(&self, serials: &[u8]) -> String {
        let revoked = |serial: &u8| RevokedCertParams {
            serial_number: SerialNumber::from(vec![*serial]),
            revocation_time: date_time_ymd(2001, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2001, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(vec![1]),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("a list");
        list.pem().expect("a list")
    }
}

impl Pair {
    /// A certificate that signs itself, as `openssl req -x509` makes them.
    pub(crate) fn self_signed(common: &str, names: &[&str], is_ca: bool) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        let san = |name: &&str| SanType::DnsName((*name).try_into().expect("ASCII"));
        params.subject_alt_names = names.iter().map(san).collect();
        params.is_ca = match is_ca {
            true => IsCa::Ca(BasicConstraints::Unconstrained),
            false => IsCa::ExplicitNoCa,
        };
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Certificate and key in one text.
    pub(crate) fn whole(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }
}

/// The TLS settings of a client. Connections with the same one resume each other's sessions.
#[derive(Clone)]
pub(crate) struct Speech(Arc<ClientConfig>);

impl Speech {
    /// A client that trusts `authority`.
    pub(crate) fn trusting(authority: &Authority) -> Self {
        Self::of(authority, rustls::DEFAULT_VERSIONS, None)
    }

    /// The same, and it sends `pair` if it is asked.
    pub(crate) fn showing(authority: &Authority, pair: &Pair) -> Self {
        Self::of(authority, rustls::DEFAULT_VERSIONS, Some(pair))
    }

    /// A client of TLS 1.2 only.
    pub(crate) fn old(authority: &Authority) -> Self {
        Self::of(authority, &[&rustls::version::TLS12], None)
    }

    /// A client that offers HTTP/2.
    pub(crate) fn of_http2(authority: &Authority) -> Self {
        let Self(mut config) = Self::trusting(authority);
        let own = Arc::get_mut(&mut config).expect("it is not shared yet");
        own.alpn_protocols = vec![b"h2".to_vec()];
        Self(config)
    }

    /// A client whose only key exchange is X25519MLKEM768.
    pub(crate) fn post_quantum(authority: &Authority) -> Self {
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
        Self::by(provider, authority, rustls::DEFAULT_VERSIONS, None)
    }

    /// A client that trusts every certificate with a signature of one of `schemes`.
    pub(crate) fn signed_by(schemes: &[SignatureScheme]) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(schemes.to_vec())));
        Self(Arc::new(builder.with_no_client_auth()))
    }

    fn of(
        authority: &Authority,
        versions: &[&'static rustls::SupportedProtocolVersion],
        pair: Option<&Pair>,
    ) -> Self {
        Self::by(aws_lc_rs::default_provider(), authority, versions, pair)
    }

    fn by(
        provider: CryptoProvider,
        authority: &Authority,
        versions: &[&'static rustls::SupportedProtocolVersion],
        pair: Option<&Pair>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.clone()).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        Self(Arc::new(match pair {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = CertificateDer::from_pem_slice(pair.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes());
                let chain = vec![chain.expect("a certificate")];
                let shown = builder.with_client_auth_cert(chain, key.expect("a key"));
                shown.expect("a pair")
            }
        }))
    }

    /// Connects to `name` at `address`.
    pub(crate) fn try_connect(&self, address: SocketAddr, name: &str) -> io::Result<TlsClient> {
        self.over(TcpStream::connect_timeout(&address, TIMEOUT)?, name)
    }

    /// Does a handshake for `name` on an open connection.
    pub(crate) fn over(&self, mut stream: TcpStream, name: &str) -> io::Result<TlsClient> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let connection = self.shake_hands(&mut stream, name)?;
        Ok(TlsClient {
            stream: StreamOwned::new(connection, stream),
            ahead: Vec::new(),
        })
    }

    /// Its ClientHello for `name`.
    pub(crate) fn hello(&self, name: &str) -> Vec<u8> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.0), name);
        let mut bytes = Vec::new();
        let written = connection.expect("rules").write_tls(&mut bytes);
        written.expect("a vector takes all");
        bytes
    }

    /// Does a handshake for `name` on `stream`, and leaves reading and writing to the caller.
    pub(super) fn shake_hands(
        &self,
        stream: &mut TcpStream,
        name: &str,
    ) -> io::Result<ClientConnection> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let rules = Arc::clone(&self.0);
        let mut connection = ClientConnection::new(rules, name).expect("rules");
        while connection.is_handshaking() || connection.wants_write() {
            connection.complete_io(stream)?;
        }
        Ok(connection)
    }

    /// The same, and it must work.
    #[track_caller]
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> TlsClient {
        self.try_connect(address, name).expect("a handshake")
    }

    /// Connects and requests `/`; with TLS 1.3, the reason for a failure may only be in the answer.
    #[track_caller]
    pub(crate) fn refusal(&self, address: SocketAddr, name: &str) -> String {
        let asked = self.try_connect(address, name).and_then(|mut client| {
            client.send(request(name, "/"))?;
            client.try_response()
        });
        asked
            .map(|answer| answer.head)
            .expect_err("refused")
            .to_string()
    }
}

/// A client's TLS connection.
pub(crate) struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
    ahead: Vec<u8>,
}

impl TlsClient {
    /// Asks for `target` of `host`.
    #[track_caller]
    pub(crate) fn get(&mut self, host: &str, target: &str) -> Message {
        self.ask(&request(host, target))
    }

    /// Sends a request and takes its response.
    #[track_caller]
    pub(crate) fn ask(&mut self, text: &str) -> Message {
        self.send(text).expect("it takes them");
        self.try_response().expect("a response")
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// The next response, of known length.
    pub(crate) fn try_response(&mut self) -> io::Result<Message> {
        let end = loop {
            let found = self.ahead.windows(4).position(|four| four == b"\r\n\r\n");
            match found {
                Some(index) => break index + 4,
                None => self.read_more()?,
            }
        };
        let mut message = Message::of_head(&self.ahead[..end]);
        let length = message.field("content-length").unwrap_or("0");
        let length: usize = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        while self.ahead.len() < end + length {
            self.read_more()?;
        }
        message.body = self.ahead[end..end + length].to_vec();
        self.ahead.drain(..end + length);
        Ok(message)
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut room = [0; 16 << 10];
        match self.stream.read(&mut room)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.ahead.extend_from_slice(&room[..count]);
                Ok(())
            }
        }
    }

    /// Checks that nothing comes for `span`.
    #[track_caller]
    pub(crate) fn is_quiet_for(&mut self, span: Duration) {
        let socket = &self.stream.sock;
        socket.set_read_timeout(Some(span)).expect("a socket");
        let read = self.read_more();
        let socket = &self.stream.sock;
        socket.set_read_timeout(Some(TIMEOUT)).expect("a socket");
        let error = read.expect_err("nothing comes");
        let late = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
        assert!(late.contains(&error.kind()), "{error}");
    }

    /// Closes the sending side.
    pub(crate) fn half_close(&mut self) {
        self.stream.conn.send_close_notify();
        self.stream.flush().expect("it takes it");
    }

    /// Checks that nothing more comes, and that the other side has sent `close_notify`.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) {
        let mut rest = Vec::new();
        // An end without `close_notify` is an error to rustls.
        self.stream.read_to_end(&mut rest).expect("close_notify");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Everything until the connection ends, and whether the other side sent `close_notify`.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Result<(), io::ErrorKind>) {
        let mut rest = std::mem::take(&mut self.ahead);
        let read = self.stream.read_to_end(&mut rest);
        (rest, read.map(drop).map_err(|error| error.kind()))
    }

    /// Whether an earlier session was resumed.
    pub(crate) fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The server's certificate.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        let chain = self.stream.conn.peer_certificates();
        chain.expect("a handshake")[0].clone().into_owned()
    }
}

fn request(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

impl PartialEq<CertificateDer<'_>> for Pair {
    fn eq(&self, other: &CertificateDer<'_>) -> bool {
        let own = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        own.expect("a certificate").as_ref() == other.as_ref()
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.certificate)
    }
}

/// Trusts every certificate.
#[derive(Debug)]
struct AnyCertificate(Vec<SignatureScheme>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
