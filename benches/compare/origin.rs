//! The origin: an HTTP/1.1 server on two addresses that costs next to nothing.
//!
//! It shares a core with the load generator, and the proxy is to be the slowest part. So: one thread,
//! ready-made answers, one read and one write a request, and large bodies by `sendfile` from memory
//! (no copy on this side). It answers `/tiny`, `/1k`, `/100k`, `/1m`, `/100m`, `/json` and `POST /echo-discard`, takes
//! `/ws` as a WebSocket, where it answers each message with one of its own, and does not read on after the
//! head of `POST /stall`.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::net::{RecvFlags, SocketFlags, accept_with, recv};
use socket2::{Domain, Socket, Type};

use crate::poll::{Events, Interest, Poller, token_of};
use crate::websocket;
use crate::wire::{self, Head};

/// Answers up to this length are written from memory with one call; longer ones by `sendfile`.
const SMALL: usize = 16 * 1024;
const READ_BYTES: usize = 64 * 1024;
const BACKLOG: i32 = 4096;
/// A head longer than this is not one of ours.
const MAX_HEAD: usize = 16 * 1024;

/// Bytes of a segment where little room is wanted: Linux lets a socket hold at least twenty of them.
const NARROW_SEGMENT: u32 = 536;
/// What such a socket holds unread.
const NARROW_BUFFER: usize = 4 * 1024;

/// How much may wait in a connection's sockets for a server that does not read.
#[derive(Clone, Copy)]
pub(crate) enum Room {
    /// As the system has it: megabytes on loopback.
    Plenty,
    Little,
}

/// Prints `port port` and serves until the process is ended.
pub(crate) fn run(room: Room) -> io::Result<()> {
    let listeners = [listen(room)?, listen(room)?];
    println!(
        "{} {}",
        listeners[0].local_addr()?.port(),
        listeners[1].local_addr()?.port()
    );
    let mut origin = Origin::new(listeners)?;
    let mut events = Events::new();
    loop {
        origin.poller.wait(&mut events, None)?;
        for token in events.tokens() {
            origin.ready(token);
        }
    }
}

fn listen(room: Room) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if let Room::Little = room {
        socket.set_tcp_mss(NARROW_SEGMENT)?;
        socket.set_recv_buffer_size(NARROW_BUFFER)?;
    }
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

struct Origin {
    poller: Poller,
    listeners: [TcpListener; 2],
    pages: Pages,
    /// By descriptor, which is also the token.
    connections: Vec<Option<Connection>>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// An incomplete head, or the bytes after a request.
    unread: Vec<u8>,
    body_left: u64,
    answer: Answer,
    sent: usize,
    interest: Interest,
    closes: bool,
}

/// The answer to the connection's current request.
#[derive(Clone, Copy)]
enum Answer {
    Tiny,
    OneK,
    HundredK,
    OneM,
    HundredM,
    Json,
    /// 101: messages follow.
    Switch,
    Message,
    /// Nothing: the request is not read to its end.
    Stall,
    NotFound,
}

/// The state after a step.
enum Progress {
    Waiting(Interest),
    Ended,
}

impl Origin {
    fn new(listeners: [TcpListener; 2]) -> io::Result<Self> {
        let poller = Poller::new()?;
        for listener in &listeners {
            listener.set_nonblocking(true)?;
            poller.add(listener, token_of(listener), Interest::Read)?;
        }
        Ok(Self {
            poller,
            listeners,
            pages: Pages::new()?,
            connections: Vec::new(),
            buffer: vec![0; READ_BYTES],
        })
    }

    fn ready(&mut self, token: usize) {
        if let Some(listener) = self.listeners.iter().position(|it| token_of(it) == token) {
            // No descriptor is free, or the client has closed again: the listener stays ready.
            let _ = self.accept(listener);
            return;
        }
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            return;
        };
        let next = match connection.proceed(&self.pages, &mut self.buffer) {
            Ok(Progress::Waiting(interest)) => connection.wait_for(interest, &self.poller, token),
            Ok(Progress::Ended) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(error) => Err(error),
        };
        if next.is_err() {
            self.connections[token] = None;
        }
    }

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let stream = TcpStream::from(accept_with(&self.listeners[listener], flags)?);
        stream.set_nodelay(true)?;
        let token = token_of(&stream);
        self.poller.add(&stream, token, Interest::Read)?;
        if self.connections.len() <= token {
            self.connections.resize_with(token + 1, || None);
        }
        self.connections[token] = Some(Connection {
            stream,
            unread: Vec::new(),
            body_left: 0,
            answer: Answer::NotFound,
            sent: 0,
            interest: Interest::Read,
            closes: false,
        });
        Ok(())
    }
}

impl Connection {
    /// One read or one write; level-triggered readiness calls it again for the rest.
    fn proceed(&mut self, pages: &Pages, buffer: &mut [u8]) -> io::Result<Progress> {
        if self.interest == Interest::Write {
            return self.send(pages);
        }
        if self.body_left > 0 {
            return self.discard(pages, buffer);
        }
        let read = match self.stream.read(buffer) {
            Ok(0) => return Ok(Progress::Ended),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Progress::Waiting(Interest::Read));
            }
            Err(error) => return Err(error),
        };
        if matches!(self.answer, Answer::Message) {
            // The messages are small and come one at a time: each is one read.
            return self.send(pages);
        }
        if self.unread.is_empty() {
            return self.request(&buffer[..read], pages);
        }
        let mut bytes = std::mem::take(&mut self.unread);
        bytes.extend_from_slice(&buffer[..read]);
        self.request(&bytes, pages)
    }

    fn request(&mut self, bytes: &[u8], pages: &Pages) -> io::Result<Progress> {
        let Some(head) = wire::read_head(bytes) else {
            if bytes.len() > MAX_HEAD {
                return Ok(Progress::Ended);
            }
            self.unread = bytes.to_vec();
            return Ok(Progress::Waiting(Interest::Read));
        };
        self.answer = Answer::to(bytes, &head);
        if matches!(self.answer, Answer::Stall) {
            return Ok(Progress::Waiting(Interest::Nothing));
        }
        self.closes = head.closes;
        let body = &bytes[head.bytes..];
        let length = head.content_length.unwrap_or(0);
        let here = length.min(body.len() as u64);
        self.body_left = length - here;
        self.unread = body[usize::try_from(here).expect("not longer than the slice")..].to_vec();
        if self.body_left > 0 {
            return Ok(Progress::Waiting(Interest::Read));
        }
        self.send(pages)
    }

    fn discard(&mut self, pages: &Pages, buffer: &mut [u8]) -> io::Result<Progress> {
        let wanted = usize::try_from(self.body_left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        // TRUNC: the kernel drops the bytes instead of copying them (tcp(7)).
        match recv(&self.stream, &mut buffer[..wanted], RecvFlags::TRUNC) {
            Ok((_, 0)) => Ok(Progress::Ended),
            Ok((_, read)) => {
                self.body_left -= read as u64;
                if self.body_left == 0 {
                    self.send(pages)
                } else {
                    Ok(Progress::Waiting(Interest::Read))
                }
            }
            Err(rustix::io::Errno::AGAIN) => Ok(Progress::Waiting(Interest::Read)),
            Err(error) => Err(error.into()),
        }
    }

    fn send(&mut self, pages: &Pages) -> io::Result<Progress> {
        let page = pages.page(self.answer);
        while self.sent < page.bytes {
            match page.send(&self.stream, self.sent) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::Waiting(Interest::Write));
                }
                Err(error) => return Err(error),
            }
        }
        self.sent = 0;
        if matches!(self.answer, Answer::Switch) {
            self.answer = Answer::Message;
        }
        if self.closes {
            return Ok(Progress::Ended);
        }
        if self.unread.is_empty() {
            return Ok(Progress::Waiting(Interest::Read));
        }
        let bytes = std::mem::take(&mut self.unread);
        self.request(&bytes, pages)
    }

    fn wait_for(&mut self, interest: Interest, poller: &Poller, token: usize) -> io::Result<()> {
        if self.interest != interest {
            poller.change(&self.stream, token, interest)?;
            self.interest = interest;
        }
        Ok(())
    }
}

impl Answer {
    fn to(request: &[u8], head: &Head) -> Self {
        if head.is_chunked {
            return Self::NotFound;
        }
        match request {
            [
                b'G',
                b'E',
                b'T',
                b' ',
                b'/',
                b't',
                b'i',
                b'n',
                b'y',
                b' ',
                ..,
            ] => Self::Tiny,
            [b'G', b'E', b'T', b' ', b'/', b'1', b'k', b' ', ..] => Self::OneK,
            [b'G', b'E', b'T', b' ', b'/', b'1', b'm', b' ', ..] => Self::OneM,
            _ if request.starts_with(b"GET /100k ") => Self::HundredK,
            _ if request.starts_with(b"GET /100m ") => Self::HundredM,
            _ if request.starts_with(b"GET /json ") => Self::Json,
            _ if request.starts_with(b"GET /ws ") => Self::Switch,
            _ if request.starts_with(b"POST /echo-discard ") => Self::Tiny,
            _ if request.starts_with(b"POST /stall ") => Self::Stall,
            _ => Self::NotFound,
        }
    }
}

/// A list of records as an API returns it, of about `bytes` bytes; a text that compresses as such
/// texts do, and is the same in each run.
fn json(bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "amber", "birch", "cobalt", "delta", "ember", "fjord", "granite", "harbor", "indigo",
        "juniper", "kelp", "lagoon",
    ];
    let mut state = 1_u32;
    let mut draw = move || {
        // The generator of Numerical Recipes: enough for a text.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let mut text = String::from("[");
    while text.len() < bytes {
        let (id, price, stock) = (draw(), draw() % 100_000, draw() % 500);
        let mut word = || WORDS[draw() as usize % WORDS.len()];
        let (first, second, third) = (word(), word(), word());
        let record = format!(
            "{{\"id\":{id},\"name\":\"{first} {second}\",\"price\":{}.{:02},\"stock\":{stock},\
             \"tags\":[\"{second}\",\"{third}\"],\"description\":\"a {third} {first} of {second}\"}},",
            price / 100,
            price % 100
        );
        text.push_str(&record);
    }
    text.pop();
    text.push(']');
    text.into_bytes()
}

/// The answers, head and body in one piece.
struct Pages {
    tiny: Page,
    one_k: Page,
    hundred_k: Page,
    one_m: Page,
    hundred_m: Page,
    json: Page,
    switch: Page,
    message: Page,
    not_found: Page,
}

struct Page {
    bytes: usize,
    body: Source,
}

enum Source {
    Memory(Vec<u8>),
    File(OwnedFd),
}

impl Pages {
    fn new() -> io::Result<Self> {
        Ok(Self {
            tiny: Page::new("200 OK", 2)?,
            one_k: Page::new("200 OK", 1_000)?,
            hundred_k: Page::new("200 OK", 100_000)?,
            one_m: Page::new("200 OK", 1_000_000)?,
            hundred_m: Page::new("200 OK", 100_000_000)?,
            json: Page::with("200 OK", "application/json", &json(100_000))?,
            switch: Page::of(websocket::ACCEPTED),
            message: Page::of(websocket::ANSWER),
            not_found: Page::new("404 Not Found", 0)?,
        })
    }

    fn page(&self, answer: Answer) -> &Page {
        match answer {
            Answer::Tiny => &self.tiny,
            Answer::OneK => &self.one_k,
            Answer::HundredK => &self.hundred_k,
            Answer::OneM => &self.one_m,
            Answer::HundredM => &self.hundred_m,
            Answer::Json => &self.json,
            Answer::Switch => &self.switch,
            Answer::Message => &self.message,
            Answer::Stall | Answer::NotFound => &self.not_found,
        }
    }
}

impl Page {
    fn new(status: &str, body_bytes: usize) -> io::Result<Self> {
        Self::with(status, "text/plain", &vec![b'x'; body_bytes])
    }

    fn with(status: &str, content_type: &str, body: &[u8]) -> io::Result<Self> {
        // A date of its own, as app servers send it; that it never changes does not matter here.
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\nServer: origin\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        let length = bytes.len();
        if length <= SMALL {
            return Ok(Self {
                bytes: length,
                body: Source::Memory(bytes),
            });
        }
        let mut file = std::fs::File::from(memfd_create("page", MemfdFlags::CLOEXEC)?);
        file.write_all(&bytes)?;
        Ok(Self {
            bytes: length,
            body: Source::File(file.into()),
        })
    }

    /// A small answer with these bytes.
    fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.len(),
            body: Source::Memory(bytes.to_vec()),
        }
    }

    fn send(&self, mut stream: &TcpStream, from: usize) -> io::Result<usize> {
        match &self.body {
            Source::Memory(bytes) => stream.write(&bytes[from..]),
            Source::File(file) => {
                let mut offset = from as u64;
                Ok(sendfile(
                    stream,
                    file,
                    Some(&mut offset),
                    self.bytes - from,
                )?)
            }
        }
    }
}
