//! `-D`: the program goes to the background.
//!
//! A child runs the same command line in a session of its own. The parent ends when the child says that it is ready, and
//! with the child's exit code if it ends before: a script knows then whether the proxy runs.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};

use rustix::process::setsid;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::base::{InWords, tasks};

use super::{INVALID, alert};

/// Set for the child.
const CHILD: &str = "EVENKEEL_IN_BACKGROUND";

/// What the child writes to standard output when it is ready.
const READY: &[u8] = b"ready\n";

/// Whether this process is the child.
pub(super) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Starts the child with the words of the command line, and waits until it is ready or has ended.
pub(super) fn start(words: Vec<OsString>) -> ExitCode {
    let started = env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command.arg("haproxy").args(words).env(CHILD, "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        tasks::start_process(&mut command)
    });
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            alert(&format!(
                "cannot start a process in the background: {}",
                InWords(&error)
            ));
            return ExitCode::from(INVALID);
        }
    };
    let mut said = [0; READY.len()];
    let is_ready = child
        .stdout
        .as_mut()
        .is_some_and(|output| output.read_exact(&mut said).is_ok() && said == *READY);
    if is_ready {
        return ExitCode::SUCCESS;
    }
    let code = child.wait().ok().and_then(|status| status.code());
    ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(INVALID),
    )
}

/// In the child: leaves the session and the terminal of the parent, and tells it that all is well. Elsewhere: nothing.
///
/// # Errors
///
/// The system's error.
pub(super) fn detach() -> io::Result<()> {
    if !is_child() {
        return Ok(());
    }
    // It is a leader already if something else made it one.
    let _ = setsid();
    io::stdout().write_all(READY)?;
    io::stdout().flush()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}
