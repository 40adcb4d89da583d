//! The clients of a socket for commands: how many at a time, and how long each may take.

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::base::ListenAddress;
use crate::base::clock::{self, Duration};
use crate::base::tasks;
use crate::control::State;
use crate::net::Stream;
use crate::plan::CommandSocket;

use super::line;
use super::session::{Next, Session};

/// The longest line, and the most that is read ahead; HAProxy's default for its buffers.
const MOST_LINE_BYTES: usize = 16 << 10;

/// An answer is written in parts of this size: for each, the client has the socket's `timeout`.
const PART_BYTES: usize = 64 << 10;

/// The clients of one socket.
pub(in crate::control) struct Clients {
    /// As it is written in the plan.
    addr: ListenAddress,
    open: Cell<u32>,
    ended: Notify,
}

impl Clients {
    /// Those of the socket at `addr`.
    pub(in crate::control) fn of(addr: ListenAddress) -> Self {
        Self {
            addr,
            open: Cell::new(0),
            ended: Notify::new(),
        }
    }

    /// What the present configuration says of the socket; `None`: it is closing.
    fn settings(&self, state: &State) -> Option<CommandSocket> {
        let plan = &state.current.load().plan;
        let mut sockets = plan.command_sockets.iter();
        let is_it =
            |socket: &&CommandSocket| socket.binds.iter().any(|bind| bind.addr == self.addr);
        sockets.find(is_it).cloned()
    }
}

/// One client among those that are counted.
struct Counted(Rc<Clients>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.update(|open| open - 1);
        self.0.ended.notify_one();
    }
}

/// Serves a client as soon as there is room for it.
pub(in crate::control) async fn start(stream: Stream, clients: &Rc<Clients>, state: &Rc<State>) {
    let Some(settings) = clients.settings(state) else {
        return;
    };
    while clients.open.get() >= settings.max_connections {
        clients.ended.notified().await;
    }
    clients.open.update(|open| open + 1);
    let counted = Counted(Rc::clone(clients));
    let state = Rc::clone(state);
    tasks::spawn_local(async move {
        let _counted = counted;
        // What goes wrong here is the client's: it left, or took too long.
        let _ = serve(stream, &settings, &state).await;
    });
}

/// The client left, or took too long.
struct Over;

async fn serve(
    mut stream: Stream,
    settings: &CommandSocket,
    state: &Rc<State>,
) -> Result<(), Over> {
    let is_unix = matches!(stream, Stream::Unix(_));
    let mut session = Session::of(settings.level);
    let mut buffer = Vec::new();
    loop {
        let line = next_line(&mut stream, &mut buffer, settings.timeout).await?;
        if !is_unix && line::is_http(&line) {
            return Ok(());
        }
        let mut commands = line::commands(&line).into_iter();
        let next = loop {
            let Some(words) = commands.next() else {
                break Next::Command;
            };
            let (text, next) = session.answer(&words, state).await;
            write(&mut stream, text.as_bytes(), settings.timeout).await?;
            if let Next::Close = next {
                break next;
            }
        };
        let is_over = !session.is_interactive() && !buffer.contains(&b'\n');
        if is_over || matches!(next, Next::Close) {
            let closing = clock::within(settings.timeout, stream.shutdown()).await;
            return closing.map(|_| ()).map_err(|_| Over);
        }
    }
}

/// The next line, without its end. What came behind it stays in `buffer`.
async fn next_line(
    stream: &mut Stream,
    buffer: &mut Vec<u8>,
    timeout: Duration,
) -> Result<String, Over> {
    let deadline = clock::now() + timeout;
    let mut searched = 0;
    loop {
        if let Some(end) = buffer[searched..].iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=searched + end).collect();
            return Ok(String::from_utf8_lossy(&line[..line.len() - 1]).into_owned());
        }
        searched = buffer.len();
        if searched >= MOST_LINE_BYTES {
            return Err(Over);
        }
        let left = deadline.saturating_duration_since(clock::now());
        let reading = stream.read_buf(buffer);
        match clock::within(left, reading).await {
            Ok(Ok(read)) if read > 0 => {}
            // A line without an end may be half of one: HAProxy ignores it, too.
            _ => return Err(Over),
        }
    }
}

async fn write(stream: &mut Stream, bytes: &[u8], timeout: Duration) -> Result<(), Over> {
    for part in bytes.chunks(PART_BYTES) {
        match clock::within(timeout, stream.write_all(part)).await {
            Ok(Ok(())) => {}
            _ => return Err(Over),
        }
    }
    Ok(())
}
