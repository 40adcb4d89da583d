//! The signals of the process, and their commands.
//!
//! | signal | meaning |
//! |---|---|
//! | SIGTERM, SIGUSR1, SIGINT | drain, then end |
//! | SIGTERM or SIGINT once more | end now |
//! | SIGHUP, SIGUSR2 | read the configuration again; SIGHUP also opens log files anew |
//!
//! In HAProxy's place ([`Convention`]), SIGTERM and SIGINT end at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::tasks::{self, Runtime};
use crate::control::Command;

use super::{Ending, Proxy};

/// The signals of this process: caught instead of ending it, as long as this value exists.
pub struct Signals {
    runtime: Runtime,
    caught: Caught,
    convention: Convention,
}

/// Whose meaning signals have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// Ours.
    Ours,
    /// HAProxy's: SIGTERM and SIGINT end at once, SIGUSR1 drains, SIGHUP reads nothing again.
    Haproxy,
    /// The same, of a master: SIGHUP and SIGUSR2 reload.
    HaproxyMaster,
}

struct Caught {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr1: Signal,
    usr2: Signal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Drain(&'static str),
    /// With the number of the signal.
    Stop(&'static str, u8),
    Reload,
    ReloadAndReopen,
}

impl Signals {
    /// Catches them from now on. To be called before a proxy starts: a script that sees it run may
    /// send one, and an uncaught SIGHUP ends the process.
    ///
    /// # Errors
    ///
    /// The system's error if signals cannot be received.
    pub fn catch(convention: Convention) -> io::Result<Self> {
        let runtime = tasks::runtime()?;
        let entered = runtime.enter();
        let caught = Caught {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
        };
        drop(entered);
        Ok(Self {
            runtime,
            caught,
            convention,
        })
    }

    /// Runs `proxy` until a signal, or its own fault, ends it. `meanwhile` runs beside it.
    pub fn run(self, mut proxy: Proxy, meanwhile: impl Future<Output = ()>) -> Ending {
        let Self {
            runtime,
            mut caught,
            convention,
        } = self;
        let ending = runtime.block_on(obey(convention, &mut caught, &mut proxy, meanwhile));
        proxy.close();
        ending
    }
}

impl Caught {
    async fn next(&mut self) -> Action {
        tokio::select! {
            _ = self.term.recv() => Action::Stop("SIGTERM", 15),
            _ = self.int.recv() => Action::Stop("SIGINT", 2),
            _ = self.usr1.recv() => Action::Drain("SIGUSR1"),
            _ = self.usr2.recv() => Action::Reload,
            _ = self.hup.recv() => Action::ReloadAndReopen,
        }
    }
}

/// Turns signals into commands, until the proxy has ended.
async fn obey(
    convention: Convention,
    caught: &mut Caught,
    proxy: &mut Proxy,
    meanwhile: impl Future<Output = ()>,
) -> Ending {
    let commands = proxy.commands();
    let (mut stops, mut stopped_by) = (0, None);
    let mut meanwhile = std::pin::pin!(meanwhile);
    let mut is_over = false;
    loop {
        let action = tokio::select! {
            ending = proxy.ended() => return match (ending, stopped_by) {
                (Ending::Told, Some(number)) => Ending::Signal(number),
                (ending, _) => ending,
            },
            action = caught.next() => action,
            () = &mut meanwhile, if !is_over => {
                is_over = true;
                continue;
            }
        };
        let command = match action {
            Action::Drain(why) => Command::Drain(why.to_owned()),
            Action::Stop(why, number) if convention != Convention::Ours => {
                stopped_by = Some(number);
                let _ = commands.send(Command::Drain(why.to_owned()));
                Command::Abort
            }
            Action::Stop(why, _) => {
                stops += 1;
                if stops > 1 {
                    Command::Abort
                } else {
                    Command::Drain(why.to_owned())
                }
            }
            Action::Reload => Command::Reload,
            Action::ReloadAndReopen if convention == Convention::Haproxy => Command::ReopenLogs,
            Action::ReloadAndReopen => {
                // If the control thread has ended, the workers end, and then this loop.
                let _ = commands.send(Command::ReopenLogs);
                Command::Reload
            }
        };
        let _ = commands.send(command);
    }
}
