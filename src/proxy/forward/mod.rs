//! The way of a request to a server and of its answer back: try, judge, maybe try again.
//!
//! `http::handle` has decided which backend; here a server is chosen, a connection taken or opened,
//! and the answer judged. What is given back streams: when its last byte is through, or when it is
//! dropped, the slot at the server is given back and the connection kept or closed.

mod attempt;
mod bare;
mod judge;
mod over_http1;
mod over_http2;
mod proxy_header_pools;
mod schedule;
mod sending;
mod server_body;

pub(crate) use bare::connect;
pub(crate) use proxy_header_pools::ProxyHeaderPools;
pub(crate) use sending::Sending;
pub(crate) use server_body::{BodyError, ServerBody, Upgraded};

use std::rc::Rc;

use http::{Response, StatusCode};

use crate::base::clock;
use crate::exchange::{Cause, Fault, Outcome, Reason, Verdict};
use crate::net::Dialer;
use crate::observe::event;
use crate::proxy::backend::{Lease, Local, NoSlot, Tried};
use crate::proxy::io::{ActiveAttempt, Exchange};

use attempt::Failed;
use schedule::{Left, Schedule, Seen, Step};

/// Answers that another server is asked for instead: none, until a setting names some.
const UNWANTED: &[StatusCode] = &[];

/// Sends a request to a server of `backend` and gives its answer.
///
/// The head is what the server shall see, but for a missing `Host`: that becomes the address of the
/// server.
///
/// # Errors
///
/// The fault of the last attempt, or why there was none.
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
    let mut tries = Tries::at(backend);
    loop {
        let (lease, active) = tries.begin(exchange).await?;
        match attempt::attempt(lease, sending, proxy_header_pools, dialer, active).await {
            Ok(response) => {
                let seen = Seen::Answered(response.status(), sending.left());
                match tries.schedule.next(seen) {
                    Step::Deliver => return Ok(response),
                    Step::Start => tries.set_aside(response),
                    Step::Fail(fault) => return Err(fault),
                }
            }
            Err(failed) => tries.failed(failed, sending.left())?,
        }
    }
}

/// The attempts of one exchange at the servers of one backend.
struct Tries<'a> {
    backend: &'a Rc<Local>,
    tried: Tried,
    schedule: Schedule<'a>,
}

impl<'a> Tries<'a> {
    fn at(backend: &'a Rc<Local>) -> Self {
        Self {
            backend,
            tried: Tried::default(),
            schedule: Schedule::new(backend.shared.plan.attempts.0, UNWANTED),
        }
    }

    /// A slot at a server that was not tried, and an attempt begins.
    async fn begin(&mut self, exchange: &Rc<Exchange>) -> Result<(Lease, ActiveAttempt), Fault> {
        let lease = match lease(self.backend, exchange, &self.tried).await {
            Ok(lease) => lease,
            Err(reason) => return Err(self.schedule.without_slot(reason)),
        };
        let server = Rc::clone(&lease.server().tried);
        Ok((lease, ActiveAttempt::begin(Rc::clone(exchange), server)))
    }

    /// An attempt has failed, and `left` is what there is of the request. An error is the end.
    fn failed(&mut self, failed: Failed, left: Left) -> Result<(), Fault> {
        let Failed { fault, lease } = failed;
        tell(&lease, &fault);
        self.tried.add(&lease.server().shared);
        lease.settle(&Outcome::without_answer(Verdict::of_failure(fault.reason)));
        if let Step::Fail(fault) = self.schedule.next(Seen::Failed(fault, left)) {
            return Err(fault);
        }
        Ok(())
    }

    /// The answer is not delivered: another server is asked.
    fn set_aside(&mut self, response: Response<ServerBody>) {
        let body = response.into_body();
        if let Some(server) = body.server() {
            self.tried.add(&server.shared);
        }
        body.discard();
    }
}

/// Says why a server is not believed or not understood, now and then: without checks of its health
/// nothing else does, and an operator has to mend the configuration or a certificate.
fn tell(lease: &Lease, fault: &Fault) {
    if fault.reason == Reason::ProxyDescriptors {
        if lease.server().shared.may_tell(clock::now()) {
            event::no_descriptor_for_server();
        }
        return;
    }
    let is_tls = matches!(
        fault.reason,
        Reason::ServerTlsHandshake | Reason::ServerTlsCertificate
    );
    let is_stranger = matches!(fault.cause, Some(Cause::NotSpoken(_)));
    let server = &lease.server().shared;
    if (is_tls || is_stranger) && server.may_tell(clock::now()) {
        let backend = &lease.backend().shared.plan.name;
        match is_tls {
            true => event::server_not_believed(backend, &server.name, fault),
            false => event::server_not_understood(backend, &server.name, fault),
        }
    }
}

/// A slot: at once if one is free, else within `timeout.queue`. An exchange that has tried a server
/// does not wait for another.
async fn lease(backend: &Rc<Local>, exchange: &Exchange, tried: &Tried) -> Result<Lease, Reason> {
    match backend.lease_now(tried) {
        Ok(lease) => Ok(lease),
        Err(NoSlot::NoServer) => Err(Reason::BackendNoServer),
        Err(NoSlot::Full) if !tried.is_empty() => Err(Reason::QueueFull),
        // Boxed: an exchange that need not wait does not carry the room for waiting.
        Err(NoSlot::Full) => Box::pin(wait(backend, exchange)).await,
    }
}

async fn wait(backend: &Rc<Local>, exchange: &Exchange) -> Result<Lease, Reason> {
    let began = clock::now();
    let timeout = backend.shared.plan.timeout.queue;
    // Those of the attempt that the slot is for.
    let deadlines = exchange.deadlines.of(exchange.record.attempts.next());
    deadlines.wait_for_server(timeout, Reason::QueueTimeout);
    let outcome = deadlines.unless_due(backend.wait_for_slot()).await;
    deadlines.server_came();
    let waited = clock::now().saturating_duration_since(began);
    exchange
        .record
        .queued
        .set(exchange.record.queued.get() + waited);
    outcome?
}
