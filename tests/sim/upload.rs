//! Requests to servers whose connections hold back what is written until it is flushed.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

use crate::fixture::{Fixture, PROXY};

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\
                      transfer-encoding: chunked\r\n\r\n";

#[test]
fn each_request_on_a_kept_connection_reaches_the_server() {
    Fixture::new(61, 1).play(|stage| async move {
        let mut client = stage.client("client");
        for target in ["/1", "/2", "/3"] {
            assert!(client.get(target).await.is_served());
        }
    });
}

#[test]
fn a_piece_of_a_body_reaches_the_server_before_the_client_sends_the_next() {
    Fixture::new(62, 1).play(|stage| async move {
        stage.ready().await;
        let mut stream = TcpStream::connect((PROXY, 80)).await.expect("it listens");
        stream.write_all(HEAD).await.expect("it takes bytes");
        for (chunk, taken) in [("3\r\none\r\n", "took one"), ("3\r\ntwo\r\n", "took two")] {
            let sent = stream.write_all(chunk.as_bytes()).await;
            sent.expect("it takes bytes");
            stage.until(taken).await;
        }
        stream
            .write_all(b"0\r\n\r\n")
            .await
            .expect("it takes bytes");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer).await;
        read.expect("the answer comes to its end");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    });
}
