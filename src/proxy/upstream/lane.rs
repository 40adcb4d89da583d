//! All connections of one worker to one server: those that carry one exchange at a time, and those
//! that carry many.

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

use super::h1::Connection;
use super::h2::{Crew, Opening, Seat, Waiting};
use super::open::{Opened, open, open_http1};
use super::pool::Pool;
use super::settings::Settings;

/// The connections to one server.
#[derive(Default)]
pub struct Lane {
    /// Of HTTP/1, and used by nobody.
    idle: Pool,
    /// Of HTTP/2.
    crew: Rc<Crew>,
    /// Of HTTP/1, opened for whoever waits for one of either kind.
    fresh: RefCell<Vec<Connection>>,
    /// What the server chose when it was last left to it. Written when a connection is opened.
    chosen: Cell<Option<Chosen>>,
    /// Whether the server, when a connection of HTTP/2 was last looked at for it, did not let streams go on
    /// in another protocol. Written by [`Lane::open_to_switch`].
    declines: Cell<bool>,
    /// The name that the server is asked by under TLS.
    name: Option<ServerName<'static>>,
    /// Whether nothing is kept any more. Written by [`Lane::retire`].
    is_retired: Cell<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Http1,
    Http2,
}

/// A connection for one exchange.
pub enum Carrier {
    /// The whole connection.
    Http1(Connection),
    /// A place on it.
    Http2(Seat),
}

/// Which connections will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Any.
    Any,
    /// One that is opened after this moment: an older one has just died.
    OpenedSince(Instant),
}

/// What it takes to open a connection.
pub struct Way<'a> {
    /// Where sockets come from.
    pub dialer: &'a Dialer,
    /// What the client connection may claim.
    pub claim: Claim,
    /// Where the server listens.
    pub address: &'a Address,
    /// What is said first, before TLS and HTTP; mostly nothing.
    pub preamble: &'a Bytes,
    /// What a connection is opened with.
    pub settings: &'a Rc<Settings>,
    /// What connections may be used again.
    pub limits: &'a plan::Pool,
    /// How long opening may take.
    pub patience: Duration,
}

impl Lane {
    /// Under TLS, by this name.
    pub(super) fn by(name: ServerName<'static>) -> Self {
        Self {
            name: Some(name),
            ..Self::default()
        }
    }

    /// An empty one, by the same name.
    pub(super) fn alike(&self) -> Self {
        Self {
            name: self.name.clone(),
            ..Self::default()
        }
    }

    /// Whether the server is asked by the same name.
    pub fn is_like(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// A connection that is open and can carry one more exchange.
    pub fn take(
        &self,
        settings: &Settings,
        limits: &plan::Pool,
        wanted: Wanted,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Carrier> {
        if settings.plan.protocol != Protocol::Http1
            && let Some(seat) = self.seat(limits, wanted, now)
        {
            return Some(Carrier::Http2(seat));
        }
        match wanted {
            Wanted::Any => self
                .idle
                .take(limits, settings, now, cx)
                .map(Carrier::Http1),
            // An idle connection is an old one.
            Wanted::OpenedSince(_) => None,
        }
    }

    fn seat(&self, limits: &plan::Pool, wanted: Wanted, now: Instant) -> Option<Seat> {
        let since = match wanted {
            Wanted::Any => None,
            Wanted::OpenedSince(since) => Some(since),
        };
        let link = self.crew.take(limits, since, now)?;
        Some(Seat::of(link, &self.crew))
    }

    /// Opens a connection, or waits for one that is being opened and has room.
    ///
    /// # Errors
    ///
    /// Why none came about, safe to try again.
    pub async fn open(self: &Rc<Self>, way: &Way<'_>, wanted: Wanted) -> Result<Carrier, Fault> {
        if self.may_be_shared(way.settings)
            && let Some(carrier) = Box::pin(self.share(way, wanted)).await?
        {
            return Ok(carrier);
        }
        let began = clock::now();
        match open(
            way.dialer,
            way.claim,
            way.address,
            way.preamble,
            way.settings,
            self.name.as_ref(),
        )
        .await?
        {
            Opened::Http1(connection) => {
                self.chosen.set(Some(Chosen::Http1));
                Ok(Carrier::Http1(*connection))
            }
            Opened::Http2(new) => {
                // The server has changed its mind.
                self.chosen.set(Some(Chosen::Http2));
                self.crew.add(*new);
                self.seat(way.limits, Wanted::OpenedSince(began), clock::now())
                    .map(Carrier::Http2)
                    .ok_or(Fault::new(Reason::ServerStreamRefused))
            }
        }
    }

    /// A connection on which an exchange may go on in another protocol, open or opened for it: any of
    /// HTTP/1, and one of HTTP/2 whose server offers that. Where it does not, and was asked what it
    /// speaks, one of HTTP/1 is opened for this exchange alone.
    ///
    /// # Errors
    ///
    /// Why none came about: `upgrade.unsupported` where the configuration wants HTTP/2.
    pub async fn open_to_switch(
        self: &Rc<Self>,
        way: &Way<'_>,
        wanted: Wanted,
    ) -> Result<Carrier, Fault> {
        let take = |cx: &mut Context<'_>| {
            Poll::Ready(self.take(way.settings, way.limits, wanted, clock::now(), cx))
        };
        let is_told = way.settings.plan.protocol == Protocol::Http2;
        let carrier = match turn::uncounted(poll_fn(take)).await {
            Some(carrier) => carrier,
            // One more connection would say the same.
            None if self.declines.get() && !is_told => return self.open_http1(way).await,
            None => self.open(way, wanted).await?,
        };
        let seat = match carrier {
            Carrier::Http1(connection) => return Ok(Carrier::Http1(connection)),
            Carrier::Http2(seat) => seat,
        };
        let declines = !seat.takes_connect().await?;
        self.declines.set(declines);
        if !declines {
            return Ok(Carrier::Http2(seat));
        }
        seat.leave_unused();
        if is_told {
            let text = "the server does not support extended CONNECT (RFC 8441)";
            return Err(Fault::told(Reason::UpgradeUnsupported, text.into()));
        }
        self.open_http1(way).await
    }

    /// Opens a connection of HTTP/1 that is for one exchange alone.
    async fn open_http1(&self, way: &Way<'_>) -> Result<Carrier, Fault> {
        let name = self.name.as_ref();
        let opening = open_http1(
            way.dialer,
            way.claim,
            way.address,
            way.preamble,
            way.settings,
            name,
        );
        opening.await.map(Carrier::Http1)
    }

    /// Whether a connection that is opened now may carry others too.
    fn may_be_shared(&self, settings: &Settings) -> bool {
        match settings.plan.protocol {
            Protocol::Http1 => false,
            Protocol::Http2 => true,
            Protocol::Auto => settings.asks_server() && self.chosen.get() != Some(Chosen::Http1),
        }
    }

    /// Waits for room on a connection that is being opened; `None`: the server wants to be spoken to
    /// by HTTP/1, and everybody opens a connection for himself.
    async fn share(
        self: &Rc<Self>,
        way: &Way<'_>,
        wanted: Wanted,
    ) -> Result<Option<Carrier>, Fault> {
        let waiting = Waiting::enter(&self.crew);
        loop {
            let mut changed = pin!(waiting.changed());
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(connection) = self.fresh.borrow_mut().pop() {
                return Ok(Some(Carrier::Http1(connection)));
            }
            if let Some(seat) = self.seat(way.limits, wanted, clock::now()) {
                return Ok(Some(Carrier::Http2(seat)));
            }
            if self.chosen.get() == Some(Chosen::Http1) {
                return Ok(None);
            }
            if let Some(fault) = waiting.failed() {
                return Err(fault);
            }
            if self.crew.needs_another() {
                self.open_for_all(way);
            }
            changed.await;
        }
    }

    /// In a task of its own: it goes on for the others when the one who began it has left.
    fn open_for_all(self: &Rc<Self>, way: &Way<'_>) {
        let lane = Rc::clone(self);
        let opening = Opening::begin(&self.crew);
        let (dialer, address) = (way.dialer.clone(), way.address.clone());
        let claim = way.claim;
        let preamble = way.preamble.clone();
        let (settings, patience) = (Rc::clone(way.settings), way.patience);
        tasks::spawn_local(async move {
            let opened = clock::within(
                patience,
                open(
                    &dialer,
                    claim,
                    &address,
                    &preamble,
                    &settings,
                    lane.name.as_ref(),
                ),
            )
            .await;
            lane.opened(opened.unwrap_or_else(|_| Err(Fault::new(Reason::ServerConnectTimeout))));
            drop(opening);
        });
    }

    fn opened(&self, opened: Result<Opened, Fault>) {
        match opened {
            Ok(Opened::Http1(connection)) => {
                self.chosen.set(Some(Chosen::Http1));
                self.fresh.borrow_mut().push(*connection);
            }
            Ok(Opened::Http2(new)) => {
                self.chosen.set(Some(Chosen::Http2));
                self.crew.add(*new);
            }
            Err(fault) => self.crew.fail(&fault),
        }
    }

    /// Keeps a connection of HTTP/1 for the next exchange, unless there are enough, or another exchange waits
    /// for its descriptor.
    pub fn keep(&self, connection: Connection, limits: &plan::Pool, now: Instant) {
        if !self.is_retired.get() && !connection.is_wanted() {
            self.idle.keep(connection, limits, now);
        }
    }

    /// Closes up to `most` connections that nobody uses, and says how many.
    pub(super) fn close_idle(&self, most: usize) -> usize {
        let closed = self.idle.close_oldest(most);
        closed + self.crew.close_idle(most - closed)
    }

    /// Keeps nothing from now on; what is on its way ends in peace.
    pub(super) fn retire(&self) {
        self.is_retired.set(true);
        self.idle.clear();
        self.crew.leave();
    }

    /// Whether nothing is open.
    pub(super) fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.crew.is_empty()
    }

    /// Lets go of connections that are too old, that the server has closed, or that do not answer.
    pub(super) fn sweep(
        &self,
        limits: &plan::Pool,
        http2: &plan::BackendHttp2,
        now: Instant,
        cx: &mut Context<'_>,
    ) {
        // Whoever these were opened for has left.
        self.fresh.borrow_mut().clear();
        if !self.idle.is_empty() {
            self.idle.sweep(limits, now, cx);
        }
        if !self.crew.is_empty() {
            self.crew.sweep(limits, http2, now);
        }
    }
}
