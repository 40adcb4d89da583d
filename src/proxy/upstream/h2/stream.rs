//! The permit for one exchange on a connection of HTTP/2.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use http::{Method, Request};
use http_body::Body;

use crate::exchange::{Fault, Reason};
use crate::proxy::io::{AttemptDeadlines, MOST_INTERIM_BYTES, Pump, RequestBody, UploadProgress};
use crate::proxy::upstream::leftover::Leftover;

use super::call::{Answer, Call, StreamEnd, Unanswered, takes_requests};
use super::connection::H2Connection;
use super::pool::{H2Pool, Waiting};

/// Allows one exchange one stream on a connection. Dropping it gives the stream to the next.
pub struct StreamPermit {
    connection: Rc<H2Connection>,
    pool: Rc<H2Pool>,
    was_used: bool,
}

impl StreamPermit {
    /// `connection` has been entered for it.
    pub(in super::super) fn of(connection: Rc<H2Connection>, pool: &Rc<H2Pool>) -> Self {
        Self {
            // The request that it is taken for counts already.
            was_used: connection.was_used_before(),
            connection,
            pool: Rc::clone(pool),
        }
    }

    /// Whether the connection has carried a request before.
    pub fn was_used(&self) -> bool {
        self.was_used
    }

    /// Says that an answer on this connection is late: it is looked whether the connection is dead.
    pub fn doubt(&self) {
        self.connection.doubt();
    }

    /// Sends no other exchange on this connection.
    pub(super) fn leave(&self) {
        self.connection.leave();
    }

    /// Whether the server has said what it allows.
    pub(super) fn is_greeted(&self) -> bool {
        self.connection.is_greeted()
    }

    /// Says that no request was sent after all, and gives the stream back.
    pub(in super::super) fn leave_unused(self) {
        self.connection.was_not_used();
    }

    /// Whether a stream may become a tunnel. Waits until the server has said what it allows.
    ///
    /// # Errors
    ///
    /// The connection ended before, which is safe to try again.
    pub(in super::super) async fn takes_connect(&self) -> Result<bool, Fault> {
        let waiting = Waiting::enter(&self.pool);
        loop {
            let mut changed = pin!(waiting.changed());
            // From here on no change is missed.
            changed.as_mut().enable();
            if !self.connection.is_open() {
                let refused = || Fault::new(Reason::ServerStreamRefused);
                return Err(waiting.failed().unwrap_or_else(refused));
            }
            if self.connection.is_greeted() {
                return Ok(self.connection.takes_connect());
            }
            changed.await;
        }
    }

    /// Sends a request and gives its answer. The stream of a CONNECT stays open for what follows.
    ///
    /// # Errors
    ///
    /// [`Unanswered`]; a deadline that passes gives its reason.
    ///
    /// # Cancel safety
    ///
    /// Dropping it resets the stream, and nothing else on the connection.
    pub async fn exchange(
        &self,
        head: Request<()>,
        mut body: RequestBody,
        deadlines: AttemptDeadlines<'_>,
    ) -> Result<Answer, Unanswered> {
        let Some(mut sender) = self.connection.sender() else {
            return Err(Unanswered::left_out(None, body));
        };
        let is_whole = body.is_end_stream();
        let connects = head.method() == Method::CONNECT;
        let (response, stream) = match sender.send_request(head, is_whole && !connects) {
            Ok(both) => both,
            Err(error) if takes_requests(&mut sender) => {
                // A bug here: a field that no request in HTTP/2 may have. Others are not concerned.
                return Err(Unanswered {
                    fault: Fault::http2(Reason::ProxyPanic, error),
                    end: StreamEnd::Other,
                    left: Leftover::seen(body.rewound()),
                });
            }
            Err(error) => {
                self.connection.leave();
                return Err(Unanswered::left_out(Some(error), body));
            }
        };
        drop(sender);
        body.keep();
        let pump = if is_whole {
            Pump::over(body, stream)
        } else {
            Pump::new(body, stream).through(self.connection.tracker())
        };
        let upload_progress =
            (!is_whole).then(|| UploadProgress::begin(self.connection.tracker(), deadlines));
        let mut call = Call {
            response,
            pump,
            upload_progress,
            interim_left: MOST_INTERIM_BYTES,
        };
        match poll_fn(|cx| call.poll(cx, deadlines)).await {
            Ok(response) if connects => Ok(call.connected(response)),
            Ok(response) => Ok(call.answered(response)),
            Err(stopped) => Err(call.unanswered(stopped, self)),
        }
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.pool.give_back(&self.connection);
    }
}
