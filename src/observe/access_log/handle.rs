//! One proxy's access logs, seen from outside the writer threads.
//!
//! `process` opens them and closes them last, after the workers; a reload prepares the next ones and
//! puts them in the place of the present ones; SIGHUP reopens files. A worker looks at the version
//! for each exchange and renews its own logs when it changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::clock::{self, Duration, Instant};
use crate::observe::access_log::logs::{CannotOpen, Logs, Warned};
use crate::observe::access_log::writer::LogWriter;
use crate::observe::event;
use crate::plan::AccessLog;

/// Between two warnings about dropped lines.
const WARN_INTERVAL: Duration = Duration::from_secs(10);

/// One proxy's access logs, seen from outside the writer threads.
#[derive(Clone, Debug)]
pub struct AccessLogHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Rises with each change of `logs`. Written by the reload after the change, with `Release`; a
    /// worker that reads the new number with `Acquire` finds the new logs.
    version: AtomicU64,
    /// The present logs. Written by the reload.
    logs: Mutex<Arc<Logs>>,
    /// Lines lost by all targets so far.
    dropped: Arc<AtomicU64>,
}

/// Logs that are open and take no lines yet. Dropped, they end their writers.
#[derive(Debug)]
pub struct PreparedLogs(Arc<Logs>);

impl AccessLogHandle {
    /// The access logs of `plan`, and their writers.
    ///
    /// # Errors
    ///
    /// [`CannotOpen`] if a target cannot be opened.
    pub fn open(plan: &[AccessLog]) -> Result<(Self, Vec<LogWriter>), CannotOpen> {
        let dropped = Arc::default();
        let (logs, writers) = Logs::open(plan, &Logs::default(), &dropped)?;
        let shared = Shared {
            version: AtomicU64::new(1),
            logs: Mutex::new(Arc::new(logs)),
            dropped,
        };
        Ok((Self(Arc::new(shared)), writers))
    }

    /// Opens the logs of `plan`; targets that are open stay so. The writers must run before
    /// [`AccessLogHandle::replace`].
    ///
    /// # Errors
    ///
    /// [`CannotOpen`] if a target cannot be opened; then nothing has changed.
    pub fn prepare(
        &self,
        plan: &[AccessLog],
    ) -> Result<(PreparedLogs, Vec<LogWriter>), CannotOpen> {
        let (logs, writers) = Logs::open(plan, &self.logs(), &self.0.dropped)?;
        Ok((PreparedLogs(Arc::new(logs)), writers))
    }

    /// Writes the logs `prepared` from now on.
    pub fn replace(&self, prepared: PreparedLogs) {
        *self.0.logs.lock().unwrap_or_else(PoisonError::into_inner) = prepared.0;
        self.0.version.fetch_add(1, Ordering::Release);
    }

    /// Makes the writers open their files anew, after they were renamed (SIGHUP).
    pub fn reopen(&self) {
        for target in &self.logs().targets {
            target.queue.reopen();
        }
    }

    /// Lines lost so far, because a target stalled or failed.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Warns of lines that were lost since the last warning, at most once in `WARN_INTERVAL` for
    /// each target. To be called regularly, but not by a writer: it blocks in the sink while that
    /// stalls.
    pub fn warn_of_dropped(&self, now: Instant) {
        for target in &self.logs().targets {
            let dropped = target.queue.dropped();
            let mut warned = target.warned.lock().unwrap_or_else(PoisonError::into_inner);
            let is_soon = warned.at.is_some_and(|at| now < at + WARN_INTERVAL);
            if dropped == warned.dropped || is_soon {
                continue;
            }
            event::access_log_dropped(&target.to, dropped - warned.dropped);
            *warned = Warned {
                dropped,
                at: Some(now),
            };
        }
    }

    /// Writes the queued lines, ends the writers, and waits for that for at most `allowance`,
    /// blocking. Returns whether everything was written.
    pub fn close(&self, allowance: Duration) -> bool {
        let until = clock::now() + allowance;
        let logs = self.logs();
        // All at once: a target that stalls does not use up the time of the others.
        for target in &logs.targets {
            target.queue.end_after_this();
        }
        let mut are_written = true;
        for target in &logs.targets {
            let left = until.saturating_duration_since(clock::now());
            are_written &= target.queue.close(left);
        }
        are_written
    }

    /// The present logs.
    pub(crate) fn logs(&self) -> Arc<Logs> {
        Arc::clone(&self.0.logs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes when the logs do.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::thread::JoinHandle;

    use super::*;
    use crate::base::tasks::spawn_thread;
    use crate::observe::access_log::output::Output;
    use crate::observe::access_log::queue::{Batch, Queue};
    use crate::observe::fixture::Folder;
    use crate::observe::logging;
    use crate::plan::{LogFormat, LogLevel, LogTarget};

    /// More than any of these needs.
    const TIMEOUT: Duration = Duration::from_secs(20);

    fn started(writer: LogWriter) -> JoinHandle<()> {
        spawn_thread("access-log", move || writer.run()).expect("a thread")
    }

    fn push(handle: &AccessLogHandle, lines: &str) {
        push_to(&queue(handle), lines);
    }

    fn push_to(queue: &Queue, lines: &str) {
        queue.push(Batch {
            bytes: lines.as_bytes().to_vec(),
            lines: lines.lines().count() as u64,
        });
        queue.wake();
    }

    /// The queue of the first target.
    fn queue(handle: &AccessLogHandle) -> Arc<Queue> {
        Arc::clone(&handle.logs().targets[0].queue)
    }

    fn opened(path: &Path) -> (AccessLogHandle, LogWriter) {
        let (handle, mut writers) = AccessLogHandle::open(&[file(path)]).expect("it opens");
        (handle, writers.remove(0))
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).expect("it reads")
    }

    fn file(path: &Path) -> AccessLog {
        AccessLog {
            to: LogTarget::File(PathBuf::from(path)),
            ..AccessLog::default()
        }
    }

    fn off() -> AccessLog {
        AccessLog {
            to: LogTarget::Off,
            ..AccessLog::default()
        }
    }

    #[test]
    fn closing_writes_everything_in_order() {
        let folder = Folder::new();
        let path = folder.file("access.log");
        fs::write(&path, "before\n").expect("it writes");
        let (handle, writer) = opened(&path);
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
    fn a_new_target_takes_what_comes_after_the_switch_and_the_old_one_ends_with_its_last_worker() {
        let folder = Folder::new();
        let (first, second) = (folder.file("1"), folder.file("2"));
        let (handle, writer) = opened(&first);
        let thread = started(writer);
        // As a worker that has not noticed the change yet.
        let late = handle.logs();
        let (prepared, writers) = handle.prepare(&[file(&second)]).expect("it opens");
        let next: Vec<_> = writers.into_iter().map(started).collect();
        handle.replace(prepared);
        push(&handle, "b\n");
        push_to(&late.targets[0].queue, "a\n");
        drop(late);
        thread.join().expect("it ends by itself");
        assert!(handle.close(TIMEOUT));
        assert_eq!(next.len(), 1);
        for thread in next {
            thread.join().expect("it ends");
        }
        assert_eq!((text(&first), text(&second)), ("a\n".into(), "b\n".into()));
        assert_eq!(handle.dropped(), 0);
    }

    #[test]
    fn a_target_that_stays_keeps_its_writer_and_two_logs_share_one() {
        let folder = Folder::new();
        let (one, two) = (folder.file("1"), folder.file("2"));
        let (handle, writers) =
            AccessLogHandle::open(&[file(&one), file(&one), off()]).expect("it opens");
        assert_eq!((writers.len(), handle.logs().logs.len()), (1, 2));
        let before = queue(&handle);
        let plan = [file(&two), file(&one)];
        let (prepared, writers) = handle.prepare(&plan).expect("it opens");
        assert_eq!(writers.len(), 1);
        handle.replace(prepared);
        assert!(Arc::ptr_eq(&handle.logs().targets[1].queue, &before));
    }

    #[test]
    fn a_target_that_cannot_be_opened_changes_nothing() {
        let folder = Folder::new();
        let path = folder.file("access.log");
        let (handle, writer) = opened(&path);
        let version = handle.version();
        let nowhere = [off(), file(&folder.file("no/such/folder/access.log"))];
        let failed = handle.prepare(&nowhere).expect_err("it cannot");
        assert_eq!(failed.error.kind(), io::ErrorKind::NotFound);
        assert_eq!((failed.index, handle.version()), (1, version));
        assert!(AccessLogHandle::open(&nowhere).is_err());
        push(&handle, "a\n");
        let thread = started(writer);
        assert!(handle.close(TIMEOUT));
        thread.join().expect("it ends");
        assert_eq!(text(&path), "a\n");
    }

    #[test]
    fn logs_that_were_prepared_and_are_not_wanted_end_their_writers() {
        let folder = Folder::new();
        let (handle, _writer) = opened(&folder.file("1"));
        let plan = [file(&folder.file("2"))];
        let (prepared, writers) = handle.prepare(&plan).expect("it opens");
        let threads: Vec<_> = writers.into_iter().map(started).collect();
        drop(prepared);
        for thread in threads {
            thread.join().expect("it ends");
        }
    }

    #[test]
    fn reopening_leaves_the_renamed_file_at_once() {
        let folder = Folder::new();
        let (path, rotated) = (folder.file("access.log"), folder.file("access.log.1"));
        let (handle, writer) = opened(&path);
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
        let (handle, mut writer) = opened(Path::new("/dev/full"));
        let write = |writer: &mut LogWriter, lines: &str| {
            push(&handle, lines);
            for batch in queue(&handle).wait_for_work().batches {
                writer.write(batch);
            }
        };
        let said = logging::captured(LogLevel::Info, LogFormat::Human, || {
            write(&mut writer, "a\nb\n");
            write(&mut writer, "c\n");
            assert_eq!(handle.dropped(), 3);
            writer.output = Output::open(&file(&path).to).expect("it opens");
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
        let folder = Folder::new();
        let (handle, _writer) = opened(&folder.file("1"));
        let start = clock::now();
        let said = logging::captured(LogLevel::Info, LogFormat::Human, || {
            handle.warn_of_dropped(start);
            for second in 0..11 {
                queue(&handle).lost(1);
                handle.warn_of_dropped(start + Duration::from_secs(second));
            }
        });
        let warnings: Vec<&str> = said.lines().collect();
        assert_eq!(warnings.len(), 2, "{said}");
        assert!(warnings[0].contains(" 1 line dropped"), "{said}");
        assert!(warnings[1].contains(" 10 lines dropped"), "{said}");
    }
}
