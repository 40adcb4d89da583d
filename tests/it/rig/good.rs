//! A correct HTTP/2 server, also with TLS of either version: answers requests as configured, and
//! counts.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::tls::{Authority, Pair};
use super::wait::until;
use super::websocket::{echo_on, say_all};

/// More than all sockets on the way hold.
pub(crate) const FLOOD_BYTES: usize = 64 << 20;

/// A request as it came.
pub(crate) type Asked = Request<Vec<u8>>;

type Answer = dyn Fn(&Asked) -> Reply + Send + Sync;

/// An answer.
pub(crate) struct Reply {
    pub(crate) response: Response<Vec<u8>>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// A server. Dropping it ends it.
pub(crate) struct Good {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

struct Shared {
    answer: Box<Answer>,
    builder: Builder,
    handshakes: Option<Handshakes>,
    connections: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<Asked>>,
    trailers: Mutex<Vec<HeaderMap>>,
    /// The SNI of each handshake.
    names: Mutex<Vec<Option<String>>>,
    /// How many handshakes resumed an earlier session.
    resumed: AtomicUsize,
    /// How many clients sent a certificate.
    shown: AtomicUsize,
}

/// The TLS settings of a server.
#[derive(Clone)]
pub(crate) struct Handshakes(Arc<ServerConfig>);

/// The ALPN protocols of a server.
#[derive(Clone, Copy)]
pub(crate) enum Offer {
    Http1,
    Both,
    Nothing,
}

impl Handshakes {
    /// With the certificate `pair`.
    pub(crate) fn showing(pair: &Pair, offer: Offer) -> Self {
        Self::of(pair, offer, None)
    }

    /// The same, and requires a certificate that `clients` has signed.
    pub(crate) fn asking(pair: &Pair, offer: Offer, clients: &Authority) -> Self {
        Self::of(pair, offer, Some(clients))
    }

    fn of(pair: &Pair, offer: Offer, clients: Option<&Authority>) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                let root = CertificateDer::from_pem_slice(authority.pem.as_bytes());
                roots.add(root.expect("a certificate")).expect("a root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let chain = CertificateDer::from_pem_slice(pair.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes());
        let chain = vec![chain.expect("a certificate")];
        let config = builder.with_single_cert(chain, key.expect("a key"));
        let mut config = config.expect("a pair");
        config.alpn_protocols = match offer {
            Offer::Nothing => Vec::new(),
            Offer::Http1 => vec![b"http/1.1".to_vec()],
            Offer::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        Self(Arc::new(config))
    }
}

impl Reply {
    /// With a body and nothing else.
    pub(crate) fn of(body: impl Into<Vec<u8>>) -> Self {
        Self {
            response: Response::new(body.into()),
            trailers: None,
        }
    }
}

impl Good {
    /// Answers each request by `answer`.
    pub(crate) fn answering(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(None, Builder::new(), answer)
    }

    /// The same, with windows of this size for requests.
    pub(crate) fn with_room(
        room: usize,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let mut builder = Builder::new();
        builder
            .initial_window_size(room as u32)
            .initial_connection_window_size(room as u32);
        Self::with(None, builder, answer)
    }

    /// The same with TLS, by HTTP/1 if the client does not choose HTTP/2.
    pub(crate) fn secured(
        handshakes: Handshakes,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(Some(handshakes), Builder::new(), answer)
    }

    /// The same, and offers extended CONNECT (RFC 8441): after a successful answer the stream is a
    /// WebSocket that echoes. If the path ends in `/flood`, it sends [`FLOOD_BYTES`] instead.
    pub(crate) fn connecting(
        handshakes: Option<Handshakes>,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let mut builder = Builder::new();
        builder.enable_connect_protocol();
        Self::with(handshakes, builder, answer)
    }

    fn with(
        handshakes: Option<Handshakes>,
        builder: Builder,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            builder,
            handshakes,
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            requests: Mutex::default(),
            trailers: Mutex::default(),
            names: Mutex::default(),
            resumed: AtomicUsize::new(0),
            shown: AtomicUsize::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let running = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, shared) => {}
                        _ = stopped => {}
                    }
                });
            }
        });
        Self {
            address,
            shared,
            stop: Some(stop),
            running: Some(running),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many connections are open.
    #[track_caller]
    pub(crate) fn wait_for_open(&self, count: usize) {
        until("so many open connections to the server", || {
            (self.shared.open.load(Ordering::SeqCst) == count).then_some(())
        });
    }

    /// The only request that it has seen.
    #[track_caller]
    pub(crate) fn request(&self) -> Asked {
        let mut requests = lock(&self.shared.requests);
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// All that it has seen.
    pub(crate) fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        lock(&self.shared.requests)
    }

    /// The SNI of each handshake, in their order.
    pub(crate) fn names(&self) -> Vec<Option<String>> {
        lock(&self.shared.names).clone()
    }

    /// How many handshakes resumed an earlier session.
    pub(crate) fn resumed(&self) -> usize {
        self.shared.resumed.load(Ordering::SeqCst)
    }

    /// How many clients sent a certificate.
    pub(crate) fn shown(&self) -> usize {
        self.shared.shown.load(Ordering::SeqCst)
    }

    /// The trailers of the requests that had any.
    pub(crate) fn trailers(&self) -> Vec<HeaderMap> {
        lock(&self.shared.trailers).clone()
    }
}

impl Drop for Good {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(running) = self.running.take() {
            // The test has seen the panic of a script.
            let _ = running.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        shared.open.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            serve(stream, &shared).await;
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(stream: TcpStream, shared: &Arc<Shared>) {
    stream.set_nodelay(true).expect("a socket");
    let Some(handshakes) = &shared.handshakes else {
        return serve_http2(stream, shared).await;
    };
    let acceptor = TlsAcceptor::from(Arc::clone(&handshakes.0));
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let tls = stream.get_ref().1;
    lock(&shared.names).push(tls.server_name().map(str::to_owned));
    if tls.handshake_kind() == Some(HandshakeKind::Resumed) {
        shared.resumed.fetch_add(1, Ordering::SeqCst);
    }
    if tls.peer_certificates().is_some() {
        shared.shown.fetch_add(1, Ordering::SeqCst);
    }
    if tls.alpn_protocol() == Some(b"h2") {
        serve_http2(stream, shared).await;
    } else {
        let service = service_fn(|request: Request<Incoming>| async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes().to_vec();
            let asked = Request::from_parts(head, body);
            let reply = (shared.answer)(&asked);
            lock(&shared.requests).push(asked);
            let body = |body: Vec<u8>| Full::new(Bytes::from(body));
            Ok::<_, hyper::Error>(reply.response.map(body))
        });
        let io = TokioIo::new(stream);
        // An error here is the client's: it has left.
        let _ = http1::Builder::new().serve_connection(io, service).await;
    }
}

async fn serve_http2<S>(stream: S, shared: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut connection) = shared.builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            // An error here is the client's: it has left.
            let _ = answer(request, respond, &shared).await;
        });
    }
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: &Shared,
) -> Result<(), h2::Error> {
    let (head, mut stream) = request.into_parts();
    if head.headers.contains_key("expect") {
        let mut interim = Response::new(());
        *interim.status_mut() = http::StatusCode::CONTINUE;
        respond.send_informational(interim)?;
    }
    if head.method == Method::CONNECT {
        return connect(
            Request::from_parts(head, Vec::new()),
            stream,
            respond,
            shared,
        )
        .await;
    }
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    if let Some(trailers) = stream.trailers().await? {
        lock(&shared.trailers).push(trailers);
    }
    let asked = Request::from_parts(head, body);
    let Reply { response, trailers } = (shared.answer)(&asked);
    lock(&shared.requests).push(asked);
    let (head, body) = response.into_parts();
    let is_bare = body.is_empty() && trailers.is_none();
    let mut sending = respond.send_response(Response::from_parts(head, ()), is_bare)?;
    if !body.is_empty() {
        sending.send_data(body.into(), trailers.is_none())?;
    }
    if let Some(trailers) = trailers {
        sending.send_trailers(trailers)?;
    }
    Ok(())
}

async fn connect(
    asked: Asked,
    stream: h2::RecvStream,
    mut respond: SendResponse<Bytes>,
    shared: &Shared,
) -> Result<(), h2::Error> {
    let (head, body) = (shared.answer)(&asked).response.into_parts();
    let is_flood = asked.uri().path().ends_with("/flood");
    lock(&shared.requests).push(asked);
    let is_agreed = head.status.is_success();
    let mut sending = respond.send_response(Response::from_parts(head, ()), false)?;
    if !is_agreed {
        return sending.send_data(body.into(), true);
    }
    if is_flood {
        let piece = Bytes::from_static(&[0; 64 << 10]);
        for _ in 0..FLOOD_BYTES / piece.len() {
            if !say_all(&mut sending, piece.clone()).await {
                return Ok(());
            }
        }
        return sending.send_data(Bytes::new(), true);
    }
    echo_on(stream, sending).await;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
