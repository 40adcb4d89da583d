//! The proxies of the comparison: how each is found, started on its core and stopped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::child::{Pinned, on_cores};
use crate::face::Face;
use crate::rig::{Rig, free_addr};
use crate::settings::haproxy::Bytes;
use crate::settings::{Setup, evenkeel, haproxy, nginx};
use crate::{machine, probe, procfs};

/// nginx compares every pair of its 33,000 backends.
const START_TIMEOUT: Duration = Duration::from_secs(300);
/// nginx writes its log at most a second after the request.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);
/// As many as one diagnostic of a configuration has.
const LAST_LINES: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proxy {
    Evenkeel,
    Haproxy,
    /// With `option splice-auto`.
    HaproxySplice,
    Nginx,
    Relay,
    /// The relay by splice(2).
    RelaySplice,
}

/// Whether access log and metrics are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    On,
    Off,
}

/// A started proxy; it ends when this is dropped.
pub(crate) struct Running {
    pub(crate) proxy: Proxy,
    pub(crate) addr: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Its processes: for nginx the master and the worker.
    pub(crate) pids: Vec<u32>,
    pub(crate) config: PathBuf,
    log: Option<PathBuf>,
    child: Pinned,
}

impl Proxy {
    /// In the order of the tables' rows.
    pub(crate) const ALL: [Self; 6] = [
        Self::Evenkeel,
        Self::Haproxy,
        Self::HaproxySplice,
        Self::Nginx,
        Self::Relay,
        Self::RelaySplice,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Evenkeel => "evenkeel",
            Self::Haproxy => "haproxy",
            Self::HaproxySplice => "haproxy-splice",
            Self::Nginx => "nginx",
            Self::Relay => "relay",
            Self::RelaySplice => "relay-splice",
        }
    }

    /// The path of the program, found, installed or built.
    pub(crate) fn program(self) -> io::Result<PathBuf> {
        match self {
            Self::Evenkeel => machine::evenkeel(),
            Self::Haproxy | Self::HaproxySplice => machine::ensure("haproxy", "haproxy"),
            Self::Nginx => machine::ensure("nginx", "nginx-light"),
            Self::Relay | Self::RelaySplice => std::env::current_exe(),
        }
    }

    pub(crate) fn version(self, program: &Path) -> String {
        match self {
            Self::Evenkeel => machine::version(program, "--version"),
            Self::Haproxy | Self::HaproxySplice | Self::Nginx => machine::version(program, "-v"),
            Self::Relay | Self::RelaySplice => "benches/compare/relay.rs".to_owned(),
        }
    }

    /// The TLS library, as the program itself reports it.
    pub(crate) fn tls_library(self, program: &Path) -> Option<String> {
        match self {
            Self::Evenkeel => Some(machine::locked(&["rustls", "aws-lc-rs"])),
            Self::Haproxy | Self::HaproxySplice => {
                machine::line_with(program, "-vv", "Running on OpenSSL")
            }
            Self::Nginx => machine::line_with(program, "-V", "built with OpenSSL"),
            Self::Relay | Self::RelaySplice => None,
        }
    }

    /// Its configuration file, when it has one.
    pub(crate) fn config(self, setup: &Setup, mode: Mode, face: Face) -> Option<String> {
        match self {
            Self::Evenkeel => Some(evenkeel::config(setup, mode, face)),
            Self::Haproxy => Some(haproxy::config(setup, mode, face, Bytes::Copied)),
            Self::HaproxySplice => Some(haproxy::config(setup, mode, face, Bytes::Spliced)),
            Self::Nginx => Some(nginx::config(setup, mode, face)),
            Self::Relay | Self::RelaySplice => None,
        }
    }

    /// Whether it is the floor, which parses nothing and counts nothing.
    pub(crate) fn is_relay(self) -> bool {
        matches!(self, Self::Relay | Self::RelaySplice)
    }
}

impl Mode {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::On => "access log and metrics on",
            Self::Off => "access log and metrics off",
        }
    }
}

impl Running {
    /// Starts `proxy` with `face`, and waits until it forwards.
    pub(crate) fn start(rig: &Rig, proxy: Proxy, mode: Mode, face: Face) -> io::Result<Self> {
        let config = |setup: &Setup| proxy.config(setup, mode, face).unwrap_or_default();
        Self::start_with(rig, proxy, mode, face, config)
    }

    /// The same with the configuration that `config` makes.
    pub(crate) fn start_with(
        rig: &Rig,
        proxy: Proxy,
        mode: Mode,
        face: Face,
        config: impl FnOnce(&Setup) -> String,
    ) -> io::Result<Self> {
        let dir = rig.dir();
        let log = dir.join(format!("{}.log", proxy.name()));
        let setup = Setup {
            listen: free_addr()?,
            admin: free_addr()?,
            servers: rig.servers(face),
            log: &log,
            dir,
        };
        let file = dir.join(format!("{}.conf", proxy.name()));
        fs::write(&file, config(&setup))?;
        // Lines of an earlier start must not be counted.
        let _ = fs::remove_file(&log);
        let mut command = on_cores(&rig.proxy_core, rig.program(proxy)?);
        proxy.arguments(&mut command, &file, &setup);
        // HAProxy's log is its standard output. Opened for appending, as all logs here: the file is
        // emptied between two cells, and a writer that keeps an offset would leave a hole.
        let stdout = match proxy {
            Proxy::Haproxy | Proxy::HaproxySplice => log.clone(),
            _ => dir.join(proxy.name()),
        };
        command.stdout(append(&stdout)?);
        let errors = dir.join(format!("{}.err", proxy.name()));
        command.stderr(append(&errors)?);
        let child = Pinned::start(command)?;
        let mut running = Self {
            proxy,
            addr: setup.listen,
            admin: setup.admin,
            pids: Vec::new(),
            config: file,
            log: (mode == Mode::On && !proxy.is_relay()).then(|| log.clone()),
            child,
        };
        probe::until_ready(running.addr, face, START_TIMEOUT).map_err(|error| {
            let (name, words) = (proxy.name(), last_lines(&errors));
            io::Error::other(format!("{name}: {error}\n{words}"))
        })?;
        running.pids = procfs::family(running.child.id())?;
        Ok(running)
    }

    /// An error when it has ended by itself.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        if self.child.has_ended()? {
            return Err(io::Error::other(format!(
                "{} has ended by itself",
                self.proxy.name()
            )));
        }
        Ok(())
    }

    /// Empties the access log, so that a long run does not fill the disk.
    pub(crate) fn empty_log(&self) -> io::Result<()> {
        match &self.log {
            Some(path) => OpenOptions::new().write(true).open(path)?.set_len(0),
            None => Ok(()),
        }
    }

    /// The access log's lines, once there are `expected` or no more come; `None` without a log.
    pub(crate) fn log_lines(&self, expected: u64) -> io::Result<Option<u64>> {
        let Some(path) = &self.log else {
            return Ok(None);
        };
        let deadline = Instant::now() + LOG_TIMEOUT;
        loop {
            let lines = count_lines(path)?;
            if lines >= expected || Instant::now() >= deadline {
                return Ok(Some(lines));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Proxy {
    fn arguments(self, command: &mut Command, config: &Path, setup: &Setup) {
        match self {
            Self::Evenkeel => command.args(["run", "--config"]).arg(config),
            Self::Haproxy | Self::HaproxySplice => command.arg("-db").arg("-f").arg(config),
            Self::Nginx => command.arg("-p").arg(setup.dir).arg("-c").arg(config),
            Self::Relay | Self::RelaySplice => command
                .args(["relay", "--listen", &setup.listen.to_string(), "--server"])
                .args(setup.servers.map(|server| server.to_string()))
                .args((self == Self::RelaySplice).then_some("--splice")),
        };
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The last lines that a proxy printed, for one that does not start.
fn last_lines(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

fn count_lines(path: &Path) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut lines = 0;
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(lines);
        }
        lines += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let length = chunk.len();
        reader.consume(length);
    }
}
