//! One connection in TCP mode, from its first byte to its last.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::{Method, Uri, Version};
use tokio::io::AsyncWriteExt;

use crate::base::address::Ends;
use crate::base::clock::{self, Duration, FAR, Instant};
use crate::exchange::{Fault, FirstBytes, Opening, Reason, RequestId};
use crate::net::Stream;
use crate::observe::event;
use crate::plan;
use crate::proxy::backend::Lease;
use crate::proxy::context::Context;
use crate::proxy::forward::connect;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::{Course, End, Relay, Spoken, Timer};
use crate::proxy::roll::{Entry, Order};
use crate::proxy::snapshot::{self, View};
use crate::proxy::tunnel::{Terms, Tunnel};
use crate::wire::client_hello::{ClientHello, First};

use super::first::{Unknown, first};

/// A fatal alert, `unrecognized_name` (RFC 8446 §6.2, RFC 6066 §3), in a record of its own.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// How long a client is waited for that is told why it is turned away.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a connection runs under.
struct Terrain {
    context: Rc<Context>,
    ends: Ends,
    live: Arc<Frontend>,
    view: Rc<View>,
    /// The place of the frontend in the view.
    place: usize,
}

/// An exchange that is open; settled when dropped, however it ends.
struct Open<'a> {
    course: Rc<Course>,
    terrain: &'a Terrain,
}

/// Passes the connection between `ends` on until it is over; `entry` is its own on the roll.
pub async fn serve(
    stream: Stream,
    ends: Ends,
    live: Arc<Frontend>,
    context: Rc<Context>,
    entry: Entry,
) {
    let Some((view, place)) = context.views.with(&live) else {
        // The frontend was removed a while ago.
        return;
    };
    let terrain = Terrain {
        context,
        ends,
        live,
        view,
        place,
    };
    terrain.serve(stream, &entry).await;
}

/// Passes a connection on whose client asks for a name that is passed through, in front of a
/// handshake of our own. Any other is given back as if nothing had been read from it. The time for a
/// handshake has been running since `began`.
pub async fn pass_through(
    mut stream: Stream,
    ends: Ends,
    began: Instant,
    live: &Arc<Frontend>,
    context: &Rc<Context>,
    entry: &Entry,
) -> Option<Stream> {
    let Some((view, place)) = context.views.with(live) else {
        return Some(stream);
    };
    if view.snapshot.frontends[place].passages.is_empty() {
        return Some(stream);
    }
    let terrain = Terrain {
        context: Rc::clone(context),
        ends,
        live: Arc::clone(live),
        view,
        place,
    };
    let mut timer = Timer::new();
    let looking = Box::pin(terrain.first(&mut stream, began, entry, &mut timer));
    let (known, read_already) = looking.await;
    let hello = hello_of(&known);
    let found = hello.and_then(|hello| terrain.frontend().passages.find(Some(hello)));
    let Some(found) = found else {
        return Some(stream.with_read(read_already));
    };
    let open = terrain.open(began, hello);
    drop(known);
    if let Ok(backend) = terrain.choose(Some(found), &open.course) {
        let client = (stream, read_already);
        let passing = terrain.pass(client, backend, &open.course, entry, &mut timer);
        Box::pin(passing).await;
    }
    None
}

impl Terrain {
    fn plan(&self) -> &plan::Frontend {
        &self.view.snapshot.plan.frontends[self.place]
    }

    /// The frontend as the snapshot has it.
    fn frontend(&self) -> &snapshot::Frontend {
        &self.view.snapshot.frontends[self.place]
    }

    async fn serve(&self, mut stream: Stream, entry: &Entry) {
        let began = clock::now();
        let mut timer = Timer::new();
        let mut known = Ok(First::NotTls);
        let mut read_already = Bytes::new();
        if self.frontend().passages.have_conditions() {
            // Boxed: the connection, once bytes flow, does not carry the room for it.
            let looking = Box::pin(self.first(&mut stream, began, entry, &mut timer));
            (known, read_already) = looking.await;
        }
        let hello = hello_of(&known);
        let open = self.open(began, hello);
        let found = self.frontend().passages.find(hello);
        let chosen = match &known {
            Err(unknown) => Err(reason_of(*unknown)),
            Ok(_) => self.choose(found, &open.course),
        };
        let is_tls = hello.is_some();
        // Not kept for as long as the connection lives.
        drop(known);
        match chosen {
            Ok(backend) => {
                let client = (stream, read_already);
                self.pass(client, backend, &open.course, entry, &mut timer)
                    .await;
            }
            Err(reason) => {
                open.course.cut(reason);
                if is_tls {
                    turn_away(stream).await;
                }
            }
        }
    }

    /// What the connection, which began at `began`, begins with.
    async fn first(
        &self,
        stream: &mut Stream,
        began: Instant,
        entry: &Entry,
        timer: &mut Timer,
    ) -> (Result<First, Unknown>, Bytes) {
        let until = began + self.plan().timeout.handshake;
        first(stream, until, entry, timer).await
    }

    /// Passes `client` on to a server of `backend`.
    async fn pass(
        &self,
        client: (Stream, Bytes),
        backend: u32,
        course: &Rc<Course>,
        entry: &Entry,
        timer: &mut Timer,
    ) {
        let local = &self.view.backends[backend as usize];
        let connecting = connect(local, &self.context.network, course);
        match Box::pin(in_time(connecting, course, entry, timer)).await {
            Ok((server, lease)) => {
                let tunnel = self.tunnel(client, server, lease, course);
                tunnel.run(&self.context, entry, timer).await;
            }
            Err(fault) => {
                event::exchange_failed(&course.exchange.opening.id, &fault);
                course.cut(fault.reason);
            }
        }
    }

    fn open(&self, began: Instant, hello: Option<&ClientHello>) -> Open<'_> {
        let head_read = clock::now();
        let sni = hello.and_then(|hello| hello.server_name.as_deref());
        let opening = Opening {
            began,
            head_read,
            wall: self.context.anchor.get().wall_at(head_read),
            client: self.ends.client,
            local: self.ends.local,
            tls: None,
            frontend: self.place as u32,
            generation: self.view.snapshot.generation,
            method: Method::CONNECT,
            target: Uri::default(),
            version: Version::HTTP_11,
            first_bytes: Some(FirstBytes {
                sni: sni.map(Into::into),
            }),
            id: RequestId::made(self.context.rng.next_u64()),
        };
        Open {
            course: Rc::new(Course::begin(opening)),
            terrain: self,
        }
    }

    /// The place of the backend of the route at `found`, or of the frontend's own.
    fn choose(&self, found: Option<usize>, course: &Course) -> Result<u32, Reason> {
        let frontend = self.frontend();
        course.exchange.route.set(found.map(|route| route as u32));
        let backend = found
            .map(|place| frontend.passage_backends[place])
            .or(frontend.default_backend)
            .ok_or(Reason::RouteNone)?;
        course.exchange.backend.set(Some(backend));
        Ok(backend)
    }

    fn tunnel(
        &self,
        client: (Stream, Bytes),
        server: Stream,
        lease: Lease,
        course: &Rc<Course>,
    ) -> Tunnel {
        let (client, read_already) = client;
        Tunnel {
            relay: Relay::new(
                (End::Connection(client), read_already),
                (End::Connection(server), Bytes::new()),
                Spoken::Anything,
            ),
            lease,
            course: Rc::clone(course),
            frontend: Arc::clone(&self.live),
            terms: Terms {
                idle: self.plan().timeout.tunnel,
                drain: self.view.snapshot.plan.shutdown.tunnels,
            },
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let terrain = self.terrain;
        self.course.cut(Reason::of_drop());
        terrain
            .context
            .settle(&self.course, &*terrain.view, &terrain.live);
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

/// Tells a client of TLS that nobody here has the name that it asked for.
async fn turn_away(mut stream: Stream) {
    // A client that does not wait for the answer misses nothing.
    let _ = clock::within(LAST_WORDS, async {
        stream.write_all(&UNRECOGNIZED_NAME).await?;
        stream.shutdown().await
    })
    .await;
}

/// What `connecting` gives, while the deadlines that it writes down are watched.
async fn in_time<T>(
    connecting: impl Future<Output = Result<T, Fault>>,
    course: &Course,
    entry: &Entry,
    timer: &mut Timer,
) -> Result<T, Fault> {
    let mut connecting = pin!(connecting);
    let never = clock::now() + FAR;
    poll_fn(|cx| {
        loop {
            if entry.order(cx) == Order::Break {
                return Poll::Ready(Err(Fault::new(Reason::ProxyStopped)));
            }
            if let Poll::Ready(outcome) = connecting.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            let due = course.deadlines.earliest().unwrap_or(never);
            let now = ready!(timer.poll(cx, due));
            course.deadlines.fire(now);
        }
    })
    .await
}
