//! Signals, and what they mean.
//!
//! | signal | meaning |
//! |---|---|
//! | SIGTERM, SIGUSR1, SIGINT | drain, then end |
//! | SIGTERM or SIGINT once more | end now |
//! | SIGHUP, SIGUSR2 | read the configuration again; SIGHUP also opens log files anew |

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::tasks;
use crate::control::Order;

use super::{Ending, Proxy};

struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr1: Signal,
    usr2: Signal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Drain(&'static str),
    Stop(&'static str),
    Reload,
    ReloadAndReopen,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.term.recv() => Wish::Stop("SIGTERM"),
            _ = self.int.recv() => Wish::Stop("SIGINT"),
            _ = self.usr1.recv() => Wish::Drain("SIGUSR1"),
            _ = self.usr2.recv() => Wish::Reload,
            _ = self.hup.recv() => Wish::ReloadAndReopen,
        }
    }
}

/// Runs `proxy` until a signal, or its own fault, ends it. `meanwhile` runs beside it.
///
/// # Errors
///
/// What the system says when signals cannot be received.
pub fn run_until_signal(
    mut proxy: Proxy,
    meanwhile: impl Future<Output = ()>,
) -> io::Result<Ending> {
    let runtime = tasks::runtime()?;
    let ending = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let orders = proxy.orders();
        let mut stops = 0;
        let mut meanwhile = std::pin::pin!(meanwhile);
        let mut is_over = false;
        loop {
            let wish = tokio::select! {
                ending = proxy.ended() => return io::Result::Ok(ending),
                wish = signals.next() => wish,
                () = &mut meanwhile, if !is_over => {
                    is_over = true;
                    continue;
                }
            };
            let order = match wish {
                Wish::Drain(why) => Order::Drain(why.to_owned()),
                Wish::Stop(why) => {
                    stops += 1;
                    if stops > 1 {
                        Order::Break
                    } else {
                        Order::Drain(why.to_owned())
                    }
                }
                Wish::Reload => Order::Reload(None),
                Wish::ReloadAndReopen => {
                    // A control thread that is gone ends the workers, and they end us.
                    let _ = orders.send(Order::ReopenLogs);
                    Order::Reload(None)
                }
            };
            let _ = orders.send(order);
        }
    })?;
    proxy.close();
    Ok(ending)
}
