//! Makes the request for a server from one that was admitted, and whose backend is known.

use std::rc::Rc;

use h2::RecvStream;
use http::{Method, Request, header};

use crate::exchange::Reason;
use crate::proxy::backend::Local;
use crate::proxy::forward::Sending;
use crate::proxy::io::{ContinueGate, ReadBody, ReceivedBody, RequestBody, UpgradeRequest};
use crate::proxy::rules::{MostBody, UsedServers};
use crate::wire::forwarded::Proto;

use super::active::{ActiveRequest, Stop};
use super::compress::Offer;
use super::hop::{self, BodyKind, Sender};
use super::pipeline::Progress;
use super::seen::Seen;
use super::{identity, upgrade};

/// A request that was admitted.
pub(super) struct Admitted {
    pub(super) request: Request<ReceivedBody>,
    pub(super) body_kind: BodyKind,
    /// The upgrade that the request asks for.
    pub(super) upgrade: Option<UpgradeRequest>,
    /// How far its rules have run.
    pub(super) progress: Progress,
}

/// A request that may be sent to a server of a backend.
pub(super) struct Outbound {
    pub(super) sending: Sending,
    pub(super) backend: Rc<Local>,
    /// The client's stream in place of a body, if the request asks for a tunnel by HTTP/2.
    pub(super) from_client: Option<RecvStream>,
    pub(super) sent_as: SentAs,
}

/// The method of the request for the server, as far as the form of the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentAs {
    /// As the client asked.
    Asked,
    /// As HEAD, for another method.
    Head,
    /// Not as HEAD, in place of HEAD.
    InPlaceOfHead,
}

impl ActiveRequest {
    /// From a request whose backend is chosen to one that may be sent there.
    pub(super) fn outbound(&self, admitted: Admitted) -> Result<Outbound, Stop> {
        let (exchange, client, seen) = (&self.exchange, &self.client, self.seen);
        let (plan, _) = self.frontend()?;
        let backend = self.backend().ok_or(Reason::RouteNone)?;
        let tls = client.tls.as_deref();
        let (mut head, incoming) = admitted.request.into_parts();
        let sent_as = match (self.is_head, head.method == Method::HEAD) {
            (true, false) => SentAs::InPlaceOfHead,
            (false, true) => SentAs::Head,
            _ => SentAs::Asked,
        };
        // After the rules, which may remove the field.
        if let Some(compression) = self.compression() {
            let version = exchange.record.opening.version;
            self.offer
                .set(Offer::of(compression, version, &head.headers));
            if compression.offload {
                head.headers.remove(header::ACCEPT_ENCODING);
            }
        }
        // After the rules, so that no rule can forge the client's address for the server.
        let sender = Sender {
            peer: client.peer,
            proto: match tls {
                Some(_) => Proto::Https,
                None => Proto::Http,
            },
            is_trusted: self.is_trusted,
            forwarded_for: client.forwarded_for(),
        };
        hop::towards_server(
            &mut head,
            seen,
            admitted.body_kind,
            sender,
            &plan.forwarding,
        );
        identity::say_certificate(&mut head.headers, &plan.forwarding.client_certificate, tls);
        // After the fields of the client's hop are gone: an upgrade writes the same fields for the next hop.
        let (incoming, from_client) = match (admitted.upgrade, incoming) {
            (None, incoming) => (Some(incoming), None),
            (Some(upgrade), incoming) => {
                upgrade::towards_server(&mut head, &upgrade);
                exchange.request_upgrade(upgrade);
                (None, incoming.into_stream())
            }
        };
        let used_servers = head.extensions.remove::<UsedServers>();
        let most_body = head.extensions.remove::<MostBody>();
        head.extensions.remove::<ReadBody>();
        // In place of an id that a client or a rule wrote: the log has this one.
        let id = &exchange.record.opening.id;
        hop::name_request(&mut head.headers, &plan.request_id, id);
        // The body has nothing to do with the head: it is read when a server takes it.
        let mut body = match incoming {
            Some(incoming) => {
                let kept = self.client.kept_bodies();
                let exchange = Rc::clone(exchange);
                RequestBody::new(incoming, exchange, plan.timeout.body, kept)
                    .with_rules(self.field_rules())
            }
            None => RequestBody::none(Rc::clone(exchange)),
        };
        if let Some(MostBody(most)) = most_body {
            body.bound(most);
        }
        // Whether the client shall wait is decided by the head that the server gets.
        if seen.has(Seen::EXPECT) && head.headers.contains_key(header::EXPECT) {
            body.hold_back(ContinueGate::new());
        }
        Ok(Outbound {
            sending: Sending::new(
                head,
                body,
                used_servers.map_or_else(Vec::new, |used| used.0),
            ),
            backend: Rc::clone(backend),
            from_client,
            sent_as,
        })
    }
}
