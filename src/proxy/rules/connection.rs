//! Rules for connections: before TLS and before the first request, in both modes.
//!
//! `control::assemble` compiles them, and `listen` runs them on each connection that it accepts. They
//! see the connection alone: its ends, and tables.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::address::Ends;
use crate::base::{Name, Peer};
use crate::exchange::{ProxyFields, RequestId};
use crate::expr::{Condition, ConnectionFacts, Facts, Program, Scratch, State, Value};
use crate::net;
use crate::plan::expr::Type;
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
    SetSrc(Program),
    Track {
        table: Name,
        key: Program,
        counter: u8,
    },
}

/// What the rules decide about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is served.
    Accept,
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
}

impl ConnectionRules {
    /// The compiled form of `rules`; `None` when there are none.
    pub fn compile(rules: &[plan::ConnectionRule]) -> Option<Arc<Self>> {
        let compiled = rules.iter().map(ConnectionRule::compile);
        (!rules.is_empty()).then(|| Arc::new(Self(compiled.collect())))
    }

    /// Runs the rules on a connection between `ends`, whose PROXY header has `proxy_fields`, beginning with
    /// the one at index `from`.
    pub(crate) fn run(
        &self,
        from: usize,
        ends: &mut Ends,
        proxy_fields: Option<&ProxyFields>,
        scope: &ConnectionScope<'_>,
    ) -> ConnectionFlow {
        for (index, rule) in self.0.iter().enumerate().skip(from) {
            let facts = scope.facts(ends, proxy_fields);
            let scratch = &mut *scope.scratch.borrow_mut();
            if !rule
                .when
                .as_ref()
                .is_none_or(|when| when.holds(&facts, scratch))
            {
                continue;
            }
            scratch.clear();
            match &rule.action {
                Action::Stop(stop) => return ConnectionFlow::Stop(*stop),
                Action::ExpectProxy => return ConnectionFlow::ExpectProxy(index + 1),
                Action::SetSrc(value) => {
                    let value = value.value(&facts, scratch);
                    // As in HAProxy: a value that is no address changes nothing.
                    if let Value::Ip(ip) = scratch.cast(value, Type::Any, Type::Ip) {
                        let port = ends.client.port().unwrap_or(0);
                        ends.client = Peer::Ip(SocketAddr::new(ip, port));
                    }
                }
                Action::Track {
                    table,
                    key,
                    counter,
                } => {
                    // As in HAProxy: the first entry that is tracked as this counter stays.
                    if !scope.tracked.has(*counter) {
                        let key = key.value(&facts, scratch);
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

impl ConnectionRule {
    fn compile(rule: &plan::ConnectionRule) -> Self {
        Self {
            when: rule.when.as_ref().map(Condition::compile),
            action: match &rule.action {
                ConnectionAction::Accept => Action::Stop(Stop::Accept),
                ConnectionAction::Reject => Action::Stop(Stop::Reject),
                ConnectionAction::SilentDrop => Action::Stop(Stop::SilentDrop),
                ConnectionAction::ExpectProxy => Action::ExpectProxy,
                ConnectionAction::SetSrc(value) => Action::SetSrc(Program::compile(value)),
                ConnectionAction::Track(track) => Action::Track {
                    table: track.table.name.clone(),
                    key: Program::compile(&track.key),
                    counter: track.counter,
                },
            },
        }
    }
}

impl<'a> ConnectionScope<'a> {
    fn facts<'f>(&self, ends: &Ends, proxy_fields: Option<&'f ProxyFields>) -> Facts<'f>
    where
        'a: 'f,
    {
        Facts {
            id: self.id,
            connection: ConnectionFacts {
                client: ends.client,
                local: ends.local,
                tls: None,
                frontend: self.frontend,
                variables: None,
                tables: Some(&**self.tables),
                state: Some(self.state),
                proxy_fields,
                is_local: net::is_local,
            },
            request: None,
            backend: None,
            response: None,
            variables: None,
            tracked: Some(self.tracked),
        }
    }
}
