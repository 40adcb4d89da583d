//! The TLS handshake of a connection that was just accepted, between `accept` and `http::serve`.
//!
//! It has a deadline, and a place among the handshakes in progress: a client that has sent nothing
//! yet takes none, so that silent clients keep no other out. Failures are counted by reason and are
//! not events: on the internet they are normal.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use rustls::sign::CertifiedKey;

use crate::base::clock::{self, Elapsed, Instant};
use crate::base::{ListenAddress, Peer};
use crate::net::{HandshakeFault, Stream, TlsPeer};
use crate::observe::{Handshake, HandshakeFailure, event};
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::context::Context;
use crate::proxy::frontend::{Frontend, Gate};
use crate::proxy::http::TlsClient;
use crate::proxy::snapshot::{FrontendTls, View};
use crate::proxy::tls::{Acceptor, Admission, PolicyId, client_tls, failure_of};

/// Permission for one handshake in progress; given back when dropped.
struct HandshakePermit<'a>(&'a Gate);

/// The result of a handshake.
struct Agreed {
    stream: Stream,
    /// That it was admitted under.
    policy: PolicyId,
    /// Our certificate for its name.
    shown: Option<Arc<CertifiedKey>>,
}

/// Why the handshake failed.
enum Failed {
    Fault(HandshakeFailure, HandshakeFault),
    /// The name that was asked for, if one was.
    UnknownName(Option<String>),
}

/// The connection with TLS; `None`: it has ended, and was counted and logged. The deadline counts
/// from `began`.
pub(super) async fn secure(
    stream: Stream,
    peer: Peer,
    began: Instant,
    frontend: &Arc<Frontend>,
    address: &ListenAddress,
    context: &Context,
    registration: &Registration,
) -> Option<(Stream, TlsClient)> {
    // Boxed: the connection, once it serves, does not carry its state.
    let handshake = Box::pin(shake_hands(
        stream,
        peer,
        began,
        frontend,
        address,
        context,
        registration,
    ));
    handshake.await
}

/// Does the handshake; `None`: it failed, and was counted and logged.
async fn shake_hands(
    stream: Stream,
    peer: Peer,
    began: Instant,
    frontend: &Arc<Frontend>,
    address: &ListenAddress,
    context: &Context,
    registration: &Registration,
) -> Option<(Stream, TlsClient)> {
    let (view, index, bind) = context.views.at_bind(frontend, address)?;
    let until = began + view.snapshot.plan.frontends[index].timeout.handshake;
    let timeout = until.saturating_duration_since(clock::now());
    let FrontendTls {
        acceptor,
        handshakes,
    } = tls_of(&view, index, bind)?;
    drop(view);
    // If the plan has TLS but the files could not be read, the connection is closed: never served
    // without TLS.
    let acceptor = acceptor?;
    let mut handshake = pin!(clock::within(
        timeout,
        agree(stream, &acceptor, &handshakes)
    ));
    let outcome = poll_fn(|cx| match registration.shutdown(cx) {
        Shutdown::Abort => Poll::Ready(None),
        Shutdown::Run | Shutdown::Drain => handshake.as_mut().poll(cx).map(Some),
    });
    let failed = |reason, why: &dyn std::fmt::Display| {
        event::handshake_failed(&frontend.name, address, peer, reason, why);
        Err(reason)
    };
    let outcome = match outcome.await? {
        Ok(Ok(agreed)) => Ok(agreed),
        Ok(Err(Failed::Fault(reason, fault))) => failed(reason, &fault.explained(TlsPeer::Client)),
        Ok(Err(Failed::UnknownName(asked))) => {
            let why = asked.map_or_else(
                || "the client sent no name (SNI)".to_owned(),
                |name| format!("no certificate has the name {name:?}"),
            );
            failed(HandshakeFailure::UnknownName, &why)
        }
        Err(Elapsed) => failed(
            HandshakeFailure::Timeout,
            &"the client was too slow (timeout.handshake)",
        ),
    };
    let observer = &context.observer;
    let facts = outcome.map(|agreed| (agreed.stream.tls(), agreed));
    match facts {
        Ok((Some(facts), agreed)) => {
            let handshake = Handshake {
                version: facts.version,
                keys: facts.keys,
            };
            observer.shook_hands(&frontend.metrics, Ok(handshake));
            let tls_client = TlsClient {
                tls: Rc::new(client_tls(&facts, agreed.shown)),
                admission: Box::new(Admission::new(agreed.policy, facts.peer_certificates)),
            };
            Some((agreed.stream, tls_client))
        }
        Ok((None, _)) => None,
        Err(reason) => {
            observer.shook_hands(&frontend.metrics, Err(reason));
            None
        }
    }
}

/// The acceptor of the bind with index `bind` of the frontend at `index`. `None`: a reload has just
/// removed its TLS.
fn tls_of(view: &View, index: usize, bind: usize) -> Option<FrontendTls> {
    let tls = view.snapshot.plan.frontends[index].binds[bind].tls?;
    view.snapshot.frontends[index].tls.get(tls).cloned()
}

async fn agree(stream: Stream, acceptor: &Acceptor, gate: &Gate) -> Result<Agreed, Failed> {
    let greeted = stream.greet().await.map_err(|fault| match fault {
        HandshakeFault::Tls(_) => Failed::Fault(HandshakeFailure::NotTls, fault),
        HandshakeFault::Connection(_) => Failed::Fault(HandshakeFailure::Closed, fault),
    })?;
    let _permit = HandshakePermit::wait(gate).await;
    let terms = acceptor.terms();
    let chosen = terms.choose(&greeted.hello());
    let Some((rules, policy)) = chosen else {
        let asked = greeted.hello().server_name().map(ToOwned::to_owned);
        greeted.refuse_name().await;
        return Err(Failed::UnknownName(asked));
    };
    let shown = terms.certificate(&greeted.hello());
    let agreed = greeted.accept(rules).await;
    let stream = agreed.map_err(|fault| Failed::Fault(failure_of(&fault), fault))?;
    Ok(Agreed {
        stream,
        policy,
        shown,
    })
}

impl<'a> HandshakePermit<'a> {
    async fn wait(gate: &'a Gate) -> Self {
        gate.enter().await;
        Self(gate)
    }
}

impl Drop for HandshakePermit<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
