//! The needs of tests beyond a toolchain: mainly real programs that users run. `.ci/packages`
//! installs them all.

use std::env;
use std::io::Write as _;
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A need of a test that a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// A foreign program, and its Debian package.
    Program(&'static str, &'static str),
    /// `::1`, which many containers lack.
    Ipv6,
}

pub(crate) const CURL: Need = Need::Program("curl", "curl");
pub(crate) const NGHTTP: Need = Need::Program("nghttp", "nghttp2-client");
pub(crate) const H2LOAD: Need = Need::Program("h2load", "nghttp2-client");
pub(crate) const HAPROXY: Need = Need::Program("haproxy", "haproxy");
pub(crate) const NGINX: Need = Need::Program("nginx", "nginx-light");
pub(crate) const NODE: Need = Need::Program("node", "nodejs");
pub(crate) const GUNICORN: Need = Need::Program("gunicorn", "gunicorn");
pub(crate) const OPENSSL: Need = Need::Program("openssl", "openssl");
pub(crate) const PROMTOOL: Need = Need::Program("promtool", "prometheus");
pub(crate) const CHROMIUM: Need =
    Need::Program("chromium-headless-shell", "chromium-headless-shell");
pub(crate) const IPV6: Need = Need::Ipv6;

/// Where Debian puts servers: not in `PATH` of an ordinary user.
const OF_ADMINISTRATORS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

impl Need {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Program(name, _) => name,
            Self::Ipv6 => "IPv6",
        }
    }

    /// Where it comes from.
    pub(crate) fn source(self) -> String {
        match self {
            Self::Program(_, package) => format!("Debian package {package}"),
            Self::Ipv6 => "the address ::1 on the loopback interface".to_owned(),
        }
    }

    /// Whether it can be installed. Other needs depend on the machine.
    pub(crate) fn is_program(self) -> bool {
        matches!(self, Self::Program(..))
    }

    /// Whether the machine has it.
    pub(crate) fn is_met(self) -> bool {
        match self {
            Self::Program(..) => self.path().is_some(),
            Self::Ipv6 => TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok(),
        }
    }

    /// The file to run, if it is there.
    fn path(self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain(OF_ADMINISTRATORS.map(PathBuf::from));
        folders
            .map(|folder| folder.join(self.name()))
            .find(|file| is_executable(file))
    }

    /// A command that runs it.
    #[track_caller]
    pub(crate) fn command(self) -> Command {
        Command::new(self.path().expect("a test says what it needs"))
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("it runs")
    }

    /// Runs it to its end, with `input` to read.
    #[track_caller]
    pub(crate) fn feed(self, arguments: &[&str], input: &str) -> Output {
        let child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("it runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        child.wait_with_output().expect("it ends")
    }
}

/// Runs curl, quietly and not for ever.
#[track_caller]
pub(crate) fn curl(arguments: &[&str]) -> Output {
    let bounded = ["--silent", "--show-error", "--max-time", "300"];
    CURL.run(&[&bounded, arguments].concat())
}

fn is_executable(file: &Path) -> bool {
    let metadata = file.metadata();
    metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
