//! The target of lines: a file that is opened again after it was renamed, or a standard stream.
//!
//! Used by the writer thread alone. The reload that changes the target opens it, and can then
//! report an error. A write error loses the lines at hand and nothing else: later lines are tried
//! again, since a full disk may get room and a pipe's reader may come back under the same name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_setfl};

use crate::base::clock::{Duration, Instant};
use crate::plan::LogTarget;

/// Between two looks at whether the file still has its name.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// An open target.
#[derive(Debug)]
pub(super) struct Sink {
    target: LogTarget,
    /// `None`: the target is off.
    file: Option<File>,
    /// The identity of `file`.
    identity: Option<Identity>,
    looked: Option<Instant>,
    /// An error cut the last line short.
    is_mid_line: bool,
}

/// Device and inode, which identify a file.
type Identity = (u64, u64);

/// Bytes that could not be written, and why.
#[derive(Debug)]
pub(super) struct WriteError {
    /// How many bytes had been written before.
    pub(super) written: usize,
    pub(super) error: io::Error,
}

impl Sink {
    /// # Errors
    ///
    /// The system's error if the file cannot be opened for appending, or created.
    pub(super) fn open(target: &LogTarget) -> io::Result<Self> {
        let file = match target {
            // [`Output`](super::output::Output) has the servers.
            LogTarget::Off | LogTarget::Udp(_) | LogTarget::Tcp(_) | LogTarget::Unix(_) => None,
            // Not `io::Stdout`, which searches the bytes for line ends, under a lock.
            LogTarget::Stdout => Some(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            LogTarget::Stderr => Some(File::from(io::stderr().as_fd().try_clone_to_owned()?)),
            LogTarget::File(path) => Some(open_file(path)?),
        };
        let identity = match &file {
            Some(file) => Some(identity(&file.metadata()?)),
            None => None,
        };
        Ok(Self {
            target: target.clone(),
            file,
            identity,
            looked: None,
            is_mid_line: false,
        })
    }

    pub(super) fn target(&self) -> &LogTarget {
        &self.target
    }

    /// Writes `bytes`, waiting as long as the target does.
    ///
    /// # Errors
    ///
    /// [`WriteError`] at the first error; the rest of `bytes` is not tried again.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if self.is_mid_line {
            // The half line stays, and the next one begins on a line of its own.
            let ended = write_whole(file, b"\n");
            ended.map_err(|failed| WriteError {
                written: 0,
                ..failed
            })?;
            self.is_mid_line = false;
        }
        let outcome = write_whole(file, bytes);
        if let Err(failed) = &outcome {
            self.is_mid_line = failed.written > 0 && bytes[failed.written - 1] != b'\n';
        }
        outcome
    }

    /// Opens the file anew if another file, or none, has its name; checks at most once in
    /// [`LOOK_INTERVAL`].
    ///
    /// # Errors
    ///
    /// The system's error if it cannot be opened; then the old file stays in use.
    pub(super) fn follow_its_name(&mut self, now: Instant) -> io::Result<()> {
        let LogTarget::File(path) = &self.target else {
            return Ok(());
        };
        if self
            .looked
            .is_some_and(|looked| now < looked + LOOK_INTERVAL)
        {
            return Ok(());
        }
        self.looked = Some(now);
        let named = fs::metadata(path).ok().map(|metadata| identity(&metadata));
        if named.is_some() && named == self.identity {
            return Ok(());
        }
        self.reopen()
    }

    /// Opens the file anew.
    ///
    /// # Errors
    ///
    /// The system's error if it cannot be opened; then the old file stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let LogTarget::File(path) = &self.target else {
            return Ok(());
        };
        let file = open_file(path)?;
        self.identity = Some(identity(&file.metadata()?));
        self.file = Some(file);
        self.is_mid_line = false;
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640);
    // Opening a named pipe without a reader would block, and with it the reload, for ever: this way
    // it is an error (ENXIO). Writes block all the same.
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = options.open(path)?;
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn write_whole(file: &mut File, bytes: &[u8]) -> Result<(), WriteError> {
    let mut written = 0;
    while written < bytes.len() {
        let error = match file.write(&bytes[written..]) {
            Ok(0) => io::Error::from(ErrorKind::WriteZero),
            Ok(count) => {
                written += count;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                match wait_until_writable(file) {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        return Err(WriteError { written, error });
    }
    Ok(())
}

/// Standard output may be a pipe that another process has made non-blocking: that is a property of
/// the pipe, not of our descriptor.
fn wait_until_writable(file: &File) -> io::Result<()> {
    let mut interest = [PollFd::new(file, PollFlags::OUT)];
    match poll(&mut interest, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, pipe};
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::base::clock;
    use crate::base::tasks::spawn_thread;
    use crate::observe::fixture::Folder;

    fn piped(writer: impl Into<OwnedFd>) -> Sink {
        Sink {
            target: LogTarget::Stdout,
            file: Some(File::from(writer.into())),
            identity: None,
            looked: None,
            is_mid_line: false,
        }
    }

    #[test]
    fn a_renamed_file_is_followed_within_a_second_and_made_anew() {
        let folder = Folder::new();
        let (path, rotated) = (folder.file("access.log"), folder.file("access.log.1"));
        let mut sink = Sink::open(&LogTarget::File(path.clone())).expect("it opens");
        let start = clock::now();
        let mut write_after = |millis, bytes: &[u8]| {
            let now = start + Duration::from_millis(millis);
            sink.follow_its_name(now).expect("it opens");
            sink.write(bytes).expect("it writes");
        };
        write_after(0, b"1\n");
        fs::rename(&path, &rotated).expect("it renames");
        write_after(999, b"2\n");
        write_after(1_000, b"3\n");
        write_after(1_001, b"4\n");
        // Another file under the name, as logrotate's `create` leaves it.
        fs::rename(&path, folder.file("access.log.2")).expect("it renames");
        fs::write(&path, "").expect("it creates");
        write_after(2_000, b"5\n");
        let text = |path: &Path| fs::read_to_string(path).expect("it reads");
        assert_eq!(text(&rotated), "1\n2\n");
        assert_eq!(text(&folder.file("access.log.2")), "3\n4\n");
        assert_eq!(text(&path), "5\n");
    }

    #[test]
    fn a_file_that_cannot_be_reopened_is_written_on() {
        let folder = Folder::new();
        let inner = folder.file("logs");
        fs::create_dir(&inner).expect("it creates");
        let path = inner.join("access.log");
        let mut sink = Sink::open(&LogTarget::File(path)).expect("it opens");
        let moved = folder.file("moved");
        fs::rename(&inner, &moved).expect("it renames");
        assert!(sink.reopen().is_err());
        sink.write(b"1\n").expect("it writes");
        let text = fs::read_to_string(moved.join("access.log"));
        assert_eq!(text.expect("it reads"), "1\n");
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_end() {
        let target = LogTarget::File("/dev/full".into());
        let mut sink = Sink::open(&target).expect("it opens");
        for _ in 0..2 {
            let failed = sink.write(b"1\n").expect_err("it is full");
            assert_eq!(failed.error.kind(), ErrorKind::StorageFull);
            assert_eq!(failed.written, 0);
        }
    }

    #[test]
    fn after_half_a_line_the_next_begins_on_its_own() {
        let (mut reader, writer) = pipe().expect("a pipe");
        let mut sink = piped(writer);
        // More than a pipe holds, so that the reader leaves in the middle of it.
        let line = vec![b'x'; 1 << 20];
        let leave = move || reader.read_exact(&mut [0; 10]).expect("it reads");
        let reader = spawn_thread("reader", leave).expect("a thread");
        let failed = sink.write(&line).expect_err("the reader has left");
        reader.join().expect("it reads");
        assert_eq!(failed.error.kind(), ErrorKind::BrokenPipe);
        assert!((10..line.len()).contains(&failed.written));

        let (mut reader, writer) = pipe().expect("a pipe");
        sink.file = Some(File::from(OwnedFd::from(writer)));
        sink.write(b"1\n").expect("it writes");
        sink.write(b"2\n").expect("it writes");
        drop(sink);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it reads");
        assert_eq!(text, "\n1\n2\n");
    }

    #[test]
    fn a_pipe_that_was_made_non_blocking_is_waited_for() {
        let (mut reader, writer) = pipe().expect("a pipe");
        fcntl_setfl(&writer, OFlags::NONBLOCK).expect("it is ours");
        let mut sink = piped(writer);
        let read = move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).expect("it reads");
            all.len()
        };
        let reader = spawn_thread("reader", read).expect("a thread");
        sink.write(&vec![b'x'; 1 << 20]).expect("it writes");
        drop(sink);
        assert_eq!(reader.join().expect("it reads"), 1 << 20);
    }

    #[test]
    fn a_named_pipe_without_a_reader_is_an_error_and_no_hang() {
        let folder = Folder::new();
        let path = folder.file("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).expect("a pipe");
        let error = Sink::open(&LogTarget::File(path)).expect_err("no process reads");
        assert_eq!(
            error.raw_os_error(),
            Some(rustix::io::Errno::NXIO.raw_os_error())
        );
    }
}
