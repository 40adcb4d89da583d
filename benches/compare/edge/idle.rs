//! The edge's idle connections: opened, used once, left idle, and used again.
//!
//! As `crate::idle` does for HTTP/1.1 without TLS, with a result of the same kind.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use tokio::time::{sleep, timeout};

use crate::idle::Resting;
use crate::procfs::resident_bytes;

use super::cell::{Cell, Work};
use super::client::{Answer, Client, Connection, Page, block_on};

/// Connections opened between two pauses.
const STEP: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Room for the head of a small answer.
const BUFFER_BYTES: usize = 2 * 1024;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    cell: Cell,
    #[arg(long)]
    target: SocketAddr,
    /// The proxy's processes.
    #[arg(long, num_args = 1.., required = true)]
    pid: Vec<u32>,
    #[arg(long)]
    rest_ms: u64,
}

/// Opens, rests, reads, tries again, and prints one line.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let resting = block_on(rest(options))?;
    println!("{}", resting.to_line());
    Ok(())
}

async fn rest(options: &Options) -> io::Result<Resting> {
    let Work::Rest(speech, connections) = options.cell.work() else {
        return Err(io::Error::other("nothing rests in this cell"));
    };
    let client = Client::new(options.target, speech)?;
    let start_bytes = resident_bytes(&options.pid)?;
    let mut open = Vec::with_capacity(connections);
    for index in 0..connections {
        if index > 0 && index % STEP == 0 {
            sleep(PAUSE).await;
        }
        if let Ok(Ok(mut connection)) = timeout(TIMEOUT, client.open()).await
            && works(&mut connection).await
        {
            open.push(connection);
        }
    }
    sleep(Duration::from_millis(options.rest_ms)).await;
    let rest_bytes = resident_bytes(&options.pid)?;
    let mut working = 0;
    for connection in &mut open {
        working += usize::from(works(connection).await);
    }
    Ok(Resting {
        start_bytes,
        rest_bytes,
        number: connections as u64,
        failed: (connections - working) as u64,
    })
}

async fn works(connection: &mut Connection) -> bool {
    let mut buffer = [0; BUFFER_BYTES];
    let answer = timeout(TIMEOUT, connection.ask(Page::TINY, &mut buffer)).await;
    matches!(answer, Ok(Ok(Answer::Proper)))
}
