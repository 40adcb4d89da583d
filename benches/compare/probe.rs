//! One blocking request with a deadline, to test or to reload a proxy.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::edge::client::{self, Speech, block_on};
use crate::face::Face;
use crate::wire;

const POLL_EVERY: Duration = Duration::from_millis(20);

/// The status and the whole answer.
pub(crate) fn send(
    addr: SocketAddr,
    method: &str,
    path: &str,
    timeout: Duration,
) -> io::Result<(u16, String)> {
    send_to(addr, &addr.to_string(), method, path, timeout)
}

/// The same for `host`.
pub(crate) fn send_to(
    addr: SocketAddr,
    host: &str,
    method: &str,
    path: &str,
    timeout: Duration,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&addr, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    // One write: in pieces, the second would wait 40 ms for the first one's delayed acknowledgement.
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok((
        wire::status(&answer),
        String::from_utf8_lossy(&answer).into_owned(),
    ))
}

/// Waits until a proxy with `face` answers `GET /tiny`.
pub(crate) fn until_ready(addr: SocketAddr, face: Face, allowance: Duration) -> io::Result<()> {
    let deadline = Instant::now() + allowance;
    loop {
        let last = match ask(addr, face, allowance) {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(io::Error::other(format!("{addr} is not ready: {last}")));
        }
        thread::sleep(POLL_EVERY);
    }
}

fn ask(addr: SocketAddr, face: Face, allowance: Duration) -> io::Result<()> {
    let speech = match face {
        Face::Tls(_) => Speech::H1OverTls,
        Face::H2 | Face::H2Narrow | Face::H2Both => Speech::H2,
        Face::Plain | Face::Upgrades | Face::Rules(_) | Face::Tcp => {
            return match send(addr, "GET", "/tiny", allowance)? {
                (200, _) => Ok(()),
                (status, _) => Err(io::Error::other(format!("status {status}"))),
            };
        }
    };
    block_on(async {
        timeout(allowance, client::ask_once(addr, speech))
            .await
            .unwrap_or_else(|late| Err(late.into()))
    })
}
