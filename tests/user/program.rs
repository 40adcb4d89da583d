//! The real program as a child of a test: started, read from, ended.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The longest wait for anything: far longer than it takes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// `evenkeel`, running. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    /// All of its output that was read.
    said: Vec<String>,
}

/// The path of the program that these tests were built with.
pub(crate) const EVENKEEL: &str = env!("CARGO_BIN_EXE_evenkeel");

impl Program {
    /// Starts it with `arguments`, separated by spaces.
    pub(crate) fn start(arguments: &str) -> Self {
        let mut command = Command::new(EVENKEEL);
        command.args(arguments.split_whitespace());
        Self::of(command)
    }

    /// A demo on free ports: its guide is printed, and its servers are up.
    pub(crate) fn demo() -> Self {
        let mut demo = Self::start("demo --listen 127.0.0.1:0 --admin 127.0.0.1:0");
        // One is on standard output and the other on standard error: either may be read first.
        let first = demo.wait_for_either("Ctrl-C ends it.", "3 of 3 up");
        if first.contains("Ctrl-C") {
            demo.wait_for("3 of 3 up");
        } else {
            demo.wait_for("Ctrl-C ends it.");
        }
        demo
    }

    /// Starts `command`.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built with this test");
        let (sender, lines) = channel();
        listen_to(
            child.stdout.take().expect("it was asked for"),
            sender.clone(),
        );
        listen_to(child.stderr.take().expect("it was asked for"), sender);
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// The next line with `text` in it; earlier lines are kept in `said`.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        self.wait_for_either(text, text)
    }

    fn wait_for_either(&mut self, one: &str, other: &str) -> String {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let said = self.said.join("\n");
            let line = line.unwrap_or_else(|_| unreachable!("no `{one}` in:\n{said}"));
            self.said.push(line.clone());
            if line.contains(one) || line.contains(other) {
                return line;
            }
        }
    }

    /// All output that was read so far.
    pub(crate) fn said(&self) -> String {
        self.said.join("\n")
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Its exit status, once it has ended; then all of its output has been read.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said.push(line),
                // Both pipes are closed, which the end of the program does.
                Err(_) => break,
            }
        }
        assert!(Instant::now() < deadline, "it still runs:\n{}", self.said());
        self.child.wait().expect("it is our child")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of a shell that runs `line`, and its exit status.
pub(crate) fn shell(line: &str) -> (String, ExitStatus) {
    shell_with(line, |_| {})
}

/// The same, in an environment that `prepare` makes.
pub(crate) fn shell_with(line: &str, prepare: impl FnOnce(&mut Command)) -> (String, ExitStatus) {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    prepare(&mut command);
    let output = command.output().expect("there is a shell");
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (said, output.status)
}

/// An address of loopback that no other process has, and no other test if the `number`, below 250, is its own.
pub(crate) fn own_address(number: usize) -> Ipv4Addr {
    let process = std::process::id() as usize;
    Ipv4Addr::new(
        127,
        (100 + process % 100) as u8,
        (process / 100 % 250) as u8,
        number as u8 + 1,
    )
}

/// The first address of loopback in `line`.
pub(crate) fn address_in(line: &str) -> SocketAddr {
    let begin = line.find("127.0.0.1:").expect("an address");
    let text: String = line[begin..]
        .chars()
        .take_while(|c| c.is_ascii_digit() || ".:".contains(*c))
        .collect();
    text.parse().expect("an address")
}

fn listen_to(pipe: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // The test may have read enough.
            let _ = sender.send(line);
        }
    });
}
