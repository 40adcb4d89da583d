//! The real program, as a process of its own.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use super::client::Client;
use super::folder::Folder;
use super::message::Message;
use super::proxy::Setup;
use super::wait::until;

/// A proxy in its own process; killed when dropped.
pub(crate) struct Program {
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
    folder: Folder,
}

/// Runs `evenkeel` to its end.
pub(crate) fn evenkeel(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(arguments)
        .output();
    output.expect("it was built")
}

/// Runs `evenkeel` to its end, on a system whose CA certificates are those of the file `cas`.
pub(crate) fn evenkeel_trusting(cas: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(arguments)
        .env_remove("SSL_CERT_DIR")
        .env("SSL_CERT_FILE", cas)
        .output();
    output.expect("it was built")
}

impl Program {
    /// Starts it and waits until it runs.
    #[track_caller]
    pub(crate) fn start(setup: &Setup) -> Self {
        let program = Self::spawn(setup);
        program.wait_for("process.started");
        program
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn spawn(setup: &Setup) -> Self {
        Self::spawn_after(":", setup)
    }

    /// Starts it in a shell that has done `command` before.
    #[track_caller]
    pub(crate) fn spawn_after(command: &str, setup: &Setup) -> Self {
        Self::spawn_with(command, None, setup)
    }

    /// Starts it and sends `signal` after its first output.
    #[track_caller]
    pub(crate) fn spawn_and_signal(signal: Signal, setup: &Setup) -> Self {
        Self::spawn_with(":", Some(signal), setup)
    }

    /// Starts it with these sockets, handed over as systemd does: descriptors from 3 on, the number
    /// of the process, and their names.
    #[track_caller]
    pub(crate) fn spawn_handing(sockets: [OwnedFd; 2], names: &str, setup: &Setup) -> Self {
        // A shell need not support descriptors with more than one digit.
        let script = format!(
            "exec 3<&0 4<&1 0</dev/null 1>/dev/null; \
             export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES={names}"
        );
        let [input, output] = sockets.map(Stdio::from);
        Self::spawn_in(&script, [input, output], None, setup)
    }

    #[track_caller]
    fn spawn_with(command: &str, signal: Option<Signal>, setup: &Setup) -> Self {
        // Standard output is never read.
        let pipes = [Stdio::null(), Stdio::piped()];
        Self::spawn_in(command, pipes, signal, setup)
    }

    #[track_caller]
    fn spawn_in(
        command: &str,
        [input, output]: [Stdio; 2],
        signal: Option<Signal>,
        setup: &Setup,
    ) -> Self {
        let folder = Folder::new();
        let config = folder.write("evenkeel.toml", &text_of(setup, &folder));
        let script = format!("{command}; exec \"$0\" run --config \"$1\"");
        let mut child = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_evenkeel")])
            .arg(&config)
            .stdin(input)
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it was built");
        let events = Arc::default();
        let stderr = child.stderr.take().expect("it is piped");
        let sink = Arc::clone(&events);
        let pid = pid_of(&child);
        thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            if let (Some(signal), Ok(_)) = (signal, stderr.fill_buf()) {
                kill_process(pid, signal).expect("it is ours");
            }
            collect(stderr, &sink);
        });
        Self {
            child,
            events,
            folder,
        }
    }

    /// The folder with its configuration and its access log.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Writes its configuration anew.
    pub(crate) fn write(&self, setup: &Setup) {
        self.folder
            .write("evenkeel.toml", &text_of(setup, &self.folder));
    }

    /// All events so far. Lines that are not JSON are kept as text.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.events
            .lock()
            .expect("no thread panics with it")
            .clone()
    }

    /// The events of that code.
    pub(crate) fn events_of(&self, code: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["event"] == code);
        events
    }

    /// The first event of that code.
    #[track_caller]
    pub(crate) fn wait_for(&self, code: &str) -> Value {
        until(code, || self.events_of(code).into_iter().next())
    }

    /// Waits until there are `count` events of that code, and returns the last.
    #[track_caller]
    pub(crate) fn wait_for_another(&self, code: &str, count: usize) -> Value {
        until(code, || {
            let events = self.events_of(code);
            (events.len() >= count).then(|| events.last().cloned())?
        })
    }

    /// Where `web` listens.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        address_in(&self.wait_for("listener.bound"))
    }

    /// A new client connection.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// The answer of the admin listener.
    #[track_caller]
    pub(crate) fn admin(&self, method: &str, target: &str) -> Message {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        Client::connect(self.admin_address()).ask(request)
    }

    /// Where the admin listener is.
    #[track_caller]
    pub(crate) fn admin_address(&self) -> SocketAddr {
        address_in(&self.wait_for("admin.bound"))
    }

    /// Sends a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid_of(&self.child), signal).expect("it is ours");
    }

    /// Stops the process until [`Program::go_on`].
    #[track_caller]
    pub(crate) fn halt(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        until("it has stopped", || {
            let stat = std::fs::read_to_string(&stat).expect("it runs");
            // proc(5): field 3, after the name.
            let (_, after_name) = stat.rsplit_once(')').expect("a name");
            after_name.starts_with(" T").then_some(())
        });
    }

    /// Continues the process after [`Program::halt`].
    #[track_caller]
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the end of the program", || {
            self.child.try_wait().expect("it is ours")
        })
    }

    /// Waits for its end, and gives the exit code.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> i32 {
        self.wait().code().expect("it was not killed")
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    /// The time that it has spent computing.
    #[track_caller]
    pub(crate) fn cpu_time(&self) -> Duration {
        self.cpu_clock()()
    }

    /// The same, for another thread while it runs.
    pub(crate) fn cpu_clock(&self) -> impl Fn() -> Duration + Send + 'static {
        let stat = format!("/proc/{}/stat", self.child.id());
        move || cpu_time_in(&stat)
    }

    /// The numbers of its open descriptors.
    #[track_caller]
    pub(crate) fn descriptors(&self) -> BTreeSet<u64> {
        let folder = format!("/proc/{}/fd", self.child.id());
        let entries = std::fs::read_dir(folder).expect("it runs");
        let names = entries.map(|entry| entry.expect("it runs").file_name());
        let numbers = names.map(|name| name.to_str().and_then(|name| name.parse().ok()));
        numbers.map(|number| number.expect("a number")).collect()
    }

    /// Allows it `more` descriptors than it has now, and free numbers below the highest one.
    #[track_caller]
    pub(crate) fn limit_files(&self, more: u64) {
        self.limit_descriptors(self.descriptors().len() as u64 + more);
    }

    /// Allows it no new descriptor whose number is `limit` or more. Open ones stay open.
    #[track_caller]
    pub(crate) fn limit_descriptors(&self, limit: u64) {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        prlimit(Some(pid_of(&self.child)), Resource::Nofile, limit).expect("it is ours");
    }

    /// The bytes of memory that it holds.
    #[track_caller]
    pub(crate) fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes = kilobytes.and_then(|text| text.trim().parse::<u64>().ok());
        kilobytes.expect("proc(5): in kB") << 10
    }

    /// The pipes that it has open, each by its number.
    #[track_caller]
    pub(crate) fn pipes(&self) -> BTreeSet<String> {
        let folder = format!("/proc/{}/fd", self.child.id());
        let entries = std::fs::read_dir(folder).expect("it runs");
        // A descriptor that is closed meanwhile is skipped.
        let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        let names = targets.map(|target| target.to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("pipe:")).collect()
    }

    /// Its access log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path("access.log")).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32).expect("a process")
}

/// With events that a program can read.
fn text_of(setup: &Setup, folder: &Folder) -> String {
    let text = setup.text(&folder.path("access.log"));
    match text.contains("[log]\n") {
        true => text.replace("[log]\n", "[log]\nformat = \"json\"\n"),
        false => text.replace("[log.access]", "[log]\nformat = \"json\"\n[log.access]"),
    }
}

#[track_caller]
fn address_in(event: &Value) -> SocketAddr {
    let address = event["addr"].as_str().and_then(|text| text.parse().ok());
    address.expect("the event names an address")
}

/// The processor time in the file `stat` of a process.
#[track_caller]
fn cpu_time_in(stat: &str) -> Duration {
    let stat = std::fs::read_to_string(stat).expect("it runs");
    // proc(5): the name, which may contain anything, is field 2; utime and stime are 14 and 15.
    let (_, after_name) = stat.rsplit_once(')').expect("a name");
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks
        .map(|count| count.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
}

fn collect(mut stderr: BufReader<impl std::io::Read>, sink: &Mutex<Vec<Value>>) {
    let mut line = String::new();
    while stderr.read_line(&mut line).is_ok_and(|count| count > 0) {
        let event = serde_json::from_str(&line).unwrap_or(Value::from(line.trim_end()));
        sink.lock().expect("no thread panics with it").push(event);
        line.clear();
    }
    // Output that is not text is ignored.
    let _ = stderr.read_to_end(&mut Vec::new());
}
