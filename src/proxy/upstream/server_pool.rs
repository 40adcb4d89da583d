//! All connections of one worker to one server with one SNI: HTTP/1, with one exchange at a time,
//! and HTTP/2.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use rustls::pki_types::ServerName;

use crate::base::Address;
use crate::base::clock::{self, Duration, Instant};
use crate::base::{tasks, turn};
use crate::exchange::{Fault, Reason};
use crate::net::{Claim, Dialer};
use crate::plan::{self, Protocol};

use super::h1::H1Connection;
use super::h2::{H2Pool, Opening, StreamPermit, Waiting};
use super::idle_pool::IdlePool;
use super::open::{NewConnection, Opener, open, open_http1};
use super::settings::Settings;

/// The connections to one server.
#[derive(Default)]
pub struct ServerPool {
    /// HTTP/1, idle.
    idle: IdlePool,
    /// HTTP/2.
    h2: Rc<H2Pool>,
    /// HTTP/1, opened for the exchanges that wait for a connection of either kind.
    fresh: RefCell<Vec<H1Connection>>,
    /// The result of the last ALPN, if the server may choose. Written when a connection is opened.
    chosen: Cell<Option<Chosen>>,
    /// Whether the server refused extended CONNECT on the last HTTP/2 connection that was checked
    /// for it. Written by [`ServerPool::open_for_upgrade`].
    declines: Cell<bool>,
    /// The SNI.
    name: Option<ServerName<'static>>,
    /// Whether connections are not kept any more. Written by [`ServerPool::retire`].
    is_retired: Cell<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Http1,
    Http2,
}

/// A connection for one exchange. Only this room knows its protocol.
pub(crate) struct Connection(pub(super) Kind);

/// The kind of a connection.
pub(super) enum Kind {
    /// The whole connection.
    Http1(H1Connection),
    /// One stream of it.
    Http2(StreamPermit),
}

/// Which connections are acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Any.
    Any,
    /// One that was opened after this moment: an older one has just died.
    OpenedSince(Instant),
}

/// The parameters of opening a connection.
pub(crate) struct ConnectParams<'a> {
    /// Opens sockets.
    pub dialer: &'a Dialer,
    /// The claim of the client connection.
    pub claim: Claim,
    /// The address of the server.
    pub address: &'a Address,
    /// The bytes to send first, before TLS and HTTP; mostly none.
    pub preamble: &'a Bytes,
    /// The settings of the connection.
    pub settings: &'a Rc<Settings>,
    /// The limits for reuse.
    pub limits: &'a plan::Pool,
    /// The timeout of opening.
    pub timeout: Duration,
}

impl Connection {
    fn http1(connection: H1Connection) -> Self {
        Self(Kind::Http1(connection))
    }

    fn http2(permit: StreamPermit) -> Self {
        Self(Kind::Http2(permit))
    }

    /// Whether it has carried a request before.
    pub(crate) fn was_used(&self) -> bool {
        match &self.0 {
            Kind::Http1(connection) => connection.was_used(),
            Kind::Http2(permit) => permit.was_used(),
        }
    }
}

impl ServerPool {
    /// With TLS and this SNI.
    pub(super) fn by(name: ServerName<'static>) -> Self {
        Self {
            name: Some(name),
            ..Self::default()
        }
    }

    /// An empty pool with the same SNI.
    pub(super) fn alike(&self) -> Self {
        Self {
            name: self.name.clone(),
            ..Self::default()
        }
    }

    /// Whether it has the same SNI.
    pub fn is_like(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// A connection that is open and can carry one more exchange.
    pub(crate) fn take(
        &self,
        settings: &Settings,
        limits: &plan::Pool,
        wanted: Wanted,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Connection> {
        if settings.plan.protocol != Protocol::Http1
            && let Some(permit) = self.permit(limits, wanted, now)
        {
            return Some(Connection::http2(permit));
        }
        match wanted {
            Wanted::Any => self.idle.take(limits, now, cx).map(Connection::http1),
            // An idle connection is an old one.
            Wanted::OpenedSince(_) => None,
        }
    }

    fn permit(&self, limits: &plan::Pool, wanted: Wanted, now: Instant) -> Option<StreamPermit> {
        let since = match wanted {
            Wanted::Any => None,
            Wanted::OpenedSince(since) => Some(since),
        };
        let connection = self.h2.take(limits, since, now)?;
        Some(StreamPermit::of(connection, &self.h2))
    }

    /// Opens a connection, or waits for one that is being opened and has room.
    ///
    /// # Errors
    ///
    /// Why no connection could be opened; it is safe to try again.
    pub(crate) async fn open(
        self: &Rc<Self>,
        params: &ConnectParams<'_>,
        wanted: Wanted,
    ) -> Result<Connection, Fault> {
        if self.may_be_shared(params.settings)
            && let Some(connection) = Box::pin(self.share(params, wanted)).await?
        {
            return Ok(connection);
        }
        let began = clock::now();
        match open(
            Opener::Exchange(params.dialer, params.claim),
            params.address,
            params.preamble,
            params.settings,
            self.name.as_ref(),
        )
        .await?
        {
            NewConnection::Http1(connection) => {
                self.chosen.set(Some(Chosen::Http1));
                Ok(Connection::http1(connection))
            }
            NewConnection::Http2(new) => {
                // The server's choice has changed.
                self.chosen.set(Some(Chosen::Http2));
                self.h2.add(*new);
                self.permit(params.limits, Wanted::OpenedSince(began), clock::now())
                    .map(Connection::http2)
                    .ok_or(Fault::new(Reason::ServerStreamRefused))
            }
        }
    }

    /// A connection for an upgrade, open or opened for it: HTTP/1, or HTTP/2 if its server accepts
    /// extended CONNECT. If it does not, and may choose the protocol, an HTTP/1 connection is
    /// opened for this exchange alone.
    ///
    /// # Errors
    ///
    /// Why no connection could be opened: `upgrade.unsupported` if the configuration requires
    /// HTTP/2.
    pub(crate) async fn open_for_upgrade(
        self: &Rc<Self>,
        params: &ConnectParams<'_>,
        wanted: Wanted,
    ) -> Result<Connection, Fault> {
        let take = |cx: &mut Context<'_>| {
            Poll::Ready(self.take(params.settings, params.limits, wanted, clock::now(), cx))
        };
        let is_http2_only = params.settings.plan.protocol == Protocol::Http2;
        let connection = match turn::uncounted(poll_fn(take)).await {
            Some(connection) => connection,
            // One more connection would have the same result.
            None if self.declines.get() && !is_http2_only => return self.open_http1(params).await,
            None => self.open(params, wanted).await?,
        };
        let permit = match connection.0 {
            Kind::Http1(connection) => return Ok(Connection::http1(connection)),
            Kind::Http2(permit) => permit,
        };
        let declines = !permit.takes_connect().await?;
        self.declines.set(declines);
        if !declines {
            return Ok(Connection::http2(permit));
        }
        permit.leave_unused();
        if is_http2_only {
            let text = "the server does not support extended CONNECT (RFC 8441)";
            return Err(Fault::with_text(Reason::UpgradeUnsupported, text.into()));
        }
        self.open_http1(params).await
    }

    /// Opens an HTTP/1 connection for one exchange alone.
    async fn open_http1(&self, params: &ConnectParams<'_>) -> Result<Connection, Fault> {
        let name = self.name.as_ref();
        let opening = open_http1(
            Opener::Exchange(params.dialer, params.claim),
            params.address,
            params.preamble,
            params.settings,
            name,
        );
        opening.await.map(Connection::http1)
    }

    /// Whether a connection that is opened now may be used by other exchanges too.
    fn may_be_shared(&self, settings: &Settings) -> bool {
        match settings.plan.protocol {
            Protocol::Http1 => false,
            Protocol::Http2 => true,
            Protocol::Auto => settings.asks_server() && self.chosen.get() != Some(Chosen::Http1),
        }
    }

    /// Waits for room on a connection that is being opened; `None`: the server chose HTTP/1, and
    /// each exchange opens a connection of its own.
    async fn share(
        self: &Rc<Self>,
        params: &ConnectParams<'_>,
        wanted: Wanted,
    ) -> Result<Option<Connection>, Fault> {
        let waiting = Waiting::enter(&self.h2);
        loop {
            let mut changed = pin!(waiting.changed());
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(connection) = self.fresh.borrow_mut().pop() {
                return Ok(Some(Connection::http1(connection)));
            }
            if let Some(permit) = self.permit(params.limits, wanted, clock::now()) {
                return Ok(Some(Connection::http2(permit)));
            }
            if self.chosen.get() == Some(Chosen::Http1) {
                return Ok(None);
            }
            if let Some(fault) = waiting.failed() {
                return Err(fault);
            }
            if self.h2.needs_another() {
                self.open_for_all(params);
            }
            changed.await;
        }
    }

    /// In a task of its own: it continues for the other exchanges when the one that began it has
    /// ended.
    fn open_for_all(self: &Rc<Self>, params: &ConnectParams<'_>) {
        let pool = Rc::clone(self);
        let opening = Opening::begin(&self.h2);
        let (dialer, address) = (params.dialer.clone(), params.address.clone());
        let claim = params.claim;
        let preamble = params.preamble.clone();
        let (settings, timeout) = (Rc::clone(params.settings), params.timeout);
        tasks::spawn_local(async move {
            let opened = clock::within(
                timeout,
                open(
                    Opener::Exchange(&dialer, claim),
                    &address,
                    &preamble,
                    &settings,
                    pool.name.as_ref(),
                ),
            )
            .await;
            pool.opened(opened.unwrap_or_else(|_| Err(Fault::new(Reason::ServerConnectTimeout))));
            drop(opening);
        });
    }

    fn opened(&self, opened: Result<NewConnection, Fault>) {
        match opened {
            Ok(NewConnection::Http1(connection)) => {
                self.chosen.set(Some(Chosen::Http1));
                self.fresh.borrow_mut().push(connection);
            }
            Ok(NewConnection::Http2(new)) => {
                self.chosen.set(Some(Chosen::Http2));
                self.h2.add(*new);
            }
            Err(fault) => self.h2.fail(&fault),
        }
    }

    /// Keeps an HTTP/1 connection for the next exchange, unless the pool is full, or another
    /// exchange waits for its descriptor.
    pub(super) fn keep(&self, connection: H1Connection, limits: &plan::Pool, now: Instant) {
        if !self.is_retired.get() && !connection.is_wanted() {
            self.idle.keep(connection, limits, now);
        }
    }

    /// Closes up to `most` idle connections, and returns how many.
    pub(super) fn close_idle(&self, most: usize) -> usize {
        let closed = self.idle.close_oldest(most);
        closed + self.h2.close_idle(most - closed)
    }

    /// Keeps no connection from now on; open exchanges continue.
    pub(super) fn retire(&self) {
        self.is_retired.set(true);
        self.idle.clear();
        self.h2.leave();
    }

    /// Whether nothing is open.
    pub(super) fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.h2.is_empty()
    }

    /// Drops connections that are too old, that the server has closed, or that do not answer.
    pub(super) fn sweep(
        &self,
        limits: &plan::Pool,
        http2: &plan::BackendHttp2,
        now: Instant,
        cx: &mut Context<'_>,
    ) {
        // The exchanges that these were opened for have ended.
        self.fresh.borrow_mut().clear();
        if !self.idle.is_empty() {
            self.idle.sweep(limits, now, cx);
        }
        if !self.h2.is_empty() {
            self.h2.sweep(limits, http2, now);
        }
    }
}
