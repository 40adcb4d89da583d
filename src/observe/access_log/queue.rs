//! The bounded queue of full buffers from the workers to the writer thread of the access log. Empty
//! buffers go back to the workers.
//!
//! A `Mutex`, not a lock-free channel: a worker locks it about once in fifty exchanges, for one
//! push, and wakes the writer about once in a thousand. The writer thread does no I/O while it holds
//! the lock.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::base::clock::Duration;

/// The most memory of buffers that wait: a few seconds of lines while the disk does not respond.
/// Small compared with the bodies in flight.
const HELD_MAX: usize = 8 << 20;

/// As many full buffers wake the writer at once; fewer wait for [`Queue::wake`]. A wake-up costs two
/// switches between threads, as much as fifty lines, and a buffer has about as many.
const WAKE_AT: usize = 24;

/// A buffer that grew beyond this, by one huge line, is freed instead of used again.
const SPARE_BYTES_MAX: usize = 64 << 10;

/// A buffer of complete lines.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lines: u64,
}

/// Workers push, the writer thread pops.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Lines dropped by the queue or by the sink. `Relaxed`: no other memory depends on it.
    dropped: AtomicU64,
    /// The same of all queues of the process, also of those that are gone.
    dropped_by_all: Arc<AtomicU64>,
    state: Mutex<State>,
    /// Signalled when there is work for the writer.
    has_work: Condvar,
    /// Signalled when the writer has ended.
    has_ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    full: Vec<Batch>,
    /// The capacity of the buffers in `full` and of those that are being written.
    held: usize,
    spare: Vec<Vec<u8>>,
    must_reopen: bool,
    is_closing: bool,
    has_ended: bool,
}

/// Work for the writer, to be done in this order.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) batches: Vec<Batch>,
    /// Whether to open the file anew.
    pub(super) must_reopen: bool,
    /// Whether the writer ends after this.
    pub(super) is_last: bool,
}

impl Queue {
    /// `dropped_by_all` counts what each queue drops.
    pub(super) fn new(dropped_by_all: Arc<AtomicU64>) -> Self {
        Self {
            dropped: AtomicU64::new(0),
            dropped_by_all,
            state: Mutex::default(),
            has_work: Condvar::new(),
            has_ended: Condvar::new(),
        }
    }

    /// Queues `batch`, or drops it if more than `HELD_MAX` bytes wait. Returns an empty batch. The
    /// writer may not notice it before [`Queue::wake`].
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
        let has_many = state.full.len() >= WAKE_AT;
        let spare = state.spare.pop().unwrap_or_default();
        drop(state);
        if has_many {
            self.has_work.notify_one();
        }
        Batch {
            bytes: spare,
            lines: 0,
        }
    }

    /// Wakes the writer if buffers wait for it.
    pub(crate) fn wake(&self) {
        if !self.state().full.is_empty() {
            self.has_work.notify_one();
        }
    }

    pub(super) fn lost(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
        self.dropped_by_all.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn reopen(&self) {
        self.state().must_reopen = true;
        self.has_work.notify_one();
    }

    /// Makes the writer end after the queued lines.
    pub(super) fn end_after_this(&self) {
        self.state().is_closing = true;
        self.has_work.notify_one();
    }

    /// The same, and waits for it for at most `allowance`. Returns whether it has ended.
    pub(super) fn close(&self, allowance: Duration) -> bool {
        self.end_after_this();
        let waited = self
            .has_ended
            .wait_timeout_while(self.state(), allowance, |state| !state.has_ended);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.has_ended
    }

    /// Waits for work and returns it. Only the writer thread calls it.
    pub(crate) fn wait_for_work(&self) -> Work {
        let idle =
            |state: &mut State| state.full.is_empty() && !state.must_reopen && !state.is_closing;
        let waited = self.has_work.wait_while(self.state(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        Work {
            batches: mem::take(&mut state.full),
            must_reopen: mem::take(&mut state.must_reopen),
            is_last: state.is_closing,
        }
    }

    /// Returns a written buffer to the workers.
    pub(super) fn give_back(&self, batch: Batch) {
        let capacity = batch.bytes.capacity();
        let Batch { bytes, .. } = emptied(batch);
        let mut state = self.state();
        state.held -= capacity;
        // At most as many as were queued, so `spare` needs no bound of its own.
        if bytes.capacity() > 0 {
            state.spare.push(bytes);
        }
    }

    /// Notes that the writer has ended: later lines are dropped and counted.
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
        // No code under the lock panics. Even after a panic in a push a line would be missing, not
        // malformed.
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
    use std::sync::mpsc;

    use super::*;
    use crate::base::tasks::spawn_thread;

    fn batch(bytes: usize) -> Batch {
        Batch {
            bytes: vec![b'\n'; bytes],
            lines: bytes as u64,
        }
    }

    #[test]
    fn lines_over_the_bound_are_dropped_and_counted_and_the_worker_does_not_wait() {
        let queue = Queue::new(Arc::default());
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
        let queue = Queue::new(Arc::default());
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
    fn the_writer_is_woken_for_many_buffers_or_when_asked() {
        // The writer mostly waits when buffers come. If it does not, it takes some before they are many.
        const ROUNDS: usize = 50;
        let queue = Arc::new(Queue::new(Arc::default()));
        let (writes, written) = mpsc::channel();
        let write = {
            let queue = Arc::clone(&queue);
            move || {
                loop {
                    let work = queue.wait_for_work();
                    // The test has ended if it does not listen any more.
                    let _ = writes.send(work.batches.len());
                    if work.is_last {
                        break;
                    }
                }
            }
        };
        let writer = spawn_thread("writer", write).expect("a thread");
        let taken = || {
            let taken = written.recv_timeout(Duration::from_secs(60));
            taken.expect("the writer was woken")
        };
        for _ in 0..ROUNDS {
            let mut waiting = 0;
            loop {
                while waiting < WAKE_AT {
                    queue.push(batch(1));
                    waiting += 1;
                }
                waiting -= taken();
                if waiting == 0 {
                    break;
                }
            }
            queue.push(batch(1));
            queue.wake();
            assert_eq!(taken(), 1);
        }
        queue.end_after_this();
        writer.join().expect("no panic");
    }

    #[test]
    fn without_a_writer_lines_are_lost_and_counted() {
        let queue = Queue::new(Arc::default());
        queue.push(batch(3));
        assert!(!queue.close(Duration::ZERO), "no thread writes");
        queue.ended();
        assert_eq!(queue.dropped(), 3);
        queue.push(batch(2));
        assert_eq!(queue.dropped(), 5);
        assert!(queue.close(Duration::ZERO));
    }
}
