//! The command line: the subcommands of the program, and their exit codes.

mod check;
mod convert;
mod demo;
mod haproxy;
mod health;
mod run;
mod schema;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::base::Address;
use crate::base::clock::Duration;
use crate::config::{Options, Syntax};
use health::{parse_address, parse_timeout};

/// The configuration cannot be used.
const INVALID: u8 = 1;
/// The proxy that was asked is not ready, or does not answer. Docker knows 0 and 1 for health checks.
const UNHEALTHY: u8 = 1;
/// The configuration is right, and the program cannot start with it here: an address is taken, for example.
const CANNOT_START: u8 = 3;
/// A defect: a worker died.
const DIED: u8 = 70;

const EXIT_CODES: &str = "\
Exit codes:
  0   stopped by a signal, or the configuration is valid
  1   the configuration has mistakes, or `health` found that the proxy is not ready
  2   the command line is wrong
  3   cannot start: an address is taken, a log file cannot be opened
  70  a bug: a worker died";

/// A load-balancing reverse proxy: one binary, one file, no restart to change it.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", disable_version_flag = true, after_help = EXIT_CODES)]
struct Arguments {
    /// Print version, commit, compiler and allocator
    #[arg(short = 'V', long)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy
    ///
    /// SIGHUP, SIGUSR2 or a change of the file reloads the configuration. SIGTERM, SIGINT and SIGUSR1
    /// drain and then end the process; a second SIGTERM or SIGINT ends it at once.
    Run(ConfigFile),
    /// Check a configuration and show all its mistakes
    Check(CheckArguments),
    /// Print a file of HAProxy as a file of Evenkeel, with its comments
    ///
    /// What is approximated or left out is said on standard error.
    Convert(ConvertArguments),
    /// Print the JSON Schema of configuration files: editors complete and check keys with it
    Schema,
    /// Ask a running proxy whether it is ready: for health checks of containers
    Health(HealthArguments),
    /// Take the command line of HAProxy, as under the name `haproxy`: -f FILE, -c, -cc, -D, -W, -Ws, -p, -sf, -st, -v …
    #[command(disable_help_flag = true)]
    Haproxy {
        /// What HAProxy would be given
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Run the proxy in front of three small app servers of its own, without a file
    Demo(DemoArguments),
}

/// The configuration file, in one of two spellings.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(value_name = "FILE", required_unless_present_any = ["config", "files"])]
    file: Option<PathBuf>,
    /// A file or a directory of files of HAProxy; they are read in this order, as one
    #[arg(short = 'f', value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the file is, whatever it looks like
    #[arg(long = "as", value_enum, value_name = "LANGUAGE")]
    language: Option<Language>,
    /// The configuration file, too
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// The admin listener, in place of what the file says: IP:PORT, the path of a Unix socket, @NAME or off
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// Start with an haproxy.cfg although it has lines that do not exist here: they are left out
    #[arg(long)]
    accept_loss: bool,
}

impl ConfigFile {
    fn options(&self) -> Options {
        Options {
            admin: self.admin.clone(),
            accept_loss: self.accept_loss,
            syntax: self.language.map(|language| match language {
                Language::Toml => Syntax::Toml,
                Language::Haproxy => Syntax::Haproxy,
            }),
            files: self.paths().skip(1).cloned().collect(),
            ..Options::default()
        }
    }

    fn path(&self) -> &Path {
        self.paths().next().expect("clap wants one of them")
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let first = self.file.as_ref().or(self.config.as_ref());
        first.into_iter().chain(&self.files)
    }
}

#[derive(Debug, Args)]
struct CheckArguments {
    #[command(flatten)]
    file: ConfigFile,
    /// The format of the mistakes
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Print the configuration with all defaults
    #[arg(long)]
    show: bool,
}

#[derive(Debug, Args)]
struct ConvertArguments {
    /// The file of HAProxy
    file: PathBuf,
    /// Convert it although it has lines that do not exist here: they are left out
    #[arg(long)]
    accept_loss: bool,
}

#[derive(Debug, Args)]
struct HealthArguments {
    /// The proxy's configuration file; it names the address of the admin listener
    ///
    /// A file with mistakes can be used, because mistakes do not stop a running proxy. Without
    /// --config and --admin, the address is 127.0.0.1:9900.
    #[arg(short, long, value_name = "FILE", conflicts_with = "admin")]
    config: Option<PathBuf>,
    /// The address of the admin listener: IP:PORT, the path of a Unix socket, or @NAME
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    admin: Option<Address>,
    /// Ask whether the process runs (/live), not whether it is ready for traffic (/ready)
    #[arg(long)]
    live: bool,
    /// Longest time to wait for the answer
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_timeout)]
    timeout: Duration,
}

#[derive(Debug, Args)]
struct DemoArguments {
    /// The address of the proxy; port 0 takes a free port
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The address of the admin listener: metrics and status
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9900")]
    admin: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Evenkeel's own
    Toml,
    /// An haproxy.cfg
    Haproxy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: the line, the mistake, and what to write instead
    Human,
    /// For programs: a list of objects
    Json,
}

/// Runs the command line. `allocator`: the name of the allocator in the binary, for `--version`.
pub fn main(allocator: &str) -> ExitCode {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    if Path::new(&name).file_name() == Some("haproxy".as_ref()) {
        return haproxy::haproxy(words.collect());
    }
    let arguments = Arguments::parse();
    if arguments.version {
        println!("{}", version(allocator));
        return ExitCode::SUCCESS;
    }
    match arguments.command {
        Some(Command::Run(file)) => run::run(file.path(), &file.options()),
        Some(Command::Check(arguments)) => check::check(&arguments),
        Some(Command::Convert(arguments)) => convert::convert(&arguments),
        Some(Command::Schema) => schema::schema(),
        Some(Command::Health(arguments)) => health::health(arguments),
        Some(Command::Haproxy { words }) => haproxy::haproxy(words),
        Some(Command::Demo(arguments)) => demo::demo(&arguments),
        None => help(),
    }
}

fn version(allocator: &str) -> String {
    format!(
        "evenkeel {}\ncommit     {}\nbuilt with {}\nallocator  {allocator}",
        env!("CARGO_PKG_VERSION"),
        env!("EVENKEEL_COMMIT"),
        env!("EVENKEEL_RUSTC"),
    )
}

fn help() -> ExitCode {
    use clap::CommandFactory;
    // If standard output cannot be written, the error cannot be shown either.
    let _ = Arguments::command().print_help();
    ExitCode::from(2)
}
