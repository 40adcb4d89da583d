//! Reads files that a person named, and only regular files.
//!
//! Opening a named pipe waits for its writer, and reading one waits for its end: a path to one
//! would block a start or a reload for ever. `config` and `control` read all their files here.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// The content of `path`, up to `most_bytes`.
///
/// # Errors
///
/// The system's error, or that it is a pipe, a device or a socket.
pub(crate) fn read(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    // Else the open of a named pipe would wait. It has no effect on regular files.
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = options.read(true).open(path)?;
    let kind = file.metadata()?.file_type();
    // The system's own message about a directory says more.
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tasks::spawn_thread;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let whole = read(&path, u64::MAX).expect("it is there");
        assert!(whole.starts_with(b"["));
        assert_eq!(read(&path, 3).expect("it is there"), whole[..3]);
    }

    #[test]
    fn a_device_is_not_read() {
        let error = read(Path::new("/dev/zero"), 1).expect_err("no regular file");
        assert_eq!(error.to_string(), "it is not a regular file");
    }

    #[test]
    fn a_named_pipe_without_a_writer_is_an_error_and_not_waited_for() {
        let name = format!("evenkeel-pipe-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).expect("a pipe");
        let (sender, receiver) = std::sync::mpsc::channel();
        let pipe = path.clone();
        // On a thread of its own: a read that waits must not block the test.
        let work = move || sender.send(read(&pipe, 1).map_err(|error| error.to_string()));
        spawn_thread("reader", work).expect("a thread");
        let answer = receiver.recv_timeout(std::time::Duration::from_secs(60));
        std::fs::remove_file(&path).expect("it is there");
        let error = "it is not a regular file".to_owned();
        assert_eq!(answer.expect("an answer"), Err(error));
    }
}
