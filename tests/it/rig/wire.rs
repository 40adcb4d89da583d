//! One end of a connection: reads exactly what is asked for, and records all that came.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

use super::message::{Message, field_of_line};
use super::wait::TIMEOUT;

/// The kind of a message, on which its framing depends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
    /// To a HEAD.
    ResponseWithoutBody,
}

/// Everything that was read from a connection.
pub(super) type Tape = Arc<Mutex<Vec<u8>>>;

/// A connection's end.
pub(super) struct Wire {
    stream: TcpStream,
    /// Read and not yet taken.
    ahead: Vec<u8>,
    tape: Tape,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket");
        stream
            .set_read_timeout(Some(TIMEOUT))
            .expect("a time above zero");
        stream
            .set_write_timeout(Some(TIMEOUT))
            .expect("a time above zero");
        Self {
            stream,
            ahead: Vec::new(),
            tape: Tape::default(),
        }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn tape(&self) -> Tape {
        Arc::clone(&self.tape)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends FIN.
    pub(super) fn half_close(&self) {
        // The other end may be gone already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Makes the next drop send RST.
    pub(super) fn reset_on_drop(&self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a TCP socket");
    }

    pub(super) fn set_timeout(&self, timeout: Duration) {
        self.stream
            .set_read_timeout(Some(timeout))
            .expect("a time above zero");
    }

    /// Reads more; 0: the other end has closed.
    pub(super) fn read_more(&mut self) -> io::Result<usize> {
        let mut room = [0; 16 << 10];
        let count = loop {
            match self.stream.read(&mut room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        self.ahead.extend_from_slice(&room[..count]);
        let mut tape = self.tape.lock().expect("no thread panics with it");
        tape.extend_from_slice(&room[..count]);
        Ok(count)
    }

    /// Whether bytes or the end can be read now.
    #[track_caller]
    pub(super) fn has_more(&self) -> bool {
        let stream = &self.stream;
        stream.set_nonblocking(true).expect("a socket");
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).expect("a socket");
        !self.ahead.is_empty() || !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// The bytes that were read and not taken.
    pub(super) fn take_ahead(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ahead)
    }

    pub(super) fn read_exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < count {
            self.need_more()?;
        }
        Ok(self.ahead.drain(..count).collect())
    }

    /// Up to and with `end`.
    fn read_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        let mut looked_at = 0;
        loop {
            let found = self.ahead[looked_at..]
                .windows(end.len())
                .position(|window| window == end);
            if let Some(index) = found {
                return self.read_exact(looked_at + index + end.len());
            }
            looked_at = self.ahead.len().saturating_sub(end.len() - 1);
            self.need_more()?;
        }
    }

    fn need_more(&mut self) -> io::Result<()> {
        match self.read_more()? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    pub(super) fn read_head(&mut self) -> io::Result<Message> {
        Ok(Message::of_head(&self.read_until(b"\r\n\r\n")?))
    }

    pub(super) fn read_message(&mut self, kind: Kind) -> io::Result<Message> {
        let mut message = self.read_head()?;
        self.read_body(&mut message, kind)?;
        Ok(message)
    }

    /// The body for the head that was read.
    pub(super) fn read_body(&mut self, message: &mut Message, kind: Kind) -> io::Result<()> {
        let is_bodiless = match kind {
            Kind::Request => false,
            Kind::Response => matches!(message.status(), 100..=199 | 204 | 304),
            Kind::ResponseWithoutBody => true,
        };
        let codings = message.values("transfer-encoding").join(",");
        if is_bodiless {
            return Ok(());
        }
        if codings.eq_ignore_ascii_case("chunked") {
            self.read_chunks(message)?;
        } else if let Some(length) = message.field("content-length") {
            let length = length.parse().map_err(|_| ErrorKind::InvalidData)?;
            message.body = self.read_exact(length)?;
        } else if kind == Kind::Response {
            while self.read_more()? > 0 {}
            message.body = self.take_ahead();
        }
        Ok(())
    }

    fn read_chunks(&mut self, message: &mut Message) -> io::Result<()> {
        loop {
            let line = self.read_line()?;
            let digits = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(digits, 16).map_err(|_| ErrorKind::InvalidData)?;
            if size == 0 {
                break;
            }
            let chunk = self.read_exact(size)?;
            message.body.extend_from_slice(&chunk);
            let end = self.read_exact(2)?;
            if end != b"\r\n" {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(());
            }
            message.trailers.push(field_of_line(&line));
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = self.read_until(b"\r\n")?;
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}
