//! The thread that writes the access log, and the handle by which others steer it.
//!
//! `process` starts the thread and closes it last, after the workers; a reload changes the target;
//! SIGHUP reopens. Workers know the handle's queue only.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::clock::{self, Duration, Instant};
use crate::observe::access_log::queue::{Batch, Queue};
use crate::observe::access_log::sink::Sink;
use crate::observe::event;
use crate::plan::LogTarget;

/// Between two warnings about dropped lines.
const WARN_INTERVAL: Duration = Duration::from_secs(10);

/// One proxy's access log, seen from outside the writer thread.
#[derive(Clone, Debug)]
pub struct AccessLogHandle {
    queue: Arc<Queue>,
    /// What was last asked for. Written by whoever reloads.
    target: Arc<Mutex<LogTarget>>,
}

/// The writing end, to be run on a thread of its own.
#[derive(Debug)]
pub struct LogWriter {
    queue: Arc<Queue>,
    sink: Sink,
    /// Lines lost by an error that lasts; `None`: the last write went well.
    failing: Option<u64>,
    /// Lines lost when it was last said, and when that was.
    warned: (u64, Option<Instant>),
}

impl AccessLogHandle {
    /// An access log to `target`, and what writes it; both stand for the same one.
    ///
    /// # Errors
    ///
    /// What the system says when the target cannot be opened.
    pub fn open(target: &LogTarget) -> io::Result<(Self, LogWriter)> {
        let sink = Sink::open(target)?;
        let queue = Arc::new(Queue::new(*target != LogTarget::Off));
        let writer = LogWriter {
            queue: Arc::clone(&queue),
            sink,
            failing: None,
            warned: (0, None),
        };
        let handle = Self {
            queue,
            target: Arc::new(Mutex::new(target.clone())),
        };
        Ok((handle, writer))
    }

    /// Lets lines go to `target` from now on. Nothing happens when they do so already.
    ///
    /// # Errors
    ///
    /// What the system says when `target` cannot be opened; lines go where they went.
    pub fn set_target(&self, target: &LogTarget) -> io::Result<()> {
        let mut current = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == *target {
            return Ok(());
        }
        let sink = Sink::open(target)?;
        self.queue.switch_to(sink, *target != LogTarget::Off);
        current.clone_from(target);
        Ok(())
    }

    /// Lets the writer open its file anew, after it was renamed (SIGHUP).
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Lines lost so far, because the target stalled or failed.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Writes what the workers have handed in, ends the writer, and waits for that for at most
    /// `patience`, blocking. Whether everything was written.
    pub fn close(&self, patience: Duration) -> bool {
        self.queue.close(patience)
    }

    pub(in crate::observe) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl LogWriter {
    /// Writes until the log is closed. Blocks: give it a thread.
    pub fn run(mut self) {
        loop {
            let work = self.queue.wait_for_work();
            if work.must_reopen {
                let outcome = self.sink.reopen();
                self.report_reopened(outcome);
            } else if !work.batches.is_empty() {
                let outcome = self.sink.follow_its_name(clock::now());
                self.report_reopened(outcome);
            }
            for batch in work.batches {
                self.write(batch);
            }
            if let Some(sink) = work.next_sink {
                self.sink = sink;
                self.failing = None;
            }
            self.warn_of_dropped(clock::now());
            if work.is_last {
                return;
            }
        }
    }

    fn write(&mut self, batch: Batch) {
        match self.sink.write(&batch.bytes) {
            Ok(()) => {
                if let Some(lost) = self.failing.take() {
                    event::access_log_writes_again(self.sink.target(), lost);
                }
            }
            Err(failed) => {
                let rest = &batch.bytes[failed.written..];
                let lost = rest.iter().filter(|&&byte| byte == b'\n').count() as u64;
                self.queue.lost(lost);
                // Once, and not for each batch: it may last for hours.
                if self.failing.is_none() {
                    event::access_log_fails(self.sink.target(), &failed.error);
                }
                *self.failing.get_or_insert(0) += lost;
            }
        }
        self.queue.give_back(batch);
    }

    fn report_reopened(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            event::access_log_not_reopened(self.sink.target(), &error);
        }
    }

    fn warn_of_dropped(&mut self, now: Instant) {
        let dropped = self.queue.dropped();
        let (said, when) = self.warned;
        let is_soon = when.is_some_and(|when| now < when + WARN_INTERVAL);
        if dropped == said || is_soon {
            return;
        }
        self.warned = (dropped, Some(now));
        event::access_log_dropped(self.sink.target(), dropped - said);
    }
}

impl Drop for LogWriter {
    // However it ends: who waits for it must not wait for ever.
    fn drop(&mut self) {
        self.queue.ended();
    }
}
