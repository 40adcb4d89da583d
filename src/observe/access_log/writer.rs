//! The thread that writes the access log, and its handle for other threads.
//!
//! `process` starts the thread and closes it last, after the workers; a reload changes the target;
//! SIGHUP reopens. Workers know the handle's queue only.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::InWords;
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
    /// The present target. Written by the reload.
    target: Arc<Mutex<LogTarget>>,
    /// The last warning about lost lines. Written by the control thread.
    warned: Arc<Mutex<Warned>>,
}

/// The last warning about lost lines.
#[derive(Debug, Default)]
struct Warned {
    /// How many were lost by then.
    dropped: u64,
    /// When it was; `None`: never.
    at: Option<Instant>,
}

/// The writer, to be run on a thread of its own.
#[derive(Debug)]
pub struct LogWriter {
    queue: Arc<Queue>,
    sink: Sink,
    /// Lines lost by an error that lasts; `None`: the last write went well.
    failing: Option<u64>,
}

impl AccessLogHandle {
    /// An access log to `target`, and its writer; both are the same log.
    ///
    /// # Errors
    ///
    /// The system's error if the target cannot be opened.
    pub fn open(target: &LogTarget) -> io::Result<(Self, LogWriter)> {
        let sink = Sink::open(target)?;
        let queue = Arc::new(Queue::new(*target != LogTarget::Off));
        let writer = LogWriter {
            queue: Arc::clone(&queue),
            sink,
            failing: None,
        };
        let handle = Self {
            queue,
            target: Arc::new(Mutex::new(target.clone())),
            warned: Arc::default(),
        };
        Ok((handle, writer))
    }

    /// Sends lines to `target` from now on. No effect if they go there already.
    ///
    /// # Errors
    ///
    /// The system's error if `target` cannot be opened; then the old target stays.
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

    /// Makes the writer open its file anew, after it was renamed (SIGHUP).
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Lines lost so far, because the target stalled or failed.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Warns of lines that were lost since the last warning, at most once in `WARN_INTERVAL`. To be
    /// called regularly, but not by the writer: it blocks in the sink while that stalls.
    pub fn warn_of_dropped(&self, now: Instant) {
        let dropped = self.dropped();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = warned.at.is_some_and(|at| now < at + WARN_INTERVAL);
        if dropped == warned.dropped || is_soon {
            return;
        }
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        event::access_log_dropped(&target, dropped - warned.dropped);
        *warned = Warned {
            dropped,
            at: Some(now),
        };
    }

    /// Writes the queued lines, ends the writer, and waits for that for at most `allowance`,
    /// blocking. Returns whether everything was written.
    pub fn close(&self, allowance: Duration) -> bool {
        self.queue.close(allowance)
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl LogWriter {
    /// Writes until the log is closed. Blocks: needs a thread of its own.
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
                // Once, not for each batch: the error may last for hours.
                if self.failing.is_none() {
                    event::access_log_fails(self.sink.target(), &InWords(&failed.error));
                }
                *self.failing.get_or_insert(0) += lost;
            }
        }
        self.queue.give_back(batch);
    }

    fn report_reopened(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            event::access_log_not_reopened(self.sink.target(), &InWords(&error));
        }
    }
}

impl Drop for LogWriter {
    // However it ends: a thread that waits for it must not wait for ever.
    fn drop(&mut self) {
        self.queue.ended();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::thread::{self, JoinHandle};

    use super::*;
    use crate::base::tasks::spawn_thread;
    use crate::observe::fixture::Folder;
    use crate::observe::logging;
    use crate::plan::{LogFormat, LogLevel};

    /// More than any of these needs.
    const TIMEOUT: Duration = Duration::from_secs(20);

    fn started(writer: LogWriter) -> JoinHandle<()> {
        spawn_thread("access-log", move || writer.run()).expect("a thread")
    }

    fn push(handle: &AccessLogHandle, lines: &str) {
        handle.queue().push(Batch {
            bytes: lines.as_bytes().to_vec(),
            lines: lines.lines().count() as u64,
        });
        handle.queue().wake();
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).expect("it reads")
    }

    fn file(path: &Path) -> LogTarget {
        LogTarget::File(PathBuf::from(path))
    }

    #[test]
    fn closing_writes_everything_in_order() {
        let folder = Folder::new();
        let path = folder.file("access.log");
        fs::write(&path, "before\n").expect("it writes");
        let (handle, writer) = AccessLogHandle::open(&file(&path)).expect("it opens");
        let mut expected = "before\n".to_owned();
        for number in 0..20 {
            push(&handle, &format!("{number}\n"));
            expected += &format!("{number}\n");
        }
        let thread = started(writer);
        for number in 20..1_000 {
            push(&handle, &format!("{number}\n"));
            expected += &format!("{number}\n");
        }
        assert!(handle.close(TIMEOUT));
        thread.join().expect("it ends");
        assert_eq!(text(&path), expected);
        assert_eq!(handle.dropped(), 0);
    }

    #[test]
    fn a_new_target_takes_what_comes_after_the_switch() {
        let folder = Folder::new();
        let (first, second) = (folder.file("1"), folder.file("2"));
        let (handle, writer) = AccessLogHandle::open(&file(&first)).expect("it opens");
        push(&handle, "a\n");
        handle.set_target(&file(&second)).expect("it opens");
        // The writer sees both at once, and does them in order.
        let thread = started(writer);
        let deadline = clock::now() + TIMEOUT;
        while text(&first).is_empty() && clock::now() < deadline {
            thread::yield_now();
        }
        push(&handle, "b\n");
        assert!(handle.close(TIMEOUT));
        thread.join().expect("it ends");
        assert_eq!((text(&first), text(&second)), ("a\n".into(), "b\n".into()));
    }

    #[test]
    fn a_target_that_cannot_be_opened_changes_nothing() {
        let folder = Folder::new();
        let path = folder.file("access.log");
        let (handle, writer) = AccessLogHandle::open(&file(&path)).expect("it opens");
        let nowhere = folder.file("no/such/folder/access.log");
        let error = handle.set_target(&file(&nowhere)).expect_err("it cannot");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(AccessLogHandle::open(&file(&nowhere)).is_err());
        push(&handle, "a\n");
        let thread = started(writer);
        assert!(handle.close(TIMEOUT));
        thread.join().expect("it ends");
        assert_eq!(text(&path), "a\n");
    }

    #[test]
    fn off_is_off_until_it_is_switched_on() {
        let folder = Folder::new();
        let path = folder.file("access.log");
        let (handle, _writer) = AccessLogHandle::open(&LogTarget::Off).expect("nothing to open");
        assert!(!handle.queue().is_on());
        handle.set_target(&file(&path)).expect("it opens");
        assert!(handle.queue().is_on());
        handle.set_target(&LogTarget::Off).expect("nothing to open");
        assert!(!handle.queue().is_on());
    }

    #[test]
    fn reopening_leaves_the_renamed_file_at_once() {
        let folder = Folder::new();
        let (path, rotated) = (folder.file("access.log"), folder.file("access.log.1"));
        let (handle, writer) = AccessLogHandle::open(&file(&path)).expect("it opens");
        fs::rename(&path, &rotated).expect("it renames");
        handle.reopen();
        push(&handle, "a\n");
        let thread = started(writer);
        assert!(handle.close(TIMEOUT));
        thread.join().expect("it ends");
        assert_eq!((text(&rotated), text(&path)), (String::new(), "a\n".into()));
    }

    #[test]
    fn a_full_disk_costs_its_lines_is_logged_once_and_ends() {
        let folder = Folder::new();
        let path = folder.file("access.log");
        let (handle, mut writer) =
            AccessLogHandle::open(&file(Path::new("/dev/full"))).expect("it opens");
        let write = |writer: &mut LogWriter, lines: &str| {
            push(&handle, lines);
            for batch in handle.queue().wait_for_work().batches {
                writer.write(batch);
            }
        };
        let said = logging::captured(LogLevel::Info, LogFormat::Human, || {
            write(&mut writer, "a\nb\n");
            write(&mut writer, "c\n");
            assert_eq!(handle.dropped(), 3);
            writer.sink = Sink::open(&file(&path)).expect("it opens");
            write(&mut writer, "d\n");
        });
        assert_eq!(text(&path), "d\n");
        assert_eq!(handle.dropped(), 3);
        assert_eq!(
            said.matches("cannot write to /dev/full").count(),
            1,
            "{said}"
        );
        assert!(said.contains("again; 3 lines lost"), "{said}");
    }

    #[test]
    fn dropped_lines_are_warned_of_now_and_then() {
        let (handle, _writer) = AccessLogHandle::open(&LogTarget::Off).expect("nothing to open");
        let start = clock::now();
        let said = logging::captured(LogLevel::Info, LogFormat::Human, || {
            handle.warn_of_dropped(start);
            for second in 0..11 {
                handle.queue().lost(1);
                handle.warn_of_dropped(start + Duration::from_secs(second));
            }
        });
        let warnings: Vec<&str> = said.lines().collect();
        assert_eq!(warnings.len(), 2, "{said}");
        assert!(warnings[0].contains(" 1 line dropped"), "{said}");
        assert!(warnings[1].contains(" 10 lines dropped"), "{said}");
    }
}
