//! TLS over any [`Stream`], on either side; the rooms above `net` read and write as without it.
//!
//! A server reads the ClientHello ([`Stream::greet`]), chooses a configuration by it, and continues
//! ([`Greeted::accept`]); a client passes its configuration when it connects
//! ([`Stream::connect_tls`]). This file knows no certificates and no rules: `proxy::tls` and
//! `upstream` pass the rustls configuration in. Deadlines are the caller's.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{Acceptor, ClientHello};
use rustls::{
    CipherSuite, ClientConfig, CommonState, HandshakeKind, ProtocolVersion, ServerConfig,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::server::StartHandshake;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, TlsStream as RustlsStream};

use crate::base::InWords;
use crate::base::{TlsKeys, TlsVersion};

use super::stream::Stream;
use super::tls_error::{TlsPeer, tls_error, with_refusal};
use super::tls_wire::Wire;

/// How many bytes are encrypted before the peer has read them: some records. More would only cost
/// memory for each slow reader, and less would cost system calls.
const ENCRYPTED_AHEAD_BYTES: usize = 64 << 10;

/// A fatal alert `unrecognized_name` (RFC 6066 §3) as a record of its own, before any key is agreed.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A connection under TLS, after its handshake.
pub struct TlsStream {
    tls: RustlsStream<Wire>,
}

/// A handshake whose ClientHello has been read and not yet answered.
pub struct Greeted(StartHandshake<Wire>);

/// The result of a handshake.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// The protocol's version.
    pub version: TlsVersion,
    /// The cipher suite, by its name at IANA.
    pub cipher: &'static str,
    /// The ALPN protocol that was negotiated.
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for (SNI), in lower case. Only known to a server.
    pub server_name: Option<Box<str>>,
    /// Whether the handshake was a full one or resumed a session.
    pub keys: TlsKeys,
    /// The peer's certificate chain, its own certificate first. Verified if the configuration asks
    /// for that.
    pub peer_certificates: Vec<CertificateDer<'static>>,
}

/// Why a handshake failed.
#[derive(Debug)]
pub enum HandshakeFault {
    /// The connection broke, or the peer closed it.
    Connection(io::Error),
    /// TLS failed: protocol, parameters or certificate.
    Tls(rustls::Error),
}

impl Stream {
    /// Reads the ClientHello.
    ///
    /// # Errors
    ///
    /// The first bytes are no ClientHello. An alert has been sent.
    ///
    /// # Cancel safety
    ///
    /// The connection is closed when it is dropped.
    pub async fn greet(self) -> Result<Greeted, HandshakeFault> {
        LazyConfigAcceptor::new(Acceptor::default(), Wire::new(self))
            .await
            .map(Greeted)
            .map_err(HandshakeFault::of)
    }

    /// Connects by TLS to the server `name`, under the rules of `config`.
    ///
    /// # Errors
    ///
    /// TLS failed. An alert has been sent to the server.
    ///
    /// # Cancel safety
    ///
    /// The connection is closed when it is dropped.
    pub async fn connect_tls(
        self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, HandshakeFault> {
        TlsConnector::from(config)
            .connect_with(name, Wire::new(self), |tls| {
                tls.set_buffer_limit(Some(ENCRYPTED_AHEAD_BYTES));
            })
            .await
            .map(|tls| TlsStream::stream(RustlsStream::Client(tls)))
            .map_err(HandshakeFault::of)
    }

    /// Answers the ClientHello, of which nothing else was read, with an alert: no certificate here
    /// has the wanted name.
    ///
    /// # Cancel safety
    ///
    /// The connection is closed when it is dropped.
    pub async fn refuse_name(mut self) {
        // If the write fails, the client has left: the connection ends anyway.
        let _ = self.write_all(&UNRECOGNIZED_NAME).await;
        let _ = self.shutdown().await;
    }

    /// The result of the handshake; `None` without TLS.
    pub fn tls(&self) -> Option<TlsFacts> {
        let Self::Tls(tls) = self else {
            return None;
        };
        Some(tls.facts())
    }
}

impl Greeted {
    /// The ClientHello.
    pub fn hello(&self) -> ClientHello<'_> {
        self.0.client_hello()
    }

    /// Answers under the rules of `config`.
    ///
    /// # Errors
    ///
    /// TLS failed. An alert has been sent to the client.
    ///
    /// # Cancel safety
    ///
    /// The connection is closed when it is dropped.
    pub async fn accept(self, config: Arc<ServerConfig>) -> Result<Stream, HandshakeFault> {
        self.0
            .into_stream_with(config, |tls| {
                tls.set_buffer_limit(Some(ENCRYPTED_AHEAD_BYTES));
            })
            .await
            .map(|tls| TlsStream::stream(RustlsStream::Server(tls)))
            .map_err(HandshakeFault::of)
    }

    /// Sends an alert: no certificate here has the wanted name.
    ///
    /// # Cancel safety
    ///
    /// The connection is closed when it is dropped.
    pub async fn refuse_name(self) {
        self.0.io.stream.refuse_name().await;
    }
}

impl TlsStream {
    fn stream(tls: RustlsStream<Wire>) -> Stream {
        Stream::Tls(Box::new(Self { tls }))
    }

    /// The connection below.
    pub(super) fn below(&self) -> &Stream {
        &self.tls.get_ref().0.stream
    }

    /// The connection below, without a `close_notify`.
    pub fn into_below(self) -> Stream {
        let wire = match self.tls {
            RustlsStream::Client(tls) => tls.into_inner().0,
            RustlsStream::Server(tls) => tls.into_inner().0,
        };
        wire.stream
    }

    /// As [`Stream::poll_write_more`], for the records that these pieces become.
    pub(super) fn poll_write_more(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire().has_more = true;
        let written = Pin::new(&mut self.tls).poll_write_vectored(cx, bufs);
        self.wire().has_more = false;
        written
    }

    fn wire(&mut self) -> &mut Wire {
        self.tls.get_mut().0
    }

    /// Bytes written to the connection below, TLS framing included.
    pub(super) fn sent(&self) -> u64 {
        self.tls.get_ref().0.sent
    }

    /// Sends `close_notify` (RFC 8446 §6.1) if the socket takes it at once.
    pub(super) fn close(mut self) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        // A peer that does not take 24 bytes now stopped reading long ago.
        let _ = Pin::new(&mut self.tls).poll_shutdown(&mut cx);
    }

    fn facts(&self) -> TlsFacts {
        let state: &CommonState = self.tls.get_ref().1;
        let server_name = match &self.tls {
            RustlsStream::Server(tls) => tls.get_ref().1.server_name(),
            RustlsStream::Client(_) => None,
        };
        TlsFacts {
            version: match state.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => TlsVersion::V1_3,
                _ => TlsVersion::V1_2,
            },
            cipher: state
                .negotiated_cipher_suite()
                .map_or("", |suite| name_of(suite.suite())),
            alpn: state.alpn_protocol().map(<[u8]>::to_vec),
            server_name: server_name.map(Into::into),
            keys: match state.handshake_kind() {
                Some(HandshakeKind::Resumed) => TlsKeys::Resumed,
                _ => TlsKeys::Fresh,
            },
            peer_certificates: state
                .peer_certificates()
                .map(|chain| chain.iter().map(|one| one.clone().into_owned()).collect())
                .unwrap_or_default(),
        }
    }
}

/// rustls calls the suites of TLS 1.3 other than IANA and other programs do.
fn name_of(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str().unwrap_or("unknown"),
    }
}

impl HandshakeFault {
    fn of(error: io::Error) -> Self {
        if !error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>())
        {
            return Self::Connection(error);
        }
        let kind = error.kind();
        match error.into_inner().map(|inner| inner.downcast()) {
            Some(Ok(tls)) => Self::Tls(*tls),
            _ => Self::Connection(kind.into()),
        }
    }
}

impl HandshakeFault {
    /// The meaning, for logs.
    pub fn explained(&self, peer: TlsPeer) -> String {
        match self {
            Self::Connection(error) if error.kind() == io::ErrorKind::UnexpectedEof => match peer {
                TlsPeer::Client => "the client closed the connection in the handshake".to_owned(),
                TlsPeer::Server => "the server closed the connection in the handshake".to_owned(),
            },
            Self::Connection(error) => InWords(error).to_string(),
            Self::Tls(error) => tls_error(error, peer),
        }
    }
}

impl AsyncRead for TlsStream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tls = &mut self.get_mut().tls;
        let read = Pin::new(&mut *tls).poll_read(cx, buf);
        match (read, &*tls) {
            (Poll::Ready(Err(error)), RustlsStream::Client(_)) => {
                Poll::Ready(Err(with_refusal(error)))
            }
            (read, _) => read,
        }
    }
}

impl AsyncWrite for TlsStream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tls).poll_write(cx, buf)
    }

    /// rustls joins the pieces to one record while it encrypts them.
    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tls).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tls).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tls).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::RootCertStore;
    use rustls::crypto::aws_lc_rs;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::base::tasks;

    /// Configurations of a server and a client that accept each other.
    fn rules() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a pair");
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a root");
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        (Arc::new(server), Arc::new(client))
    }

    async fn pair() -> (Stream, Stream) {
        let (server, client) = rules();
        let (near, far) = tokio::io::duplex(1 << 20);
        let name = ServerName::try_from("a.test").expect("a name");
        let accepted = async {
            let greeted = Stream::Other(Box::new(near)).greet().await?;
            assert_eq!(greeted.hello().server_name(), Some("a.test"));
            greeted.accept(server).await
        };
        let connected = Stream::Other(Box::new(far)).connect_tls(client, name);
        tokio::try_join!(accepted, connected).expect("they agree")
    }

    #[tokio::test]
    async fn both_sides_report_the_same_handshake() {
        let (server, client) = pair().await;
        let (server, client) = (server.tls().expect("TLS"), client.tls().expect("TLS"));
        assert_eq!(server.server_name.as_deref(), Some("a.test"));
        assert_eq!(client.peer_certificates.len(), 1);
        for facts in [server, client] {
            assert_eq!(facts.version, TlsVersion::V1_3);
            assert_eq!(facts.alpn.as_deref(), Some(b"http/1.1".as_slice()));
            assert!(facts.cipher.starts_with("TLS_"), "{}", facts.cipher);
            assert_eq!(facts.keys, TlsKeys::Fresh);
        }
    }

    #[tokio::test]
    async fn pieces_that_are_written_together_are_one_record() {
        let (mut server, mut client) = pair().await;
        for piece_bytes in [10, 3000] {
            let before = server.sent().expect("TLS");
            let pieces = [vec![b'x'; piece_bytes], vec![b'y'; piece_bytes]];
            let slices = pieces.each_ref().map(|piece| IoSlice::new(piece));
            let written = poll_fn(|cx| Pin::new(&mut server).poll_write_vectored(cx, &slices));
            assert_eq!(written.await.expect("written"), 2 * piece_bytes);
            server.flush().await.expect("flushed");
            // A header of 5 bytes, the content's type and a tag of 16 (RFC 8446 §5.2).
            let sent = server.sent().expect("TLS") - before;
            assert_eq!(sent, 2 * piece_bytes as u64 + 5 + 1 + 16);
            let mut read = vec![0; 2 * piece_bytes];
            client.read_exact(&mut read).await.expect("read");
            assert_eq!(read, pieces.concat());
        }
    }

    #[tokio::test]
    async fn a_turn_ends_after_some_small_records_however_many_were_read_at_once() {
        const RECORDS: usize = 5_000;
        let (mut server, mut client) = pair().await;
        for _ in 0..RECORDS {
            server.write_all(b"x").await.expect("there is room");
            server.flush().await.expect("there is room");
        }
        let read_in_turns = async move {
            let (mut turns, mut left) = (Vec::new(), RECORDS);
            poll_fn(|cx| {
                let mut room = [0; 1 << 10];
                let mut read = 0;
                while read < left {
                    let mut buf = ReadBuf::new(&mut room);
                    match Pin::new(&mut client).poll_read(cx, &mut buf) {
                        Poll::Ready(outcome) => outcome.expect("no fault"),
                        Poll::Pending => break,
                    }
                    read += buf.filled().len();
                }
                turns.push(read);
                left -= read;
                match left {
                    0 => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            })
            .await;
            turns
        };
        let all = tokio::task::LocalSet::new();
        let turns = all.run_until(async { tasks::spawn_local(read_in_turns).await });
        let turns = turns.await.expect("no panic");
        let longest = turns.iter().max().expect("a turn");
        // 128 steps, and the bytes that were read with the last of them.
        assert!(*longest < 1_000, "{turns:?}");
    }

    #[tokio::test]
    async fn the_peer_can_tell_a_clean_end_from_a_cut_one() {
        let (server, mut client) = pair().await;
        server.close();
        let mut rest = Vec::new();
        assert_eq!(client.read_to_end(&mut rest).await.expect("an end"), 0);

        let (server, mut client) = pair().await;
        drop(server);
        let error = client.read_to_end(&mut rest).await.expect_err("no end");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_client_without_tls_gets_an_alert() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        far.write_all(b"GET / HTTP/1.1\r\n\r\n")
            .await
            .expect("written");
        let fault = Stream::Other(Box::new(near)).greet().await.err();
        assert!(matches!(fault, Some(HandshakeFault::Tls(_))), "{fault:?}");
        let mut alert = Vec::new();
        far.read_to_end(&mut alert).await.expect("read");
        assert_eq!(alert.first(), Some(&21), "{alert:?}");
    }

    #[tokio::test]
    async fn an_unknown_name_is_refused_by_its_own_alert() {
        let (_, client) = rules();
        let (near, far) = tokio::io::duplex(1 << 20);
        let name = ServerName::try_from("a.test").expect("a name");
        let refused = async {
            let greeted = Stream::Other(Box::new(near)).greet().await?;
            greeted.refuse_name().await;
            Ok::<_, HandshakeFault>(())
        };
        let connecting = Stream::Other(Box::new(far)).connect_tls(client, name);
        let (refused, connected) = tokio::join!(refused, connecting);
        refused.expect("a hello");
        let alert = rustls::AlertDescription::UnrecognisedName;
        match connected.err() {
            Some(HandshakeFault::Tls(rustls::Error::AlertReceived(got))) => assert_eq!(got, alert),
            other => unreachable!("{other:?}"),
        }
    }
}
