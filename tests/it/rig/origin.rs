//! A server that does exactly what its script says, byte by byte, and records what it receives.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::addresses::{RefusingAddress, bound_at};
use super::kernel::tcp_socket;
use super::message::Message;
use super::wait::{TIMEOUT, until};
use super::wire::{Kind, Tape, Wire};

type Script = dyn Fn(&mut Visit) + Send + Sync;

/// A server. It keeps its address for as long as it lives, also while it is stopped.
pub(crate) struct Origin {
    address: SocketAddr,
    _refusing: RefusingAddress,
    script: Arc<Script>,
    records: Arc<Records>,
    listening: Option<Listening>,
}

/// The records of a server.
#[derive(Default)]
struct Records {
    connections: Mutex<Vec<Connection>>,
    requests: Mutex<Vec<Message>>,
}

struct Connection {
    /// `None`: it is over.
    stream: Option<TcpStream>,
    tape: Tape,
}

impl Connection {
    fn is_over(&self) -> bool {
        self.stream.is_none()
    }
}

struct Listening {
    listener: TcpListener,
    is_stopped: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

/// One connection, controlled by the script. It is closed when the script returns.
pub(crate) struct Visit {
    wire: Wire,
    number: usize,
    records: Arc<Records>,
}

impl Origin {
    /// Runs `script` for each connection, in a thread of its own.
    pub(crate) fn scripted(script: impl Fn(&mut Visit) + Send + Sync + 'static) -> Self {
        let refusing = RefusingAddress::new();
        let mut origin = Self {
            address: refusing.address(),
            _refusing: refusing,
            script: Arc::new(script),
            records: Arc::default(),
            listening: None,
        };
        origin.start();
        origin
    }

    /// Answers every request with the same bytes, and keeps the connection.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::scripted(move |visit| {
            while visit.request().is_some() {
                visit.send(&answer);
            }
        })
    }

    /// Answers the first request of each connection with these bytes and closes it.
    pub(crate) fn answering_once(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::scripted(move |visit| {
            if visit.request().is_some() {
                visit.send(&answer);
            }
        })
    }

    /// A correct server: answers with its name; `/echo` returns the request's body.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::scripted(move |visit| while visit.serve(name) {})
    }

    /// A correct server that answers no request before `gate` is open.
    pub(crate) fn behind(gate: &super::Gate) -> Self {
        let gate = gate.clone();
        Self::scripted(move |visit| {
            while visit.request().is_some() {
                gate.pass();
                visit.send(OK);
            }
        })
    }

    /// Reads and never answers.
    pub(crate) fn silent() -> Self {
        Self::scripted(|visit| while visit.request().is_some() {})
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.records.connections).len()
    }

    /// How many of them are open.
    pub(crate) fn open(&self) -> usize {
        let connections = lock(&self.records.connections);
        connections.iter().filter(|one| !one.is_over()).count()
    }

    /// Every byte of connection `number`.
    pub(crate) fn received(&self, number: usize) -> String {
        String::from_utf8_lossy(&self.received_bytes(number)).into_owned()
    }

    /// The same for bytes that are not text.
    pub(crate) fn received_bytes(&self, number: usize) -> Vec<u8> {
        let connections = lock(&self.records.connections);
        let tape = connections.get(number).map(|one| lock(&one.tape).clone());
        tape.unwrap_or_default()
    }

    /// Whether the proxy's system has received all that was sent on connection `number`, which is
    /// open.
    pub(crate) fn has_delivered(&self, number: usize) -> bool {
        let connections = lock(&self.records.connections);
        let stream = connections.get(number).and_then(|one| one.stream.as_ref());
        let ends =
            stream.and_then(|stream| Some((stream.local_addr().ok()?, stream.peer_addr().ok()?)));
        let socket = ends.and_then(|(local, remote)| tcp_socket(local, remote));
        socket.is_some_and(|socket| socket.send_queue_bytes == 0)
    }

    /// How many bytes the proxy has written from the first `beginning` on, on the open connection
    /// that brought it: those that were read here, and those in either system's buffers. `None`:
    /// there is no such connection.
    pub(crate) fn bytes_written_from(&self, beginning: &str) -> Option<usize> {
        let beginning = beginning.as_bytes();
        let connections = lock(&self.records.connections);
        let index_in = |tape: &[u8]| {
            tape.windows(beginning.len())
                .position(|part| part == beginning)
        };
        let mut indices = connections
            .iter()
            .map(|one| Some((one, index_in(&lock(&one.tape))?)));
        let (connection, index) = indices.find_map(|found| found)?;
        let stream = connection.stream.as_ref()?;
        let (local, remote) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        // In the order in which the bytes move, so that none is missed.
        let unsent = tcp_socket(remote, local)?.send_queue_bytes;
        let unread = rustix::io::ioctl_fionread(stream).ok()? as usize;
        let read = lock(&connection.tape).len();
        Some(unsent + unread + read - index)
    }

    /// The requests so far, in the order in which they were complete.
    pub(crate) fn requests(&self) -> Vec<Message> {
        lock(&self.records.requests).clone()
    }

    /// The only request that it has seen.
    #[track_caller]
    pub(crate) fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// The one request for `target`.
    #[track_caller]
    pub(crate) fn request_of(&self, target: &str) -> Message {
        let requests = self.requests();
        let found = requests
            .into_iter()
            .find(|request| request.target() == target);
        found.expect("it was asked for that")
    }

    /// Whether no byte has come.
    pub(crate) fn has_seen_nothing(&self) -> bool {
        let connections = lock(&self.records.connections);
        connections.iter().all(|one| lock(&one.tape).is_empty())
    }

    /// Waits until the script of connection `number` has returned.
    #[track_caller]
    pub(crate) fn wait_for_end_of(&self, number: usize) {
        until("the end of a connection to the server", || {
            let connections = lock(&self.records.connections);
            connections
                .get(number)
                .filter(|one| one.is_over())
                .map(drop)
        });
    }

    /// Waits until `count` requests have come whole.
    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) {
        until("a request at the server", || {
            (lock(&self.records.requests).len() >= count).then_some(())
        });
    }

    /// Closes all open connections, as a server may do with idle ones.
    pub(crate) fn close_connections(&self) {
        let connections = lock(&self.records.connections);
        for stream in connections.iter().filter_map(|one| one.stream.as_ref()) {
            // The other end may have closed it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Refuses connections from now on, and resets the open ones.
    pub(crate) fn stop(&mut self) {
        let Some(listening) = self.listening.take() else {
            return;
        };
        listening.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = SockRef::from(&listening.listener).shutdown(Shutdown::Both);
        listening.accepting.join().expect("it does not panic");
        drop(listening.listener);
        self.close_connections();
    }

    /// Listens again at the same address.
    pub(crate) fn start(&mut self) {
        let socket = bound_at(self.address);
        socket.listen(1024).expect("no other socket listens");
        let listener = TcpListener::from(socket);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let accepting = thread::spawn({
            let listener = listener.try_clone().expect("a socket");
            let is_stopped = Arc::clone(&is_stopped);
            let script = Arc::clone(&self.script);
            let records = Arc::clone(&self.records);
            move || accept(&listener, &is_stopped, &script, &records)
        });
        self.listening = Some(Listening {
            listener,
            is_stopped,
            accepting,
        });
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An answer for tests in which it does not matter.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn accept(
    listener: &TcpListener,
    is_stopped: &AtomicBool,
    script: &Arc<Script>,
    records: &Arc<Records>,
) {
    while let Ok((stream, _)) = listener.accept() {
        if is_stopped.load(Ordering::SeqCst) {
            return;
        }
        let wire = Wire::new(stream);
        let number = records.enter(&wire);
        let mut visit = Visit {
            wire,
            number,
            records: Arc::clone(records),
        };
        let script = Arc::clone(script);
        thread::spawn(move || script(&mut visit));
    }
}

impl Records {
    fn enter(&self, wire: &Wire) -> usize {
        let mut connections = lock(&self.connections);
        connections.push(Connection {
            stream: Some(wire.stream().try_clone().expect("a socket")),
            tape: wire.tape(),
        });
        connections.len() - 1
    }
}

impl Visit {
    /// From 0, in the order of the connections.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The next request with its body; `None`: the connection has ended.
    pub(crate) fn request(&mut self) -> Option<Message> {
        self.read(|wire| wire.read_message(Kind::Request))
    }

    /// The head of the next request.
    pub(crate) fn head(&mut self) -> Option<Message> {
        self.wire.read_head().ok()
    }

    /// The body that belongs to `head`.
    pub(crate) fn body(&mut self, head: Message) -> Option<Message> {
        let mut message = head;
        self.read(|wire| {
            wire.read_body(&mut message, Kind::Request)?;
            Ok(message)
        })
    }

    fn read(&mut self, read: impl FnOnce(&mut Wire) -> io::Result<Message>) -> Option<Message> {
        let request = read(&mut self.wire).ok()?;
        lock(&self.records.requests).push(request.clone());
        Some(request)
    }

    /// So many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        self.wire.read_exact(count).ok()
    }

    /// Sends bytes; `false`: the peer has closed.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.wire.write(bytes.as_ref()).is_ok()
    }

    /// The socket, for a library with its own protocol; nothing may have been read.
    pub(crate) fn stream(&self) -> TcpStream {
        self.wire.stream().try_clone().expect("a socket")
    }

    /// Reads on until the other end has closed or broken the connection.
    pub(crate) fn wait_for_end(&mut self) {
        while self.wire.read_more().is_ok_and(|count| count > 0) {}
    }

    /// Whether the other end sends nothing for `span`, not even its end.
    pub(crate) fn is_quiet_for(&mut self, span: Duration) -> bool {
        self.wire.set_timeout(span);
        let read = self.wire.read_more();
        self.wire.set_timeout(TIMEOUT);
        read.is_err_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            )
        })
    }

    /// Closes the sending side; reads on.
    pub(crate) fn half_close(&self) {
        self.wire.half_close();
    }

    /// Breaks the connection when the script returns.
    pub(crate) fn reset(&self) {
        self.wire.reset_on_drop();
    }

    /// Allows only few unread or unsent bytes: back-pressure begins soon.
    pub(crate) fn narrow(&self) {
        let socket = SockRef::from(self.wire.stream());
        socket.set_send_buffer_size(256 << 10).expect("a socket");
        socket.set_recv_buffer_size(256 << 10).expect("a socket");
    }

    /// Answers one request as a correct server does.
    pub(crate) fn serve(&mut self, name: &str) -> bool {
        let Some(head) = self.head() else {
            return false;
        };
        if head.field("expect").is_some() {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let Some(request) = self.body(head) else {
            return false;
        };
        let is_echo = request.target().starts_with("/echo");
        let body = if is_echo {
            &request.body
        } else {
            name.as_bytes()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nserver: {name}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut answer = head.into_bytes();
        if request.method() != "HEAD" {
            answer.extend_from_slice(body);
        }
        self.send(answer)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut connections = lock(&self.records.connections);
        // The clone would keep the socket open.
        connections[self.number].stream = None;
    }
}

/// The test has seen the panic of a script.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
