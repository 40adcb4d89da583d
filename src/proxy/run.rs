//! The phases of a client connection, one after the other.
//!
//! A connection begins, serves requests, waits, becomes a tunnel. Each of these phases is a
//! [`Run`], which returns the next one when it is over: a connection carries the state of its
//! present phase, and not of earlier or later ones. Most connections wait.

use std::future::{Future, poll_fn};
use std::pin::Pin;

use crate::base::clock;

/// One phase of a connection.
pub struct Run(Pin<Box<dyn Future<Output = Option<Run>>>>);

impl Run {
    /// The phase `future`, which returns the next one; `None`: the connection is over.
    pub fn new(future: impl Future<Output = Option<Run>> + 'static) -> Self {
        Self(Box::pin(future))
    }

    /// The phase `future`, after which the connection is over.
    pub fn last(future: impl Future<Output = ()> + 'static) -> Self {
        Self::new(async move {
            future.await;
            None
        })
    }

    /// Runs this phase and all that follow, until the connection is over. Each poll is one turn of
    /// the clock.
    pub async fn finish(self) {
        let mut run = self;
        while let Some(next) = poll_fn(|cx| clock::in_one_turn(|| run.0.as_mut().poll(cx))).await {
            run = next;
        }
    }
}
