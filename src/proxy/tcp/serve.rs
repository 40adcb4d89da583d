//! One connection in TCP mode, from its first byte to its last.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::Version;

use crate::base::address::Ends;
use crate::base::clock::{self, Duration, Instant};
use crate::exchange::{ClientTls, Fault, FirstBytes, Opening, Reason, RequestId};
use crate::expr::{ConnectionFacts, Facts};
use crate::net::{self, Stream};
use crate::observe::event;
use crate::plan::{self, Closing};
use crate::proxy::backend::{Lease, Local};
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::context::Context;
use crate::proxy::forward::connect;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::{End, Exchange, Relay, Spoken, Timer};
use crate::proxy::rules::Stop;
use crate::proxy::snapshot::{self, View};
use crate::proxy::tunnel::{Terms, Tunnel};
use crate::tables::Tracked;
use crate::wire::client_hello::{ClientHello, First};

use super::earlier::Earlier;
use super::first::{Unknown, first};
use super::inspect::{Known, inspect};

/// The longest wait for a client that gets an alert.
const ALERT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection with its snapshot and client.
struct TcpConnection {
    context: Rc<Context>,
    ends: Ends,
    live: Arc<Frontend>,
    view: Rc<View>,
    /// The index of the frontend in the view.
    frontend_index: usize,
    earlier: Earlier,
    /// The first bytes, if rules for content looked at them.
    inspected: Option<Bytes>,
    /// The result of our own handshake; `None`: TLS, if it is some, passes as it is.
    tls: Option<Rc<ClientTls>>,
}

/// An open exchange; settled when dropped, however it ends.
struct Open {
    exchange: Rc<Exchange>,
    context: Rc<Context>,
    live: Arc<Frontend>,
    /// Entries of tables that the exchange joins: they are released after it.
    _tracked: Tracked,
}

/// A connection with its server and its exchange.
struct TcpTunnel {
    tunnel: Box<Tunnel>,
    open: Open,
}

/// Passes the connection between `ends` on until it is over; `registration` is its own.
pub(crate) async fn serve(
    stream: Stream,
    ends: Ends,
    tls: Option<Rc<ClientTls>>,
    earlier: Earlier,
    live: Arc<Frontend>,
    context: Rc<Context>,
    registration: Registration,
) {
    let Some((view, frontend_index)) = context.views.with(&live) else {
        // The frontend was removed a while ago.
        return;
    };
    let connection = TcpConnection {
        context,
        ends,
        live,
        view,
        frontend_index,
        earlier,
        inspected: None,
        tls,
    };
    let mut timer = Timer::new();
    // Boxed, and dropped with its snapshot: a connection, once bytes flow, keeps neither.
    let began = Box::pin(connection.begin(stream, &registration, &mut timer)).await;
    if let Some(tunnel) = began {
        tunnel.run(&registration, &mut timer).await;
    }
}

/// Passes a connection on whose client asks for a name of `passthrough`, before our own handshake.
/// Any other is returned as if nothing had been read from it. The time for a handshake counts from
/// `began`.
pub(crate) async fn pass_through(
    mut stream: Stream,
    ends: Ends,
    earlier: &mut Earlier,
    began: Instant,
    live: &Arc<Frontend>,
    context: &Rc<Context>,
    registration: &Registration,
) -> Option<Stream> {
    let Some((view, frontend_index)) = context.views.with(live) else {
        return Some(stream);
    };
    if view.snapshot.frontends[frontend_index]
        .tcp_routes
        .is_empty()
    {
        return Some(stream);
    }
    let mut connection = TcpConnection {
        context: Rc::clone(context),
        ends,
        live: Arc::clone(live),
        view,
        frontend_index,
        earlier: std::mem::take(earlier),
        inspected: None,
        tls: None,
    };
    let mut timer = Timer::new();
    let looking = Box::pin(connection.first(&mut stream, began, registration, &mut timer));
    let (known, read_already) = looking.await;
    let hello = hello_of(&known);
    let id = connection.new_id();
    let found = hello.and_then(|hello| connection.find(Some(hello), &id));
    let Some(found) = found else {
        *earlier = connection.earlier;
        return Some(stream.rewound(read_already));
    };
    let open = connection.open(began, hello, id);
    drop(known);
    if let Ok(backend) = connection.choose(Some(found), &open.exchange) {
        let client = (stream, read_already);
        let tunnel =
            Box::pin(connection.pass(client, backend, open, registration, &mut timer)).await;
        drop(connection);
        if let Some(tunnel) = tunnel {
            Box::pin(tunnel.run(registration, &mut timer)).await;
        }
    }
    None
}

impl TcpTunnel {
    /// Runs the tunnel until it is over.
    async fn run(self, registration: &Registration, timer: &mut Timer) {
        let Self { tunnel, open } = self;
        tunnel.run(&open.context, registration, timer).await;
    }
}

impl TcpConnection {
    fn plan(&self) -> &plan::Frontend {
        &self.view.snapshot.plan.frontends[self.frontend_index]
    }

    /// The frontend in the snapshot.
    fn frontend(&self) -> &snapshot::Frontend {
        &self.view.snapshot.frontends[self.frontend_index]
    }

    /// Chooses the backend, and connects; `None`: it has ended.
    async fn begin(
        mut self,
        mut stream: Stream,
        registration: &Registration,
        timer: &mut Timer,
    ) -> Option<TcpTunnel> {
        let began = clock::now();
        let stop = match self.frontend().content_rules {
            Some(_) => self.inspect(&mut stream, registration).await?,
            None => Stop::Accept,
        };
        if let Some(bytes) = &self.inspected {
            stream = stream.rewound(bytes.clone());
        }
        let mut known = Ok(match &self.tls {
            Some(tls) => First::Tls(greeting_of(tls)),
            None => First::NotTls,
        });
        let mut read_already = Bytes::new();
        let asks = self.tls.is_none() && self.frontend().tcp_routes.ask_client_hello();
        if stop == Stop::Accept && asks {
            (known, read_already) = self.first(&mut stream, began, registration, timer).await;
        }
        let hello = hello_of(&known);
        let id = self.new_id();
        let found = self.find(hello, &id);
        let open = self.open(began, hello, id);
        let closing = match stop {
            Stop::Reject => Some((Closing::Reset, Reason::RuleRejected)),
            Stop::SilentDrop => Some((Closing::Silent, Reason::RuleDropped)),
            Stop::Accept | Stop::UseBackend(_) => None,
        };
        if let Some((closing, reason)) = closing {
            open.exchange.cut(reason);
            match closing {
                Closing::Reset => stream.reset(),
                Closing::Silent => stream.vanish(),
            }
            return None;
        }
        let chosen = match (&known, stop) {
            (Err(unknown), _) => Err(reason_of(*unknown)),
            (_, Stop::UseBackend(index)) => Ok(self.take(index, &open.exchange)),
            (Ok(_), _) => self.choose(found, &open.exchange),
        };
        match chosen {
            Ok(backend) => {
                let client = (stream, read_already);
                self.pass(client, backend, open, registration, timer).await
            }
            Err(reason) => {
                open.exchange.cut(reason);
                if hello.is_some() && self.tls.is_none() {
                    turn_away(stream).await;
                }
                None
            }
        }
    }

    /// Runs the rules for content, and keeps the bytes that they looked at; `None`: the connection has
    /// ended.
    async fn inspect(&mut self, stream: &mut Stream, registration: &Registration) -> Option<Stop> {
        let at = (&self.view.snapshot, self.frontend_index);
        let (ends, earlier, tls) = (&mut self.ends, &self.earlier, self.tls.as_deref());
        let looking = inspect(stream, ends, tls, earlier, at, &self.context, registration);
        let inspected = Box::pin(looking).await;
        self.inspected = Some(inspected.bytes);
        inspected.stop
    }

    /// The beginning of the connection, which was accepted at `began`.
    async fn first(
        &self,
        stream: &mut Stream,
        began: Instant,
        registration: &Registration,
        timer: &mut Timer,
    ) -> (Result<First, Unknown>, Bytes) {
        let until = began + self.plan().timeout.handshake;
        first(stream, until, registration, timer).await
    }

    /// Connects `client` to a server of `backend`; `None`: none could be reached.
    async fn pass(
        &self,
        client: (Stream, Bytes),
        backend: &Rc<Local>,
        open: Open,
        registration: &Registration,
        timer: &mut Timer,
    ) -> Option<TcpTunnel> {
        let exchange = &open.exchange;
        let connecting = connect(backend, &self.context.dialer, exchange);
        match in_time(connecting, exchange, registration, timer).await {
            Ok((server, lease)) => {
                let tunnel = Box::new(self.tunnel(client, server, lease, exchange));
                Some(TcpTunnel { tunnel, open })
            }
            Err(fault) => {
                event::exchange_failed(&exchange.record.opening.id, &fault);
                exchange.cut(fault.reason);
                None
            }
        }
    }

    /// The index of the first route that matches the connection, which began with `hello` and has the id `id`.
    fn find(&self, hello: Option<&ClientHello>, id: &RequestId) -> Option<usize> {
        let bytes = self.inspected.as_deref();
        let known = bytes.map(Known::of);
        let content = bytes.zip(known.as_ref());
        let content = content.map(|(bytes, known)| known.content(bytes, true));
        let facts = Facts {
            id,
            connection: ConnectionFacts {
                client: self.ends.client,
                local: self.ends.local,
                tls: self.tls.as_deref(),
                frontend: &self.view.frontends[self.frontend_index].name,
                variables: Some(&self.earlier.variables),
                tables: Some(&*self.view.snapshot.tables),
                state: Some(&*self.view.snapshot),
                proxy_fields: self.earlier.proxy_fields.as_deref(),
                content: content.as_ref(),
                is_local: net::is_local,
            },
            request: None,
            backend: None,
            response: None,
            variables: Some(&self.earlier.variables),
            tracked: Some(&self.earlier.tracked),
        };
        let scratch = &self.context.scratch;
        let tcp_routes = &self.frontend().tcp_routes;
        tcp_routes.find(hello, |when| when.holds(&facts, &mut scratch.borrow_mut()))
    }

    fn new_id(&self) -> RequestId {
        RequestId::made(self.context.rng.next_u64())
    }

    fn open(&mut self, began: Instant, hello: Option<&ClientHello>, id: RequestId) -> Open {
        let head_read = clock::now();
        let sni = hello.and_then(|hello| hello.server_name.as_deref());
        let opening = Opening {
            began,
            head_read,
            wall: self.context.anchor.get().wall_at(head_read),
            client: self.ends.client,
            local: self.ends.local,
            tls: self.tls.clone(),
            frontend: Some(Rc::clone(&self.view.frontends[self.frontend_index].name)),
            generation: self.view.snapshot.generation,
            version: Version::HTTP_11,
            request: None,
            wants_load: self.context.observer.wants_load(),
            first_bytes: Some(FirstBytes {
                sni: sni.map(Into::into),
            }),
            id,
        };
        let tracked = std::mem::take(&mut self.earlier.tracked);
        let mut exchange = Exchange::begin(opening);
        exchange.variables = std::mem::take(&mut self.earlier.variables);
        exchange.tracked.join(&tracked);
        Open {
            exchange: Rc::new(exchange),
            context: Rc::clone(&self.context),
            live: Arc::clone(&self.live),
            _tracked: tracked,
        }
    }

    /// The backend of the route at `found`, or the frontend's own.
    fn choose(&self, found: Option<usize>, exchange: &Exchange) -> Result<&Rc<Local>, Reason> {
        let (frontend, record) = (self.frontend(), &exchange.record);
        if let Some(route) = found {
            let taken = &self.view.frontends[self.frontend_index].tcp_routes[route];
            // Chosen once for each exchange, as is the backend.
            let _ = record.route.set(Rc::clone(taken));
        }
        let index = found
            .map(|index| frontend.tcp_route_backends[index])
            .or(frontend.default_backend)
            .ok_or(Reason::RouteNone)?;
        Ok(self.take(index, exchange))
    }

    /// The backend with this index, noted in the record.
    fn take(&self, index: u32, exchange: &Exchange) -> &Rc<Local> {
        let backend = &self.view.backends[index as usize];
        // Chosen once for each exchange.
        let _ = exchange.record.backend.set(Rc::clone(&backend.name));
        backend.shared.rate().count();
        backend
    }

    fn tunnel(
        &self,
        client: (Stream, Bytes),
        server: Stream,
        lease: Lease,
        exchange: &Rc<Exchange>,
    ) -> Tunnel {
        let (client, read_already) = client;
        Tunnel {
            relay: Relay::new(
                (End::Connection(client), read_already),
                (End::Connection(server), Bytes::new()),
                Spoken::Anything,
            ),
            lease,
            exchange: Rc::clone(exchange),
            frontend: Arc::clone(&self.live),
            terms: Terms {
                idle: self.plan().timeout.tunnel,
                drain: self.view.snapshot.plan.shutdown.tunnels,
            },
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.exchange.cut(Reason::of_drop());
        // The connection is its one exchange.
        let variables = Some(&self.exchange.variables);
        self.context.settle(&self.exchange, &self.live, variables);
    }
}

/// What the routes look at, of a handshake that is over.
fn greeting_of(tls: &ClientTls) -> ClientHello {
    let alpn = tls.alpn.iter().map(|name| name.as_bytes().to_vec());
    ClientHello {
        server_name: tls.server_name.as_deref().map(str::to_owned),
        alpn: alpn.collect(),
        // Of TLS 1.2 and 1.3, the only versions that we speak.
        version: 0x0303,
    }
}

fn hello_of(known: &Result<First, Unknown>) -> Option<&ClientHello> {
    match known {
        Ok(First::Tls(hello)) => Some(hello),
        _ => None,
    }
}

fn reason_of(unknown: Unknown) -> Reason {
    match unknown {
        Unknown::Malformed(_) => Reason::HelloMalformed,
        Unknown::Late => Reason::HelloTimeout,
        Unknown::Left => Reason::ClientLeft,
        Unknown::Stopped => Reason::ProxyStopped,
    }
}

/// Sends a TLS client an alert: no route has the wanted name.
async fn turn_away(stream: Stream) {
    let _ = clock::within(ALERT_TIMEOUT, stream.refuse_name()).await;
}

/// The result of `connecting`, with a timer for its deadlines.
async fn in_time<T>(
    connecting: impl Future<Output = Result<T, Fault>>,
    exchange: &Exchange,
    registration: &Registration,
    timer: &mut Timer,
) -> Result<T, Fault> {
    let mut connecting = pin!(connecting);
    poll_fn(|cx| {
        loop {
            if registration.shutdown(cx) == Shutdown::Abort {
                return Poll::Ready(Err(Fault::new(Reason::ProxyStopped)));
            }
            if let Poll::Ready(outcome) = connecting.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            let now = ready!(timer.poll_any(cx, exchange.deadlines.earliest()));
            exchange.deadlines.pass(now);
        }
    })
    .await
}
