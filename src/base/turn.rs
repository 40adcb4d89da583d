//! The cooperative budget of a task: how much it may do before the other tasks of its thread run.
//!
//! tokio gives a task 128 steps each time it runs, and takes one off for each operation on a socket. The
//! work on bytes that a socket has returned costs no step there, although 64 kB of small frames mean
//! thousands of loops. Such loops take their steps off the same budget here, one for each piece. When
//! no step is left, sockets and timers return `Pending`, and the task runs again after the others.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use super::tasks::{self, coop};

/// Below this size the cost of a body piece is the cost of handling one more piece, not of its bytes.
const SMALL_PIECE_BYTES: usize = 1 << 10;

/// Whether the running task has steps left. If not, it is woken to run again after the others.
#[inline]
pub(crate) fn may_go_on(cx: &mut Context<'_>) -> bool {
    // `poll_proceed` wakes the task if no step is left. It takes no step: one that is dropped without
    // progress goes back to the budget.
    coop::has_budget_remaining() || coop::poll_proceed(cx).is_ready()
}

/// Ends the turn of the running task, which returns `Pending` after this. It runs again after the
/// others, and after the runtime has noted the events of sockets.
pub(crate) fn end(cx: &mut Context<'_>) {
    // It wakes the task only then. A wake from here would let the task run before the events.
    let yielding = pin!(tasks::yield_now());
    let _ = yielding.poll(cx);
}

/// How many pieces each turn of a task takes, until there are no more. `next` polls for one: `true`, or
/// `false` at the end. If it does not wake the task when a turn is over, this does not end.
#[cfg(test)]
pub(crate) async fn pieces_per_turn(
    mut next: impl FnMut(&mut Context<'_>) -> Poll<bool> + 'static,
) -> Vec<usize> {
    let turns = super::tasks::spawn_local(async move {
        let mut turns = Vec::new();
        std::future::poll_fn(|cx| {
            let mut taken = 0;
            let over = loop {
                match next(cx) {
                    Poll::Ready(true) => taken += 1,
                    Poll::Ready(false) => break Poll::Ready(()),
                    Poll::Pending => break Poll::Pending,
                }
            };
            turns.push(taken);
            over
        })
        .await;
        turns
    });
    turns.await.expect("no panic")
}

/// Takes `steps` off the budget of the running task.
#[inline]
pub(crate) fn spend(cx: &mut Context<'_>, steps: usize) {
    for _ in 0..steps {
        match coop::poll_proceed(cx) {
            Poll::Ready(step) => step.made_progress(),
            Poll::Pending => return,
        }
    }
}

/// Takes off the steps of one body piece with `bytes` of data. A small piece costs more steps, because it
/// is parsed, framed and written for few bytes.
#[inline]
pub(crate) fn spend_on_piece(cx: &mut Context<'_>, bytes: usize) {
    spend(cx, if bytes < SMALL_PIECE_BYTES { 4 } else { 1 });
}

/// Runs `future` without the budget. Only for a future of few steps whose caller takes `Pending` for the
/// state of a socket: a spent budget must not look like that.
pub(crate) fn uncounted<F: Future>(future: F) -> impl Future<Output = F::Output> {
    coop::unconstrained(future)
}

/// Counts the frames or records in a stream of bytes. Each begins with a header that has its length.
#[derive(Debug)]
pub(crate) struct PieceCounter {
    kind: PieceKind,
    /// Bytes to skip until the next piece begins.
    skip: usize,
    /// The header that is being read.
    header: [u8; 9],
    /// How many bytes of `header` have been read.
    have: usize,
}

/// What the pieces are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PieceKind {
    /// Frames of HTTP/2 (RFC 9113 §4.1).
    Frames,
    /// Records of TLS (RFC 8446 §5.1).
    Records,
}

impl PieceKind {
    fn header_bytes(self) -> usize {
        match self {
            Self::Frames => 9,
            Self::Records => 5,
        }
    }

    /// How many bytes follow `header`.
    fn length(self, header: &[u8; 9]) -> usize {
        match (self, header) {
            (Self::Frames, [a, b, c, ..]) => u32::from_be_bytes([0, *a, *b, *c]) as usize,
            (Self::Records, [_, _, _, a, b, ..]) => u16::from_be_bytes([*a, *b]).into(),
        }
    }
}

impl PieceCounter {
    /// A counter for a stream whose first piece begins after `skip` bytes.
    pub(crate) fn after(skip: usize, kind: PieceKind) -> Self {
        Self {
            kind,
            skip,
            header: [0; 9],
            have: 0,
        }
    }

    /// Continues with `bytes`, and returns how many pieces have their header complete with them.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> usize {
        let header_bytes = self.kind.header_bytes();
        let mut count = 0;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return count;
            }
            let taken = (header_bytes - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == header_bytes {
                self.have = 0;
                self.skip = self.kind.length(&self.header);
                count += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn pieces_are_counted_wherever_they_are_cut() {
        let frame = [0, 0, 3, 0, 0, 0, 0, 0, 1, 7, 7, 7];
        let empty = [0; 9];
        let record = [22, 3, 3, 0, 2, 7, 7];
        let cases = [
            (
                PieceKind::Frames,
                [b"PRI", &frame[..], &empty, &frame].concat(),
                3,
            ),
            (
                PieceKind::Records,
                [b"PRI", &record[..], &record].concat(),
                2,
            ),
        ];
        for (kind, bytes, count) in cases {
            for size in 1..=bytes.len() {
                let mut pieces = PieceCounter::after(3, kind);
                let counted: usize = bytes.chunks(size).map(|part| pieces.count(part)).sum();
                assert_eq!(counted, count, "{kind:?} by {size}");
            }
        }
    }

    #[tokio::test]
    async fn a_turn_ends_when_its_steps_are_spent_and_the_next_begins_with_all_of_them() {
        tokio::task::LocalSet::new()
            .run_until(async {
                let spends = crate::base::tasks::spawn_local(async {
                    for _ in 0..3 {
                        let mut steps = 0;
                        poll_fn(|cx| {
                            if steps > 0 {
                                return Poll::Ready(());
                            }
                            while may_go_on(cx) {
                                spend(cx, 1);
                                steps += 1;
                            }
                            Poll::Pending
                        })
                        .await;
                        assert!((100..200).contains(&steps), "{steps}");
                    }
                });
                spends.await.expect("it ends");
            })
            .await;
    }
}
