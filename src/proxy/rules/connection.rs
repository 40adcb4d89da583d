//! Rules for connections: before TLS and before the first request, in both modes; and those for the first
//! bytes of connections.
//!
//! `control::assemble` compiles them, and `listen` and `tcp` run them. They see the connection alone: its
//! ends, tables, and the first bytes if they are rules for content.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::base::address::Ends;
use crate::base::{Name, Peer};
use crate::exchange::{ClientTls, ProxyFields, RequestId};
use crate::expr::{
    Captured, Condition, ConnectionFacts, Content, Facts, Program, Scratch, State, Value, Variables,
};
use crate::net;
use crate::plan::expr::{Type, Variable};
use crate::plan::{self, ConnectionAction};
use crate::tables::{Since, Tables, Tracked};

/// The rules for connections of a frontend, compiled.
#[derive(Debug)]
pub struct ConnectionRules(Box<[ConnectionRule]>);

#[derive(Debug)]
struct ConnectionRule {
    when: Option<Condition>,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Stop(Stop),
    ExpectProxy,
    SetEnd(End, Program),
    Track {
        table: Name,
        key: Program,
        counter: u8,
    },
    SetVar(Box<[(Variable, Program)]>),
    UnsetVar(Box<[Variable]>),
    Capture(Box<plan::Capture>, Program),
    /// Waits until the condition is decided. If it holds, the connection is served.
    Await,
}

/// A part of the ends of a connection.
#[derive(Clone, Copy, Debug)]
enum End {
    Src,
    SrcPort,
    Dst,
    DstPort,
}

/// What the rules decide about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is served.
    Accept,
    /// It is served by the backend with this index.
    UseBackend(u32),
    /// It is reset.
    Reject,
    /// It is closed so that the client does not notice.
    SilentDrop,
}

/// How a connection continues after some rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionFlow {
    /// No more rules run.
    Stop(Stop),
    /// A PROXY header is read if none was; then comes the rule at this index.
    ExpectProxy(usize),
    /// When more bytes have come, the rule at this index comes.
    Await(usize),
}

/// What rules for connections see besides the ends of the connection.
#[derive(Clone, Copy)]
pub(crate) struct ConnectionScope<'a> {
    /// An id for the connection.
    pub id: &'a RequestId,
    /// The name of the frontend.
    pub frontend: &'a str,
    /// The entries of tables that the connection tracks.
    pub tracked: &'a Tracked,
    /// The tables of the configuration.
    pub tables: &'a Arc<Tables>,
    /// The present state of frontends, backends and servers.
    pub state: &'a dyn State,
    /// The scratch of the worker.
    pub scratch: &'a RefCell<Scratch>,
    /// The variables of the connection.
    pub variables: &'a Variables,
    /// The result of the TLS handshake; `None`: there was none yet.
    pub tls: Option<&'a ClientTls>,
}

impl ConnectionRules {
    /// The compiled form of `rules`, which run before anything is read; `None` when there are none.
    pub fn compile(rules: &[plan::ConnectionRule]) -> Option<Arc<Self>> {
        // Those choose no backend.
        let compiled = rules
            .iter()
            .map(|rule| ConnectionRule::compile(rule, &|_| None));
        (!rules.is_empty()).then(|| Arc::new(Self(compiled.collect())))
    }

    /// The compiled form of the rules for content of `frontend`; `None` when it has none. In TCP mode the
    /// conditions of its routes are rules too, which wait for the bytes that they look at. `index_of` finds
    /// backends.
    pub fn of_content(
        frontend: &plan::Frontend,
        index_of: &dyn Fn(&Name) -> Option<u32>,
    ) -> Option<Arc<Self>> {
        let rules = frontend.content_rules.iter();
        let rules = rules.map(|rule| ConnectionRule::compile(rule, index_of));
        let conditions = frontend.tcp_routes.iter().flat_map(|route| &route.when);
        let conditions = conditions.filter(|when| when.reads(plan::expr::Fetch::reads_content));
        let routes = conditions.map(|when| ConnectionRule {
            when: Some(Condition::compile(when)),
            action: Action::Await,
        });
        let all: Box<[ConnectionRule]> = rules.chain(routes).collect();
        (!all.is_empty()).then(|| Arc::new(Self(all)))
    }

    /// Runs the rules on a connection between `ends`, whose PROXY header has `proxy_fields`, and whose first
    /// bytes are `content`, beginning with the one at index `from`.
    pub(crate) fn run(
        &self,
        from: usize,
        ends: &mut Ends,
        proxy_fields: Option<&ProxyFields>,
        content: Option<&Content<'_>>,
        scope: &ConnectionScope<'_>,
    ) -> ConnectionFlow {
        for (index, rule) in self.0.iter().enumerate().skip(from) {
            let facts = scope.facts(ends, proxy_fields, content);
            let scratch = &mut *scope.scratch.borrow_mut();
            match rule.when.as_ref().map(|when| when.decide(&facts, scratch)) {
                None | Some(Some(true)) => {}
                Some(Some(false)) => continue,
                Some(None) => return ConnectionFlow::Await(index),
            }
            scratch.clear();
            // A value is waited for, as in HAProxy.
            let awaits_more = || content.is_some_and(Content::awaits_more);
            match &rule.action {
                Action::Stop(stop) => return ConnectionFlow::Stop(*stop),
                Action::ExpectProxy => return ConnectionFlow::ExpectProxy(index + 1),
                Action::Await => return ConnectionFlow::Stop(Stop::Accept),
                Action::SetVar(variables) => {
                    for (variable, program) in variables {
                        scratch.clear();
                        let value = program.value(&facts, scratch);
                        if awaits_more() {
                            return ConnectionFlow::Await(index);
                        }
                        scope.variables.set(variable, value, scratch);
                    }
                }
                Action::UnsetVar(variables) => {
                    for variable in variables {
                        scope.variables.set(variable, Value::Absent, scratch);
                    }
                }
                Action::Capture(capture, program) => {
                    let value = program.value(&facts, scratch);
                    if awaits_more() {
                        return ConnectionFlow::Await(index);
                    }
                    let value = scratch.cast(value, capture.value.yields(), Type::Text);
                    let text = scratch.text(value);
                    let text = text.map(|text| &text[..text.len().min(capture.len as usize)]);
                    let (id, places) = (capture.id, capture.places);
                    scope.variables.capture(Captured::Request, id, places, text);
                }
                Action::SetEnd(end, value) => {
                    let value = value.value(&facts, scratch);
                    if awaits_more() {
                        return ConnectionFlow::Await(index);
                    }
                    end.set(ends, value, scratch);
                }
                Action::Track {
                    table,
                    key,
                    counter,
                } => {
                    // As in HAProxy: the first entry that is tracked as this counter stays.
                    if !scope.tracked.has(*counter) {
                        let key = key.value(&facts, scratch);
                        if awaits_more() {
                            return ConnectionFlow::Await(index);
                        }
                        let table = (scope.tables, table);
                        let tracked = scope.tracked;
                        tracked.track(*counter, table, key, scratch, Since::Connection);
                    }
                }
            }
        }
        ConnectionFlow::Stop(Stop::Accept)
    }
}

impl End {
    /// Sets this part of `ends`. As in HAProxy, a value that is no address or no port changes nothing, and an
    /// end without an address has 0.0.0.0.
    fn set(self, ends: &mut Ends, value: Value<'_>, scratch: &mut Scratch) {
        const NONE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let mut end = match self {
            Self::Src | Self::SrcPort => match ends.client {
                Peer::Ip(addr) => addr,
                _ => NONE,
            },
            Self::Dst | Self::DstPort => ends.local.unwrap_or(NONE),
        };
        match self {
            Self::Src | Self::Dst => match scratch.cast(value, Type::Any, Type::Ip) {
                Value::Ip(ip) => end.set_ip(ip),
                _ => return,
            },
            Self::SrcPort | Self::DstPort => match scratch.cast(value, Type::Any, Type::Int) {
                Value::Int(port) => match u16::try_from(port) {
                    Ok(port) => end.set_port(port),
                    Err(_) => return,
                },
                _ => return,
            },
        }
        match self {
            Self::Src | Self::SrcPort => ends.client = Peer::Ip(end),
            Self::Dst | Self::DstPort => ends.local = Some(end),
        }
    }
}

impl ConnectionRule {
    fn compile(rule: &plan::ConnectionRule, index_of: &dyn Fn(&Name) -> Option<u32>) -> Self {
        Self {
            when: rule.when.as_ref().map(Condition::compile),
            action: match &rule.action {
                ConnectionAction::Accept => Action::Stop(Stop::Accept),
                ConnectionAction::Reject => Action::Stop(Stop::Reject),
                ConnectionAction::SilentDrop => Action::Stop(Stop::SilentDrop),
                ConnectionAction::ExpectProxy => Action::ExpectProxy,
                ConnectionAction::SetSrc(value) => {
                    Action::SetEnd(End::Src, Program::compile(value))
                }
                ConnectionAction::SetSrcPort(value) => {
                    Action::SetEnd(End::SrcPort, Program::compile(value))
                }
                ConnectionAction::SetDst(value) => {
                    Action::SetEnd(End::Dst, Program::compile(value))
                }
                ConnectionAction::SetDstPort(value) => {
                    Action::SetEnd(End::DstPort, Program::compile(value))
                }
                ConnectionAction::Track(track) => Action::Track {
                    table: track.table.name.clone(),
                    key: Program::compile(&track.key),
                    counter: track.counter,
                },
                ConnectionAction::SetVar(variables) => {
                    let variables = variables.iter();
                    let compiled =
                        variables.map(|(name, value)| (name.clone(), Program::compile(value)));
                    Action::SetVar(compiled.collect())
                }
                ConnectionAction::UnsetVar(variables) => {
                    Action::UnsetVar(variables.as_slice().into())
                }
                ConnectionAction::Capture(capture) => {
                    Action::Capture(capture.clone(), Program::compile(&capture.value))
                }
                // Cannot happen: in a plan from `config`, every name of a backend exists.
                ConnectionAction::UseBackend(backend) => {
                    Action::Stop(index_of(&backend.name).map_or(Stop::Reject, Stop::UseBackend))
                }
            },
        }
    }
}

impl<'a> ConnectionScope<'a> {
    fn facts<'f>(
        &self,
        ends: &Ends,
        proxy_fields: Option<&'f ProxyFields>,
        content: Option<&'f Content<'f>>,
    ) -> Facts<'f>
    where
        'a: 'f,
    {
        Facts {
            id: self.id,
            connection: ConnectionFacts {
                client: ends.client,
                local: ends.local,
                tls: self.tls,
                frontend: self.frontend,
                variables: Some(self.variables),
                tables: Some(&**self.tables),
                state: Some(self.state),
                proxy_fields,
                content,
                is_local: net::is_local,
            },
            request: None,
            backend: None,
            response: None,
            variables: Some(self.variables),
            tracked: Some(self.tracked),
        }
    }
}
