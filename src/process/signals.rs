//! The signals of the process, and their commands.
//!
//! | signal | meaning |
//! |---|---|
//! | SIGTERM, SIGUSR1, SIGINT | drain, then end |
//! | SIGTERM or SIGINT once more | end now |
//! | SIGHUP, SIGUSR2 | read the configuration again; SIGHUP also opens log files anew |

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::tasks::{self, Runtime};
use crate::control::Command;

use super::{Ending, Proxy};

/// The signals of this process: caught instead of ending it, as long as this value exists.
pub struct Signals {
    runtime: Runtime,
    caught: Caught,
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
    Stop(&'static str),
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
    pub fn catch() -> io::Result<Self> {
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
        Ok(Self { runtime, caught })
    }

    /// Runs `proxy` until a signal, or its own fault, ends it. `meanwhile` runs beside it.
    pub fn run(self, mut proxy: Proxy, meanwhile: impl Future<Output = ()>) -> Ending {
        let Self {
            runtime,
            mut caught,
        } = self;
        let ending = runtime.block_on(obey(&mut caught, &mut proxy, meanwhile));
        proxy.close();
        ending
    }
}

impl Caught {
    async fn next(&mut self) -> Action {
        tokio::select! {
            _ = self.term.recv() => Action::Stop("SIGTERM"),
            _ = self.int.recv() => Action::Stop("SIGINT"),
            _ = self.usr1.recv() => Action::Drain("SIGUSR1"),
            _ = self.usr2.recv() => Action::Reload,
            _ = self.hup.recv() => Action::ReloadAndReopen,
        }
    }
}

/// Turns signals into commands, until the proxy has ended.
async fn obey(
    caught: &mut Caught,
    proxy: &mut Proxy,
    meanwhile: impl Future<Output = ()>,
) -> Ending {
    let commands = proxy.commands();
    let mut stops = 0;
    let mut meanwhile = std::pin::pin!(meanwhile);
    let mut is_over = false;
    loop {
        let action = tokio::select! {
            ending = proxy.ended() => return ending,
            action = caught.next() => action,
            () = &mut meanwhile, if !is_over => {
                is_over = true;
                continue;
            }
        };
        let command = match action {
            Action::Drain(why) => Command::Drain(why.to_owned()),
            Action::Stop(why) => {
                stops += 1;
                if stops > 1 {
                    Command::Abort
                } else {
                    Command::Drain(why.to_owned())
                }
            }
            Action::Reload => Command::Reload,
            Action::ReloadAndReopen => {
                // If the control thread has ended, the workers end, and then this loop.
                let _ = commands.send(Command::ReopenLogs);
                Command::Reload
            }
        };
        let _ = commands.send(command);
    }
}
