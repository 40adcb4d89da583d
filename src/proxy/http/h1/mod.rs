//! An HTTP/1 client connection, from its first byte to its last.
//!
//! It alternates between two states. While it is *active*, one task reads requests, has them
//! answered and writes the answers, with the codec of `wire::h1`. After a second without requests
//! it is *parked*: all of that is dropped, and a few hundred bytes wait for the next request. Of a
//! head that comes in parts, only the parts are kept until it is complete.
//!
//! The connection has one timer, for the deadline that comes first.

mod active_period;
mod due;
mod linger;
mod outgoing;
mod reading;
mod responding;
mod session;
mod terms;
mod verdict;
mod writing;

use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;

use crate::base::clock;
use crate::exchange::{LoggedRequest, Reason};
use crate::net::Stream;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::{End, Timer, logged_line};
use crate::proxy::run::Run;

use super::client::Client;
use super::idle::{LineEnds, Rest, Woken, bytes_or, rest_of_head};
use super::linger::Linger;
use super::upgrade::OpenTunnel;

use active_period::ActivePeriod;
use linger::{answer_unread, cut, linger};
use reading::reason_of_part;
use session::Session;
use terms::Terms;
use verdict::Ended;

/// The parts that every state of a connection needs.
struct H1Client {
    session: Session,
    registration: Registration,
    timer: Timer,
}

/// Serves a connection until it ends or becomes a tunnel. `prefix` has already been read from it.
pub(super) fn serve(
    stream: Stream,
    prefix: Bytes,
    client: Rc<Client>,
    registration: Registration,
    timer: Timer,
) -> Run {
    let h1_client = H1Client {
        session: Session::new(client, clock::now()),
        registration,
        timer,
    };
    Run::new(h1_client.active(stream, prefix))
}

impl H1Client {
    /// Serves the connection until it is idle.
    async fn active(mut self, stream: Stream, prefix: Bytes) -> Option<Run> {
        let ended = {
            let Self {
                session,
                registration,
                timer,
            } = &mut self;
            let period = ActivePeriod::begin(stream, prefix, session, registration, timer);
            period.run().await
        };
        Some(match ended {
            Ended::Idle(stream) => Run::new(self.idle(stream)),
            Ended::HalfHead(stream, head) => Run::new(self.rest_of_head(stream, head)),
            Ended::Upgraded(stream, read_too_far, open_tunnel) => {
                let client = (End::Connection(stream), read_too_far);
                Run::last(self.tunnel(client, open_tunnel))
            }
            Ended::Over(stream) => {
                stream.close();
                return None;
            }
            Ended::Broken(stream) => {
                stream.reset();
                return None;
            }
            Ended::Vanishing(stream) => {
                stream.vanish();
                return None;
            }
            Ended::Cut(stream) => Run::last(async move { cut(stream, &self.registration).await }),
            Ended::Refused(stream) => {
                let client = &self.session.client;
                let bounds = client.with_plan(|plan| Linger::of(plan, clock::now()))?;
                Run::last(async move { linger(stream, &self.registration, bounds).await })
            }
            Ended::Unread(stream, reason, request) => {
                Run::last(self.answer_unread(stream, reason, request))
            }
        })
    }

    /// Waits for the next request.
    fn idle(self, mut stream: Stream) -> impl Future<Output = Option<Run>> {
        let Self {
            session,
            registration,
            mut timer,
        } = self;
        let until = session.idle_until();
        let parked = session.parked();
        drop(session);
        async move {
            let woken = {
                let client = &parked.client;
                let _counted = client.context.observer.parked(&client.live.metrics);
                bytes_or(
                    Shutdown::Drain,
                    LineEnds::BeforeRequest,
                    &mut stream,
                    until,
                    &registration,
                    &mut timer,
                )
                .await
            };
            match woken {
                Woken::Bytes(bytes) => {
                    let h1_client = Self {
                        session: parked.woken(),
                        registration,
                        timer,
                    };
                    Some(Run::new(h1_client.active(stream, bytes)))
                }
                Woken::Over => {
                    stream.close();
                    None
                }
            }
        }
    }

    /// Waits for the rest of a head that begins with `head`.
    async fn rest_of_head(mut self, mut stream: Stream, mut head: Vec<u8>) -> Option<Run> {
        let most = self
            .session
            .client
            .with_plan(|plan| plan.limits.head.0 as usize);
        let rest = rest_of_head(
            &mut head,
            most.unwrap_or_default(),
            &mut stream,
            self.session.head_until(),
            &self.registration,
            &mut self.timer,
        )
        .await;
        match rest {
            Rest::Came => Some(Run::new(self.active(stream, head.into()))),
            Rest::Ended => {
                let terms = Terms::of(&self.session.client);
                let reason = reason_of_part(&head, &terms).unwrap_or(Reason::ClientLeft);
                self.session.refuse(reason, 0, None, logged_line(&head));
                let client = &self.session.client;
                let bounds = client.with_plan(|plan| Linger::of(plan, clock::now()))?;
                let registration = self.registration;
                Some(Run::last(async move {
                    linger(stream, &registration, bounds).await;
                }))
            }
            Rest::Late => {
                let request = logged_line(&head).map(Box::new);
                let reason = Reason::RequestHeadTimeout;
                Some(Run::last(self.answer_unread(stream, reason, request)))
            }
            Rest::Broken => {
                stream.close();
                None
            }
        }
    }

    async fn answer_unread(
        self,
        stream: Stream,
        reason: Reason,
        request: Option<Box<LoggedRequest>>,
    ) {
        answer_unread(stream, &self.session, &self.registration, reason, request).await;
    }

    /// Runs the tunnel that follows the HTTP exchange.
    async fn tunnel(mut self, client: (End, Bytes), open_tunnel: Box<OpenTunnel>) {
        let session = &self.session;
        if let Some(exchange) = session.exchange() {
            let tunnel = Box::new(open_tunnel.tunnel(client, exchange, &session.client));
            let context = &session.client.context;
            tunnel
                .run(context, &self.registration, &mut self.timer)
                .await;
            self.session.settle();
        }
    }
}
