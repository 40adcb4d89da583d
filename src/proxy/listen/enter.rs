//! What comes before a connection is served: the PROXY header that its peer must send, the rules for
//! connections, and the limit of its client.
//!
//! A header that `proxy_protocol` requires is read before the first rule, and the rules see the client in
//! it. One that a rule expects is read there, and the rules before it see the peer.

use std::sync::Arc;

use crate::base::ListenAddress;
use crate::base::address::Ends;
use crate::base::clock::Duration;
use crate::exchange::RequestId;
use crate::expr::Variables;
use crate::net::Stream;
use crate::observe::{ConnectionRefusal, event};
use crate::proxy::connections::Registration;
use crate::proxy::context::Context;
use crate::proxy::frontend::Frontend;
use crate::proxy::http::Via;
use crate::proxy::rules::{ConnectionFlow, ConnectionRules, ConnectionScope, Stop};
use crate::proxy::snapshot::Snapshot;
use crate::proxy::tcp::Earlier;
use crate::tables::Tracked;

use super::identify::{Identified, identify};

/// A connection that is served from now on.
pub(super) struct Entered {
    pub(super) stream: Stream,
    /// From the header, and from rules; without them, from the socket.
    pub(super) ends: Ends,
    /// The other end of the socket, if it is not the client.
    pub(super) via: Option<Via>,
    /// What the header and rules have left.
    pub(super) earlier: Earlier,
}

/// What a connection must pass.
struct Terms {
    /// How long to wait for a PROXY header.
    timeout: Duration,
    /// Whether `proxy_protocol` requires one of the peer.
    wants_header: bool,
    /// The rules for connections, and their snapshot.
    rules: Option<(Arc<ConnectionRules>, Arc<Snapshot>)>,
    /// The most connections of one client's address.
    most_per_ip: Option<u32>,
}

/// Lets a connection in. `ends` are those of the socket. `None`: the connection must be closed, and was
/// counted.
pub(super) async fn enter(
    stream: Stream,
    ends: Ends,
    frontend: &Arc<Frontend>,
    address: &ListenAddress,
    context: &Context,
    registration: &Registration,
) -> Option<Entered> {
    let terms = terms(ends, frontend, address, context)?;
    if !terms.wants_header && terms.rules.is_none() && terms.most_per_ip.is_none() {
        return Some(Entered {
            stream,
            ends,
            via: None,
            earlier: Earlier::default(),
        });
    }
    // Boxed: connections that need none of it do not carry its state.
    Box::pin(pass(
        stream,
        ends,
        terms,
        frontend,
        address,
        context,
        registration,
    ))
    .await
}

/// `None`: `address` was removed a while ago.
fn terms(
    ends: Ends,
    frontend: &Arc<Frontend>,
    address: &ListenAddress,
    context: &Context,
) -> Option<Terms> {
    let (view, index, bind) = context.views.at_bind(frontend, address)?;
    let snapshot = &view.snapshot;
    let plan = &snapshot.plan.frontends[index];
    let rules = snapshot.frontends[index].connection_rules.as_ref();
    Some(Terms {
        timeout: plan.timeout.head,
        wants_header: plan.binds[bind]
            .proxy_protocol
            .wants_header_from(ends.client),
        rules: rules.map(|rules| (Arc::clone(rules), Arc::clone(snapshot))),
        most_per_ip: plan.max_connections_per_ip,
    })
}

async fn pass(
    mut stream: Stream,
    mut ends: Ends,
    terms: Terms,
    frontend: &Arc<Frontend>,
    address: &ListenAddress,
    context: &Context,
    registration: &Registration,
) -> Option<Entered> {
    let peer = ends.client;
    let tracked = Tracked::default();
    let variables = Variables::default();
    let mut has_header = terms.wants_header;
    let mut proxy_fields = None;
    if has_header {
        let timeout = terms.timeout;
        let identified = identify(stream, ends, timeout, frontend, address, registration);
        Identified {
            stream,
            ends,
            proxy_fields,
        } = identified.await?;
    }
    if let Some((rules, snapshot)) = &terms.rules {
        let id = RequestId::made(context.rng.next_u64());
        let scope = ConnectionScope {
            id: &id,
            frontend: &frontend.name,
            tracked: &tracked,
            tables: &snapshot.tables,
            state: &**snapshot,
            scratch: &context.scratch,
            variables: &variables,
            tls: None,
        };
        let mut from = 0;
        let stop = loop {
            match rules.run(from, &mut ends, proxy_fields.as_deref(), None, &scope) {
                ConnectionFlow::Stop(stop) => break stop,
                // Only rules for content wait.
                ConnectionFlow::Await(_) => break Stop::Reject,
                ConnectionFlow::ExpectProxy(next) => from = next,
            }
            if !has_header {
                has_header = true;
                let timeout = terms.timeout;
                let identified = identify(stream, ends, timeout, frontend, address, registration);
                Identified {
                    stream,
                    ends,
                    proxy_fields,
                } = identified.await?;
            }
        };
        if let Some(why) = refusal(stop) {
            refuse(stream, ends, why, frontend);
            return None;
        }
    }
    // The client is known now.
    if let (Some(most), Some(ip)) = (terms.most_per_ip, ends.client.ip()) {
        let Some(counted) = frontend.clients.enter(ip, most) else {
            refuse(stream, ends, ConnectionRefusal::IpLimit, frontend);
            return None;
        };
        registration.count(counted);
    }
    let is_another = has_header || ends.client != peer;
    Some(Entered {
        stream,
        ends,
        via: is_another.then_some(Via {
            peer,
            has_sent_header: terms.wants_header,
        }),
        earlier: Earlier {
            proxy_fields,
            tracked,
            variables,
        },
    })
}

/// Closes the connection of a client that is not served, and counts it.
pub(super) fn refuse(stream: Stream, ends: Ends, why: ConnectionRefusal, frontend: &Frontend) {
    frontend.metrics.connection_refused(why);
    event::connection_refused(&frontend.name, ends.client, why);
    match why {
        ConnectionRefusal::Rejected | ConnectionRefusal::IpLimit => stream.reset(),
        ConnectionRefusal::Dropped => stream.vanish(),
    }
}

/// Why a connection is closed; `None`: it is served.
pub(super) fn refusal(stop: Stop) -> Option<ConnectionRefusal> {
    match stop {
        Stop::Accept | Stop::UseBackend(_) => None,
        Stop::Reject => Some(ConnectionRefusal::Rejected),
        Stop::SilentDrop => Some(ConnectionRefusal::Dropped),
    }
}
