//! The attempts of one exchange at the servers of one backend: a slot for each, and the next step
//! after its outcome.

use std::rc::Rc;

use http::Response;

use crate::base::{Name, clock};
use crate::exchange::{Cause, Fault, Load, Outcome, Reason, Verdict};
use crate::observe::event;
use crate::proxy::backend::{Lease, Local, NoSlot, Tried};
use crate::proxy::io::{ActiveAttempt, Exchange};

use super::answered::{Answered, Aside};
use super::attempt::Failed;
use super::schedule::{Left, Schedule, Seen, Step};
use super::sending::Sending;
use super::server_body::ServerBody;

/// The attempts of one exchange.
pub(super) struct Tries<'a> {
    backend: &'a Rc<Local>,
    exchange: &'a Rc<Exchange>,
    tried: Tried,
    schedule: Schedule<'a>,
    /// The last answer that was set aside: the client gets it if no better one comes. Boxed,
    /// because few exchanges have one.
    aside: Option<Box<Aside>>,
}

/// A slot at a server, and the attempt that it is for.
pub(super) type LeasedAttempt = (Lease, ActiveAttempt);

/// The next step.
pub(super) enum Next {
    Attempt(LeasedAttempt),
    Deliver(Response<ServerBody>),
    Fail(Fault),
}

impl<'a> Tries<'a> {
    pub(super) fn at(backend: &'a Rc<Local>, exchange: &'a Rc<Exchange>) -> Self {
        Self {
            backend,
            exchange,
            tried: Tried::default(),
            schedule: Schedule::new(&backend.shared.plan.retry),
            aside: None,
        }
    }

    /// The first attempt, at the first of the servers `preferred` that is up, else by balancing: at
    /// once if a slot is free, else as soon as there is one within `timeout.queue`.
    pub(super) async fn first(&mut self, preferred: &[Name]) -> Result<LeasedAttempt, Fault> {
        let lease = match self.backend.lease_first(preferred) {
            Ok(lease) => Ok(lease),
            Err(NoSlot::NoServer) => Err(Reason::BackendNoServer),
            // Boxed: an exchange that need not wait does not carry the state for waiting.
            Err(NoSlot::Full) => Box::pin(wait(self.backend, preferred, self.exchange)).await,
        };
        Ok(self.attempt_with(lease?))
    }

    /// The next step after the `outcome` of an attempt.
    pub(super) fn judged(
        &mut self,
        outcome: Result<Answered, Failed>,
        sending: &mut Sending,
    ) -> Next {
        match outcome {
            Ok(answered) => self.answered(answered, sending),
            Err(failed) => match self.failed(failed, sending.left()) {
                Ok(attempt) => Next::Attempt(attempt),
                Err(fault) => self.fail(fault),
            },
        }
    }

    /// An attempt has failed, and `left` can be sent again: another attempt, or the end.
    pub(super) fn failed(&mut self, failed: Failed, left: Left) -> Result<LeasedAttempt, Fault> {
        let Failed { fault, lease } = failed;
        tell(&lease, &fault);
        self.tried.add(&lease.server().shared);
        lease.settle(&Outcome::without_answer(Verdict::of_failure(fault.reason)));
        if let Step::Fail(fault) = self.schedule.next(Seen::Failed(fault, left)) {
            return Err(fault);
        }
        self.next()
            .map_err(|reason| self.schedule.without_slot(reason))
    }

    fn answered(&mut self, answered: Answered, sending: &mut Sending) -> Next {
        let seen = Seen::Answered(answered.status(), answered.left(sending));
        if !matches!(self.schedule.next(seen), Step::Start) {
            return self.deliver(answered);
        }
        self.tried.add(&answered.lease().server().shared);
        let Ok(attempt) = self.next() else {
            return self.deliver(answered);
        };
        let aside = answered.set_aside(sending);
        if let Some(before) = self.aside.replace(Box::new(aside)) {
            before.discard();
        }
        Next::Attempt(attempt)
    }

    /// The next attempt, at an untried server. An exchange that has tried a server does not wait
    /// for another.
    fn next(&mut self) -> Result<LeasedAttempt, Reason> {
        match self.backend.lease_now(&self.tried) {
            Ok(lease) => Ok(self.attempt_with(lease)),
            Err(NoSlot::NoServer) => Err(Reason::BackendNoServer),
            Err(NoSlot::Full) => Err(Reason::QueueFull),
        }
    }

    fn attempt_with(&self, lease: Lease) -> LeasedAttempt {
        let record = &self.exchange.record;
        let mut load = record.load.get();
        load.at_server = lease.server().shared.in_flight().saturating_sub(1);
        if record.opening.wants_load {
            load.at_backend = self.backend.in_flight().saturating_sub(1);
        }
        record.load.set(load);
        let server = Rc::clone(&lease.server().tried);
        let active = ActiveAttempt::begin(Rc::clone(self.exchange), server);
        (lease, active)
    }

    fn deliver(&mut self, answered: Answered) -> Next {
        if let Some(aside) = self.aside.take() {
            aside.discard();
        }
        Next::Deliver(answered.deliver())
    }

    /// No other server can be tried: the client gets the last answer if there was one, else the
    /// fault.
    fn fail(&mut self, fault: Fault) -> Next {
        let Some(aside) = self.aside.take() else {
            return Next::Fail(fault);
        };
        let is_over = fault.reason == Reason::ExchangeTimeout
            || Verdict::of_failure(fault.reason) == Verdict::ClientLeft;
        if is_over {
            aside.discard();
            return Next::Fail(fault);
        }
        Next::Deliver(aside.deliver())
    }
}

/// Logs, at most once in a while, why TLS or HTTP/2 failed at a server: without health checks
/// nothing else reports it, and an operator has to correct the configuration or a certificate.
fn tell(lease: &Lease, fault: &Fault) {
    if fault.reason == Reason::ProxyDescriptors {
        if lease.server().shared.may_log(clock::now()) {
            event::no_descriptor_for_server();
        }
        return;
    }
    let is_tls = matches!(
        fault.reason,
        Reason::ServerTlsHandshake | Reason::ServerTlsCertificate
    );
    let is_other_protocol = matches!(fault.cause, Some(Cause::NotSpoken(_)));
    let server = &lease.server().shared;
    if (is_tls || is_other_protocol) && server.may_log(clock::now()) {
        let backend = &lease.backend().shared.plan.name;
        match is_tls {
            true => event::server_not_believed(backend, &server.name, fault),
            false => event::server_not_understood(backend, &server.name, fault),
        }
    }
}

/// A slot, within `timeout.queue`.
async fn wait(
    backend: &Rc<Local>,
    preferred: &[Name],
    exchange: &Exchange,
) -> Result<Lease, Reason> {
    let began = clock::now();
    let timeout = exchange.timeout(backend.shared.plan.timeout.queue, |set| set.queue);
    let (waiting_for_any, waiting_for_server) = backend.waiting(preferred);
    exchange.record.load.set(Load {
        waiting_for_any,
        waiting_for_server,
        ..Load::default()
    });
    // The deadlines of the attempt that the slot is for.
    let deadlines = exchange.deadlines.of(exchange.record.attempts.next());
    deadlines.wait_for_server(timeout, Reason::QueueTimeout);
    let waiting = backend.wait_for_slot(preferred);
    let outcome = deadlines.unless_due(waiting).await;
    deadlines.server_came();
    let waited = clock::now().saturating_duration_since(began);
    exchange
        .record
        .queued
        .set(exchange.record.queued.get() + waited);
    outcome?
}
