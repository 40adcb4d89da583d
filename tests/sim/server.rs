//! A server that answers as requested, and records the requests.
//!
//! `/slow/MS` waits before it answers; `/stream/COUNT/MS` answers at once and sends that many
//! pieces with pauses between them; all other requests are answered with the name of the server. It
//! first reads the body of a request to its end, and records each piece.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use evenkeel::base::clock::{self, Duration, Sleep};
use evenkeel::base::tasks;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use turmoil::net::TcpListener;

use crate::trace::Trace;

/// The target of health checks; not recorded.
pub(crate) const HEALTH_PATH: &str = "/healthz";

/// The field with the name of the server.
pub(crate) const NAME_FIELD: &str = "x-server";

/// Serves on port 80 for as long as its host lives.
pub(crate) async fn run(name: String, trace: Trace) -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (name, trace) = (name.clone(), trace.clone());
        tasks::spawn_local(async move {
            let service = service_fn(|request| answer(name.clone(), trace.clone(), request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Connections break here: the stories are about that.
            let _ = connection.await;
        });
    }
}

async fn answer(
    name: String,
    trace: Trace,
    request: Request<Incoming>,
) -> Result<Response<Drip>, Infallible> {
    let path = request.uri().path();
    if path != HEALTH_PATH {
        trace.add(&name, request.uri());
    }
    let path = path.to_owned();
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            trace.add(&name, format_args!("took {}", data.escape_ascii()));
        }
    }
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let body = match words[..] {
        ["slow", pause] => {
            clock::sleep(millis(pause)).await;
            Drip::new(&name, 1, Duration::ZERO)
        }
        ["stream", count, pause] => Drip::new(&name, number(count), millis(pause)),
        _ => Drip::new(&name, 1, Duration::ZERO),
    };
    let mut response = Response::new(body);
    let name = http::HeaderValue::from_str(&name).expect("a short name");
    response.headers_mut().insert(NAME_FIELD, name);
    Ok(response)
}

fn number(text: &str) -> u64 {
    text.parse().expect("stories write numbers")
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(number(text))
}

/// A body that comes piece by piece, each piece after a pause.
struct Drip {
    piece: Bytes,
    left: u64,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Drip {
    fn new(piece: &str, count: u64, pause: Duration) -> Self {
        Self {
            piece: Bytes::copy_from_slice(piece.as_bytes()),
            left: count,
            pause,
            sleep: Box::pin(clock::sleep(pause)),
        }
    }
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if !self.pause.is_zero() {
            ready!(self.sleep.as_mut().poll(cx));
            let next = clock::now() + self.pause;
            self.sleep.as_mut().reset(next);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }
}
