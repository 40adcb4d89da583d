//! One blocking request with a deadline: is the proxy there, and reload it please.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::wire;

const POLL_EVERY: Duration = Duration::from_millis(20);

/// The status and the whole answer.
pub(crate) fn send(
    addr: SocketAddr,
    method: &str,
    path: &str,
    timeout: Duration,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&addr, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    // One write: in pieces, the second would wait 40 ms for the first one's delayed acknowledgement.
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: bench.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok((
        wire::status(&answer),
        String::from_utf8_lossy(&answer).into_owned(),
    ))
}

/// Waits until `GET path` answers 200.
pub(crate) fn until_ready(addr: SocketAddr, path: &str, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let last = match send(addr, "GET", path, patience) {
            Ok((200, _)) => return Ok(()),
            Ok((status, _)) => format!("status {status}"),
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(io::Error::other(format!(
                "{addr}{path} is not ready: {last}"
            )));
        }
        thread::sleep(POLL_EVERY);
    }
}
