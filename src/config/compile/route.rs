//! `[[frontend.NAME.route]]`: the conditions of a request, and its target.

use crate::base::Position;
use crate::config::compile::name::{backend_name, name_of_key, route_name};
use crate::config::compile::pattern::{
    header_predicate, host_pattern, method, path_pattern, path_regex, patterns, predicates,
    query_predicate, unless_any,
};
use crate::config::compile::{expression, rule};
use crate::config::keys::{self, Words};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::{Condition, Expr, Fetch, Known, Pattern};
use crate::plan::{Among, BackendReference, ClientCertificate, Route, Rule, Target};

/// The highest weight in a split: far finer than percent.
const MOST_WEIGHT: i64 = 1_000_000;

/// The routes of one frontend, in file order.
pub(super) fn routes(
    frontend: &Section<'_>,
    frontend_name: &str,
    report: &mut Report<'_>,
) -> Vec<Route> {
    let Some(setting) = frontend.setting("route") else {
        return Vec::new();
    };
    let items = setting.list();
    let mut routes = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let title = format!("[[frontend.{frontend_name}.route]]");
        let Some(section) = Section::open(&keys::ROUTE, title, item, report) else {
            continue;
        };
        routes.extend(route(&section, index + 1, report));
    }
    routes
}

fn route(section: &Section<'_>, number: usize, report: &mut Report<'_>) -> Option<Route> {
    let name = route_name(section, number, report);
    let hosts = patterns(section, "host", host_pattern, report);
    let paths = patterns(section, "path", path_pattern, report);
    let methods = patterns(section, "method", method, report);
    let headers = predicates(section, "header", header_predicate, report);
    let queries = predicates(section, "query", query_predicate, report);
    let expressions = patterns(section, "path_regex", path_regex, report);
    let when = section
        .setting("when")
        .and_then(|setting| expression::condition(setting, Known::Request, report));
    let at = match section.setting("path_regex") {
        Some(setting) => report.position(setting.span()),
        None => report.position(section.span),
    };
    let when = with_expressions(expressions, &at, when);
    let rules = rule::rules(section, Known::Request, report);
    let target = target(section, &rules, report);
    let (name, named_at) = name?;
    Some(Route {
        name,
        named_at,
        hosts: unless_any(hosts),
        paths,
        methods,
        headers,
        queries,
        when,
        client_certificate: ClientCertificate::at(section, "client_certificate", report)
            .unwrap_or_default(),
        rules,
        target: target?,
        at: report.position(section.span),
    })
}

/// The condition that the path matches one of `expressions`, written at `at`, and that `when` holds. Not
/// a kind of path pattern, so that it is evaluated for every reading of an ambiguous path.
fn with_expressions(
    expressions: Vec<Pattern>,
    at: &Position,
    when: Option<Condition>,
) -> Option<Condition> {
    let matches = |pattern| {
        let path = Expr {
            fetch: Fetch::Path,
            arguments: Vec::new(),
            converters: Vec::new(),
            at: at.clone(),
        };
        Condition::Matches(path, pattern)
    };
    let mut any: Vec<Condition> = expressions.into_iter().map(matches).collect();
    let of_path = match any.len() {
        0 => return when,
        1 => any.remove(0),
        _ => Condition::Any(any),
    };
    // In the form that the text of `check --show` parses to: without an `and` within an `and`.
    Some(match when {
        None => of_path,
        Some(Condition::All(mut all)) => {
            all.insert(0, of_path);
            Condition::All(all)
        }
        Some(when) => Condition::All(vec![of_path, when]),
    })
}

/// The target of a route.
fn target(section: &Section<'_>, rules: &[Rule], report: &mut Report<'_>) -> Option<Target> {
    let (backend, split) = (section.setting("backend"), section.setting("split"));
    match (backend, split) {
        (Some(backend), None) => named_backend(backend, section.setting("among"), report),
        (None, Some(split)) => {
            refuse_among(section.setting("among"), report);
            self::split(split, report).map(Target::Split)
        }
        (Some(_), Some(split)) => {
            let message = "`backend` and `split` exclude each other";
            report.error(split.span(), message, "leave one of them out");
            None
        }
        (None, None) if rules.iter().any(Rule::answers_all_requests) => Some(Target::Answered),
        (None, None) if !section.lacks("backend") || !section.lacks("split") => None,
        (None, None) => {
            report.error(
                section.span,
                "this route has no `backend`",
                "write the backend for the requests that it matches: `backend = \"…\"`, or a rule \
                 without `when` that answers: `rule = [{ deny = 403 }]`",
            );
            None
        }
    }
}

/// The backend that is written in `backend`: its name, or a template that may name one of `among`.
pub(super) fn named_backend(
    backend: Setting<'_>,
    among: Option<Setting<'_>>,
    report: &mut Report<'_>,
) -> Option<Target> {
    match &backend.value.kind {
        Kind::String(text) if text.value.contains("%[") => {
            let template = expression::template(backend, Known::Request, report)?;
            let among = match among {
                None => Among::All,
                Some(setting) => Among::These(self::among(setting, report)?),
            };
            Some(Target::Named(template, among))
        }
        _ => {
            refuse_among(among, report);
            backend_name(backend, report).map(Target::Backend)
        }
    }
}

/// Reports `among` where no template names a backend.
fn refuse_among(among: Option<Setting<'_>>, report: &mut Report<'_>) {
    if let Some(setting) = among {
        let message = "`among` is for a `backend` with an expression";
        let help = "leave it out, or write `backend = \"%[…]\"`";
        report.error(setting.span(), message, help);
    }
}

/// The backends of a list, by name.
fn among(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Vec<BackendReference>> {
    let items = setting.list();
    if items.is_empty() {
        let help = "write `among = [\"app\", \"shop\"]`";
        report.error(setting.span(), "`among` has no backend", help);
        return None;
    }
    let names = items.into_iter().map(|item| backend_name(item, report));
    // All mistakes are reported.
    let names: Vec<Option<BackendReference>> = names.collect();
    let mut names: Vec<BackendReference> = names.into_iter().collect::<Option<_>>()?;
    names.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    names.dedup_by(|one, other| one.name == other.name);
    Some(names)
}

/// Backends with weights, by name: their order means nothing.
fn split(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Vec<(BackendReference, u32)>> {
    let table = setting.table(report)?;
    let mut parts = Vec::new();
    let mut is_right = true;
    for entry in &table.entries {
        let weight = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        let name = name_of_key(&entry.key, "backend", entry.key_span, report);
        match (name, weight.number(0, MOST_WEIGHT, report)) {
            (Some(name), Some(weight)) => {
                let at = report.position(entry.key_span);
                parts.push((BackendReference { name, at }, weight as u32));
            }
            _ => is_right = false,
        }
    }
    parts.sort_by(|(one, _), (other, _)| one.name.as_str().cmp(other.name.as_str()));
    is_right.then_some(parts)
}
