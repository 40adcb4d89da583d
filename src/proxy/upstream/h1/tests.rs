//! Cases that depend on the server's timing, which a real one does not control.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::{HeaderMap, Request, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};

use crate::base::clock::{self, Duration};
use crate::base::tasks::spawn_thread;
use crate::exchange::{AttemptIndex, Opening, Reason, RequestId};
use crate::net::{Io, Stream};
use crate::plan::HeaderCase;
use crate::proxy::io::{ClientSocket, Exchange, KeptBodies, ReceivedBody, RequestBody, StreamBody};
use crate::proxy::upstream::failure::Leftover;
use crate::wire::h1::{BodyFraming, HeadLimits};

use super::Failure;
use super::own::OwnConnection;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A connection that the server has just closed: only a write shows it.
struct Dead;

impl AsyncRead for Dead {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Dead {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A connection that encrypts: what it is given waits in its buffer, and the server takes none of it.
struct Encrypting(Arc<AtomicUsize>);

impl AsyncRead for Encrypting {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Encrypting {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

fn connection(stream: impl Io + 'static) -> OwnConnection {
    over(Stream::Other(Box::new(stream)))
}

fn over(stream: Stream) -> OwnConnection {
    let limits = HeadLimits {
        bytes: 1000,
        fields: 10,
    };
    OwnConnection::with(stream, limits, HeaderCase::Lower)
}

fn exchange() -> Rc<Exchange> {
    let now = clock::now();
    Rc::new(Exchange::begin(Opening {
        began: now,
        head_read: now,
        wall: UNIX_EPOCH,
        client: SocketAddr::from(([192, 0, 2, 7], 51_234)).into(),
        local: None,
        tls: None,
        frontend: None,
        generation: 1,
        version: Version::HTTP_11,
        request: None,
        wants_load: false,
        first_bytes: None,
        id: RequestId::made(1),
    }))
}

/// Sends a POST without a body, whose head has more than a hundred bytes.
async fn post(connection: &mut OwnConnection) -> Result<u16, Failure> {
    let exchange = exchange();
    let request = Request::post("/a").header("x-filler", "x".repeat(100));
    let (head, ()) = request.body(()).expect("a request").into_parts();
    let body = RequestBody::none(Rc::clone(&exchange));
    let deadlines = exchange.deadlines.of(AttemptIndex::default());
    let mut waiting = connection.begin(&head, None, body, deadlines);
    let answer = poll_fn(|cx| connection.poll_answer(cx, &mut waiting, &head.method, deadlines));
    answer.await.map(|response| response.status().as_u16())
}

#[tokio::test]
async fn a_request_of_which_nothing_was_written_is_given_back_though_it_has_no_body() {
    let failure = post(&mut connection(Dead)).await.expect_err("it is dead");
    assert_eq!(failure.fault.reason, Reason::ServerResponseEmpty);
    assert!(matches!(failure.left, Leftover::Unseen(_)));
}

#[tokio::test]
async fn a_request_that_was_written_is_not_given_back() {
    let (near, mut far) = duplex(1000);
    let mut connection = connection(near);
    let (failure, ()) = tokio::join!(post(&mut connection), async {
        far.read_u8().await.expect("a request");
        drop(far);
    });
    let failure = failure.expect_err("there is no answer");
    assert_eq!(failure.fault.reason, Reason::ServerResponseEmpty);
    assert!(matches!(failure.left, Leftover::Lost | Leftover::Seen(_)));
}

#[tokio::test]
async fn a_connection_that_has_not_taken_the_whole_request_carries_no_other() {
    for (room, is_idle) in [(64, false), (1000, true)] {
        let (near, mut far) = duplex(room);
        let mut connection = connection(near);
        far.write_all(ANSWER).await.expect("there is room");
        assert_eq!(post(&mut connection).await.ok(), Some(200));
        assert!(connection.is_end_stream());
        assert_eq!(connection.is_idle(), is_idle, "with room for {room} bytes");
    }
}

#[tokio::test]
async fn only_a_request_that_can_never_be_sent_again_has_been_used_up() {
    for (method, is_used_up) in [("POST", true), ("GET", false)] {
        let (mut near, mut far) = duplex(100);
        near.write_all(&[b'x'; 100]).await.expect("room");
        let mut connection = connection(near);
        let exchange = exchange();
        let request = Request::builder().method(method).body(());
        let (head, ()) = request.expect("a request").into_parts();
        let body = RequestBody::none(Rc::clone(&exchange));
        let deadlines = exchange.deadlines.of(AttemptIndex::default());
        let mut waiting = connection.begin(&head, None, body, deadlines);
        for is_written in [false, true] {
            if is_written {
                far.read_exact(&mut [0; 100]).await.expect("so many bytes");
            }
            let polled = poll_fn(|cx| {
                let method = &head.method;
                Poll::Ready(connection.poll_answer(cx, &mut waiting, method, deadlines))
            });
            assert!(polled.await.is_pending());
            assert_eq!(
                connection.has_used_up_request(&waiting),
                is_used_up && is_written,
                "{method}, written: {is_written}"
            );
        }
    }
}

/// When a server answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// Before the last part of the request is written, and too late for the runtime to know of it.
    Early,
    /// After that.
    Late,
}

/// Whether a connection is kept after an `answer` to an upload in two parts, the second with `size` bytes.
async fn is_kept_after_upload(size: usize, answers: Answers, answer: &[u8]) -> bool {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("bound");
    let near = tokio::net::TcpStream::connect(addr)
        .await
        .expect("it listens");
    let (mut far, _) = listener.accept().expect("a connection");
    let mut connection = over(Stream::Tcp(near.into()));
    let (from_client, mut client) = duplex(size);
    let socket = ClientSocket::new(Stream::Other(Box::new(from_client)), Bytes::new());
    let body = socket.begin_body(BodyFraming::Length(size as u64));
    let (exchange, kept) = (exchange(), KeptBodies::default());
    let timeout = Duration::from_secs(30);
    let body = ReceivedBody::Http1(body);
    let body = RequestBody::new(body, Rc::clone(&exchange), timeout, &kept);
    let request = Request::post("/a").body(()).expect("a request");
    let (head, ()) = request.into_parts();
    let deadlines = exchange.deadlines.of(AttemptIndex::default());
    let mut waiting = connection.begin(&head, None, body, deadlines);
    let mut is_waiting = async || {
        let mut poll = |cx: &mut Context<'_>| {
            connection.poll_answer(cx, &mut waiting, &head.method, deadlines)
        };
        poll_fn(|cx| Poll::Ready(poll(cx).is_pending())).await
    };

    assert!(is_waiting().await, "the head is written");
    client.write_all(&vec![b'x'; size]).await.expect("room");
    let mut answer = || io::Write::write_all(&mut far, answer).expect("room");
    if answers == Answers::Early {
        answer();
    }
    assert!(is_waiting().await, "the body is read");
    assert_eq!(exchange.record.body_bytes_in.get(), size as u64);
    if answers == Answers::Late {
        answer();
    }
    let answered = poll_fn(|cx| connection.poll_answer(cx, &mut waiting, &head.method, deadlines));
    assert!(answered.await.is_ok());
    connection.is_idle()
}

#[tokio::test]
async fn a_connection_that_was_answered_before_the_last_byte_was_written_carries_no_other() {
    assert!(!is_kept_after_upload(5, Answers::Early, ANSWER).await);
    assert!(is_kept_after_upload(5, Answers::Late, ANSWER).await);
}

#[tokio::test]
async fn an_upload_is_sent_to_its_end_after_bytes_of_the_server_that_are_no_answer() {
    // More than one write, and less than the sockets take.
    const SIZE: usize = 100_000;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("bound");
    let near = tokio::net::TcpStream::connect(addr);
    let near = near.await.expect("it listens");
    let (mut far, _) = listener.accept().expect("a connection");
    // Tickets of TLS come so. The runtime knows of them, and the turn that writes the upload reads them.
    let (early, late) = ANSWER.split_at(4);
    io::Write::write_all(&mut far, early).expect("room");
    near.readable().await.expect("some bytes");
    let mut connection = over(Stream::Tcp(near.into()));
    let (from_client, mut client) = duplex(SIZE);
    client.write_all(&[b'x'; SIZE]).await.expect("room");
    let socket = ClientSocket::new(Stream::Other(Box::new(from_client)), Bytes::new());
    let body = ReceivedBody::Http1(socket.begin_body(BodyFraming::Length(SIZE as u64)));
    let (exchange, kept) = (exchange(), KeptBodies::default());
    let timeout = Duration::from_secs(60);
    let body = RequestBody::new(body, Rc::clone(&exchange), timeout, &kept);
    let request = Request::post("/a").body(()).expect("a request");
    let (head, ()) = request.into_parts();
    let deadlines = exchange.deadlines.of(AttemptIndex::default());
    let mut waiting = connection.begin(&head, None, body, deadlines);
    // Not a task of this runtime: it would wake this one.
    let server = move || {
        let (mut buffer, mut left) = ([0; 4096], SIZE);
        while left > 0 {
            let count = io::Read::read(&mut far, &mut buffer).expect("the upload");
            assert!(count > 0, "{left} bytes were not sent");
            left -= buffer[..count].iter().filter(|byte| **byte == b'x').count();
        }
        io::Write::write_all(&mut far, late).expect("room");
        far
    };
    let server = spawn_thread("server", server).expect("a thread");
    let answered = poll_fn(|cx| connection.poll_answer(cx, &mut waiting, &head.method, deadlines));
    let answered = clock::within(Duration::from_secs(60), answered).await;
    assert!(answered.expect("it goes on by itself").is_ok());
    drop(server.join().expect("no panic"));
}

#[tokio::test]
async fn a_connection_whose_server_has_refused_a_long_upload_carries_no_other() {
    const REFUSAL: &[u8] = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n";
    // Below and above the bound with its head; the proxy sends both as they come.
    let (short, long) = (16_000, 17_000);
    assert!(is_kept_after_upload(short, Answers::Late, REFUSAL).await);
    assert!(!is_kept_after_upload(long, Answers::Late, REFUSAL).await);
    assert!(is_kept_after_upload(long, Answers::Late, ANSWER).await);
}

#[tokio::test(start_paused = true)]
async fn the_window_of_a_kept_body_is_given_back_when_the_request_is_not_sent_again() {
    const SIZE: usize = 1_000;
    let (here, there) = duplex(1 << 20);
    let mut builder = ::h2::server::Builder::new();
    builder.initial_window_size(SIZE as u32);
    let (client, server) = tokio::join!(
        ::h2::client::handshake(here),
        builder.handshake::<_, Bytes>(there)
    );
    let (mut client, mut driver) = client.expect("a handshake");
    let mut server = server.expect("a handshake");
    let request = client.send_request(Request::new(()), false);
    let (_response, mut sending) = request.expect("a stream");
    sending
        .send_data(vec![b'x'; SIZE].into(), false)
        .expect("it is open");
    let request = tokio::select! {
        ended = &mut driver => unreachable!("{ended:?}"),
        request = server.accept() => request.expect("a request"),
    };
    let (request, _respond) = request.expect("no error");
    let peers = async { tokio::join!(driver, async { while server.accept().await.is_some() {} }) };

    let exchange = exchange();
    let body = StreamBody::new(request.into_body(), &HeaderMap::new());
    let (timeout, kept) = (Duration::from_secs(30), KeptBodies::default());
    let mut body = RequestBody::new(body, Rc::clone(&exchange), timeout, &kept);
    body.keep_until_answered();
    let request = Request::put("/a").body(()).expect("a request");
    let (head, ()) = request.into_parts();
    let deadlines = exchange.deadlines.of(AttemptIndex::default());
    let (near, mut far) = duplex(1 << 20);
    let mut connection = connection(near);
    let mut waiting = connection.begin(&head, None, body, deadlines);
    let has_window = async |sending: &mut ::h2::SendStream<Bytes>| {
        sending.reserve_capacity(1);
        let capacity = poll_fn(|cx| sending.poll_capacity(cx));
        clock::within(Duration::from_secs(1), capacity)
            .await
            .is_ok()
    };
    let case = async {
        let sent = poll_fn(|cx| {
            let polled = connection.poll_answer(cx, &mut waiting, &head.method, deadlines);
            polled.map(|_| ())
        });
        assert!(clock::within(Duration::from_secs(1), sent).await.is_err());
        assert!(connection.keeps_request());
        assert!(!has_window(&mut sending).await, "the copy fills it");
        far.write_all(ANSWER).await.expect("room");
        let answered =
            poll_fn(|cx| connection.poll_answer(cx, &mut waiting, &head.method, deadlines));
        assert!(answered.await.is_ok());
        connection.forget_request();
        assert!(has_window(&mut sending).await);
    };
    tokio::select! {
        ended = peers => unreachable!("{ended:?}"),
        () = case => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_buffers_of_tls_was_not_taken_by_the_server() {
    let (here, there) = duplex(1 << 20);
    let (client, server) = tokio::join!(
        ::h2::client::handshake(here),
        ::h2::server::handshake(there)
    );
    let (mut client, mut driver) = client.expect("a handshake");
    let mut server = server.expect("a handshake");
    let request = client.send_request(Request::new(()), false);
    let (_response, mut sending) = request.expect("a stream");
    let sent = sending.send_data(vec![b'x'; 60_000].into(), false);
    sent.expect("it is open");
    let request = tokio::select! {
        ended = &mut driver => unreachable!("{ended:?}"),
        request = server.accept() => request.expect("a request"),
    };
    let (request, _respond) = request.expect("no error");
    let peers = async { tokio::join!(driver, async { while server.accept().await.is_some() {} }) };

    let exchange = exchange();
    let body = StreamBody::new(request.into_body(), &HeaderMap::new());
    let (timeout, kept) = (Duration::from_secs(30), KeptBodies::default());
    let body = RequestBody::new(body, Rc::clone(&exchange), timeout, &kept);
    let (head, ()) = Request::post("/a")
        .body(())
        .expect("a request")
        .into_parts();
    let deadlines = exchange.deadlines.of(AttemptIndex::default());
    let written = Arc::new(AtomicUsize::new(0));
    let mut connection = connection(Encrypting(Arc::clone(&written)));
    let mut waiting = connection.begin(&head, None, body, deadlines);
    let sending = async {
        // Time passes when nothing else is left to do: the body has come.
        clock::sleep(Duration::from_secs(1)).await;
        let answer =
            poll_fn(|cx| connection.poll_answer(cx, &mut waiting, &head.method, deadlines));
        clock::within(Duration::from_secs(1), answer).await
    };
    let outcome = tokio::select! {
        ended = peers => unreachable!("{ended:?}"),
        outcome = sending => outcome,
    };
    assert!(outcome.is_err(), "nothing is answered");
    // The first of the four frames.
    let written = written.load(Ordering::Relaxed);
    assert!(
        (16_384..20_000).contains(&written),
        "{written} were written"
    );
}
