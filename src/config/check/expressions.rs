//! Conditions that never hold, fetches that are seldom what is meant, and variables that no rule sets.

use crate::base::quote::beginning;
use crate::base::{FoldSet, Position};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::config::suggest;
use crate::plan::expr::{Condition, Expr, Fetch, Variable};
use crate::plan::{Action, Plan, Target};

use super::condition::{Impossible, impossible};
use super::wildcards::{Wildcard, wildcard};
use super::{error_pages, rules};

/// Only so many unknown variables get a "did you mean", because each is compared with all. More of
/// them have one cause.
const MOST_COMPARED: usize = 20;

/// Warns of each condition that is hardly meant as it is.
pub(super) fn warn_of_conditions(plan: &Plan, report: &mut Report<'_>) {
    for condition in conditions(plan) {
        let (mut at, mut url_at) = (None, None);
        condition.each_expr(&mut |expr| {
            at.get_or_insert_with(|| expr.at.clone());
            if expr.fetch == Fetch::Url {
                url_at.get_or_insert_with(|| expr.at.clone());
            }
        });
        if let Some(at) = url_at {
            let message = "`url` has scheme and host in HTTP/2, and a path alone for most clients of HTTP/1.1";
            let help = "write `pathq` to look at the path and the query of all clients";
            report.add(Diagnostic::warning_at(&at, message, help));
        }
        if let (Some(Wildcard { text, help }), Some(at)) = (wildcard(condition), &at) {
            // Parts of a text with variables may be a variable's value.
            let (message, help) = match report.may_show(at) {
                true => (
                    format!(
                        "`*` in {:?} is a plain character: conditions have no wildcards",
                        beginning(&text)
                    ),
                    help,
                ),
                false => (
                    "a `*` in this condition is a plain character: conditions have no wildcards"
                        .to_owned(),
                    "write `starts_with` or `ends_with`, without `*`".to_owned(),
                ),
            };
            report.add(Diagnostic::warning_at(at, message, help));
        }
        if let (Some(impossible), Some(at)) = (impossible(condition), at) {
            warn_of_impossible(impossible, &at, report);
        }
    }
}

fn warn_of_impossible(impossible: Impossible, at: &Position, report: &mut Report<'_>) {
    let Impossible { what, help } = impossible;
    // Parts of a text with variables may be a variable's value.
    let (message, help) = match report.may_show(at) {
        true => (format!("`{}` never holds", beginning(&what)), help),
        false => (
            "a part of this condition never holds".to_owned(),
            "write it without variables to see which".to_owned(),
        ),
    };
    report.add(Diagnostic::warning_at(at, message, help));
}

/// Warns of fetches of bodies where no rule waits for one: they are always absent.
pub(super) fn warn_of_unread_bodies(plan: &Plan, report: &mut Report<'_>) {
    let mut rules = rules::all(plan).flatten();
    if rules.any(|rule| matches!(rule.action, Action::WaitForBody(_))) {
        return;
    }
    each_expr(plan, &mut |expr| {
        if expr.fetch.reads_body() {
            let message = format!("no rule waits for a body, so `{expr}` is always absent");
            let help = "write a rule before it: `wait_for_body = { time = \"10s\" }`";
            report.add(Diagnostic::warning_at(&expr.at, message, help));
        }
    });
}

/// Warns of variables that no rule sets: they are always absent.
pub(super) fn warn_of_unset_variables(plan: &Plan, report: &mut Report<'_>) {
    let rules = rules::all(plan).flatten();
    let of_rules = rules.flat_map(|rule| rule.action.sets());
    let of_connections = rules::of_connections(plan).flat_map(|rule| rule.action.sets());
    let set: FoldSet<&Variable> = of_rules.chain(of_connections).collect();
    let mut names: Vec<String> = set.iter().map(|variable| variable.to_string()).collect();
    names.sort();
    let mut unset = Vec::new();
    each_expr(plan, &mut |expr| {
        for variable in expr.variables().filter(|variable| !set.contains(variable)) {
            unset.push((variable.to_string(), expr.at.clone()));
        }
    });
    for (count, (name, at)) in unset.into_iter().enumerate() {
        let near = match count < MOST_COMPARED {
            true => suggest::nearest(&name, names.iter().map(String::as_str)),
            false => None,
        };
        let help = match near {
            Some(near) => format!("did you mean `var({near})`?"),
            None => format!("set it in a rule before: `set_var = {{ {name:?} = \"src\" }}`"),
        };
        let message = format!("no rule sets the variable `{name}`");
        report.add(Diagnostic::warning_at(&at, message, help));
    }
}

/// All conditions of `plan`.
fn conditions(plan: &Plan) -> impl Iterator<Item = &Condition> {
    let of_rules = rules::all(plan).flatten().flat_map(|rule| &rule.when);
    let of_frontends = plan.frontends.iter().flat_map(|frontend| {
        let of_routes = frontend.routes.iter().flat_map(|route| &route.when);
        let tcp_routes = frontend.tcp_routes.iter();
        let content_rules = &frontend.content_rules;
        let connection_rules = frontend.connection_rules.iter().chain(content_rules);
        of_routes
            .chain(tcp_routes.flat_map(|tcp_route| &tcp_route.when))
            .chain(connection_rules.flat_map(|rule| &rule.when))
    });
    let of_logs = plan.log.access.iter().flat_map(|log| &log.when);
    of_rules.chain(of_frontends).chain(of_logs)
}

/// Hands every expression of `plan` to `see`.
pub(super) fn each_expr(plan: &Plan, see: &mut dyn FnMut(&Expr)) {
    for condition in conditions(plan) {
        condition.each_expr(see);
    }
    for rule in rules::all(plan).flatten() {
        rule.action.each_expr(see);
    }
    for page in error_pages::all(plan).flatten() {
        page.each_expr(see);
    }
    for rule in rules::of_connections(plan) {
        rule.action.each_expr(see);
    }
    for log in &plan.log.access {
        log.each_expr_of_format(see);
    }
    let routes = plan.frontends.iter().flat_map(|frontend| &frontend.routes);
    for route in routes {
        match &route.target {
            Target::Named(name, _) => name.each_expr(see),
            Target::Backend(_) | Target::Split(_) | Target::Answered => {}
        }
    }
}
