//! The edge's uploads that no server takes: sent as far as the proxy lets them, left, and taken back.
//!
//! Memory is read as for idle connections (`crate::idle`). Afterwards each connection must still work:
//! memory that was saved by ending connections or streams does not count.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use tokio::time::{sleep, timeout};

use crate::idle::Resting;
use crate::procfs::resident_bytes;

use super::cell::{Cell, Stalled, Work};
use super::client::{Answer, Client, Connection, Page, Requester, Speech, Upload, block_on};

/// Where the origin reads no body.
const PATH: &str = "/stall";
const TIMEOUT: Duration = Duration::from_secs(5);

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

/// A connection, and the uploads on it.
struct Uploading {
    requester: Requester,
    uploads: Vec<Upload>,
}

/// Sends, rests, reads, takes back, tries each connection, and prints one line.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let resting = block_on(stall(options))?;
    println!("{}", resting.to_line());
    Ok(())
}

async fn stall(options: &Options) -> io::Result<Resting> {
    let Work::Stall(work) = options.cell.work() else {
        return Err(io::Error::other("nothing is uploaded in this cell"));
    };
    let client = Client::new(options.target, Speech::H2)?;
    let start_bytes = resident_bytes(&options.pid)?;
    let mut open = Vec::with_capacity(work.connections);
    for _ in 0..work.connections {
        if let Ok(Ok(uploading)) = timeout(TIMEOUT, begin(&client, work)).await {
            open.push(uploading);
        }
    }
    sleep(Duration::from_millis(options.rest_ms)).await;
    let rest_bytes = resident_bytes(&options.pid)?;
    let mut working = 0;
    for mut uploading in open {
        uploading.uploads.retain_mut(Upload::is_open);
        let held = uploading.uploads.len();
        uploading.uploads.clear();
        let answer = timeout(TIMEOUT, uploading.requester.ask(Page::TINY)).await;
        if matches!(answer, Ok(Ok(Answer::Proper))) {
            working += held;
        }
    }
    let number = work.connections * work.streams;
    Ok(Resting {
        start_bytes,
        rest_bytes,
        number: number as u64,
        failed: (number - working) as u64,
    })
}

async fn begin(client: &Client, work: Stalled) -> io::Result<Uploading> {
    let Connection::H2(mut requester) = client.open().await? else {
        return Err(io::Error::other("uploads are sent by HTTP/2"));
    };
    let mut uploads = Vec::with_capacity(work.streams);
    for _ in 0..work.streams {
        uploads.push(requester.upload(PATH, work.bytes).await?);
    }
    Ok(Uploading { requester, uploads })
}
