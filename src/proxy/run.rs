//! What a client connection does, one part after the other.
//!
//! A connection begins, speaks, waits, becomes a tunnel. Each of these parts is a [`Run`], which gives the
//! next one when it is over: a connection carries the room for what it does, and not for what it has done or
//! may still do. Most connections wait.

use std::future::Future;
use std::pin::Pin;

/// One part of what a connection does.
pub struct Run(Pin<Box<dyn Future<Output = Option<Run>>>>);

impl Run {
    /// The part that is `future`, which gives the part after it; `None`: the connection is over.
    pub fn new(future: impl Future<Output = Option<Run>> + 'static) -> Self {
        Self(Box::pin(future))
    }

    /// The part that is `future`, after which the connection is over.
    pub fn last(future: impl Future<Output = ()> + 'static) -> Self {
        Self::new(async move {
            future.await;
            None
        })
    }

    /// Does this part and all that follow, until the connection is over.
    pub async fn finish(self) {
        let mut run = self;
        while let Some(next) = run.0.as_mut().await {
            run = next;
        }
    }
}
