//! Relays between TCP sockets of the system, where large flows are spliced.

use std::future::{Future, poll_fn};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};

use super::flow::Waiting;
use super::*;
use crate::base::clock::{Duration, within};
use crate::base::rng::Rng;
use crate::net::Stream;

const MIB: usize = 1 << 20;

/// Far more than any of these tests needs.
const TIMEOUT: Duration = Duration::from_secs(20);

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a port");
    let near = TcpStream::connect(listener.local_addr().expect("bound")).await;
    let (far, _) = listener.accept().await.expect("a connection");
    (near.expect("it listens"), far)
}

fn end(stream: TcpStream) -> (End, Bytes) {
    (End::Connection(Stream::Tcp(stream.into())), Bytes::new())
}

/// A relay, its client and its server.
async fn relay(spoken: Spoken) -> (Relay, TcpStream, TcpStream) {
    let (client, near) = pair().await;
    let (far, server) = pair().await;
    (Relay::new(end(near), end(far), spoken), client, server)
}

async fn run(relay: &mut Relay, pipes: &Pipes) -> Result<(), Broken> {
    poll_fn(|cx| relay.poll(cx, pipes)).await
}

/// The output of `future`, which must come within [`TIMEOUT`].
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    within(TIMEOUT, future).await.expect("it does not stall")
}

/// Random bytes, so that lost, doubled or exchanged pieces are noticed.
fn random_bytes(count: usize, seed: u64) -> Vec<u8> {
    let rng = Rng::seeded(seed);
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        bytes.extend(rng.next_u64().to_be_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// Sends `bytes` and reads to the end, both in pieces of random size and with random pauses.
async fn send_and_read(mut peer: TcpStream, bytes: &[u8], seed: u64) -> Vec<u8> {
    let (mut read, mut write) = peer.split();
    let pause = async |rng: &Rng| {
        for _ in 0..rng.next_u64() % 4 {
            tokio::task::yield_now().await;
        }
    };
    let send = async {
        let rng = Rng::seeded(seed);
        let mut left = bytes;
        while !left.is_empty() {
            let count = (rng.next_u64() as usize % 300_000).clamp(1, left.len());
            write.write_all(&left[..count]).await.expect("taken");
            left = &left[count..];
            pause(&rng).await;
        }
        write.shutdown().await.expect("open");
    };
    let mut received = Vec::new();
    let receive = async {
        let rng = Rng::seeded(!seed);
        let mut buffer = vec![0; 200_000];
        loop {
            let limit = 1 + rng.next_u64() as usize % buffer.len();
            match read.read(&mut buffer[..limit]).await.expect("an end") {
                0 => break,
                count => received.extend_from_slice(&buffer[..count]),
            }
            pause(&rng).await;
        }
    };
    tokio::join!(send, receive);
    received
}

#[tokio::test]
async fn every_byte_passes_both_ways_at_once_whatever_the_pieces() {
    let pipes = Pipes::new(3);
    let rng = Rng::seeded(1);
    for seed in 0..12 {
        let (mut relay, client, server) = relay(Spoken::Anything).await;
        let size = || rng.next_u64() as usize % (4 * MIB);
        let (up, down) = (random_bytes(size(), seed), random_bytes(size(), !seed));
        let (outcome, at_client, at_server) = in_time(async {
            tokio::join!(
                run(&mut relay, &pipes),
                send_and_read(client, &up, seed),
                send_and_read(server, &down, seed + 100),
            )
        })
        .await;
        assert_eq!(outcome, Ok(()), "{seed}");
        assert!(at_server == up, "{seed}: up, {}", at_server.len());
        assert!(at_client == down, "{seed}: down, {}", at_client.len());
        assert_eq!(relay.bytes_up(), up.len() as u64);
        assert_eq!(relay.bytes_down(), down.len() as u64);
    }
    assert!(pipes.count() > 0, "nothing was spliced");
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A relay that is polled only when it has been woken.
struct Driven {
    relay: Relay,
    pipes: Pipes,
    wakes: Arc<Wakes>,
    seen: usize,
}

impl Driven {
    fn new(relay: Relay) -> Self {
        let wakes = Arc::new(Wakes(AtomicUsize::new(1)));
        Self {
            relay,
            pipes: Pipes::new(3),
            wakes,
            seen: 0,
        }
    }

    fn poll_if_woken(&mut self) -> Poll<Result<(), Broken>> {
        let wakes = self.wakes.0.load(Ordering::SeqCst);
        if wakes == std::mem::replace(&mut self.seen, wakes) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.relay
            .poll(&mut Context::from_waker(&waker), &self.pipes)
    }

    /// Polls the relay until it has not been woken for long, while `server` sends what its socket takes. Returns
    /// how many bytes that was.
    async fn stall(&mut self, server: &TcpStream, bytes: &[u8]) -> usize {
        let (mut sent, mut quiet) = (0, 0);
        while quiet < 5_000 {
            let before = (self.seen, sent);
            sent += server.try_write(&bytes[sent..]).unwrap_or(0);
            assert!(self.poll_if_woken().is_pending());
            quiet = if before == (self.seen, sent) {
                quiet + 1
            } else {
                0
            };
            assert!(self.seen < 50_000, "it turns and turns");
            tokio::task::yield_now().await;
        }
        sent
    }

    fn holds_pipe(&self) -> bool {
        matches!(self.relay.down.waiting, Waiting::In(_))
    }

    async fn run(&mut self) -> Result<(), Broken> {
        loop {
            if let Poll::Ready(outcome) = self.poll_if_woken() {
                return outcome;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_sink_that_takes_nothing_stalls_the_flow_and_a_turn_is_taken_only_when_woken() {
    let (relay, mut client, server) = relay(Spoken::Anything).await;
    let mut driven = Driven::new(relay);
    let down = random_bytes(64 * MIB, 3);
    let sent = driven.stall(&server, &down).await;
    assert!(sent < down.len(), "it takes everything");
    assert!(driven.holds_pipe());
    let down_before = driven.relay.bytes_down();
    assert!(
        down_before < sent as u64,
        "what waits in the pipe is not taken"
    );
    // The other direction continues.
    client.write_all(b"meanwhile").await.expect("taken");
    let mut server = server;
    let mut meanwhile = [0; 9];
    let receive = server.read_exact(&mut meanwhile);
    let outcome = tokio::select! {
        outcome = in_time(driven.run()) => Some(outcome),
        received = receive => { received.expect("all of it"); None }
    };
    assert_eq!((outcome, &meanwhile), (None, b"meanwhile"));
    assert!(driven.holds_pipe());
    drop(server);
    let receive = async {
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.expect("an end");
        drop(client);
        received
    };
    let (outcome, received) = in_time(async { tokio::join!(driven.run(), receive) }).await;
    assert_eq!(outcome, Ok(()));
    assert!(received == down[..sent], "{} of {sent}", received.len());
    assert_eq!(driven.relay.bytes_down(), sent as u64);
    assert!(!driven.holds_pipe());
}

#[tokio::test]
async fn a_source_that_has_nothing_is_waited_for_without_a_pipe() {
    let (relay, mut client, mut server) = relay(Spoken::Anything).await;
    let mut driven = Driven::new(relay);
    for _ in 0..5 {
        driven.relay.down.splice_heuristic.spliced(MIB);
        server.write_all(b"a word").await.expect("taken");
        let mut received = [0; 6];
        tokio::select! {
            outcome = in_time(driven.run()) => assert_eq!(outcome, Ok(()), "it goes on"),
            read = client.read_exact(&mut received) => { read.expect("all of it"); }
        }
        assert_eq!(&received, b"a word");
        driven.stall(&server, &[]).await;
        assert!(!driven.holds_pipe());
    }
    assert_eq!(driven.pipes.count(), 1, "one is spare");
}

#[tokio::test]
async fn an_end_passes_after_the_bytes_in_the_pipe_and_the_other_direction_continues() {
    let (relay, mut client, mut server) = relay(Spoken::Anything).await;
    let mut driven = Driven::new(relay);
    let sent = driven.stall(&server, &random_bytes(64 * MIB, 4)).await;
    server.shutdown().await.expect("open");
    assert!(driven.holds_pipe());
    let exchange = async {
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.expect("an end");
        client.write_all(b"thanks").await.expect("taken");
        client.shutdown().await.expect("open");
        let mut thanks = Vec::new();
        server.read_to_end(&mut thanks).await.expect("an end");
        (received.len(), thanks)
    };
    let (outcome, received) = in_time(async { tokio::join!(driven.run(), exchange) }).await;
    assert_eq!((outcome, received), (Ok(()), (sent, b"thanks".to_vec())));
}

#[tokio::test]
async fn a_client_that_breaks_with_a_pipe_full_for_it_is_named() {
    let (relay, client, server) = relay(Spoken::Anything).await;
    let mut driven = Driven::new(relay);
    driven.stall(&server, &random_bytes(64 * MIB, 5)).await;
    assert!(driven.holds_pipe());
    let taken = driven.relay.bytes_down();
    client.set_zero_linger().expect("a socket");
    drop(client);
    assert_eq!(in_time(driven.run()).await, Err(Broken::Client));
    assert_eq!(driven.relay.bytes_down(), taken);
    let Driven { relay, pipes, .. } = driven;
    let before = pipes.count();
    in_time(relay.reset(Broken::Client)).await;
    assert!(pipes.count() < before, "what is full is not for the next");
}

#[tokio::test]
async fn a_server_that_breaks_is_named_once_the_pipe_is_empty() {
    let (relay, mut client, server) = relay(Spoken::Anything).await;
    let mut driven = Driven::new(relay);
    driven.stall(&server, &random_bytes(64 * MIB, 6)).await;
    server.set_zero_linger().expect("a socket");
    drop(server);
    let receive = async {
        // The relay still holds its socket, so that no end comes.
        let mut buffer = vec![0; MIB];
        while client.read(&mut buffer).await.expect("more") > 0 {}
    };
    let outcome = tokio::select! {
        outcome = in_time(driven.run()) => outcome,
        () = receive => Ok(()),
    };
    assert_eq!(outcome, Err(Broken::Server));
}

#[tokio::test]
async fn bytes_that_a_server_sent_before_it_broke_reach_a_slow_client() {
    let (mut relay, mut client, mut server) = relay(Spoken::Anything).await;
    let pipes = Pipes::new(3);
    // More than the client's system takes while the client does not read.
    let sent = random_bytes(MIB, 8);
    let send = async {
        server.write_all(&sent).await.expect("taken");
        let server = Stream::Tcp(server.into());
        while server.send_queue() != Some(0) {
            tokio::task::yield_now().await;
        }
        server.reset();
    };
    let (outcome, ()) = in_time(async { tokio::join!(run(&mut relay, &pipes), send) }).await;
    assert_eq!(outcome, Err(Broken::Server));
    let receive = async {
        let mut received = Vec::new();
        let ended = client.read_to_end(&mut received).await;
        (received, ended.map_err(|error| error.kind()))
    };
    let reset = relay.reset(Broken::Server);
    let ((), (received, ended)) = in_time(async { tokio::join!(reset, receive) }).await;
    assert!(received == sent, "{} of {}", received.len(), sent.len());
    assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset));
}

/// Sends 8 MiB down through `relay` and reads them.
async fn eight_down(relay: &mut Relay, pipes: &Pipes, client: TcpStream, server: TcpStream) {
    let down = random_bytes(8 * MIB, 7);
    let (outcome, received, _) = in_time(async {
        tokio::join!(
            run(relay, pipes),
            send_and_read(client, &[], 8),
            send_and_read(server, &down, 9)
        )
    })
    .await;
    assert_eq!(outcome, Ok(()));
    assert!(received == down, "{}", received.len());
}

#[tokio::test]
async fn without_a_pipe_the_flow_is_copied() {
    let pipes = Pipes::new(3);
    let held: Vec<_> = std::iter::from_fn(|| pipes.take()).collect();
    let (mut relay, client, server) = relay(Spoken::Anything).await;
    eight_down(&mut relay, &pipes, client, server).await;
    assert_eq!(pipes.count(), held.len());
}

#[tokio::test]
async fn frames_are_seen() {
    let pipes = Pipes::new(3);
    let (mut relay, client, server) = relay(Spoken::WebSocket).await;
    eight_down(&mut relay, &pipes, client, server).await;
    assert_eq!(pipes.count(), 0);
}

#[tokio::test]
async fn towards_another_kind_of_end_it_is_copied() {
    let pipes = Pipes::new(3);
    let (far, mut server) = pair().await;
    let (near, mut client) = duplex(MIB);
    let near = End::Connection(Stream::Other(Box::new(near)));
    let mut relay = Relay::new((near, Bytes::new()), end(far), Spoken::Anything);
    let down = random_bytes(8 * MIB, 7);
    let send = async {
        server.write_all(&down).await.expect("taken");
        drop(server);
    };
    let receive = async {
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.expect("an end");
        drop(client);
        received
    };
    let (outcome, (), received) =
        in_time(async { tokio::join!(run(&mut relay, &pipes), send, receive) }).await;
    assert_eq!(outcome, Ok(()));
    assert!(received == down, "{}", received.len());
    assert_eq!(pipes.count(), 0);
}

#[tokio::test]
async fn small_pieces_are_copied() {
    let pipes = Pipes::new(3);
    let (mut relay, mut client, mut server) = relay(Spoken::Anything).await;
    let exchange = async {
        let (sent, mut received) = (random_bytes(20_000, 1), vec![0; 20_000]);
        for _ in 0..200 {
            client.write_all(&sent).await.expect("taken");
            server.read_exact(&mut received).await.expect("all of it");
            server.write_all(&received).await.expect("taken");
            client.read_exact(&mut received).await.expect("all of it");
        }
        drop((client, server));
    };
    let (outcome, ()) = in_time(async { tokio::join!(run(&mut relay, &pipes), exchange) }).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(pipes.count(), 0);
}

#[tokio::test]
async fn earlier_reads_come_first_and_count() {
    let pipes = Pipes::new(3);
    let (client, near) = pair().await;
    let (far, server) = pair().await;
    let early = random_bytes(2 * MIB, 1);
    let (near, _) = end(near);
    let near = (near, Bytes::from(early.clone()));
    let mut relay = Relay::new(near, end(far), Spoken::Anything);
    let late = random_bytes(8 * MIB, 2);
    let (outcome, _, received) = in_time(async {
        tokio::join!(
            run(&mut relay, &pipes),
            send_and_read(client, &late, 3),
            send_and_read(server, &[], 4)
        )
    })
    .await;
    assert_eq!(outcome, Ok(()));
    assert!(received == [early, late].concat(), "{}", received.len());
    assert_eq!(relay.bytes_up(), 10 * MIB as u64);
    assert!(pipes.count() > 0, "nothing was spliced");
}

#[test]
fn an_idle_flow_has_no_room_for_a_pipe() {
    assert_eq!(size_of::<Waiting>(), size_of::<Bytes>());
}
