//! One client connection: the client, and the state that all its exchanges share, in any version of
//! HTTP.
//!
//! `serve` makes it; `handle` opens exchanges for it; `h1` and `h2` settle them when they are over.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderValue;

use crate::base::address::Ends;
use crate::base::clock::{self, Instant};
use crate::base::{ListenAddress, Peer};
use crate::exchange::{ClientTls, Fault, LoggedRequest, ProxyFields, Reason, RequestId};
use crate::expr::Variables;
use crate::observe::Refusal;
use crate::plan::{self, FrontendTimeouts};
use crate::proxy::context::Context;
use crate::proxy::forward::ProxyHeaderPools;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::{Exchange, KeptBodies};
use crate::proxy::snapshot::{FrontendTls, View};
use crate::proxy::tls::{Admission, Lapsed};
use crate::tables::Tracked;
use crate::wire::forwarded::x_forwarded_for;

/// The facts of a connection before its first request.
pub struct ConnectionInfo {
    /// Its ends, from the PROXY header if there was one.
    pub ends: Ends,
    /// The fields of its PROXY header.
    pub proxy_fields: Option<Box<ProxyFields>>,
    /// The other end of the socket, if it is not the client.
    pub via: Option<Via>,
    /// The address that it connected to, as the frontend's plan has it.
    pub address: Arc<ListenAddress>,
    /// The result of its handshake; `None`: no TLS.
    pub tls: Option<TlsClient>,
    /// The entries of tables that it tracks.
    pub tracked: Tracked,
    /// The variables that rules for connections and for content have set.
    pub variables: Variables,
}

/// The other end of a socket whose client is not that end.
#[derive(Clone, Copy, Debug)]
pub struct Via {
    /// The other end.
    pub peer: Peer,
    /// Whether it has sent a PROXY header because `proxy_protocol` says that it must, and not because
    /// of a rule for connections.
    pub has_sent_header: bool,
}

/// A TLS client, and the terms of its admission.
pub struct TlsClient {
    /// The result of the handshake.
    pub tls: Rc<ClientTls>,
    /// The terms of its admission.
    pub admission: Box<Admission>,
}

/// A client connection.
pub(super) struct Client {
    pub(super) context: Rc<Context>,
    pub(super) peer: Peer,
    /// The address that it connected to.
    pub(super) local: Option<SocketAddr>,
    /// The result of the handshake; `None`: no TLS.
    pub(super) tls: Option<Rc<ClientTls>>,
    /// The connections to servers whose PROXY header names it.
    pub(super) proxy_header_pools: ProxyHeaderPools,
    /// Counts the bytes that are kept of the bodies of its requests; unset: only the worker's bound
    /// holds. Written by [`Client::keep_bodies_within`].
    kept_bodies: OnceCell<KeptBodies>,
    pub(super) live: Arc<Frontend>,
    /// Whether it must end with the open exchanges.
    pub(super) is_leaving: Cell<bool>,
    /// The timeouts of the frontend at the last exchange.
    timeouts: RefCell<Rc<FrontendTimeouts>>,
    /// The index of the frontend in the snapshot of this generation.
    frontend_index: Cell<(u64, u32)>,
    /// Variables that rules have set for the whole connection.
    pub(super) variables: Variables,
    forwarded_for: OnceCell<Option<HeaderValue>>,
    /// The terms of its admission in the handshake; `None`: no TLS.
    admission: Option<Box<Admission>>,
    /// The address that it connected to, as the plan had it then: the terms of its bind are looked
    /// up again after a reload.
    pub(super) address: Arc<ListenAddress>,
    /// The fields of its PROXY header. Boxed: most have none.
    pub(super) proxy_fields: Option<Box<ProxyFields>>,
    /// The other end of the socket, if it is not the client. Boxed: mostly it is.
    via: Option<Box<Via>>,
    /// The entries of tables that the connection tracks.
    pub(super) tracked: Tracked,
    /// The generation of the snapshot, and the version of the frontend's TLS, under which it was
    /// last admitted. Written by [`Client::check_admission`].
    admitted_under: Cell<(u64, u64)>,
}

impl Client {
    pub(super) fn new(context: Rc<Context>, info: ConnectionInfo, live: Arc<Frontend>) -> Self {
        let ConnectionInfo {
            ends,
            proxy_fields,
            via,
            address,
            tls,
            tracked,
            variables,
        } = info;
        let (tls, admission) = tls.map(|one| (one.tls, one.admission)).unzip();
        let timeouts = match context.views.with(&live) {
            Some((view, index)) => Rc::clone(&view.frontends[index].timeouts),
            None => Rc::default(),
        };
        Self {
            context,
            peer: ends.client,
            local: ends.local,
            tls,
            proxy_header_pools: ProxyHeaderPools::default(),
            kept_bodies: OnceCell::new(),
            live,
            is_leaving: Cell::new(false),
            timeouts: RefCell::new(timeouts),
            frontend_index: Cell::new((u64::MAX, 0)),
            variables,
            forwarded_for: OnceCell::new(),
            admission,
            address,
            proxy_fields,
            via: via.map(Box::new),
            tracked,
            admitted_under: Cell::new((u64::MAX, 0)),
        }
    }

    /// The snapshot of the next exchange of this connection, and the index of its frontend there. A
    /// frontend that was just removed still has its index in the snapshot before; later it has
    /// none.
    pub(super) fn view(&self) -> (Rc<View>, Option<u32>) {
        let view = self.context.views.current();
        let (generation, index) = self.frontend_index.get();
        if generation == view.snapshot.generation {
            return (view, Some(index));
        }
        let Some((view, index)) = self.context.views.with(&self.live) else {
            return (view, None);
        };
        let index = index as u32;
        self.frontend_index.set((view.snapshot.generation, index));
        (view, Some(index))
    }

    /// The result of `look` on the frontend's present configuration, whose deadlines are noted;
    /// `None` if the frontend has just been removed: the connection is about to be shut down.
    pub(super) fn with_plan<T>(&self, look: impl FnOnce(&plan::Frontend) -> T) -> Option<T> {
        let (view, index) = self.view();
        let index = index? as usize;
        self.note_timeouts(&view, index);
        Some(look(&view.snapshot.plan.frontends[index]))
    }

    /// The timeouts of the frontend at the last exchange.
    pub(super) fn timeouts(&self) -> FrontendTimeouts {
        **self.timeouts.borrow()
    }

    /// Notes the timeouts of the frontend at `index`.
    pub(super) fn note_timeouts(&self, view: &View, index: usize) {
        self.timeouts
            .replace(Rc::clone(&view.frontends[index].timeouts));
    }

    /// Whether the frontend at `index` would admit the client if it connected now. Checked for each
    /// request: after a reload, a renewed file or an expiry, the new terms hold from the next
    /// request on, not only from the next connection on.
    ///
    /// # Errors
    ///
    /// Why not; then the connection must end.
    #[inline]
    pub(super) fn check_admission(
        &self,
        view: &View,
        index: u32,
        now: SystemTime,
    ) -> Result<(), Fault> {
        let version = view.snapshot.frontends[index as usize].tls_version();
        let under = (view.snapshot.generation, version);
        let admission = self.admission.as_deref();
        let has_ended = admission.is_some_and(|admission| admission.has_ended(now));
        if self.admitted_under.get() == under && !has_ended {
            return Ok(());
        }
        let checked = self.check_admission_anew(view, index, now);
        match checked.is_ok() {
            true => self.admitted_under.set(under),
            false => self.is_leaving.set(true),
        }
        checked
    }

    #[cold]
    fn check_admission_anew(&self, view: &View, index: u32, now: SystemTime) -> Result<(), Fault> {
        let plan = &view.snapshot.plan.frontends[index as usize];
        let tls = &view.snapshot.frontends[index as usize].tls;
        if let Some(bind) = plan.bind_at(&self.address) {
            return self.check_bind(&plan.binds[bind], tls, now);
        }
        // The address was removed from the frontend. The connection continues if another bind would
        // admit its client.
        let mut checked = Ok(());
        for bind in &plan.binds {
            checked = self.check_bind(bind, tls, now);
            if checked.is_ok() {
                break;
            }
        }
        checked
    }

    /// Whether `bind`, whose TLS is one of `tls`, would admit the client.
    fn check_bind(
        &self,
        bind: &plan::Bind,
        tls: &[FrontendTls],
        now: SystemTime,
    ) -> Result<(), Fault> {
        let via = self.via.as_deref();
        let socket_peer = via.map_or(self.peer, |via| via.peer);
        let is_header_wanted = bind.proxy_protocol.wants_header_from(socket_peer);
        if is_header_wanted != via.is_some_and(|via| via.has_sent_header) {
            return Err(Fault::new(Reason::RequestAddressOutdated));
        }
        let acceptor = match bind.tls {
            // A connection without TLS has no certificate, and needs none at a bind without TLS.
            None if self.admission.is_none() => return Ok(()),
            None => None,
            Some(index) => tls.get(index).and_then(|tls| tls.acceptor.as_ref()),
        };
        let lapsed = match (acceptor.map(|acceptor| acceptor.terms()), &self.admission) {
            (None, None) => return Ok(()),
            (None, Some(admission)) if !admission.has_certificate() => return Ok(()),
            (None, Some(_)) => Lapsed::NothingVerifies,
            // A connection without TLS continues, unless a name requires certificates: the name
            // that it would have asked for in a handshake is not known.
            (Some(terms), None) if !terms.needs_certificates() => return Ok(()),
            (Some(_), None) => Lapsed::CertificateMissing,
            (Some(terms), Some(admission)) => {
                let name = self.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
                match terms.check_again(name, admission, now) {
                    Ok(()) => return Ok(()),
                    Err(lapsed) => lapsed,
                }
            }
        };
        let why = lapsed.to_string();
        Err(Fault::with_text(Reason::RequestTlsOutdated, why.into()))
    }

    /// Bounds the bytes that are kept of the bodies of its requests. Only the first call counts.
    pub(super) fn keep_bodies_within(&self, bound: usize) {
        let all = &self.context.kept_bodies;
        let _ = self.kept_bodies.set(all.of_connection(bound));
    }

    /// Counts the bytes that are kept of the bodies of its requests, for another try.
    pub(super) fn kept_bodies(&self) -> &KeptBodies {
        let own = self.kept_bodies.get();
        own.unwrap_or(&self.context.kept_bodies)
    }

    /// `X-Forwarded-For` for an untrusted peer; `None` if it has no address.
    pub(super) fn forwarded_for(&self) -> Option<&HeaderValue> {
        self.forwarded_for
            .get_or_init(|| x_forwarded_for([], self.peer.ip()))
            .as_ref()
    }

    /// Counts and logs an exchange, however it ended, and returns when it was over.
    pub(super) fn settle(&self, exchange: &Exchange) -> Instant {
        self.context
            .settle(exchange, &self.live, Some(&self.variables));
        exchange.ended().unwrap_or_else(clock::now)
    }

    /// Counts and logs a request without an exchange, whose head began at `began`. `id`: the id in
    /// the answer; `request`: the part of it that was read.
    pub(super) fn refuse(
        &self,
        reason: Reason,
        status: u16,
        began: Option<Instant>,
        id: Option<RequestId>,
        request: Option<LoggedRequest>,
    ) {
        let (view, index) = self.view();
        let ended = clock::now();
        if index.is_some() {
            let refusal = Refusal {
                client: self.peer,
                local: self.local,
                tls: self.tls.clone(),
                request,
                reason,
                id,
                status,
                generation: view.snapshot.generation,
                began: began.unwrap_or(ended),
                ended,
                wall: clock::wall(),
            };
            let live = &self.live;
            let open = || self.context.open_connections(live);
            self.context
                .observer
                .refused(&refusal, &live.name, &live.metrics, open);
        }
    }
}
