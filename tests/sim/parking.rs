//! An idle client connection releases its state and buffers.

use std::time::Duration;

use evenkeel::base::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

use crate::fixture::{Fixture, PROXY};
use crate::memory::held_bytes;
use crate::network::ACTIVE_ROOM_BYTES;
use crate::trace::Trace;

/// After the last response, at the latest.
const PARKED_WITHIN: Duration = Duration::from_secs(4);

/// The changes of client connections since `from`.
fn since(from: Duration, trace: &Trace) -> Vec<String> {
    let entries = trace.entries().into_iter();
    entries
        .filter(|entry| entry.actor == "network" && entry.at >= from)
        .map(|entry| entry.what)
        .collect()
}

#[test]
fn an_idle_connection_is_parked_soon_after_its_last_response() {
    Fixture::new(41, 1).play(|stage| async move {
        let mut client = stage.client("client");
        let first = client.get("/1").await;
        assert!(first.is_served());
        clock::sleep(PARKED_WITHIN).await;
        let parked = "a client connection is parked";
        assert_eq!(since(first.ended, &stage.trace), [parked]);

        // It is that connection which serves the next request, and it is parked again.
        let second = client.get("/2").await;
        assert!(second.is_served());
        clock::sleep(PARKED_WITHIN).await;
        let woken = "a client connection is woken";
        assert_eq!(since(second.began, &stage.trace), [woken, parked]);
    });
}

#[test]
fn a_connection_that_is_in_use_is_not_parked() {
    Fixture::new(42, 1).play(|stage| async move {
        let mut client = stage.client("client");
        let first = client.get("/").await;
        for _ in 0..10 {
            clock::sleep(Duration::from_millis(500)).await;
            assert!(client.get("/").await.is_served());
        }
        assert!(client.get("/slow/5000").await.is_served());
        assert!(client.get("/stream/50/100").await.is_served());
        assert_eq!(since(first.ended, &stage.trace), [""; 0]);
    });
}

/// A connection that has carried one exchange.
async fn used() -> TcpStream {
    let mut stream = TcpStream::connect((PROXY, 80)).await.expect("it listens");
    let request = b"GET / HTTP/1.1\r\nhost: example.com\r\n\r\n";
    stream.write_all(request).await.expect("it is read");
    let mut room = [0; 1024];
    let read = stream.read(&mut room).await.expect("an answer");
    assert!(room[..read].starts_with(b"HTTP/1.1 200 "));
    stream
}

#[test]
fn a_parked_connection_holds_less_than_one_read_takes() {
    const COUNT: isize = 50;
    Fixture::new(43, 1).play(|_| async {
        let _first = used().await;
        let before = held_bytes();
        let mut rest = Vec::new();
        for _ in 0..COUNT {
            rest.push(used().await);
        }
        clock::sleep(PARKED_WITHIN).await;
        // With both ends and the simulator's own data.
        let each = (held_bytes() - before) / COUNT;
        assert!(each < ACTIVE_ROOM_BYTES as isize, "{each} bytes");
    });
}
