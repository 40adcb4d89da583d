//! The thread that writes the lines of one target.
//!
//! `process` starts those of the first configuration, a reload those of new targets. A writer ends
//! when its queue is closed.

use std::io;
use std::sync::Arc;

use crate::base::InWords;
use crate::base::clock;
use crate::observe::access_log::lost::Lost;
use crate::observe::access_log::output::Output;
use crate::observe::access_log::queue::{Batch, Queue};
use crate::observe::event;

/// The writer of one target, to be run on a thread of its own.
#[derive(Debug)]
pub struct LogWriter {
    queue: Arc<Queue>,
    pub(super) output: Output,
    /// Lines lost by an error that lasts; `None`: the last write went well.
    failing: Option<u64>,
}

impl LogWriter {
    pub(super) fn new(queue: Arc<Queue>, output: Output) -> Self {
        Self {
            queue,
            output,
            failing: None,
        }
    }

    /// Writes until the target is closed. Blocks: needs a thread of its own.
    pub fn run(mut self) {
        loop {
            let work = self.queue.wait_for_work();
            if work.must_reopen {
                let outcome = self.output.reopen();
                self.report_reopened(outcome);
            } else if !work.batches.is_empty() {
                let outcome = self.output.follow_its_name(clock::now());
                self.report_reopened(outcome);
            }
            for batch in work.batches {
                self.write(batch);
            }
            if work.is_last {
                return;
            }
        }
    }

    pub(super) fn write(&mut self, batch: Batch) {
        match self.output.write(&batch.bytes, clock::now()) {
            Ok(()) => {
                if let Some(lost) = self.failing.take() {
                    event::access_log_writes_again(self.output.target(), lost);
                }
            }
            Err(Lost { lines, error }) => {
                self.queue.lost(lines);
                // Once, not for each batch: the error may last for hours.
                if self.failing.is_none() {
                    event::access_log_fails(self.output.target(), &InWords(&error));
                }
                *self.failing.get_or_insert(0) += lines;
            }
        }
        self.queue.give_back(batch);
    }

    fn report_reopened(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            event::access_log_not_reopened(self.output.target(), &InWords(&error));
        }
    }
}

impl Drop for LogWriter {
    // However it ends: a thread that waits for it must not wait for ever.
    fn drop(&mut self) {
        self.queue.ended();
    }
}
