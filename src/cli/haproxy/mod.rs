//! HAProxy's own command line: under the name `haproxy`, or as `evenkeel haproxy …`.
//!
//! What scripts and service managers see is HAProxy's: words, exit codes, signals, the file with the process id. A
//! master and its worker are one process here, which reloads itself. Nothing is bound that the file does not name.

mod arguments;
mod daemon;

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, id};
use std::{env, fs};

use rustix::process::{Pid, Signal, kill_process};

use crate::base::InWords;
use crate::base::clock::{self, Duration};
use crate::base::tasks;
use crate::config::{self, Diagnostics, HAPROXY_VERSION, Loaded, Options, Syntax};
use crate::control::{CannotStart, Source};
use crate::net::{Network, tell_service_manager};
use crate::observe::logging;
use crate::process::{Convention, Ending, Proxy, Signals, Start, enough_files};

use super::check::say;
use super::{DIED, INVALID};
use arguments::{Act, Arguments};

/// How long the start waits for addresses that an earlier process gives up (`-sf`).
const TAKEOVER: Duration = Duration::from_secs(5);

/// The pause between two attempts to start meanwhile.
const RETRY: Duration = Duration::from_millis(20);

const USAGE: &str = "\
Usage: haproxy -f FILE… [-c] [-C DIR] [-D | -W | -Ws] [-p FILE] [-n MOST] [-L NAME] [-q] [-V] [-sf PID…] [-st PID…]
       haproxy -v | -vv | -cc CONDITION
Beside HAProxy's words: --accept-loss, --admin ADDRESS. See `evenkeel help`.";

/// Runs the command line that HAProxy would be given.
pub(super) fn haproxy(words: Vec<OsString>) -> ExitCode {
    let arguments = match arguments::read(words.clone()) {
        Ok(arguments) => arguments,
        Err(why) => {
            alert(&why);
            eprintln!("{USAGE}");
            return ExitCode::from(INVALID);
        }
    };
    // The child of `-D` is there already.
    if let Some(directory) = arguments.directory.as_ref().filter(|_| !daemon::is_child())
        && let Err(error) = env::set_current_dir(directory)
    {
        let directory = directory.display();
        alert(&format!("cannot go to {directory}: {}", InWords(&error)));
        return ExitCode::from(INVALID);
    }
    match &arguments.act {
        Act::Version(is_long) => version(*is_long),
        Act::Condition(text) => condition(text),
        Act::Check => match load(&arguments) {
            Some(_) => {
                if arguments.is_verbose && !arguments.is_quiet {
                    say("Configuration file is valid\n");
                }
                ExitCode::SUCCESS
            }
            None => ExitCode::from(INVALID),
        },
        Act::Run if arguments.is_daemon && !daemon::is_child() => daemon::start(words),
        Act::Run => run(&arguments),
    }
}

/// `-v`: the first line's third word is the version that files ask for.
fn version(is_long: bool) -> ExitCode {
    let (major, minor) = HAPROXY_VERSION;
    let own = env!("CARGO_PKG_VERSION");
    say(&format!(
        "HAProxy version {major}.{minor}.0-evenkeel-{own} (Evenkeel in its place)\n"
    ));
    if is_long {
        let features = config::HAPROXY_FEATURES.iter();
        let features: Vec<String> = features.map(|name| format!("+{name}")).collect();
        say(&format!(
            "Build options :\n  TARGET  = linux-glibc\n  OPTIONS = \n\nFeature list : {} -LUA -QUIC\n",
            features.join(" ")
        ));
    }
    ExitCode::SUCCESS
}

/// `-cc`: 0 if it holds, else 1.
fn condition(text: &str) -> ExitCode {
    match config::haproxy_condition(text) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            alert(&why);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    let Some(loaded) = load(arguments) else {
        return ExitCode::from(INVALID);
    };
    match until_signal(arguments, loaded) {
        Ok(Ending::Told) => ExitCode::SUCCESS,
        Ok(Ending::Signal(number)) if arguments.is_master => ExitCode::from(128 + number),
        Ok(Ending::Signal(_)) => ExitCode::SUCCESS,
        Ok(Ending::WorkerDied) => ExitCode::from(DIED),
        Err(why) => {
            alert(&why.to_string());
            ExitCode::from(INVALID)
        }
    }
}

fn until_signal(arguments: &Arguments, loaded: Loaded) -> Result<Ending, CannotStart> {
    // First: catching signals needs descriptors, too.
    enough_files(&loaded.plan)?;
    let convention = match arguments.is_master {
        true => Convention::HaproxyMaster,
        false => Convention::Haproxy,
    };
    let signals = Signals::catch(convention)
        .map_err(|error| CannotStart(format!("cannot wait for signals: {}", InWords(&error))))?;
    let log = &loaded.plan.log;
    // Fails only if logging was set up before.
    let mut logging = logging::start(log.level, log.format).ok();
    let first = Start {
        source: source(arguments),
        logging: logging.take(),
        loaded,
        network: Network::System,
    };
    let proxy = take_over(arguments, first)?;
    ready(arguments)?;
    Ok(signals.run(proxy, std::future::pending()))
}

/// Starts, and lets the processes of `-sf` and `-st` end. If an address is taken, it tries again while they give theirs
/// up.
fn take_over(arguments: &Arguments, first: Start) -> Result<Proxy, CannotStart> {
    let mut outcome = Proxy::start(first);
    if arguments.finish.is_empty() && arguments.terminate.is_empty() {
        return outcome;
    }
    // Once each: a number may belong to another process as soon as its owner has ended.
    tell(&arguments.terminate, Signal::TERM);
    tell(&arguments.finish, Signal::USR1);
    let Ok(runtime) = tasks::runtime() else {
        return outcome;
    };
    let deadline = clock::now() + TAKEOVER;
    while outcome.is_err() && clock::now() < deadline {
        runtime.block_on(async { clock::sleep(RETRY).await });
        let Ok(loaded) = source(arguments).load() else {
            break;
        };
        outcome = Proxy::start(Start {
            source: source(arguments),
            loaded,
            logging: None,
            network: Network::System,
        });
    }
    outcome
}

fn tell(processes: &[i32], signal: Signal) {
    for pid in processes.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // It may have ended already.
        let _ = kill_process(pid, signal);
    }
}

/// Tells scripts and the service manager that the proxy runs.
fn ready(arguments: &Arguments) -> Result<(), CannotStart> {
    if let Some(path) = &arguments.pid_file
        && (arguments.is_daemon || arguments.is_master)
    {
        let path: &Path = path;
        fs::write(path, format!("{}\n", id())).map_err(|error| {
            let path = path.display();
            CannotStart(format!("cannot write {path}: {}", InWords(&error)))
        })?;
    }
    if arguments.notifies {
        // Without a manager there is nothing to tell.
        let _ = tell_service_manager("READY=1\nSTATUS=Ready.\n");
    }
    daemon::detach()
        .map_err(|error| CannotStart(format!("cannot go to the background: {}", InWords(&error))))
}

fn source(arguments: &Arguments) -> Source {
    let (path, options) = options(arguments);
    Source::File(path.to_owned(), options)
}

fn options(arguments: &Arguments) -> (&Path, Options) {
    let (first, rest) = arguments
        .files
        .split_first()
        .expect("the command line has one");
    let files = arguments.files.iter();
    let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
    let peer = arguments.peer.clone().unwrap_or_else(|| {
        let name = rustix::system::uname();
        name.nodename().to_string_lossy().into_owned()
    });
    let (major, minor) = HAPROXY_VERSION;
    let mut variables = vec![
        ("HAPROXY_CFGFILES".to_owned(), files.join(";")),
        ("HAPROXY_LOCALPEER".to_owned(), peer),
        ("HAPROXY_BRANCH".to_owned(), format!("{major}.{minor}")),
    ];
    if arguments.is_master {
        variables.push(("HAPROXY_MWORKER".to_owned(), "1".to_owned()));
    }
    let options = Options {
        files: rest.to_vec(),
        syntax: Some(Syntax::Haproxy),
        variables,
        max_connections: arguments.max_connections,
        admin: Some(arguments.admin.clone().unwrap_or_else(|| "off".to_owned())),
        accept_loss: arguments.accepts_loss,
    };
    (first, options)
}

/// The configuration; without it, its mistakes are printed.
fn load(arguments: &Arguments) -> Option<Loaded> {
    let (path, options) = options(arguments);
    match super::check::load_and_verify(path, &options) {
        Ok(loaded) => {
            if !arguments.is_quiet {
                report(&loaded.warnings);
            }
            Some(loaded)
        }
        Err(diagnostics) => {
            report(&diagnostics);
            alert("config : Fatal errors found in configuration.");
            None
        }
    }
}

/// Prints messages: a line each as HAProxy has them, then all of them with their lines.
fn report(diagnostics: &Diagnostics) {
    if diagnostics.is_empty() {
        return;
    }
    for found in diagnostics {
        let position = diagnostics.position_of(found);
        let (file, line) = (position.file.display(), position.line);
        let message = found.message().lines().next().unwrap_or_default();
        let text = format!("config : parsing [{file}:{line}] : {message}");
        match found.is_error() {
            true => alert(&text),
            // What is different here is no warning of HAProxy's.
            false => eprintln!("[NOTICE]   ({}) : {text}", id()),
        }
    }
    eprintln!("\n{}\n", diagnostics.render(super::check::color()));
}

fn alert(text: &str) {
    eprintln!("[ALERT]    ({}) : {text}", id());
}
