//! The connection of a check, which is polled while the check waits.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

/// An HTTP connection that is polled only while the check awaits something: no task, so that
/// dropping the check drops everything.
pub(super) struct DrivenConnection<C> {
    /// `None` when it has ended.
    connection: Option<Pin<Box<C>>>,
}

impl<C: Future> DrivenConnection<C> {
    pub(super) fn new(connection: C) -> Self {
        Self {
            connection: Some(Box::pin(connection)),
        }
    }

    /// The output of `future`, polled together with the connection.
    pub(super) async fn with<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Some(connection) = &mut self.connection
                && connection.as_mut().poll(cx).is_ready()
            {
                // Its error is not lost: the future that waits for an answer or a body gets it too.
                self.connection = None;
            }
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.await;
        }
    }
}
