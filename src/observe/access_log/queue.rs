//! Full buffers on their way from the workers to the writer thread, bounded, and back empty.
//!
//! A lock, and not a lock-free channel: a worker takes it once in some hundred exchanges, for as
//! long as a push takes, and buffers come back the same way. The writer never writes under it.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::base::clock::Duration;
use crate::observe::access_log::sink::Sink;

/// Memory that waiting buffers may hold. A few seconds of a busy proxy's lines: what a disk's
/// hiccup needs, and little beside the bodies in flight.
const HELD_MAX: usize = 8 << 20;

/// A buffer that grew beyond this, by one huge line, is freed instead of used again.
const SPARE_BYTES_MAX: usize = 64 << 10;

/// Whole lines.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lines: u64,
}

/// Between the workers, the writer thread and the reload.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Whether lines are wanted. Written by the reload, read by each worker for each exchange.
    /// Relaxed: a line more or less at the moment of the switch does not matter.
    is_on: AtomicBool,
    /// Lines lost, here or in the sink. Relaxed: it orders nothing.
    dropped: AtomicU64,
    state: Mutex<State>,
    /// There is something for the writer to do.
    has_work: Condvar,
    /// The writer has ended.
    has_ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    full: Vec<Batch>,
    /// Capacity of the buffers in `full` and of those that are being written.
    held: usize,
    spare: Vec<Vec<u8>>,
    next_sink: Option<Sink>,
    must_reopen: bool,
    is_closing: bool,
    has_ended: bool,
}

/// What the writer is to do, in this order.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) batches: Vec<Batch>,
    /// Whether the file is to be opened anew.
    pub(super) must_reopen: bool,
    /// Write to this one from now on. After the batches, which were meant for the one before.
    pub(super) next_sink: Option<Sink>,
    /// End after this.
    pub(super) is_last: bool,
}

impl Queue {
    pub(super) fn new(is_on: bool) -> Self {
        Self {
            is_on: AtomicBool::new(is_on),
            dropped: AtomicU64::new(0),
            state: Mutex::default(),
            has_work: Condvar::new(),
            has_ended: Condvar::new(),
        }
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Takes `batch` for the writer, or drops it when too much waits; gives an empty one to go on
    /// with.
    pub(crate) fn push(&self, batch: Batch) -> Batch {
        let mut state = self.state();
        let capacity = batch.bytes.capacity();
        if state.has_ended || state.held + capacity > HELD_MAX {
            drop(state);
            self.lost(batch.lines);
            return emptied(batch);
        }
        state.held += capacity;
        state.full.push(batch);
        let spare = state.spare.pop().unwrap_or_default();
        drop(state);
        self.has_work.notify_one();
        Batch {
            bytes: spare,
            lines: 0,
        }
    }

    pub(super) fn lost(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Lets the writer go over to `sink`; `is_on`: whether that one writes anything.
    pub(super) fn switch_to(&self, sink: Sink, is_on: bool) {
        self.state().next_sink = Some(sink);
        self.is_on.store(is_on, Ordering::Relaxed);
        self.has_work.notify_one();
    }

    pub(crate) fn reopen(&self) {
        self.state().must_reopen = true;
        self.has_work.notify_one();
    }

    /// Lets the writer end when it has written what there is, and waits for that for at most
    /// `allowance`. Whether it did.
    pub(super) fn close(&self, allowance: Duration) -> bool {
        let mut state = self.state();
        state.is_closing = true;
        self.has_work.notify_one();
        let waited = self
            .has_ended
            .wait_timeout_while(state, allowance, |state| !state.has_ended);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.has_ended
    }

    /// What there is to do; waits for it. For the writer alone.
    pub(crate) fn wait_for_work(&self) -> Work {
        let idle = |state: &mut State| {
            state.full.is_empty()
                && state.next_sink.is_none()
                && !state.must_reopen
                && !state.is_closing
        };
        let waited = self.has_work.wait_while(self.state(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        Work {
            batches: mem::take(&mut state.full),
            must_reopen: mem::take(&mut state.must_reopen),
            next_sink: state.next_sink.take(),
            is_last: state.is_closing,
        }
    }

    /// Gives a written buffer back to the workers.
    pub(super) fn give_back(&self, batch: Batch) {
        let capacity = batch.bytes.capacity();
        let Batch { bytes, .. } = emptied(batch);
        let mut state = self.state();
        state.held -= capacity;
        // As many as are on the way at most, so there is no bound of their own.
        if bytes.capacity() > 0 {
            state.spare.push(bytes);
        }
    }

    /// The writer is gone: what comes now is lost.
    pub(super) fn ended(&self) {
        let mut state = self.state();
        state.has_ended = true;
        let lines = mem::take(&mut state.full)
            .iter()
            .map(|batch| batch.lines)
            .sum();
        drop(state);
        self.lost(lines);
        self.has_ended.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing of ours panics under the lock, and half a push would be a lost line, not a broken one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn emptied(mut batch: Batch) -> Batch {
    if batch.bytes.capacity() > SPARE_BYTES_MAX {
        return Batch::default();
    }
    batch.bytes.clear();
    batch.lines = 0;
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bytes: usize) -> Batch {
        Batch {
            bytes: vec![b'\n'; bytes],
            lines: bytes as u64,
        }
    }

    #[test]
    fn what_is_too_much_is_dropped_and_counted_and_never_waited_for() {
        let queue = Queue::new(true);
        for _ in 0..8 {
            queue.push(batch(1 << 20));
        }
        assert_eq!(queue.dropped(), 0, "at the limit");
        queue.push(batch(1));
        assert_eq!(queue.dropped(), 1, "one past it");

        let work = queue.wait_for_work();
        queue.push(batch(7));
        assert_eq!(queue.dropped(), 8, "what is being written still counts");
        for batch in work.batches {
            queue.give_back(batch);
        }
        queue.push(batch(7));
        assert_eq!(queue.dropped(), 8, "there is room again");
    }

    #[test]
    fn buffers_come_back_empty_unless_they_grew_huge() {
        let queue = Queue::new(true);
        queue.push(batch(SPARE_BYTES_MAX));
        queue.push(batch(SPARE_BYTES_MAX + 1));
        for batch in queue.wait_for_work().batches {
            queue.give_back(batch);
        }
        let first = queue.push(batch(1));
        assert_eq!(
            (first.bytes.len(), first.bytes.capacity()),
            (0, SPARE_BYTES_MAX)
        );
        assert_eq!(queue.push(batch(1)).bytes.capacity(), 0);
    }

    #[test]
    fn without_a_writer_lines_are_lost_and_counted() {
        let queue = Queue::new(true);
        queue.push(batch(3));
        assert!(!queue.close(Duration::ZERO), "no thread writes");
        queue.ended();
        assert_eq!(queue.dropped(), 3);
        queue.push(batch(2));
        assert_eq!(queue.dropped(), 5);
        assert!(queue.close(Duration::ZERO));
    }
}
