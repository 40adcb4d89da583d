//! A raw server connection, for TCP mode.

use std::rc::Rc;

use http::HeaderValue;

use crate::base::clock;
use crate::exchange::Fault;
use crate::net::{Claim, Dialer, Stream};
use crate::proxy::backend::{Lease, Local};
use crate::proxy::io::{ActiveAttempt, Exchange};
use crate::proxy::upstream::{Opener, Spoken, dial};

use super::attempt::{Failed, note_opened};
use super::proxy_header_pools::preamble;
use super::schedule::Left;
use super::tries::Tries;

/// A new connection to a server of `backend`, and the slot that it holds there.
///
/// # Errors
///
/// The fault of the last attempt, or why there was no attempt.
///
/// # Cancel safety
///
/// Dropping it drops the connection and gives the slot back.
pub(crate) async fn connect(
    backend: &Rc<Local>,
    dialer: &Dialer,
    exchange: &Rc<Exchange>,
) -> Result<(Stream, Lease), Fault> {
    let mut tries = Tries::at(backend, exchange);
    let (mut lease, mut active) = tries.first(&[]).await?;
    loop {
        match dialled(&lease, dialer, &active).await {
            Ok(stream) => return Ok((stream, lease)),
            Err(fault) => {
                let failed = Failed::of(active, fault, lease);
                (lease, active) = tries.failed(failed, Left::Whole)?;
            }
        }
    }
}

/// A connection for the client's first bytes; `name` is the name that the client asked for by TLS.
async fn open(
    lease: &Lease,
    dialer: &Dialer,
    exchange: &Exchange,
    name: Option<&str>,
) -> Result<Stream, Fault> {
    let transport = lease.server().settings.transport();
    let server = &lease.server().shared;
    let preamble = preamble(lease, &exchange.record, name.map(str::as_bytes));
    // One connection carries one client: it cannot hold more than its share.
    let opener = Opener::Exchange(dialer, Claim::Fair);
    let stream = dial(opener, &server.address, &preamble).await?;
    let host = name.and_then(|name| HeaderValue::from_str(name).ok());
    let name = transport.name_of(host.as_ref(), &server.name, &server.address);
    let securing = transport.secure_for(stream, name.as_ref(), Spoken::Unknown);
    securing.await
}

async fn dialled(lease: &Lease, dialer: &Dialer, active: &ActiveAttempt) -> Result<Stream, Fault> {
    let exchange = active.exchange();
    let local = lease.backend();
    let began = clock::now();
    let timeout = local.shared.plan.timeout.connect;
    let first_bytes = exchange.record.opening.first_bytes.as_ref();
    let name = first_bytes.and_then(|first| first.sni.as_deref());
    let opening = Box::pin(open(lease, dialer, exchange, name));
    let stream = active
        .deadlines()
        .while_connecting(timeout, opening)
        .await??;
    let took = clock::now().saturating_duration_since(began);
    note_opened(took, lease, active);
    Ok(stream)
}
