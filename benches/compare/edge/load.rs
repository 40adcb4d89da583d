//! The load of the edge's cells: a closed loop of requests, or of handshakes.
//!
//! Like the generator of the HTTP/1.1 cells it reads the proxy's processor time itself, at the
//! edges of the measured window, and prints one line of JSON. With TLS and HTTP/2 it costs far more
//! than that one and may be the slower side. The proxy's cost of an exchange is valid all the same.

mod handshakes;
mod requests;
mod score;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::tally::Tally;
use crate::usage::Usage;

use super::cell::{Cell, Work};
use super::client::block_on;

use self::score::Score;

/// How long after the window open exchanges may take to be answered.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// The pause before a broken connection is made again: without it, a proxy that refuses everything
/// would be asked in an endless loop.
const RETRY_AFTER: Duration = Duration::from_millis(10);

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    cell: Cell,
    #[arg(long)]
    target: SocketAddr,
    /// The proxy's processes.
    #[arg(long, num_args = 1.., required = true)]
    pid: Vec<u32>,
    #[arg(long, num_args = 1.., required = true)]
    origin_pid: Vec<u32>,
    #[arg(long)]
    warmup_ms: u64,
    #[arg(long)]
    window_ms: u64,
}

/// Sends, and prints the tally.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let tally = block_on(measure(options))?;
    println!("{}", tally.to_line());
    Ok(())
}

async fn measure(options: &Options) -> io::Result<Tally> {
    let score = Rc::new(Score::default());
    let mut clients = match options.cell.work() {
        Work::Requests(work) => requests::start(work, options.target, &score)?,
        Work::Handshakes(work) => handshakes::start(work, options.target, &score)?,
        Work::Plain(_) | Work::Rest(..) | Work::Stall(_) => {
            return Err(io::Error::other("another part does this cell"));
        }
    };
    sleep(Duration::from_millis(options.warmup_ms)).await;
    let before = Usage::now(&options.pid, &options.origin_pid)?;
    let begin = Instant::now();
    score.open_window();
    sleep(Duration::from_millis(options.window_ms)).await;
    score.close_window();
    let window = begin.elapsed();
    let (cpu, others) = Usage::now(&options.pid, &options.origin_pid)?.since(before);
    // Exchanges that hang are counted then.
    timeout(LAST_ANSWERS, all(&mut clients)).await.ok();
    Ok(Tally {
        window,
        cpu,
        others,
        ..score.tally()
    })
}

async fn all(clients: &mut JoinSet<()>) {
    while clients.join_next().await.is_some() {}
}
