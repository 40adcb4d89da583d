//! A syslog server as the end of a target.
//!
//! Connected to when there is something to write, and again after an error. Lines that meet an error
//! are lost and counted, and not tried again: while a server is gone, no memory fills with them.
//! After a failed connection the next one waits a while, and lines are lost at once until then.

use std::io;

use crate::base::clock::{Duration, Instant};
use crate::net::LogSocket;
use crate::observe::access_log::lost::Lost;
use crate::plan::LogTarget;

/// From a failed connection to the next one.
const CONNECT_INTERVAL: Duration = Duration::from_secs(1);

/// The most bytes of a datagram: below the limit of UDP, 65,507. A longer line is cut.
const DATAGRAM_BYTES_MAX: usize = 60 << 10;

/// A syslog server.
#[derive(Debug)]
pub(super) struct Server {
    target: LogTarget,
    /// `None`: not connected.
    socket: Option<LogSocket>,
    /// No connection is tried before.
    not_before: Option<Instant>,
    /// The last error of a connection, for the lines that are lost because of it.
    why: Option<io::ErrorKind>,
}

impl Server {
    pub(super) fn new(target: &LogTarget) -> Self {
        Self {
            target: target.clone(),
            socket: None,
            not_before: None,
            why: None,
        }
    }

    pub(super) fn target(&self) -> &LogTarget {
        &self.target
    }

    /// Sends `lines`.
    ///
    /// # Errors
    ///
    /// [`Lost`], with the first error.
    pub(super) fn write(&mut self, lines: &[u8], now: Instant) -> Result<(), Lost> {
        if self.socket.as_ref().is_some_and(LogSocket::is_closed) {
            self.socket = None;
        }
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.connect(now).map_err(|error| Lost::all(lines, error))?,
        };
        let sent = match socket.is_datagram() {
            true => self.send_datagrams(&mut socket, lines),
            false => send_stream(&mut socket, lines),
        };
        // A socket with an error is opened anew: its name may have another address by then.
        if sent.is_ok() {
            self.socket = Some(socket);
        }
        sent
    }

    fn connect(&mut self, now: Instant) -> io::Result<LogSocket> {
        if let (Some(until), Some(why)) = (self.not_before, self.why)
            && now < until
        {
            return Err(why.into());
        }
        self.open().inspect_err(|error| {
            self.not_before = Some(now + CONNECT_INTERVAL);
            self.why = Some(error.kind());
        })
    }

    fn open(&self) -> io::Result<LogSocket> {
        match &self.target {
            LogTarget::Udp(server) => LogSocket::udp(&server.host, server.port),
            LogTarget::Tcp(server) => LogSocket::tcp(&server.host, server.port),
            LogTarget::Unix(path) => LogSocket::unix(path),
            LogTarget::Off | LogTarget::Stdout | LogTarget::Stderr | LogTarget::File(_) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
    }

    /// Sends each line as a datagram. An error of one does not keep the others back, except that the
    /// receiver has no room: it would be waited for again and again.
    fn send_datagrams(&mut self, socket: &mut LogSocket, lines: &[u8]) -> Result<(), Lost> {
        let mut lost: Option<Lost> = None;
        let mut rest = lines;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line = &rest[..end.min(DATAGRAM_BYTES_MAX)];
            if let Err(error) = self.send_datagram(socket, line) {
                if error.kind() == io::ErrorKind::WouldBlock {
                    let before = lost.map_or(0, |lost| lost.lines);
                    let mut all = Lost::all(rest, error);
                    all.lines += before;
                    return Err(all);
                }
                lost.get_or_insert(Lost { lines: 0, error }).lines += 1;
            }
            rest = &rest[end + 1..];
        }
        lost.map_or(Ok(()), Err)
    }

    fn send_datagram(&mut self, socket: &mut LogSocket, line: &[u8]) -> io::Result<()> {
        let Err(error) = socket.send(line) else {
            return Ok(());
        };
        // The system's log was restarted, and has another socket at the same path.
        if matches!(self.target, LogTarget::Unix(_)) && error.kind() != io::ErrorKind::WouldBlock {
            *socket = self.open()?;
            socket.send(line)?;
            return Ok(());
        }
        Err(error)
    }
}

fn send_stream(socket: &mut LogSocket, lines: &[u8]) -> Result<(), Lost> {
    let mut rest = lines;
    while !rest.is_empty() {
        match socket.send(rest) {
            Ok(0) => return Err(Lost::all(rest, io::ErrorKind::WriteZero.into())),
            Ok(sent) => rest = &rest[sent..],
            Err(error) => return Err(Lost::all(rest, error)),
        }
    }
    Ok(())
}
