//! This machine and the programs on it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where Debian keeps daemons, which a user's `PATH` leaves out.
const MORE_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Where Debian has nginx's TCP mode, which is a module.
pub(crate) const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// The path of `program`; if it is absent and we may, `package` is installed.
pub(crate) fn ensure(program: &str, package: &str) -> io::Result<PathBuf> {
    if let Some(path) = find(program) {
        return Ok(path);
    }
    install(package)?;
    find(program)
        .ok_or_else(|| io::Error::other(format!("{program} is missing: apt-get install {package}")))
}

/// The same for nginx's TCP mode.
pub(crate) fn ensure_nginx_stream() -> io::Result<()> {
    let package = "libnginx-mod-stream";
    if !Path::new(NGINX_STREAM).is_file() {
        install(package)?;
    }
    if Path::new(NGINX_STREAM).is_file() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{NGINX_STREAM} is missing: apt-get install {package}"
    )))
}

/// Only as root.
fn install(package: &str) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        eprintln!("installing {package}");
        Command::new("apt-get")
            .args(["install", "-y", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null())
            .status()?;
    }
    Ok(())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(MORE_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// The release binary of evenkeel: `EVENKEEL_BIN`, or built now.
///
/// Not `CARGO_BIN_EXE_evenkeel`: `cargo bench` builds that one with the features that the
/// dev-dependencies switch on (tokio's `test-util` makes every reading of the clock slower), and it
/// is not the released program.
pub(crate) fn evenkeel() -> io::Result<PathBuf> {
    if let Some(path) = env::var_os("EVENKEEL_BIN") {
        return Ok(path.into());
    }
    eprintln!("building the release binary");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--bin",
            "evenkeel",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other("the release binary does not build"));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .ok_or_else(|| io::Error::other("cargo named no executable"))
}

/// The first line of the version that `program` prints.
pub(crate) fn version(program: &Path, flag: impl AsRef<OsStr>) -> String {
    let Ok(output) = Command::new(program).arg(flag).output() else {
        return "unknown".to_owned();
    };
    // nginx answers on standard error.
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text)
        .lines()
        .next()
        .unwrap_or("unknown")
        .trim()
        .to_owned()
}

/// The line with `words` of the build description that `program` prints.
pub(crate) fn line_with(program: &Path, flag: &str, words: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text)
        .lines()
        .find(|line| line.contains(words))
        .map(|line| line.trim().to_owned())
}

/// The versions of `packages` in Cargo.lock, in one line.
pub(crate) fn locked(packages: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let text = fs::read_to_string(path).unwrap_or_default();
    let versions: Vec<String> = packages
        .iter()
        .map(|package| {
            let version = text
                .split_once(&format!("name = \"{package}\"\nversion = \""))
                .and_then(|(_, rest)| rest.split('"').next())
                .unwrap_or("unknown");
            format!("{package} {version}")
        })
        .collect();
    versions.join(", ")
}

/// Model, cores and kernel, in one line.
pub(crate) fn description() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// The day, as `2026-01-31`.
pub(crate) fn today() -> String {
    version(Path::new("date"), "+%F")
}

/// Raises the soft limit of open files to the hard one; children inherit it.
pub(crate) fn raise_open_files() -> io::Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    Ok(maximum.unwrap_or(u64::MAX))
}
