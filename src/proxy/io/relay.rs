//! Bytes both ways between two ends, unread, until both have said all.
//!
//! An end that says that it is done (FIN, END_STREAM) is passed on as such, and the other may go on:
//! half-close is kept. What breaks is broken on the other side, too.
//!
//! Nothing is held while nothing moves. A piece is read into room on the stack and written at once;
//! only what the other end does not take is kept, and nothing more is read until it is gone. So an
//! idle tunnel is two sockets and this struct, and a stalled one holds a piece.
//!
//! Where both ends are TCP in the clear and a flow carries much, its pieces pass through a pipe of the
//! kernel ([`Pipes`]) and are not copied. It is borrowed for one piece at a time, and when none is to
//! be had, the piece is copied.
//!
//! Where WebSocket passes, its frames are counted along: [`Relay::part`] puts a close frame between
//! two of them.

use std::any::Any;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::{tasks, turn};
use crate::net::{Pipe, Pipes, Stream};
use crate::wire::websocket::{Frames, GOING_AWAY, Masking, close_frame};

use super::parting::reset_when_taken;
use super::splice_heuristic::{Piece, SpliceHeuristic};
use super::tracked_socket::SendProgress;

/// How much is read at a time: what a TCP socket gives at once when it is busy.
const PIECE_BYTES: usize = 64 << 10;

/// The same where room is cleared before it is filled, and what a TLS record or a frame of HTTP/2
/// holds.
const SMALL_PIECE_BYTES: usize = 16 << 10;

/// How much of what consists of WebSocket's frames counts as one step of a turn.
const FRAMES_STEP_BYTES: usize = 1 << 10;

/// How many pieces of one direction are moved before others have their turn.
const PIECES_A_TURN: usize = 16;

/// One end of a relay.
pub enum End {
    /// A whole connection.
    Connection(Stream),
    /// A stream of HTTP/2.
    H2(Box<H2End>),
}

/// Both halves of a stream of HTTP/2.
pub struct H2End {
    send: SendStream<Bytes>,
    recv: RecvStream,
    /// Received, and not yet given back to the peer's window.
    owed: usize,
    /// What stands for its place on the connection. Last: the place is free when the stream is gone.
    _place: Option<Box<dyn Any>>,
}

/// How an end has stopped listening.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deaf {
    /// It has said all, and wants no more (RFC 9113 §8.1).
    Content,
    Broken,
}

/// Two ends and what is between them.
pub struct Relay {
    client: End,
    server: End,
    /// From the client to the server.
    up: Flow,
    /// From the server to the client.
    down: Flow,
    has_moved: bool,
}

/// What is spoken through a relay, as far as that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// Frames of WebSocket, from the first byte on.
    WebSocket,
    /// Anything.
    Anything,
}

/// Which end broke, or stopped listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The client's.
    Client,
    /// The server's.
    Server,
}

/// One direction.
struct Flow {
    stage: Stage,
    waiting: Waiting,
    /// Taken.
    bytes: u64,
    /// Whether the sink may hold some of it back.
    is_unflushed: bool,
    splice_heuristic: SpliceHeuristic,
    /// How far WebSocket's frames have come.
    frames: Option<Frames>,
}

/// Read and not yet taken.
enum Waiting {
    Here(Bytes),
    /// Never empty, between two TCP sockets; its bytes are not looked at.
    In(Pipe),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The source is read.
    Open,
    /// The source has said all: the sink is to be told.
    Ending,
    /// The source is not listened to any more: the sink is to be told.
    Parting,
    /// The sink has been told, or wants no more; the source is read for its end alone: a socket that is
    /// closed with bytes unread resets the connection, and the peer loses what was said to it last.
    Discarding,
    Over,
}

/// Whose fault an error of one direction is.
enum Side {
    Source,
    Sink,
}

impl End {
    /// A stream of HTTP/2 whose heads have been exchanged.
    pub fn h2(send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self::H2(Box::new(H2End {
            send,
            recv,
            owed: 0,
            _place: None,
        }))
    }

    /// The same; `place` is let go with it.
    pub fn h2_at(place: impl Any, send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self::H2(Box::new(H2End {
            send,
            recv,
            owed: 0,
            _place: Some(Box::new(place)),
        }))
    }

    /// Closes it so that the peer sees that it did not get all.
    fn reset(self) {
        match self {
            Self::Connection(stream) => stream.reset(),
            Self::H2(mut end) => end.send.send_reset(h2::Reason::CANCEL),
        }
    }

    /// The same, once the peer's system has taken what was passed on. Of a stream, its connection's
    /// task has one turn to send that.
    async fn reset_when_taken(self) {
        match self {
            Self::Connection(stream) => reset_when_taken(stream).await,
            Self::H2(mut end) => {
                tasks::yield_now().await;
                end.send.send_reset(h2::Reason::CANCEL);
            }
        }
    }

    /// Closes it after all has been said.
    fn close(self) {
        match self {
            Self::Connection(stream) => stream.close(),
            Self::H2(_) => {}
        }
    }

    /// Writes as much of `data` as it takes now, and takes it off.
    fn poll_give(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<io::Result<()>> {
        match self {
            Self::Connection(stream) => {
                let taken = ready!(poll_write(stream, cx, data))?;
                data.advance(taken);
                Poll::Ready(Ok(()))
            }
            Self::H2(end) => end.poll_give(cx, data),
        }
    }

    /// The same of what is in `pipe`; says how much that was.
    fn poll_drain(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        match self {
            Self::Connection(stream) => pipe.poll_drain(cx, stream),
            // Nothing is spliced towards it.
            Self::H2(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Connection(stream) => Pin::new(stream).poll_flush(cx),
            Self::H2(_) => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing more comes.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Connection(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::H2(end) => {
                let sent = end.send.send_data(Bytes::new(), true);
                Poll::Ready(sent.map_err(io::Error::other))
            }
        }
    }

    /// How far the `written` bytes have come that it took; not known of a stream.
    fn progress(&self, written: u64) -> Option<SendProgress> {
        match self {
            Self::Connection(stream) => SendProgress::of(stream, written),
            Self::H2(_) => None,
        }
    }

    /// Ready when it has stopped listening, where reading would not tell.
    fn poll_deaf(&mut self, cx: &mut Context<'_>) -> Poll<Deaf> {
        match self {
            Self::Connection(_) => Poll::Pending,
            Self::H2(end) => end.send.poll_reset(cx).map(|reset| match reset {
                Ok(h2::Reason::NO_ERROR) => Deaf::Content,
                _ => Deaf::Broken,
            }),
        }
    }
}

impl H2End {
    /// The next piece; `None` at the end. Asking for it makes room for more than the last.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let owed = std::mem::take(&mut self.owed);
        if owed > 0 {
            // It fails only for more than was received.
            let _ = self.recv.flow_control().release_capacity(owed);
        }
        let piece = ready!(self.recv.poll_data(cx));
        let piece = piece.transpose().map_err(io::Error::other)?;
        self.owed = piece.as_ref().map_or(0, Bytes::len);
        Poll::Ready(Ok(piece))
    }

    fn poll_give(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<io::Result<()>> {
        self.send
            .reserve_capacity(data.len().min(SMALL_PIECE_BYTES));
        let mut room = self.send.capacity();
        if room == 0 {
            room = match ready!(self.send.poll_capacity(cx)) {
                Some(room) => room.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let piece = data.split_to(room.min(data.len()));
        let sent = self.send.send_data(piece, false);
        Poll::Ready(sent.map_err(io::Error::other))
    }
}

impl Relay {
    /// Between `client` and `server`, each with what was read from it already.
    pub fn new(client: (End, Bytes), server: (End, Bytes), spoken: Spoken) -> Self {
        Self {
            up: Flow::new(client.1, spoken),
            down: Flow::new(server.1, spoken),
            client: client.0,
            server: server.0,
            has_moved: false,
        }
    }

    /// Moves what can be moved, much of it through `pipes`; ready when both ends have said all.
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

    /// Whether a byte has passed since this was asked last.
    pub fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    /// How far what was passed on has come at both ends, where that is known. A system call for each.
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

    /// Passes on nothing more that comes, and tells both ends that this is the end: peers of
    /// WebSocket that we go away (1001), if that can be said between two frames. `mask`: chance.
    pub fn part(&mut self, mask: [u8; 4]) {
        self.up.part(Masking::Key(mask));
        self.down.part(Masking::None);
    }

    /// Lets both ends see that this is the end.
    pub fn close(self) {
        self.client.close();
        self.server.close();
    }

    /// Lets both ends see that they did not get all. The one that did not break gets what was passed on
    /// to it before.
    pub async fn reset(self, broken: Broken) {
        let (broken, other) = match broken {
            Broken::Client => (self.client, self.server),
            Broken::Server => (self.server, self.client),
        };
        broken.reset();
        // What is kept for it now comes to nothing: a pipe goes back to where it came from.
        drop((self.up, self.down));
        other.reset_when_taken().await;
    }
}

impl Flow {
    fn new(read_already: Bytes, spoken: Spoken) -> Self {
        let frames = (spoken == Spoken::WebSocket).then(|| {
            let mut frames = Frames::default();
            frames.advance(&read_already);
            frames
        });
        // What is empty may still hold the buffer that it was cut from.
        let waiting = Some(read_already).filter(|bytes| !bytes.is_empty());
        Self {
            stage: Stage::Open,
            waiting: Waiting::Here(waiting.unwrap_or_default()),
            bytes: 0,
            // The layer before may have left something: the head of a 101, under TLS.
            is_unflushed: true,
            splice_heuristic: SpliceHeuristic::default(),
            frames,
        }
    }

    /// Moves what can be moved; ready when the source has said all and the sink has been told.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut End,
        sink: &mut End,
        pipes: &Pipes,
    ) -> Poll<Result<(), Side>> {
        let polled = self.poll_pieces(cx, source, sink, pipes);
        if self.is_unflushed && polled.is_pending() {
            match sink.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.is_unflushed = false,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Side::Sink)),
                Poll::Pending => {}
            }
        }
        polled
    }

    fn poll_pieces(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut End,
        sink: &mut End,
        pipes: &Pipes,
    ) -> Poll<Result<(), Side>> {
        let is_over = matches!(self.stage, Stage::Discarding | Stage::Over);
        if !is_over && let Poll::Ready(deaf) = sink.poll_deaf(cx) {
            if deaf == Deaf::Broken {
                return Poll::Ready(Err(Side::Sink));
            }
            self.waiting = Waiting::NOTHING;
            self.is_unflushed = false;
            self.stage = match self.stage {
                Stage::Ending => Stage::Over,
                _ => Stage::Discarding,
            };
        }
        for _ in 0..PIECES_A_TURN {
            if !self.waiting.is_empty() {
                ready!(self.poll_waiting(cx, sink, pipes)).map_err(|_| Side::Sink)?;
                continue;
            }
            match self.stage {
                Stage::Open => match (&*source, &*sink) {
                    // Frames have to be seen.
                    (End::Connection(source @ Stream::Tcp(_)), End::Connection(Stream::Tcp(_)))
                        if self.splice_heuristic.is_large() && self.frames.is_none() =>
                    {
                        ready!(self.poll_splice(cx, source, pipes))?;
                    }
                    _ => ready!(self.poll_piece(cx, source, sink))?,
                },
                Stage::Ending | Stage::Parting => {
                    ready!(sink.poll_finish(cx)).map_err(|_| Side::Sink)?;
                    self.is_unflushed = false;
                    self.stage = match self.stage {
                        Stage::Parting => Stage::Discarding,
                        _ => Stage::Over,
                    };
                }
                Stage::Discarding => {
                    // An error is an end, too.
                    if let Ok(1..) = ready!(poll_discard(cx, source)) {
                        continue;
                    }
                    self.stage = Stage::Over;
                }
                Stage::Over => return Poll::Ready(Ok(())),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_waiting(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut End,
        pipes: &Pipes,
    ) -> Poll<io::Result<()>> {
        let taken = match &mut self.waiting {
            Waiting::Here(bytes) => {
                let before = bytes.len();
                ready!(sink.poll_give(cx, bytes))?;
                before - bytes.len()
            }
            Waiting::In(pipe) => ready!(sink.poll_drain(cx, pipe))?,
        };
        self.note_taken(taken);
        if self.waiting.is_empty() {
            let emptied = std::mem::replace(&mut self.waiting, Waiting::NOTHING);
            if let Waiting::In(pipe) = emptied {
                pipes.give_back(pipe);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads one piece into a pipe, which is then what waits.
    fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        source: &Stream,
        pipes: &Pipes,
    ) -> Poll<Result<(), Side>> {
        let Some(mut pipe) = pipes.take() else {
            self.splice_heuristic.refused();
            return Poll::Ready(Ok(()));
        };
        let filled = pipe.poll_fill(cx, source);
        if let Poll::Ready(Ok(count @ 1..)) = filled {
            self.splice_heuristic.spliced(count);
            self.waiting = Waiting::In(pipe);
            return Poll::Ready(Ok(()));
        }
        pipes.give_back(pipe);
        match ready!(filled) {
            Ok(_) => self.stage = Stage::Ending,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.splice_heuristic.never()
            }
            Err(_) => return Poll::Ready(Err(Side::Source)),
        }
        Poll::Ready(Ok(()))
    }

    /// Reads one piece and gives it on as far as the sink takes it.
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut End,
        sink: &mut End,
    ) -> Poll<Result<(), Side>> {
        let stream = match source {
            End::Connection(stream) => stream,
            End::H2(end) => {
                match ready!(end.poll_take(cx)).map_err(|_| Side::Source)? {
                    Some(piece) => {
                        self.note_read(&piece);
                        self.waiting = Waiting::Here(piece);
                    }
                    None => self.stage = Stage::Ending,
                }
                return Poll::Ready(Ok(()));
            }
        };
        let mut room = [const { MaybeUninit::uninit() }; PIECE_BYTES];
        let limit = match (&*stream, &*sink) {
            (Stream::Tcp(_), End::Connection(_)) => PIECE_BYTES,
            _ => SMALL_PIECE_BYTES,
        };
        let mut buffer = ReadBuf::uninit(&mut room[..limit]);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer)).map_err(|_| Side::Source)?;
        let piece = buffer.filled();
        if piece.is_empty() {
            self.stage = Stage::Ending;
            return Poll::Ready(Ok(()));
        }
        self.note_read(piece);
        if self.frames.is_some() {
            // They are looked at one by one, and may be small.
            turn::spend(cx, piece.len() / FRAMES_STEP_BYTES);
        }
        self.splice_heuristic.copied(match piece.len() == limit {
            true => Piece::Full,
            false => Piece::Less,
        });
        let taken = match sink {
            End::Connection(stream) => match poll_write(stream, cx, piece) {
                Poll::Ready(Ok(taken)) => taken,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Side::Sink)),
                Poll::Pending => 0,
            },
            End::H2(_) => 0,
        };
        self.note_taken(taken);
        if taken < piece.len() {
            self.waiting = Waiting::Here(Bytes::copy_from_slice(&piece[taken..]));
        }
        Poll::Ready(Ok(()))
    }

    fn note_read(&mut self, piece: &[u8]) {
        if let Some(frames) = &mut self.frames {
            frames.advance(piece);
        }
    }

    fn note_taken(&mut self, count: usize) {
        self.bytes += count as u64;
        self.is_unflushed |= count > 0;
    }

    fn part(&mut self, masking: Masking) {
        if self.stage != Stage::Open {
            return;
        }
        self.stage = Stage::Parting;
        if self.frames.as_ref().is_some_and(Frames::has_room)
            && let Waiting::Here(waiting) = &mut self.waiting
        {
            let goodbye = close_frame(GOING_AWAY, masking);
            *waiting = [&waiting[..], &goodbye].concat().into();
        }
    }
}

impl Waiting {
    const NOTHING: Self = Self::Here(Bytes::new());

    fn is_empty(&self) -> bool {
        match self {
            Self::Here(bytes) => bytes.is_empty(),
            Self::In(pipe) => pipe.is_empty(),
        }
    }
}

/// Writes some of `data`. A connection that takes nothing and says that this is fine is broken.
fn poll_write(stream: &mut Stream, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
    match ready!(Pin::new(stream).poll_write(cx, data)) {
        Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        written => Poll::Ready(written),
    }
}

/// Reads what is not wanted any more; 0 at the end.
fn poll_discard(cx: &mut Context<'_>, source: &mut End) -> Poll<io::Result<usize>> {
    match source {
        End::Connection(stream) => {
            let mut room = [const { MaybeUninit::uninit() }; SMALL_PIECE_BYTES];
            let mut buffer = ReadBuf::uninit(&mut room);
            ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().len()))
        }
        End::H2(end) => {
            let piece = ready!(end.poll_take(cx))?;
            // An empty frame is not the end.
            Poll::Ready(Ok(piece.map_or(0, |piece| piece.len().max(1))))
        }
    }
}

#[cfg(test)]
mod over_tcp;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// A relay and the two peers that it is between; each side's socket holds `room` bytes.
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
    async fn every_byte_passes_both_ways_through_the_narrowest_of_sockets() {
        let (mut relay, client, server) = relay(7, Spoken::Anything);
        let said: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        let answered: Vec<u8> = said.iter().map(|byte| !byte).collect();
        let talk = async |peer: DuplexStream, words: &[u8]| {
            let (mut read, mut write) = tokio::io::split(peer);
            let mut heard = Vec::new();
            let say = async {
                write.write_all(words).await.expect("taken");
                write.shutdown().await.expect("taken");
            };
            let (_, end) = tokio::join!(say, read.read_to_end(&mut heard));
            end.expect("an end");
            heard
        };
        let (over, at_client, at_server) = tokio::join!(
            run(&mut relay),
            talk(client, &said),
            talk(server, &answered)
        );
        assert_eq!(over, Ok(()));
        assert_eq!((at_server, at_client), (said, answered));
        assert_eq!((relay.bytes_up(), relay.bytes_down()), (100_000, 100_000));
    }

    #[tokio::test]
    async fn one_that_has_said_all_still_hears() {
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
    async fn what_was_read_before_comes_first() {
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
    async fn who_breaks_is_named() {
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
    async fn nothing_is_kept_of_what_was_taken() {
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
    async fn between_two_frames_both_are_told_that_we_go_away() {
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
        let goodbye = close_frame(GOING_AWAY, Masking::Key([9; 4]));
        assert_eq!(heard, [&ping[..], &goodbye].concat());
        // What they say now is read and not passed on.
        client.write_all(b"bye").await.expect("taken");
        drop((client, server));
        assert_eq!(turn(&mut relay), Poll::Ready(Ok(())));
        assert_eq!(relay.bytes_up(), heard.len() as u64);
    }

    #[tokio::test]
    async fn in_the_middle_of_a_frame_nothing_is_put() {
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
