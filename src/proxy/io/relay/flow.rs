//! One direction of a relay: bytes from its source to its sink.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::turn;
use crate::net::{Pipe, Pipes, Stream};
use crate::proxy::io::splice_heuristic::{Piece, SpliceHeuristic};
use crate::wire::websocket::{Frames, GOING_AWAY, Masking, close_frame};

use super::end::{Deaf, End, SMALL_PIECE_BYTES, poll_discard, poll_write};

/// How many bytes are read at a time: what a busy TCP socket returns at once.
const PIECE_BYTES: usize = 64 << 10;

/// How many bytes of WebSocket frames count as one step of a turn.
const FRAMES_STEP_BYTES: usize = 1 << 10;

/// How many pieces of one direction are moved before other tasks run.
const PIECES_A_TURN: usize = 16;

/// The protocol in a relay, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// WebSocket frames, from the first byte on.
    WebSocket,
    /// Anything.
    Anything,
}

/// One direction.
pub(super) struct Flow {
    stage: Stage,
    pub(super) waiting: Waiting,
    /// Bytes that were taken by the sink.
    pub(super) bytes: u64,
    /// Whether the sink may hold some of it back.
    is_unflushed: bool,
    pub(super) splice_heuristic: SpliceHeuristic,
    /// The position in WebSocket frames.
    frames: Option<Frames>,
}

/// Bytes that were read and not yet taken.
pub(super) enum Waiting {
    Here(Bytes),
    /// Never empty, between two TCP sockets; its bytes are not read.
    In(Pipe),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The source is read.
    Open,
    /// The source has ended: the end must be sent to the sink.
    Ending,
    /// The source is not read any more: the end must be sent to the sink.
    Parting,
    /// The sink has got the end, or reads no more; the source is read only for its end: a socket
    /// that is closed with unread bytes resets the connection, and the peer loses the last bytes.
    Discarding,
    Over,
}

/// The side of an error of one direction.
pub(super) enum Side {
    Source,
    Sink,
}

impl Flow {
    pub(super) fn new(read_already: Bytes, spoken: Spoken) -> Self {
        let frames = (spoken == Spoken::WebSocket).then(|| {
            let mut frames = Frames::default();
            frames.advance(&read_already);
            frames
        });
        // An empty one may still hold the buffer that it was cut from.
        let waiting = Some(read_already).filter(|bytes| !bytes.is_empty());
        Self {
            stage: Stage::Open,
            waiting: Waiting::Here(waiting.unwrap_or_default()),
            bytes: 0,
            // The layer above may have left unflushed bytes: the head of a 101, under TLS.
            is_unflushed: true,
            splice_heuristic: SpliceHeuristic::default(),
            frames,
        }
    }

    /// Moves what can be moved; ready when the source has ended and the sink has got the end.
    pub(super) fn poll(
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
                    // The frames must be read.
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

    /// Reads one piece into a pipe, in which it then waits.
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

    /// Reads one piece and writes as much as the sink takes.
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
            // They are read one by one, and may be small.
            turn::spend(cx, piece.len() / FRAMES_STEP_BYTES);
        }
        self.splice_heuristic.copied(match piece.len() == limit {
            true => Piece::Full,
            false => Piece::Partial,
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

    pub(super) fn part(&mut self, masking: Masking) {
        if self.stage != Stage::Open {
            return;
        }
        self.stage = Stage::Parting;
        if self.frames.as_ref().is_some_and(Frames::has_room)
            && let Waiting::Here(waiting) = &mut self.waiting
        {
            let close = close_frame(GOING_AWAY, masking);
            *waiting = [&waiting[..], &close].concat().into();
        }
    }
}

impl Waiting {
    const NOTHING: Self = Self::Here(Bytes::new());

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Here(bytes) => bytes.is_empty(),
            Self::In(pipe) => pipe.is_empty(),
        }
    }
}
