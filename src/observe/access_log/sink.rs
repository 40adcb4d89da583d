//! Where lines go: a file that is opened anew when it was renamed, or a stream that was there.
//!
//! Used by the writer thread alone, and opened by whoever changes the target, who can then say that
//! it cannot be. An error loses the lines at hand and nothing else: the next ones are tried again,
//! since a full disk gets room and a pipe's reader may come back under the same name.

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
    /// Of `file`.
    identity: Option<Identity>,
    looked: Option<Instant>,
    /// An error cut the last line short.
    is_mid_line: bool,
}

/// Device and inode: what a name stands for.
type Identity = (u64, u64);

/// Bytes that could not be written, and why.
#[derive(Debug)]
pub(super) struct WriteError {
    /// So many bytes had been written before.
    pub(super) written: usize,
    pub(super) error: io::Error,
}

impl Sink {
    /// # Errors
    ///
    /// What the system says when the file cannot be opened for appending, or created.
    pub(super) fn open(target: &LogTarget) -> io::Result<Self> {
        let file = match target {
            LogTarget::Off => None,
            // Not through `io::Stdout`, which looks for line ends in what it is given, under a lock.
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
    /// [`WriteError`] at the first error; what is left of `bytes` is not tried again.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if self.is_mid_line {
            // The half line stays, but what follows begins a line of its own.
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

    /// Opens the file anew when its name has come to stand for another, or for none; looks at most
    /// once in [`LOOK_INTERVAL`].
    ///
    /// # Errors
    ///
    /// What the system says when it cannot be opened; the old one is written on.
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
    /// What the system says when it cannot be opened; the old one is written on.
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
    // A named pipe without a reader would hold up the open, and with it the reload, for ever: this way it is an
    // error (ENXIO). Writing shall wait all the same.
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

/// Standard output may be a pipe that somebody else has made non-blocking: that is a property of
/// the pipe, not of our descriptor.
fn wait_until_writable(file: &File) -> io::Result<()> {
    let mut interest = [PollFd::new(file, PollFlags::OUT)];
    match poll(&mut interest, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
