//! The words of HAProxy's command line (management guide §3).

use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) act: Act,
    /// `-f`, and what follows `--`.
    pub(super) files: Vec<PathBuf>,
    /// `-C`
    pub(super) directory: Option<PathBuf>,
    /// `-D`
    pub(super) is_daemon: bool,
    /// `-W` or `-Ws`: one process here, with the signals and exit codes of a master.
    pub(super) is_master: bool,
    /// `-Ws`: the service manager is told when the process is ready.
    pub(super) notifies: bool,
    /// `-q`
    pub(super) is_quiet: bool,
    /// `-V`
    pub(super) is_verbose: bool,
    /// `-p`
    pub(super) pid_file: Option<PathBuf>,
    /// `-n`
    pub(super) max_connections: Option<u32>,
    /// `-L`
    pub(super) peer: Option<String>,
    /// `-sf`: the processes that drain when this one runs.
    pub(super) finish: Vec<i32>,
    /// `-st`: the processes that end when this one runs.
    pub(super) terminate: Vec<i32>,
    /// Ours: `--accept-loss`.
    pub(super) accepts_loss: bool,
    /// Ours: `--admin`.
    pub(super) admin: Option<String>,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Act {
    #[default]
    Run,
    /// `-c`
    Check,
    /// `-cc`
    Condition(String),
    /// `-v`; true: `-vv`
    Version(bool),
}

/// Reads the words.
///
/// # Errors
///
/// What is wrong with them.
pub(super) fn read(words: Vec<OsString>) -> Result<Arguments, String> {
    let mut read = Arguments::default();
    let mut is_foreground = false;
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy().into_owned();
        let mut value = || {
            words
                .next()
                .ok_or_else(|| format!("`{text}` needs a value"))
        };
        match text.as_str() {
            "--" => {
                read.files.extend(words.by_ref().map(PathBuf::from));
            }
            "-f" => read.files.push(value()?.into()),
            "-C" => read.directory = Some(value()?.into()),
            "-p" => read.pid_file = Some(value()?.into()),
            "-L" => read.peer = Some(value()?.to_string_lossy().into_owned()),
            "--admin" => read.admin = Some(value()?.to_string_lossy().into_owned()),
            "--accept-loss" => read.accepts_loss = true,
            "-n" => {
                let number = value()?.to_string_lossy().into_owned();
                let parsed = number.parse();
                read.max_connections =
                    Some(parsed.map_err(|_| format!("`-n {number}`: this is not a number"))?);
            }
            // A limit of memory, one for each proxy, sockets of an earlier process, the socket of a master: the first two
            // are safe to leave out, and what the last two are for needs no socket here.
            "-m" | "-N" | "-x" | "-S" => {
                value()?;
            }
            "-c" => read.act = Act::Check,
            "-cc" => read.act = Act::Condition(value()?.to_string_lossy().into_owned()),
            "-v" => read.act = Act::Version(false),
            "-vv" => read.act = Act::Version(true),
            "-V" => read.is_verbose = true,
            "-q" => read.is_quiet = true,
            "-D" => read.is_daemon = true,
            "-W" => read.is_master = true,
            "-Ws" => {
                read.is_master = true;
                read.notifies = true;
            }
            "-sf" | "-st" => {
                let list = match text.as_str() {
                    "-sf" => &mut read.finish,
                    _ => &mut read.terminate,
                };
                while let Some(word) = words.peek() {
                    match word.to_string_lossy().parse() {
                        Ok(pid) if pid > 0 => list.push(pid),
                        _ => break,
                    }
                    words.next();
                }
            }
            "-d" | "-db" => is_foreground = true,
            // For developers of HAProxy, or tuning.
            debug if debug.starts_with("-d") => {}
            _ => return Err(format!("`{text}` is no word of HAProxy's command line")),
        }
    }
    read.is_daemon &= !is_foreground;
    match read.act {
        Act::Run | Act::Check if read.files.is_empty() => {
            Err("no file was given: `-f FILE`".to_owned())
        }
        _ => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Arguments, String> {
        read(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn the_words_of_tests_and_scripts_are_read() {
        let run = of("-d -dM -dI -dW -f /t/cfg").expect("they are right");
        assert_eq!((run.act, run.files), (Act::Run, vec!["/t/cfg".into()]));
        let check = of("-c -dM -dI -dW -V -f cfg").expect("they are right");
        assert_eq!((check.act, check.is_verbose), (Act::Check, true));
        let service = of("-Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/master.sock")
            .expect("they are right");
        assert!(service.is_master && service.notifies && !service.is_daemon);
        assert_eq!(service.pid_file, Some("/run/haproxy.pid".into()));
        let daemon = of("-D -p p -f a -f b -sf 12 345 -L me -n 100 -m 10").expect("they are right");
        assert!(daemon.is_daemon);
        assert_eq!(
            (daemon.finish, daemon.max_connections),
            (vec![12, 345], Some(100))
        );
        assert_eq!(
            (daemon.files.len(), daemon.peer.as_deref()),
            (2, Some("me"))
        );
        let after = of("-st 7 -- a b").expect("they are right");
        assert_eq!((after.terminate, after.files.len()), (vec![7], 2));
        assert_eq!(of("-vv").map(|read| read.act), Ok(Act::Version(true)));
        let condition = read(vec!["-cc".into(), "streq(a, b)".into()]);
        assert_eq!(
            condition.map(|read| read.act),
            Ok(Act::Condition("streq(a, b)".to_owned()))
        );
        assert!(!of("-D -db -f a").expect("they are right").is_daemon);
        assert!(
            of("-sf -f a")
                .expect("no process is left")
                .finish
                .is_empty()
        );
    }

    #[test]
    fn words_that_nobody_knows_are_refused() {
        for line in [
            "",
            "-f",
            "-D",
            "-c",
            "file",
            "-n many -f a",
            "--help",
            "-sf x -f a",
        ] {
            assert!(of(line).is_err(), "{line}");
        }
    }
}
