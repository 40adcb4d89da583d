//! Forwards a request to a server and its answer back: try, judge, perhaps try again.
//!
//! `http::handle` has chosen the backend. `tries` leases a slot at a server for each attempt, and
//! asks `schedule` what follows from its outcome. An `attempt` takes a connection or has one
//! opened, and gives `upstream::send` the head and the body. It gets the head of the answer with a
//! body that streams, or what is known of the request that got none; which version of HTTP that
//! took, nothing here knows. When the last byte of the answer is through, or when it is dropped,
//! the slot at the server is given back and the connection kept or closed.

mod answered;
mod attempt;
mod bare;
mod judge;
mod proxy_header_pools;
mod read_ahead;
mod schedule;
mod sending;
mod server_body;
mod tries;

pub(crate) use bare::connect;
pub(crate) use proxy_header_pools::ProxyHeaderPools;
pub(crate) use sending::Sending;
pub(crate) use server_body::{BodyError, ServerBody, Upgraded};

use std::rc::Rc;

use http::Response;

use crate::exchange::Fault;
use crate::net::Dialer;
use crate::proxy::backend::Local;
use crate::proxy::io::Exchange;

use attempt::{RetriesLeft, attempt};
use tries::{Next, Tries};

/// Sends a request to a server of `backend` and returns its answer.
///
/// The head is the one for the server, except for a missing `Host`: that becomes the address of the
/// server.
///
/// # Errors
///
/// The fault of the last attempt, or why there was no attempt.
///
/// # Cancel safety
///
/// Dropping it cancels the attempt: its connection is closed and its slot given back.
pub(crate) async fn forward(
    sending: &mut Sending,
    backend: &Rc<Local>,
    proxy_header_pools: &ProxyHeaderPools,
    dialer: &Dialer,
    exchange: &Rc<Exchange>,
) -> Result<Response<ServerBody>, Fault> {
    sending.under(&backend.shared.plan.retry);
    let mut tries = Tries::at(backend, exchange);
    let (mut lease, mut active) = tries.first(sending.preferred()).await?;
    let mut retries_left = RetriesLeft::default();
    loop {
        let outcome = attempt(
            lease,
            sending,
            proxy_header_pools,
            dialer,
            &mut retries_left,
            active,
        );
        match tries.judged(outcome.await, sending) {
            Next::Deliver(response) => return Ok(response),
            Next::Fail(fault) => return Err(fault),
            Next::Attempt(next) => (lease, active) = next,
        }
    }
}
