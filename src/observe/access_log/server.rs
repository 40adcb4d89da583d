//! A syslog server as the end of a target.
//!
//! Connected to when there is something to write, and again after an error. Lines that meet an error
//! are lost and counted, and not tried again: while a server is gone, no memory fills with them.
//! After a failed connection the next one waits a while, and lines are lost at once until then. The
//! same holds after a server that takes nothing: it must not hold the writer up at every batch.

use std::io;

use crate::base::clock::{self, Duration, Instant};
use crate::net::LogSocket;
use crate::observe::access_log::lost::Lost;
use crate::plan::LogTarget;

/// From a failed connection, or one that took nothing, to the next one.
const CONNECT_INTERVAL: Duration = Duration::from_secs(1);

/// The longest wait for a server that takes lines, for one batch: a short pause of the server loses no line.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same for a server that took nothing the last time.
const PATIENCE_AFTER_STALL: Duration = Duration::from_millis(100);

/// The most bytes of a datagram: below the limit of UDP, 65,507. A longer line is cut.
const DATAGRAM_BYTES_MAX: usize = 60 << 10;

/// A syslog server.
#[derive(Debug)]
pub(super) struct Server {
    target: LogTarget,
    /// `None`: not connected.
    socket: Option<LogSocket>,
    /// How long a batch may wait.
    patience: Duration,
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
            patience: PATIENCE,
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
        // Not from `now` on: the connection may have taken long.
        let deadline = clock::now() + self.patience;
        let sent = match socket.is_datagram() {
            true => self.send_datagrams(&mut socket, lines, deadline),
            false => send_stream(&mut socket, lines, deadline),
        };
        // A socket with an error is opened anew: its name may have another address by then.
        match &sent {
            Ok(()) => {
                self.be_patient(&socket, PATIENCE);
                self.socket = Some(socket);
            }
            Err(lost) if lost.error.kind() == io::ErrorKind::WouldBlock => {
                self.patience = PATIENCE_AFTER_STALL;
                self.wait_to_connect(clock::now(), io::ErrorKind::WouldBlock);
            }
            Err(_) => {}
        }
        sent
    }

    /// From now on, a batch may wait for so long.
    fn be_patient(&mut self, socket: &LogSocket, patience: Duration) {
        // Without the new limit, the one before holds.
        if self.patience != patience && socket.wait_at_most(patience).is_ok() {
            self.patience = patience;
        }
    }

    /// Until the next connection, lines are lost at once because of `why`.
    fn wait_to_connect(&mut self, now: Instant, why: io::ErrorKind) {
        self.not_before = Some(now + CONNECT_INTERVAL);
        self.why = Some(why);
    }

    fn connect(&mut self, now: Instant) -> io::Result<LogSocket> {
        if let (Some(until), Some(why)) = (self.not_before, self.why)
            && now < until
        {
            return Err(why.into());
        }
        let opened = self.open();
        if let Err(error) = &opened {
            self.wait_to_connect(now, error.kind());
        }
        opened
    }

    fn open(&self) -> io::Result<LogSocket> {
        let socket = match &self.target {
            LogTarget::Udp(server) => LogSocket::udp(&server.host, server.port),
            LogTarget::Tcp(server) => LogSocket::tcp(&server.host, server.port),
            LogTarget::Unix(path) => LogSocket::unix(path),
            LogTarget::Off | LogTarget::Stdout | LogTarget::Stderr | LogTarget::File(_) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        }?;
        socket.wait_at_most(self.patience)?;
        Ok(socket)
    }

    /// Sends each line as a datagram. An error of one does not keep the others back, except that the
    /// receiver has no room: it would be waited for again and again.
    fn send_datagrams(
        &mut self,
        socket: &mut LogSocket,
        lines: &[u8],
        deadline: Instant,
    ) -> Result<(), Lost> {
        let mut lost: Option<Lost> = None;
        let mut rest = lines;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line = &rest[..end.min(DATAGRAM_BYTES_MAX)];
            let sent = match is_in_time(lines.len() - rest.len(), deadline) {
                true => self.send_datagram(socket, line),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
            if let Err(error) = sent {
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

/// Whether more may be sent after `sent` bytes. A server that takes a little now and then would never
/// reach the time limit of one send.
fn is_in_time(sent: usize, deadline: Instant) -> bool {
    sent == 0 || clock::now() < deadline
}

fn send_stream(socket: &mut LogSocket, lines: &[u8], deadline: Instant) -> Result<(), Lost> {
    let mut rest = lines;
    while !rest.is_empty() {
        if !is_in_time(lines.len() - rest.len(), deadline) {
            return Err(Lost::all(rest, io::ErrorKind::WouldBlock.into()));
        }
        match socket.send(rest) {
            Ok(0) => return Err(Lost::all(rest, io::ErrorKind::WriteZero.into())),
            Ok(sent) => rest = &rest[sent..],
            Err(error) => return Err(Lost::all(rest, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::observe::fixture::Folder;
    use crate::plan::log::LogServer;

    /// A server for `target` that waits hardly.
    fn impatient(target: &LogTarget) -> Server {
        Server {
            patience: Duration::from_millis(10),
            ..Server::new(target)
        }
    }

    #[track_caller]
    fn is_stalled(outcome: Result<(), Lost>) -> u64 {
        let lost = outcome.expect_err("nothing is taken");
        assert_eq!(lost.error.kind(), io::ErrorKind::WouldBlock);
        lost.lines
    }

    /// The lines that `receiver` has got up to now.
    fn received(receiver: &UnixDatagram) -> Vec<String> {
        receiver.set_nonblocking(true).expect("it is set");
        let mut line = [0; 100];
        let lines = std::iter::from_fn(|| {
            let length = receiver.recv(&mut line).ok()?;
            Some(String::from_utf8_lossy(&line[..length]).into_owned())
        });
        lines.collect()
    }

    #[test]
    fn a_full_unix_socket_loses_lines_and_gets_those_after_it_has_room() {
        let folder = Folder::new();
        let path = folder.file("log");
        let receiver = UnixDatagram::bind(&path).expect("a socket");
        let mut server = impatient(&LogTarget::Unix(path));
        // More than any system keeps for one socket.
        let lines = "line\n".repeat(100_000);
        let lost = is_stalled(server.write(lines.as_bytes(), clock::now()));
        let taken = received(&receiver).len() as u64;
        assert!(taken > 0);
        assert_eq!(taken + lost, 100_000);
        assert_eq!(server.patience, PATIENCE_AFTER_STALL);

        // There is room, but for a while no try.
        let now = clock::now();
        assert_eq!(is_stalled(server.write(b"a\nb\n", now - PATIENCE)), 2);
        assert!(received(&receiver).is_empty());
        let later = now + CONNECT_INTERVAL * 2;
        server.write(b"c\nd\n", later).expect("it has room");
        assert_eq!(received(&receiver), ["c", "d"]);
        assert_eq!(server.patience, PATIENCE);
    }

    #[test]
    fn a_stream_that_takes_nothing_loses_the_rest_and_is_opened_anew() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let host = "127.0.0.1".into();
        let mut server = impatient(&LogTarget::Tcp(LogServer { host, port }));
        // More than any system keeps for one connection.
        let lines = "line\n".repeat(20_000_000);
        let lost = is_stalled(server.write(lines.as_bytes(), clock::now()));
        assert!((1..20_000_000).contains(&lost), "{lost}");
        let _first = listener.accept().expect("a connection");

        let now = clock::now();
        assert_eq!(is_stalled(server.write(b"a\nb\n", now - PATIENCE)), 2);
        let later = now + CONNECT_INTERVAL * 2;
        server.write(b"c\n", later).expect("a new connection");
        assert_eq!(server.patience, PATIENCE);
        let (second, _) = listener.accept().expect("a connection");
        drop(server);
        let text = io::read_to_string(second).expect("a text");
        assert_eq!(text, "c\n");
    }

    #[test]
    fn a_batch_has_one_time_limit_however_many_sends_it_needs() {
        let folder = Folder::new();
        let path = folder.file("log");
        let receiver = UnixDatagram::bind(&path).expect("a socket");
        let mut server = Server::new(&LogTarget::Unix(path));
        let mut socket = server.open().expect("a socket");
        let over = clock::now();
        let lost = is_stalled(server.send_datagrams(&mut socket, b"a\nb\nc\n", over));
        // The first one is always tried.
        assert_eq!((lost, received(&receiver)), (2, vec!["a".to_owned()]));
    }
}
