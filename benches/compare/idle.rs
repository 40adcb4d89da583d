//! Opens many connections, sends one request on each, and leaves them idle.
//!
//! Memory is read when they have been idle for long enough that a proxy which releases idle
//! connections' buffers has done so. Afterwards each connection must still work: memory that was
//! saved by closing or forgetting connections does not count.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cell::Cell;
use crate::procfs::resident_bytes;
use crate::wire;

/// Connections opened between two pauses.
const STEP: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    target: SocketAddr,
    /// The proxy's processes.
    #[arg(long, num_args = 1.., required = true)]
    pid: Vec<u32>,
    #[arg(long)]
    connections: usize,
    #[arg(long)]
    rest_ms: u64,
}

/// The result of `run`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resting {
    pub(crate) start_bytes: u64,
    pub(crate) rest_bytes: u64,
    /// Of what occupies it: connections, or uploads.
    pub(crate) number: u64,
    /// Those that were not there to the end, or did not work then.
    pub(crate) failed: u64,
}

/// Opens, rests, reads, tries again, and prints one line.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let request = Cell::Tiny.traffic().expect("`tiny` has traffic").request;
    let start_bytes = resident_bytes(&options.pid)?;
    let mut open = Vec::with_capacity(options.connections);
    for index in 0..options.connections {
        if index > 0 && index % STEP == 0 {
            thread::sleep(PAUSE);
        }
        if let Ok(mut stream) = connect(options.target)
            && ask(&mut stream, &request).is_ok()
        {
            open.push(stream);
        }
    }
    thread::sleep(Duration::from_millis(options.rest_ms));
    let rest_bytes = resident_bytes(&options.pid)?;
    let working = open
        .iter_mut()
        .map(|stream| ask(stream, &request))
        .filter(Result::is_ok)
        .count();
    let resting = Resting {
        start_bytes,
        rest_bytes,
        number: options.connections as u64,
        failed: (options.connections - working) as u64,
    };
    println!("{}", resting.to_line());
    Ok(())
}

fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn ask(stream: &mut TcpStream, request: &[u8]) -> io::Result<()> {
    stream.write_all(request)?;
    let mut buffer = [0; 2048];
    let mut filled = 0;
    while filled < buffer.len() {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            break;
        }
        filled += read;
        let bytes = &buffer[..filled];
        let Some(head) = wire::read_head(bytes) else {
            continue;
        };
        let whole = head
            .content_length
            .is_some_and(|it| head.bytes as u64 + it == filled as u64);
        if whole && wire::status(bytes) == 200 {
            return Ok(());
        }
    }
    Err(io::Error::other("no proper answer"))
}

impl Resting {
    pub(crate) fn bytes_each(&self) -> f64 {
        self.rest_bytes.saturating_sub(self.start_bytes) as f64 / self.number as f64
    }

    pub(crate) fn to_line(self) -> String {
        json!({
            "start_bytes": self.start_bytes,
            "rest_bytes": self.rest_bytes,
            "number": self.number,
            "failed": self.failed,
        })
        .to_string()
    }

    pub(crate) fn from_line(line: &str) -> io::Result<Self> {
        let value: Value = serde_json::from_str(line)?;
        let number = |key: &str| {
            value[key]
                .as_u64()
                .ok_or_else(|| io::Error::other(format!("no {key} in {line}")))
        };
        Ok(Self {
            start_bytes: number("start_bytes")?,
            rest_bytes: number("rest_bytes")?,
            number: number("number")?,
            failed: number("failed")?,
        })
    }
}
