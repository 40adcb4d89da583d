//! The key of rules that choose where a request goes, and its table.

use crate::config::keys::kind::Shape;
use crate::config::keys::{Key, Keys, key};
use crate::config::page::{duration, list, string, template};
use crate::plan::{Action, Among, Rule, SetTimeouts, Target};

use super::REQUEST;

/// The table of `set_timeout`.
pub(in crate::config) static SET_TIMEOUT_TABLE: Keys<SetTimeouts> = Keys {
    keys: &[
        key("connect")
            .means("To open a connection to a server.")
            .compiled(Shape::Duration, |set| set.connect.map(duration)),
        key("response")
            .means("Until the server's response head; then 504.")
            .also("server")
            .compiled(Shape::Duration, |set| set.response.map(duration)),
        key("body")
            .means("Between two pieces of the response body.")
            .compiled(Shape::Duration, |set| set.body.map(duration)),
        key("queue")
            .means("For a free slot; then 503.")
            .compiled(Shape::Duration, |set| set.queue.map(duration)),
        key("exchange")
            .means("For the whole exchange; then 504.")
            .also("total")
            .compiled(Shape::Duration, |set| set.exchange.map(duration)),
        key("tunnel")
            .means("For a tunnel in which no byte passes.")
            .compiled(Shape::Duration, |set| set.tunnel.map(duration)),
    ],
    hints: r#"
        client: leave it out: the client's deadlines are `timeout` of the frontend
        tarpit: write it in `tarpit = "10s"`
    "#,
    ..Keys::EMPTY
};

pub(super) const SET_TIMEOUT: Key<Rule> = key("set_timeout")
    .means("Deadlines of this exchange, in place of those of the frontend and the backend.")
    .also("timeout")
    .action(
        REQUEST,
        &[(
            "set_timeout = { response = \"5m\" }",
            "Deadlines of this exchange, in place of those of the frontend and the backend: `connect`, `response`, `body`, `queue`, `exchange`, `tunnel`. Of several rules the last that sets a deadline.",
        )],
    )
    .compiled(
        Shape::Table(&SET_TIMEOUT_TABLE),
        |rule| match &rule.action {
            Action::SetTimeout(set) => Some(SET_TIMEOUT_TABLE.whole().inline(set)),
            _ => None,
        },
    );

/// The table of `use_backend`.
pub(in crate::config) static USE_BACKEND_TABLE: Keys<Target> = Keys {
    keys: &[
        key("backend")
            .means("The name of the backend, or a template with it.")
            .also("name")
            .compiled(Shape::Text, shown_name),
        key("among")
            .means("The backends that a template may name; without it: all.")
            .compiled(Shape::List(&Shape::Text), |target| match target {
                Target::Named(_, Among::These(among)) => {
                    Some(list(among.iter().map(|backend| string(&backend.name))))
                }
                _ => None,
            }),
    ],
    ..Keys::EMPTY
};

const NAMED: Shape = Shape::AnyOf(&[Shape::Text, Shape::Table(&USE_BACKEND_TABLE)]);

pub(super) const USE_BACKEND: Key<Rule> = key("use_backend")
    .means("In rules of a frontend: the backend, in place of the route's.")
    .also("default_backend backend")
    .action(
        REQUEST,
        &[(
            "use_backend = \"name\"",
            "In rules of a frontend, chooses the backend in place of that of the route: see below.",
        )],
    )
    .compiled(NAMED, |rule| match &rule.action {
        Action::UseBackend(target) => match &**target {
            Target::Named(_, Among::These(_)) => Some(USE_BACKEND_TABLE.whole().inline(target)),
            target => shown_name(target),
        },
        _ => None,
    });

fn shown_name(target: &Target) -> Option<String> {
    match target {
        Target::Backend(backend) => Some(string(&backend.name)),
        Target::Named(name, _) => Some(template(name)),
        Target::Split(_) | Target::Answered => None,
    }
}
