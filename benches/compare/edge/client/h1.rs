//! HTTP/1.1 over any stream: one request, one answer, and the connection is kept.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::edge::certificates::NAME;
use crate::wire;

use super::{Answer, Page};

/// The fields of the plain cells' requests.
const FIELDS: &str = "User-Agent: compare/1\r\nAccept: */*\r\n";
/// A longer head is not one of ours.
const MAX_HEAD: usize = 4 * 1024;

pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    page: Page,
    buffer: &mut [u8],
) -> io::Result<Answer> {
    let path = page.path;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\n{FIELDS}\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut filled = 0;
    let head = loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if let Some(head) = wire::read_head(&buffer[..filled]) {
            break head;
        }
    };
    if wire::status(buffer) != 200 {
        return Ok(Answer::Refused);
    }
    let mut here = (filled - head.bytes) as u64;
    while here < page.bytes {
        let read = stream.read(buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        here += read as u64;
    }
    if head.content_length == Some(page.bytes) && here == page.bytes && !head.closes {
        Ok(Answer::Proper)
    } else {
        Err(io::Error::other("another answer than the origin's"))
    }
}

/// A head and not a byte more: the bytes after it are not HTTP.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(io::Error::other("a head without an end"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}
