//! Handshakes only: connect, shake hands, take a ticket, close.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::edge::cell::{Handshakes, Kind};
use crate::edge::client::{Answer, Keep, Tickets, connect, connector, dial};

use super::RETRY_AFTER;
use super::score::Score;

/// For one handshake with its ticket.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A client with tickets of its own.
struct Caller {
    target: SocketAddr,
    tls: TlsConnector,
    tickets: Arc<Tickets>,
}

pub(super) fn start(
    work: Handshakes,
    target: SocketAddr,
    score: &Rc<Score>,
) -> io::Result<JoinSet<()>> {
    let keep = match work.kind {
        Kind::Full => Keep::Nothing,
        Kind::Resumed => Keep::Newest,
    };
    let mut clients = JoinSet::new();
    for _ in 0..work.connections {
        let tickets = Tickets::new(keep);
        let caller = Caller {
            target,
            tls: connector(b"http/1.1", work.group, tickets.clone())?,
            tickets,
        };
        clients.spawn_local(caller.call_again(work.kind, score.clone()));
    }
    Ok(clients)
}

impl Caller {
    async fn call_again(self, kind: Kind, score: Rc<Score>) {
        // The first one has nothing to resume: it only gets the ticket.
        if kind == Kind::Resumed && self.call().await.is_err() {
            score.lose_connection();
        }
        while !score.is_over() {
            score.begin();
            let outcome = self.call().await.map(|happened| judge(kind, happened));
            score.settle(&outcome);
            if outcome.is_err() {
                sleep(RETRY_AFTER).await;
            }
        }
    }

    async fn call(&self) -> io::Result<Option<HandshakeKind>> {
        timeout(TIMEOUT, self.shake_hands()).await?
    }

    async fn shake_hands(&self) -> io::Result<Option<HandshakeKind>> {
        let arrived = self.tickets.arrived();
        let mut stream = connect(&self.tls, dial(self.target).await?).await?;
        let kind = stream.get_ref().1.handshake_kind();
        poll_fn(|cx| self.poll_ticket(arrived, &mut stream, cx)).await?;
        stream.shutdown().await?;
        Ok(kind)
    }

    /// Tickets come with reading, but are no data.
    fn poll_ticket(
        &self,
        arrived: u64,
        stream: &mut TlsStream<TcpStream>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.tickets.arrived() > arrived {
            return Poll::Ready(Ok(()));
        }
        let mut unread = [0; 16];
        match Pin::new(stream).poll_read(cx, &mut ReadBuf::new(&mut unread)) {
            Poll::Pending if self.tickets.arrived() > arrived => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Err(io::Error::other("no ticket came"))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

/// A full handshake in place of a resumed one is a failure, and so is one with another round trip.
fn judge(wanted: Kind, happened: Option<HandshakeKind>) -> Answer {
    match (wanted, happened) {
        (Kind::Full, Some(HandshakeKind::Full)) | (Kind::Resumed, Some(HandshakeKind::Resumed)) => {
            Answer::Proper
        }
        _ => Answer::Refused,
    }
}
