//! The last words to a client whose request was refused, and the time to hear them.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::base::clock::{self, Duration};
use crate::exchange::{Reason, RequestId};
use crate::net::Stream;
use crate::proxy::reply::raw_reply;
use crate::proxy::roll::{Entry, Order};

use super::session::Session;

/// How much of a request that was refused is read and thrown away, and for how long, so that the
/// client reads the answer and not a reset.
const LINGER_BYTES: usize = 256 << 10;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// Says that the head came too late.
pub(super) async fn answer_late_head(mut stream: Stream, session: &Session, entry: &Entry) {
    let reason = Reason::RequestHeadTimeout;
    let id = RequestId::made(session.client.context.rng.next_u64());
    let bytes = raw_reply(reason, &id, clock::wall());
    session.refuse(reason, 408, Some(id));
    // The client has had its time; it is not waited for again.
    if let Ok(Ok(())) = clock::within(LINGER_TIME, stream.write_all(&bytes)).await {
        linger(stream, entry).await;
    }
}

/// Says that nothing more comes, and reads what the client is still sending for a while: a socket
/// that is closed with bytes unread resets the connection, and the client loses the answer.
pub(super) async fn linger(mut stream: Stream, entry: &Entry) {
    let discard = async {
        poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await?;
        let mut room = [0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            let read = stream.read(&mut room).await?;
            if read == 0 {
                break;
            }
            left = left.saturating_sub(read);
        }
        std::io::Result::Ok(())
    };
    let mut discard = Box::pin(discard);
    let until_broken = poll_fn(|cx| match entry.order(cx) {
        Order::Break => Poll::Ready(()),
        _ => discard.as_mut().poll(cx).map(drop),
    });
    // However it goes, the connection ends here.
    let _ = clock::within(LINGER_TIME, until_broken).await;
}
