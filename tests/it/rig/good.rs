//! A good server of HTTP/2: understands requests, answers as it is told, and counts.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::wait::until;

/// A request as it came.
pub(crate) type Asked = Request<Vec<u8>>;

type Answer = dyn Fn(&Asked) -> Reply + Send + Sync;

/// What is answered.
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
    connections: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<Asked>>,
    trailers: Mutex<Vec<HeaderMap>>,
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
    /// Answers each request as `answer` says.
    pub(crate) fn answering(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Builder::new(), answer)
    }

    /// The same, with settings of its own.
    pub(crate) fn with(
        builder: Builder,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            builder,
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            requests: Mutex::default(),
            trailers: Mutex::default(),
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

    /// The trailers of the requests that had any.
    pub(crate) fn trailers(&self) -> Vec<HeaderMap> {
        lock(&self.shared.trailers).clone()
    }
}

impl Drop for Good {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(running) = self.running.take() {
            // A script that panicked has told its test already.
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
    let Ok(mut connection) = shared.builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            // A client that has left is the client's matter.
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
