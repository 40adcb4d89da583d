//! Ends a connection whose peer did not get everything, if only its end can show that.
//!
//! A reset shows it, but overtakes data: unsent bytes of our socket are dropped, and on many
//! systems unread ones of the peer's. So the peer's system gets time to take what was sent before.
//! With TLS no reset is needed: an end without `close_notify` is no end (RFC 8446 §6.1).

use crate::base::clock::{self, Duration};
use crate::net::Stream;

/// The longest time for a peer's system to take what was sent.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The first pause between two checks; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest pause. The kernel does not report when a peer has acknowledged all.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Closes `stream` with a reset, so that its peer sees that it did not get everything, once the
/// peer's system has taken what was sent, or after 5 s.
///
/// # Cancel safety
///
/// Dropping it closes the connection without a reset.
pub async fn reset_when_taken(stream: Stream) {
    let until = clock::now() + TIMEOUT;
    let mut pause = FIRST_PAUSE;
    while stream.send_queue().is_some_and(|bytes| bytes > 0) && clock::now() < until {
        clock::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
    match stream {
        Stream::Tls(tls) => drop(tls.into_below()),
        stream => stream.reset(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv4Addr;

    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A connection whose peer has read nothing, with both sockets full, and the peer.
    async fn full() -> (Stream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).await;
        let near = near.expect("it listens");
        let (far, _) = listener.accept().await.expect("a connection");
        near.writable().await.expect("a socket");
        let piece = [b'x'; 64 << 10];
        while near.try_write(&piece).is_ok() {}
        let stream = Stream::Tcp(near.into());
        assert!(stream.send_queue().is_some_and(|bytes| bytes > 0));
        (stream, far)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_waited_for_until_the_timeout() {
        let (stream, mut far) = full().await;
        let began = clock::now();
        let parted = clock::within(10 * TIMEOUT, reset_when_taken(stream)).await;
        assert!(parted.is_ok(), "it is held on to");
        let took = clock::now() - began;
        assert!(
            took >= TIMEOUT && took <= TIMEOUT + LONGEST_PAUSE,
            "{took:?}"
        );
        let ended = far.read_to_end(&mut Vec::new()).await;
        let error = ended.expect_err("it did not get all");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
