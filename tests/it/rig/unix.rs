//! A client on a Unix socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::message::Message;
use super::wait::TIMEOUT;

/// The answer on `stream` to a request for `target` with these lines, which is the only one there.
#[track_caller]
pub(crate) fn get_by_unix(mut stream: UnixStream, target: &str, lines: &str) -> Message {
    stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
    let request = format!("GET {target} HTTP/1.1\r\nhost: any\r\nconnection: close\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).expect("it takes them");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let body = bytes.split_off(end.expect("a whole head") + 4);
    let mut answer = Message::of_head(&bytes);
    let length = answer.field("content-length").map(str::to_owned);
    assert_eq!(length, Some(body.len().to_string()), "a whole answer");
    answer.body = body;
    answer
}
