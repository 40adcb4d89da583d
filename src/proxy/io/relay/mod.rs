//! Relays bytes both ways between two ends, unread, until both have ended.
//!
//! The end of one side (FIN, END_STREAM) is passed on, and the other may continue: half-close is
//! kept. An error on one side is an error on the other, too.
//!
//! Nothing is held while nothing moves. A piece is read into a buffer on the stack and written at
//! once; only bytes that the other end does not take are kept, and nothing more is read until they
//! are written. So an idle tunnel is two sockets and this struct, and a stalled one holds a piece.
//!
//! If both ends are TCP without TLS and a flow carries much, its pieces pass through a pipe of the
//! kernel ([`Pipes`]) and are not copied. It is borrowed for one piece at a time; if there is none,
//! the piece is copied.
//!
//! The frames of a WebSocket are followed: [`Relay::part`] writes a close frame between two of
//! them.

mod end;
mod flow;
#[cfg(test)]
mod over_tcp;

use std::task::{Context, Poll};

use bytes::Bytes;

use crate::net::Pipes;
use crate::wire::websocket::Masking;

use super::send_progress::SendProgress;
use flow::{Flow, Side};

pub use end::End;
pub use flow::Spoken;

/// Two ends and the bytes between them.
pub struct Relay {
    client: End,
    server: End,
    /// From the client to the server.
    up: Flow,
    /// From the server to the client.
    down: Flow,
    has_moved: bool,
}

/// Which end broke, or stopped reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The client's.
    Client,
    /// The server's.
    Server,
}

impl Relay {
    /// Between `client` and `server`, each with bytes that were read from it already.
    pub fn new(client: (End, Bytes), server: (End, Bytes), spoken: Spoken) -> Self {
        Self {
            up: Flow::new(client.1, spoken),
            down: Flow::new(server.1, spoken),
            client: client.0,
            server: server.0,
            has_moved: false,
        }
    }

    /// Moves what can be moved, much of it through `pipes`; ready when both ends have ended.
    ///
    /// # Errors
    ///
    /// The end that broke.
    pub fn poll(&mut self, cx: &mut Context<'_>, pipes: &Pipes) -> Poll<Result<(), Broken>> {
        let Self {
            client,
            server,
            up,
            down,
            has_moved,
        } = self;
        let before = up.bytes + down.bytes;
        let upwards = up.poll(cx, client, server, pipes);
        let downwards = down.poll(cx, server, client, pipes);
        *has_moved |= up.bytes + down.bytes > before;
        match (upwards, downwards) {
            (Poll::Ready(Err(Side::Source)), _) | (_, Poll::Ready(Err(Side::Sink))) => {
                Poll::Ready(Err(Broken::Client))
            }
            (Poll::Ready(Err(Side::Sink)), _) | (_, Poll::Ready(Err(Side::Source))) => {
                Poll::Ready(Err(Broken::Server))
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    /// Whether a byte has passed since the last call.
    pub fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    /// How far the relayed bytes have come at both ends, as far as it is known. One system call for
    /// each end.
    pub fn progress(&self) -> Option<SendProgress> {
        let client = self.client.progress(self.down.bytes);
        let server = self.server.progress(self.up.bytes);
        match (client, server) {
            (Some(client), Some(server)) => Some(client.plus(server)),
            (client, server) => client.or(server),
        }
    }

    /// Bytes that came from the client and were taken by the server.
    pub fn bytes_up(&self) -> u64 {
        self.up.bytes
    }

    /// Bytes that came from the server and were taken by the client.
    pub fn bytes_down(&self) -> u64 {
        self.down.bytes
    }

    /// Relays nothing more, and ends both sides: with a WebSocket close frame (1001) if one fits
    /// between two frames. `mask`: random.
    pub fn part(&mut self, mask: [u8; 4]) {
        self.up.part(Masking::Key(mask));
        self.down.part(Masking::None);
    }

    /// Closes both ends in order.
    pub fn close(self) {
        self.client.close();
        self.server.close();
    }

    /// Closes both ends so that they see that they did not get everything. The one that did not
    /// break gets the bytes that were relayed before.
    pub async fn reset(self, broken: Broken) {
        let (broken, other) = match broken {
            Broken::Client => (self.client, self.server),
            Broken::Server => (self.server, self.client),
        };
        broken.reset();
        // The kept bytes are of no use any more: a pipe is returned.
        drop((self.up, self.down));
        other.reset_when_taken().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::flow::Waiting;
    use super::*;
    use crate::base::tasks;
    use crate::net::Stream;
    use crate::wire::websocket::{GOING_AWAY, Masking, close_frame};

    /// A relay and its two peers; each side's socket holds `room` bytes.
    fn relay(room: usize, spoken: Spoken) -> (Relay, DuplexStream, DuplexStream) {
        let (client, near) = duplex(room);
        let (far, server) = duplex(room);
        let end = |stream| End::Connection(Stream::Other(Box::new(stream)));
        let none = Bytes::new;
        let relay = Relay::new((end(near), none()), (end(far), none()), spoken);
        (relay, client, server)
    }

    async fn run(relay: &mut Relay) -> Result<(), Broken> {
        let pipes = Pipes::new(0);
        poll_fn(|cx| relay.poll(cx, &pipes)).await
    }

    fn turn(relay: &mut Relay) -> Poll<Result<(), Broken>> {
        let mut cx = Context::from_waker(Waker::noop());
        relay.poll(&mut cx, &Pipes::new(0))
    }

    #[tokio::test]
    async fn every_byte_passes_both_ways_through_the_smallest_socket_buffers() {
        let (mut relay, client, server) = relay(7, Spoken::Anything);
        let sent: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        let answered: Vec<u8> = sent.iter().map(|byte| !byte).collect();
        let talk = async |peer: DuplexStream, words: &[u8]| {
            let (mut read, mut write) = tokio::io::split(peer);
            let mut heard = Vec::new();
            let send = async {
                write.write_all(words).await.expect("taken");
                write.shutdown().await.expect("taken");
            };
            let (_, end) = tokio::join!(send, read.read_to_end(&mut heard));
            end.expect("an end");
            heard
        };
        let (over, at_client, at_server) = tokio::join!(
            run(&mut relay),
            talk(client, &sent),
            talk(server, &answered)
        );
        assert_eq!(over, Ok(()));
        assert_eq!((at_server, at_client), (sent, answered));
        assert_eq!((relay.bytes_up(), relay.bytes_down()), (100_000, 100_000));
    }

    /// How many bytes of a MiB that has arrived are passed on in the first turn of a task.
    async fn passed_in_a_turn(spoken: Spoken) -> u64 {
        let (mut relay, mut client, server) = relay(1 << 20, spoken);
        // Empty WebSocket frames, or anything.
        let frames = [0x82, 0x80, 0, 0, 0, 0].repeat((1 << 20) / 6);
        client.write_all(&frames).await.expect("there is room");
        let mut passed = None;
        let turn = poll_fn(move |cx| match passed {
            // If it is not woken again, this test does not end.
            Some(passed) => Poll::Ready(passed),
            None => {
                assert!(relay.poll(cx, &Pipes::new(0)).is_pending());
                passed = Some(relay.bytes_up());
                Poll::Pending
            }
        });
        let all = tokio::task::LocalSet::new();
        let passed = all.run_until(async { tasks::spawn_local(turn).await });
        let passed = passed.await.expect("no panic");
        drop((client, server));
        passed
    }

    #[tokio::test]
    async fn a_turn_ends_although_there_is_more_and_sooner_if_frames_are_read() {
        let anything = passed_in_a_turn(Spoken::Anything).await;
        assert!(anything <= 16 * (16 << 10), "{anything}");
        let frames = passed_in_a_turn(Spoken::WebSocket).await;
        // 128 steps of 1 KiB each, and the piece that was read with the last of them.
        assert!(frames <= (128 + 16) << 10, "{frames}");
    }

    #[tokio::test]
    async fn a_peer_that_has_sent_all_still_receives() {
        let (mut relay, mut client, mut server) = relay(64, Spoken::Anything);
        client.write_all(b"ask").await.expect("taken");
        client.shutdown().await.expect("taken");
        assert!(turn(&mut relay).is_pending());
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.expect("an end");
        assert_eq!(heard, b"ask");
        assert!(turn(&mut relay).is_pending());
        server.write_all(b"answer").await.expect("taken");
        drop(server);
        assert_eq!(turn(&mut relay), Poll::Ready(Ok(())));
        drop(relay);
        heard.clear();
        client.read_to_end(&mut heard).await.expect("an end");
        assert_eq!(heard, b"answer");
    }

    #[tokio::test]
    async fn earlier_reads_come_first() {
        let (client, near) = duplex(64);
        let (far, mut server) = duplex(64);
        let end = |stream| End::Connection(Stream::Other(Box::new(stream)));
        let mut relay = Relay::new(
            (end(near), Bytes::from_static(b"early ")),
            (end(far), Bytes::new()),
            Spoken::Anything,
        );
        let mut client = client;
        client.write_all(b"late").await.expect("taken");
        assert!(turn(&mut relay).is_pending());
        let mut heard = [0; 10];
        server.read_exact(&mut heard).await.expect("all of it");
        assert_eq!(&heard, b"early late");
        assert!(relay.has_moved());
        assert!(!relay.has_moved());
    }

    #[tokio::test]
    async fn the_side_that_breaks_is_named() {
        let (mut relay, client, mut server) = relay(64, Spoken::Anything);
        drop(client);
        server.write_all(b"in vain").await.expect("taken");
        assert_eq!(turn(&mut relay), Poll::Ready(Err(Broken::Client)));
        let (mut relay, mut client, server) = super::tests::relay(64, Spoken::Anything);
        drop(server);
        client.write_all(b"in vain").await.expect("taken");
        assert_eq!(turn(&mut relay), Poll::Ready(Err(Broken::Server)));
    }

    #[tokio::test]
    async fn written_bytes_are_not_kept() {
        let (mut relay, mut client, mut server) = relay(8, Spoken::Anything);
        client.write_all(b"12345678").await.expect("taken");
        assert!(turn(&mut relay).is_pending());
        client.write_all(b"9").await.expect("taken");
        assert!(turn(&mut relay).is_pending());
        let waiting = |relay: &Relay| match &relay.up.waiting {
            Waiting::Here(bytes) => bytes.clone(),
            Waiting::In(pipe) => unreachable!("{pipe:?}"),
        };
        assert_eq!(&waiting(&relay)[..], b"9", "it was not taken");
        let mut heard = [0; 9];
        server.read_exact(&mut heard[..8]).await.expect("there");
        assert!(turn(&mut relay).is_pending());
        server.read_exact(&mut heard[8..]).await.expect("there");
        assert_eq!(&heard, b"123456789");
        assert!(relay.up.waiting.is_empty());
    }

    #[tokio::test]
    async fn between_two_frames_both_get_a_close_frame() {
        let (mut relay, mut client, mut server) = relay(64, Spoken::WebSocket);
        let ping = [0x89, 0x80, 1, 2, 3, 4];
        client.write_all(&ping).await.expect("taken");
        assert!(turn(&mut relay).is_pending());
        relay.part([9; 4]);
        assert!(turn(&mut relay).is_pending(), "they have not answered");
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.expect("an end");
        assert_eq!(heard, close_frame(GOING_AWAY, Masking::None));
        heard.clear();
        server.read_to_end(&mut heard).await.expect("an end");
        let close = close_frame(GOING_AWAY, Masking::Key([9; 4]));
        assert_eq!(heard, [&ping[..], &close].concat());
        // Their later bytes are read and not relayed.
        client.write_all(b"bye").await.expect("taken");
        drop((client, server));
        assert_eq!(turn(&mut relay), Poll::Ready(Ok(())));
        assert_eq!(relay.bytes_up(), heard.len() as u64);
    }

    #[tokio::test]
    async fn in_the_middle_of_a_frame_nothing_is_inserted() {
        let (mut relay, mut client, mut server) = relay(64, Spoken::WebSocket);
        server
            .write_all(&[0x81, 5, b'h', b'e'])
            .await
            .expect("taken");
        assert!(turn(&mut relay).is_pending());
        relay.part([9; 4]);
        assert!(turn(&mut relay).is_pending());
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.expect("an end");
        assert_eq!(heard, [0x81, 5, b'h', b'e']);
    }
}
