//! `cargo bench --bench h2_server`: the cost of an HTTP/2 request for a server that drives h2
//! itself, and for one of hyper. Neither counts frames; counting costs the same in both.
//!
//! The two take turns; only the server's thread is timed, the client has its own.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark lives in real time, and has threads and tasks of its own"
)]

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::time::{ClockId, clock_gettime};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet, spawn_local};

const CONNECTIONS: usize = 16;
const STREAMS: usize = 8;
const ROUNDS: usize = 5;
const WINDOW: u32 = 1 << 20;

#[derive(Clone, Copy)]
enum Server {
    Direct,
    Hyper,
}

/// hyper's connections run on the thread that accepted them, as ours do.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}

fn main() {
    // `cargo test --benches` only checks that it runs.
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    for (name, length, requests) in [("12 B", 12, 20_000), ("100 kB", 100_000, 2_000)] {
        let requests = if is_measured { requests } else { 200 };
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..if is_measured { ROUNDS } else { 1 } {
            for server in [Server::Direct, Server::Hyper] {
                times[server as usize].push(cost(server, length, requests));
            }
        }
        let [direct, hyper] = times.map(median);
        println!(
            "{name}: h2 itself {direct:.2} µs of CPU a request, hyper {hyper:.2} µs, {:.2} of it",
            direct / hyper
        );
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Microseconds of CPU that `server` spends on one of `requests` with an answer of `length` bytes.
fn cost(server: Server, length: usize, requests: usize) -> f64 {
    let (sender, receiver) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = thread::spawn(move || {
        runtime().block_on(LocalSet::new().run_until(async move {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            sender
                .send(listener.local_addr().expect("bound"))
                .expect("heard");
            spawn_local(accept(listener, server, Bytes::from(vec![b'x'; length])));
            stopped.await.expect("the command to stop");
            cpu()
        }))
    });
    let addr = receiver.recv().expect("it listens");
    runtime().block_on(async {
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            clients.spawn(client(addr, length, requests / CONNECTIONS));
        }
        clients.join_all().await;
    });
    stop.send(()).expect("it serves");
    let spent = serving.join().expect("no panic");
    spent.as_secs_f64() * 1e6 / requests as f64
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The processor time of this thread.
fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

async fn accept(listener: TcpListener, server: Server, body: Bytes) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let body = body.clone();
        match server {
            Server::Direct => spawn_local(direct(stream, body)),
            Server::Hyper => spawn_local(hyper(stream, body)),
        };
    }
}

async fn direct(stream: TcpStream, body: Bytes) {
    let mut connection = h2::server::handshake(stream).await.expect("a handshake");
    while let Some(Ok((_, respond))) = connection.accept().await {
        spawn_local(answer(respond, body.clone()));
    }
}

async fn answer(mut respond: SendResponse<Bytes>, mut body: Bytes) {
    let head = Response::builder()
        .header("content-length", body.len())
        .body(())
        .expect("a head");
    let mut stream = respond.send_response(head, false).expect("a stream");
    while !body.is_empty() {
        stream.reserve_capacity(body.len().min(16 << 10));
        let room = poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room.expect("open").expect("no reset");
        let piece = body.split_to(room.min(body.len()));
        stream.send_data(piece, body.is_empty()).expect("open");
    }
}

async fn hyper(stream: TcpStream, body: Bytes) {
    let service = service_fn(move |_| {
        let response = Response::new(Full::new(body.clone()));
        async move { Ok::<_, Infallible>(response) }
    });
    // A client that closes is no fault.
    let _ = hyper::server::conn::http2::Builder::new(Local)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn client(addr: SocketAddr, length: usize, requests: usize) {
    let stream = TcpStream::connect(addr).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake::<_, Bytes>(stream)
        .await
        .expect("a handshake");
    tokio::spawn(connection);
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let sender = sender.clone();
        streams.spawn(async move {
            for _ in 0..requests / STREAMS {
                let mut sender = sender.clone().ready().await.expect("room");
                let request = Request::get("http://127.0.0.1/")
                    .body(())
                    .expect("a request");
                let (response, _) = sender.send_request(request, true).expect("a stream");
                let mut body = response.await.expect("an answer").into_body();
                let mut received = 0;
                while let Some(piece) = body.data().await {
                    let piece = piece.expect("no reset");
                    received += piece.len();
                    body.flow_control()
                        .release_capacity(piece.len())
                        .expect("open");
                }
                assert_eq!(received, length);
            }
        });
    }
    streams.join_all().await;
}
