//! A child process on a chosen core that never outlives us.
//!
//! `taskset` and `setpriv` (util-linux) set the core, and a signal for the death of this process,
//! between fork and exec, which would be `unsafe` here. Both exec the program, so the process id is
//! the program's.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The longest time for a child to end by itself.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Pinned {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

/// A command that runs `program` on `cores` (a list as `taskset -c` takes it).
pub(crate) fn on_cores(cores: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM", "taskset", "-c", cores])
        .arg(program);
    command.stdin(Stdio::null());
    command
}

/// A command that runs a part of this program on `cores`.
pub(crate) fn part_on_cores(cores: &str, part: &str) -> io::Result<Command> {
    let mut command = on_cores(cores, std::env::current_exe()?);
    command.arg(part).stdout(Stdio::piped());
    Ok(command)
}

impl Pinned {
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.spawn().map_err(|error| {
            io::Error::other(format!(
                "{:?} did not start: {error}",
                command.get_program()
            ))
        })?;
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self { child, stdout })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the child prints.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if let Some(stdout) = &mut self.stdout {
            stdout.read_line(&mut line)?;
        }
        if line.is_empty() {
            return Err(io::Error::other("a child ended without a result"));
        }
        Ok(line)
    }

    /// Whether the child has ended; detects a proxy that ended under load.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    fn ends_within(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.ends_within(Duration::ZERO) || self.child.try_wait().is_ok_and(|it| it.is_some()) {
            return;
        }
        // SIGTERM first: nginx's master ends its workers only then.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if !self.ends_within(TIMEOUT) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
