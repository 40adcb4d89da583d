//! Request fields that Evenkeel itself writes after all rules, so that a rule cannot set them.

use http::{HeaderName, header};

use crate::base::Position;
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::expr::{Fetch, Piece, Template};
use crate::plan::{
    Action, Field, FieldName, Forwarding, Frontend, Mode, On, Plan, RequestIds, Rule,
};

/// Reports each rule of a frontend or of its routes that sets such a field of that frontend.
pub(super) fn refuse(plan: &Plan, report: &mut Report<'_>) {
    for frontend in &plan.frontends {
        let own = OwnFields::of(frontend);
        let of_routes = frontend.routes.iter().flat_map(|route| &route.rules);
        for rule in frontend.rules.iter().chain(of_routes) {
            for (name, at, value) in written_by(rule) {
                if let Some(help) = own.help_for(name, value) {
                    let message = format!("Evenkeel itself writes `{name}`, after all rules");
                    report.add(Diagnostic::at(at, message, help));
                }
            }
        }
    }
}

/// Warns of each rule of a backend that sets such a field of any frontend: a backend gets requests
/// of all frontends.
pub(super) fn warn(plan: &Plan, report: &mut Report<'_>) {
    let mut own = OwnFields::default();
    for frontend in &plan.frontends {
        own.extend(&OwnFields::of(frontend));
    }
    for backend in &plan.backends {
        for rule in &backend.rules {
            for (name, at, value) in written_by(rule) {
                if let Some(help) = own.help_for(name, value) {
                    let message = format!(
                        "a frontend writes `{name}` after the rules of the backend `{}`",
                        backend.name
                    );
                    report.add(Diagnostic::warning_at(at, message, help));
                }
            }
        }
    }
}

/// The request fields that `rule` writes, each with its position and its value.
fn written_by(rule: &Rule) -> Vec<(&HeaderName, &Position, &Template)> {
    match &rule.action {
        Action::SetHeader(fields) | Action::AddHeader(fields) if rule.on == On::Request => {
            let fields = fields.iter();
            fields
                .map(|Field { name, value, at }| (name, at, value))
                .collect()
        }
        Action::ReplaceHeader(replaced) | Action::ReplaceValue(replaced)
            if rule.on == On::Request =>
        {
            let FieldName { name, at } = &replaced.field;
            vec![(name, at, &replaced.replace.with)]
        }
        _ => Vec::new(),
    }
}

/// Fields of requests that Evenkeel writes after all rules, with what to write so that rules can.
#[derive(Default)]
struct OwnFields(Vec<(HeaderName, &'static str)>);

impl OwnFields {
    /// The fields of `frontend`.
    fn of(frontend: &Frontend) -> Self {
        if frontend.mode == Mode::Tcp {
            return Self::default();
        }
        let Forwarding {
            x_forwarded,
            forwarded,
            client_certificate,
            ..
        } = &frontend.forwarding;
        let mut fields = Vec::new();
        if *x_forwarded {
            for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] {
                let help =
                    "write `forwarding = { x_forwarded = false }`, and set these fields by rules";
                fields.push((HeaderName::from_static(name), help));
            }
        }
        if *forwarded {
            let help = "write `forwarding = { forwarded = false }`, and set it by a rule";
            fields.push((header::FORWARDED, help));
        }
        if let RequestIds::Field(name) = &frontend.request_id {
            let help = "write `request_id = \"off\"`, and set it by a rule";
            fields.push((name.clone(), help));
        }
        for name in client_certificate.iter() {
            let help = "leave it out of `forwarding.client_certificate`, and set it by a rule";
            fields.push((name.clone(), help));
        }
        Self(fields)
    }

    /// What to write so that a rule can set `name`; `None`: a rule can set it.
    fn help(&self, name: &HeaderName) -> Option<&'static str> {
        let mut found = self.0.iter().filter(|(own, _)| own == name);
        found.next().map(|(_, help)| *help)
    }

    /// The same for a rule that sets it to `value`.
    fn help_for(&self, name: &HeaderName, value: &Template) -> Option<&'static str> {
        let help = self.help(name)?;
        let is_id = matches!(value.pieces.as_slice(), [Piece::Expr(expr)]
            if expr.fetch == Fetch::UniqueId && expr.converters.is_empty());
        Some(match is_id {
            true => {
                "leave it out: the id is sent already; for another name write `request_id = \"x-trace-id\"`"
            }
            false => help,
        })
    }

    /// Adds the fields of `other`. A field that is already here keeps its help.
    fn extend(&mut self, other: &Self) {
        for (name, help) in &other.0 {
            if self.help(name).is_none() {
                self.0.push((name.clone(), help));
            }
        }
    }
}
