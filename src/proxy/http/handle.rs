//! The life of a request, as a table of contents: the rooms in their order, and why each has its
//! position. The decisions are made in the rooms.
//!
//! Steps that need not wait run before there is a future, so that the future is small: it is moved
//! once for each request. A rule that waits is boxed.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http::{Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use hyper::ext::ReasonPhrase;

use crate::base::ByteSize;
use crate::base::clock::Instant;
use crate::exchange::{Fault, Reason};
use crate::observe::event;
use crate::plan::log::LogAs;
use crate::plan::{Closing, WaitForBody};
use crate::proxy::forward::{ServerBody, forward};
use crate::proxy::io::{BodyWanted, Exchange, ReadBody, ReceivedBody, poll_ahead, put_back};
use crate::wire::accept;

use super::active::{ActiveRequest, Stop};
use super::admit::{admit, settle_length};
use super::body::{Own, ResponseBody};
use super::client::Client;
use super::compress::{self, Decision, Encoder, Offer};
use super::dialect::Dialect;
use super::hop::{self, BodyKind};
use super::identity;
use super::opening::opening;
use super::outbound::{Admitted, Outbound, SentAs};
use super::pipeline::{Progress, Stage, Waiting};
use super::seen::Seen;
use super::upgrade::{self, OpenTunnel, is_extended_connect, upgrade_of};

/// The result of the rules of a request.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are ready, and a box would be an allocation for each request"
)]
enum Step {
    Ready(Outbound),
    Wait(Box<Admitted>, Waiting),
}

impl ActiveRequest {
    /// Opens the exchange of a request that `client` sent, and whose head began at `began` if that
    /// is known.
    pub(super) fn open<B>(
        client: &Rc<Client>,
        request: &Request<B>,
        began: Option<Instant>,
    ) -> Self {
        let (view, index) = client.view();
        let rules = index.and_then(|index| view.field_rules.get(index as usize));
        let seen = match rules {
            Some(rules) => Seen::of_request(request.headers(), rules),
            None => Seen::of(request.headers()),
        };
        let (opening, is_trusted) = opening(client, &view, index, request, began);
        client.live.requests.count();
        let asks_for_json =
            view.snapshot.has_json_pages && accept::asks_for_json(request.headers());
        let exchange = Exchange::begin(opening);
        if client.tracked.is_any() {
            exchange.tracked.join(&client.tracked);
            exchange.tracked.requested();
        }
        Self {
            client: Rc::clone(client),
            exchange: Rc::new(exchange),
            is_trusted,
            view,
            frontend_index: index,
            chosen: Default::default(),
            offer: Default::default(),
            dialect: Dialect::of(request),
            is_head: *request.method() == Method::HEAD,
            asks_for_json,
            seen,
        }
    }

    /// The exchange, for the connection that settles it.
    pub(super) fn opened(&self) -> Rc<Exchange> {
        Rc::clone(&self.exchange)
    }

    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1).
    pub(super) fn asks_first(&self) -> bool {
        self.seen.has(Seen::EXPECT)
    }

    /// Answers the request; there is always an answer.
    pub(super) fn answer(
        self,
        request: Request<ReceivedBody>,
    ) -> impl Future<Output = Response<ResponseBody>> + use<> {
        let mut step = self.caught(|| self.admitted(request).and_then(|one| self.prepared(one)));
        async move {
            let outcome = loop {
                match step {
                    // By reference: a future has a place for each variable that a request moves to.
                    Ok(Step::Ready(ref mut outbound)) => {
                        let outcome = self.forwarded(outbound).await;
                        let from_client = outbound.from_client.take();
                        let asked = outbound.sent_as;
                        break outcome
                            .and_then(|response| self.returned(response, from_client, asked));
                    }
                    Ok(Step::Wait(admitted, waiting)) => {
                        step = Box::pin(self.waited(admitted, waiting)).await;
                    }
                    Err(stop) => break Err(stop),
                }
            };
            self.answered(outcome)
        }
    }

    /// Admits a request that was read, or refuses it. No other room has seen it before.
    fn admitted(&self, mut request: Request<ReceivedBody>) -> Result<Admitted, Stop> {
        let (exchange, client, seen) = (&self.exchange, &self.client, self.seen);
        let (plan, frontend) = self.frontend()?;
        let rules = self.field_rules();
        // The connection may have been admitted under other terms than the present ones.
        let index = self.frontend_index.unwrap_or_default();
        client.note_timeouts(&self.view, index as usize);
        client.check_admission(&self.view, index, exchange.record.opening.wall)?;
        let bound = self.dialect.bound(request.headers(), plan.timeout.exchange);
        exchange.bound(bound);

        // Fields that the client must not send, or that are for us alone, are removed before
        // anything reads the head.
        if seen.has(Seen::ODD_NAME) {
            rules.clean(request.headers_mut())?;
        }
        if !self.is_trusted {
            hop::remove_claims(request.headers_mut(), seen, rules);
        }
        identity::remove_certificate_fields(request.headers_mut(), &self.view.client_fields);
        settle_length(request.headers_mut(), seen)?;
        let upgrade = upgrade_of(&request, seen, &plan.upgrades, &client.context.rng)?;
        // Before rules add fields: the client cannot have those removed.
        hop::remove_named_in_connection(request.headers_mut(), seen);

        // A request that two servers would understand differently is refused.
        let body_kind = match is_extended_connect(&request) {
            // A tunnel follows. Routes and rules see the request for the server.
            true => {
                upgrade::into_get(&mut request);
                BodyKind::None
            }
            false => body_kind(request.body()),
        };
        exchange.request_complete.set(body_kind == BodyKind::None);
        let host = admit(&request, seen, &plan.limits, plan.requires_host)?.host;
        if body_kind != BodyKind::None {
            upgrade::refuse_body(&request, seen, &plan.upgrades)?;
        }
        identity::check_host(plan, &client.address, client.tls.as_deref(), &host)?;

        // If no rule of the frontend can change what routes look at, the host is parsed once.
        let progress = match frontend.rules {
            None => {
                self.find_route(&request, &host)?;
                Progress::at(Stage::Route)
            }
            Some(_) => Progress::at(Stage::Frontend),
        };
        Ok(Admitted {
            request,
            body_kind,
            upgrade,
            progress,
        })
    }

    /// Runs the rules, with the choice of the route between them, and makes the head for the
    /// server.
    fn prepared(&self, mut admitted: Admitted) -> Result<Step, Stop> {
        let wait = self.run_rules(&mut admitted.request, &mut admitted.progress)?;
        match wait {
            Some(waiting) => Ok(Step::Wait(Box::new(admitted), waiting)),
            None => self.outbound(admitted).map(Step::Ready),
        }
    }

    /// The rest of the rules, once the wait of one of them is over.
    async fn waited(&self, mut admitted: Box<Admitted>, waiting: Waiting) -> Result<Step, Stop> {
        match waiting {
            Waiting::Body(wait) => self.read_ahead(&mut admitted, wait).await?,
            Waiting::Pause(time) => self.exchange.deadlines.pause(time).await?,
            Waiting::Hold(time, answer) => {
                self.exchange.deadlines.pause(time).await?;
                return Err(Stop::Answer(answer));
            }
            Waiting::Outside(outside) => {
                let copied = Box::pin(self.ask_outside(*outside)).await?;
                for (name, value) in copied {
                    admitted.request.headers_mut().append(name, value);
                }
            }
            Waiting::Answer(question) => {
                let answer = self.exchange.deadlines.within(question.answer()).await?;
                if let Some(user) = answer.map_err(Stop::Answer)? {
                    self.exchange.variables.set_user(user);
                }
            }
        }
        self.caught(|| self.prepared(*admitted))
    }

    /// Reads the beginning of the body of a request, and keeps it for the rules and in front of the rest.
    async fn read_ahead(&self, admitted: &mut Admitted, wait: WaitForBody) -> Result<(), Stop> {
        let (exchange, request) = (&self.exchange, &mut admitted.request);
        if request.body().is_end_stream() || request.extensions().get::<ReadBody>().is_some() {
            return Ok(());
        }
        let announced = request.body().size_hint().exact();
        let wanted = BodyWanted {
            at_least: wait.at_least.map(|ByteSize(least)| least as usize),
            most: wait.size.0 as usize,
            has_length: announced.is_some(),
        };
        // The client need not wait for the server any more (RFC 9110 §10.1.1).
        exchange.body_wanted.set(true);
        request.headers_mut().remove(header::EXPECT);
        let deadlines = &exchange.deadlines;
        deadlines.wait_for_client(wait.time, Reason::RequestBodyTimeout);
        let mut read = BytesMut::new();
        let body = request.body_mut();
        let reading = poll_fn(|cx| poll_ahead(body, &mut read, wanted, cx));
        let outcome = deadlines.within(reading).await;
        deadlines.client_came();
        outcome?.map_err(|error| Stop::from(error.reason()))?;
        if body.is_end_stream() {
            exchange.request_complete.set(true);
        }
        let bytes = read.freeze();
        let size = announced.unwrap_or(bytes.len() as u64);
        if !bytes.is_empty() {
            put_back(body, Frame::data(bytes.clone()), wanted);
        }
        request.extensions_mut().insert(ReadBody { bytes, size });
        Ok(())
    }

    /// Sends the request to a server and returns its answer.
    async fn forwarded(&self, outbound: &mut Outbound) -> Result<Response<ServerBody>, Stop> {
        let Outbound {
            sending, backend, ..
        } = outbound;
        let dialer = &self.client.context.dialer;
        let mut forwarding = pin!(forward(
            sending,
            backend,
            &self.client.proxy_header_pools,
            dialer,
            &self.exchange
        ));
        poll_fn(|cx| {
            let polled = self.caught(|| match forwarding.as_mut().poll(cx) {
                Poll::Ready(outcome) => Ok(outcome.map(Some)?),
                Poll::Pending => Ok(None),
            });
            match polled {
                Ok(None) => Poll::Pending,
                Ok(Some(response)) => Poll::Ready(Ok(response)),
                Err(stop) => Poll::Ready(Err(stop)),
            }
        })
        .await
    }

    /// Makes the answer for the client from a server's answer.
    fn returned(
        &self,
        mut response: Response<ServerBody>,
        from_client: Option<RecvStream>,
        sent_as: SentAs,
    ) -> Result<Response<ResponseBody>, Stop> {
        let (plan, _) = self.frontend()?;
        let upgrade = self.exchange.upgrade();
        let agreed = upgrade.filter(|upgrade| upgrade.is_agreed_in(&response));
        hop::towards_client(&mut response, &plan.forwarding);
        // Fields of the server for this hop are removed first, so that rules can neither see nor
        // keep them.
        let status = response.status();
        self.exchange.tracked.answered(status.as_u16());
        let ran = self.caught(|| self.run_response_rules(status, response.headers_mut()));
        match ran {
            // That of a tunnel cannot change.
            Ok(status) if agreed.is_none() => set_status(&mut response, status),
            Ok(_) => {}
            Err(stop) => {
                // The rest of the server's answer is not waited for.
                response.into_body().discard();
                return Err(stop);
            }
        }
        let Some(upgrade) = agreed else {
            return Ok(self.fitted(response, sent_as));
        };
        let (mut head, body) = response.into_parts();
        let open_tunnel = Box::new(OpenTunnel {
            upgraded: body.into_upgraded()?,
            from_client,
            drain: self.view.snapshot.plan.shutdown.tunnels,
        });
        upgrade::towards_client(&mut head, upgrade, &open_tunnel);
        Ok(Response::from_parts(
            head,
            ResponseBody::Tunnel(open_tunnel),
        ))
    }

    /// The answer in the form that the client's method needs, which a rule may have replaced.
    fn fitted(&self, response: Response<ServerBody>, sent_as: SentAs) -> Response<ResponseBody> {
        match sent_as {
            SentAs::Asked => response.map(ResponseBody::Server),
            // The server has answered with the head alone, and the client waits for a body.
            SentAs::Head => {
                let mut response = response.map(ResponseBody::Server);
                response.headers_mut().remove(header::CONTENT_LENGTH);
                response
            }
            // The client waits for no body.
            SentAs::InPlaceOfHead => {
                let (head, body) = response.into_parts();
                body.discard();
                let none = Own::new(Bytes::new(), Rc::clone(&self.exchange));
                Response::from_parts(head, ResponseBody::Own(none))
            }
        }
    }

    /// The final answer to the client.
    fn answered(&self, outcome: Result<Response<ResponseBody>, Stop>) -> Response<ResponseBody> {
        let mut response = match outcome {
            Ok(response) => response,
            Err(Stop::Close(closing)) => return self.closed(closing),
            Err(stop) => self.reply(stop),
        };
        let (status, is_own, is_tunnel) = (
            response.status(),
            matches!(response.body(), ResponseBody::Own(_)),
            matches!(response.body(), ResponseBody::Tunnel(_)),
        );
        let headers = response.headers_mut();
        let ran = self.caught(|| Ok(self.run_after_rules(status, headers, is_own)));
        match ran {
            Ok(status) if !is_tunnel => set_status(&mut response, status),
            Ok(_) => {}
            Err(stop) => response = self.reply(stop),
        }
        // After the rules: they may have written the type, or a length.
        let mut response = match self.offer.get() {
            Offer::Off => response,
            offer => self.compressed(offer, response),
        };
        self.exchange.record.status.set(response.status().as_u16());
        if !matches!(response.body(), ResponseBody::Tunnel(_)) {
            let is_leaving = self.client.is_leaving.get();
            let is_complete = self.exchange.request_complete.get();
            let version = self.exchange.record.opening.version;
            hop::say_close(&mut response, version, is_leaving || !is_complete);
        }
        response
    }

    /// The answer in a coding that the client accepts, if it is one of a server that may be compressed.
    #[cold]
    fn compressed(&self, offer: Offer, response: Response<ResponseBody>) -> Response<ResponseBody> {
        let (mut head, body) = response.into_parts();
        let (ResponseBody::Server(server), Some(compression)) = (&body, self.compression()) else {
            return Response::from_parts(head, body);
        };
        let length = match self.is_head {
            true => None,
            false => server.size_hint().exact(),
        };
        match offer.decide(compression, head.status, &head.headers, length) {
            Decision::Leave => Response::from_parts(head, body),
            Decision::Compress(coding) if !self.is_head => {
                compress::rewrite(coding, &mut head.headers);
                let encoder = Encoder::new(coding, compression);
                let exchange = Rc::clone(&self.exchange);
                Response::from_parts(head, body.compressed(exchange, encoder))
            }
            // The answer to HEAD has no body, and the rest of its head is the server's.
            Decision::Vary | Decision::Compress(_) => {
                compress::add_vary(&mut head.headers);
                Response::from_parts(head, body)
            }
        }
    }

    /// Our own answer.
    fn reply(&self, stop: Stop) -> Response<ResponseBody> {
        let (exchange, dialect) = (&self.exchange, self.dialect);
        let record = &exchange.record;
        let id = &record.opening.id;
        exchange.deadlines.clear();
        // `None`: a rule has written the content.
        let (reason, response) = match stop {
            Stop::Fault(fault) => {
                record.blame(fault.reason);
                event::exchange_failed(id, &fault);
                let reason = record.reason.get().unwrap_or(fault.reason);
                (Some(reason), dialect.reply(reason, id))
            }
            Stop::Answer(answer) => {
                record.blame(answer.reason);
                if answer.is_unlogged {
                    record.log_as.set(LogAs::Silent);
                }
                let reason = answer.has_usual_body().then_some(answer.reason);
                (reason, dialect.answer(*answer, id))
            }
            Stop::Close(closing) => return self.closed(closing),
        };
        let response = match reason {
            Some(reason) => self.with_error_page(reason, response),
            None => response,
        };
        // A client that has left reads nothing.
        let is_read = record.reason.get() != Some(Reason::ClientLeft);
        response.map(|bytes| {
            let bytes = if is_read { bytes } else { Bytes::new() };
            ResponseBody::Own(Own::new(bytes, Rc::clone(exchange)))
        })
    }

    /// Stands for an answer that is not sent, because the connection is closed in its place.
    #[cold]
    fn closed(&self, closing: Closing) -> Response<ResponseBody> {
        let reason = match closing {
            Closing::Reset => Reason::RuleRejected,
            Closing::Silent => Reason::RuleDropped,
        };
        let (exchange, record) = (&self.exchange, &self.exchange.record);
        exchange.deadlines.clear();
        record.blame(reason);
        if let Some(status) = reason.status() {
            record.status.set(status.as_u16());
        }
        let own = Own::new(Bytes::new(), Rc::clone(exchange));
        Response::new(ResponseBody::Withheld { closing, _own: own })
    }

    /// The result of `work`; a panic in it fails one exchange and does not end the worker.
    fn caught<T>(&self, work: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(outcome) => outcome,
            Err(panic) => Err(Stop::Fault(self.panicked(&*panic))),
        }
    }

    #[cold]
    fn panicked(&self, panic: &(dyn std::any::Any + Send)) -> Fault {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        self.client.context.metrics.panicked();
        let id = &self.exchange.record.opening.id;
        event::exchange_panicked(id, text.unwrap_or("no message"));
        Fault::new(Reason::ProxyPanic)
    }
}

/// Sets the status that rules gave an answer.
fn set_status<B>(response: &mut Response<B>, status: StatusCode) {
    if response.status() != status {
        *response.status_mut() = status;
        // The reason phrase of the server belongs to its status.
        response.extensions_mut().remove::<ReasonPhrase>();
    }
}

fn body_kind(body: &ReceivedBody) -> BodyKind {
    if body.is_end_stream() {
        BodyKind::None
    } else if body.size_hint().exact().is_some() {
        BodyKind::Sized
    } else {
        BodyKind::Chunked
    }
}
