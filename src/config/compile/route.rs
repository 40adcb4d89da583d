//! `[[frontend.NAME.route]]`: what a request must look like, and where it goes then.

use std::collections::HashMap;

use http::{HeaderName, Method};

use crate::base::Name;
use crate::config::compile::frontend::backend_name;
use crate::config::compile::{expression, name_of, name_of_key, rule};
use crate::config::diagnostic::Diagnostic;
use crate::config::keys::{self, Words};
use crate::config::raw::{Entry, Kind, Text};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::plan::expr::{Condition, Expr, Fetch, Known, Pattern};
use crate::plan::{
    BackendReference, ClientCertificate, HostPattern, PathPattern, Predicate, Route, Rule, Target,
    ValuePattern,
};
use crate::wire::host::Authority;
use crate::wire::path::normalise;

/// What is wrong with a pattern, and what to write instead.
pub(super) type Refusal = (String, String);

/// Of one part of a split: percent, and far finer.
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
    let mut names: HashMap<Name, Span> = HashMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let title = format!("[[frontend.{frontend_name}.route]]");
        let Some(section) = Section::open(&keys::ROUTE, title, item, report) else {
            continue;
        };
        let Some(route) = route(&section, index + 1, report) else {
            continue;
        };
        let name_span = section
            .setting("name")
            .map_or(item.span(), |name| name.span());
        note_name(&mut names, &route.name, name_span, frontend, report);
        routes.push(route);
    }
    routes
}

/// Notes that a route of `frontend` is called `name`, which no other may be.
pub(super) fn note_name(
    names: &mut HashMap<Name, Span>,
    name: &Name,
    span: Span,
    frontend: &Section<'_>,
    report: &mut Report<'_>,
) {
    let Some(first) = names.get(name) else {
        names.insert(name.clone(), span);
        return;
    };
    let message = format!("two routes of `{}` have the name `{name}`", frontend.title);
    report.add(
        Diagnostic::error(span, message)
            .related(*first, "the first is here")
            .help("give one of them another `name`; a route without a name has its number as its name"),
    );
}

/// What a route is called: its `name`, or its number.
pub(super) fn own_name(
    section: &Section<'_>,
    number: usize,
    report: &mut Report<'_>,
) -> Option<Name> {
    match section.setting("name") {
        Some(setting) => setting
            .text(report)
            .and_then(|text| name_of(text, "route", setting.span(), report)),
        None => Name::new(&number.to_string()).ok(),
    }
}

fn route(section: &Section<'_>, number: usize, report: &mut Report<'_>) -> Option<Route> {
    let name = own_name(section, number, report);
    let hosts = patterns(section, "host", host_pattern, report);
    let paths = patterns(section, "path", path_pattern, report);
    let methods = patterns(section, "method", method, report);
    let headers = predicates(section, "header", header_predicate, report);
    let queries = predicates(section, "query", query_predicate, report);
    let expressions = patterns(section, "path_regex", path_regex, report);
    let when = section
        .setting("when")
        .and_then(|setting| expression::condition(setting, Known::Request, report));
    let when = with_expressions(expressions, when);
    let rules = rule::rules(section, Known::Request, report);
    let target = target(section, &rules, report);
    Some(Route {
        name: name?,
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

/// Where the requests of a route go.
fn target(section: &Section<'_>, rules: &[Rule], report: &mut Report<'_>) -> Option<Target> {
    let (backend, split) = (section.setting("backend"), section.setting("split"));
    match (backend, split) {
        (Some(backend), None) => match &backend.value.kind {
            Kind::String(text) if text.value.contains("%[") => {
                let template = expression::template(backend, Known::Request, report)?;
                Some(Target::Named(template))
            }
            _ => backend_name(backend, report).map(Target::Backend),
        },
        (None, Some(split)) => self::split(split, report).map(Target::Split),
        (Some(_), Some(split)) => {
            let message = "`backend` and `split` exclude each other";
            report.error(split.span(), message, "leave one of them out");
            None
        }
        (None, None) if rule::answers_all(rules) => Some(Target::Answered),
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
    if is_right && parts.iter().all(|(_, weight)| *weight == 0) {
        report.error(
            setting.span(),
            "no backend of this `split` has a weight above 0",
            "write the share of each: `split = { stable = 95, canary = 5 }`",
        );
        is_right = false;
    }
    parts.sort_by(|(one, _), (other, _)| one.name.as_str().cmp(other.name.as_str()));
    is_right.then_some(parts)
}

/// The patterns of a list; `"*"` among hosts makes the list one that says nothing.
pub(super) fn unless_any(hosts: Vec<Option<HostPattern>>) -> Vec<HostPattern> {
    hosts.into_iter().collect::<Option<_>>().unwrap_or_default()
}

pub(super) fn patterns<T>(
    section: &Section<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, Refusal>,
    report: &mut Report<'_>,
) -> Vec<T> {
    let Some(setting) = section.setting(key) else {
        return Vec::new();
    };
    let items = setting.list();
    if items.is_empty() {
        report.error(
            setting.span(),
            format!("the list `{key}` is empty: it would match nothing"),
            format!("leave `{key}` out to match everything"),
        );
    }
    items
        .into_iter()
        .filter_map(|item| {
            let text = item.text(report)?;
            match parse(&text.value) {
                Ok(pattern) => Some(pattern),
                Err(refusal) => {
                    refuse(item.span(), key, text, refusal, report);
                    None
                }
            }
        })
        .collect()
}

/// Reports a pattern; its parts are left out where they would give a variable's value away.
fn refuse(span: Span, key: &str, text: &Text, refusal: Refusal, report: &mut Report<'_>) {
    let (why, help) = refusal;
    let diagnostic = Diagnostic::error(span, format!("`{key} = {:?}` {why}", text.shown()));
    report.add(match text.is_as_written() {
        true => diagnostic.help(help),
        false => diagnostic,
    });
}

/// `None`: any host.
pub(super) fn host_pattern(text: &str) -> Result<Option<HostPattern>, Refusal> {
    if text == "*" {
        return Ok(None);
    }
    let (name, is_wildcard) = match text.strip_prefix("*.") {
        Some(name) => (name, true),
        None => (text, false),
    };
    if name.contains('*') {
        return Err(refusal(
            "has a `*` in the wrong place",
            "write `\"*.example.com\"`: a `*` must be the first label",
        ));
    }
    if !name.is_ascii() {
        return Err(refusal(
            "is not ASCII: hosts in requests always are",
            "write it as browsers send it (`\"xn--…\"`)",
        ));
    }
    let Ok(authority) = Authority::parse(name.as_bytes()) else {
        return Err(refusal(
            "is not a host",
            "write a host such as `\"example.com\"`, `\"*.example.com\"`, `\"10.0.0.1\"` or `\"[::1]\"`",
        ));
    };
    if name.ends_with(':') || authority.port.is_some() {
        let prefix = if is_wildcard { "*." } else { "" };
        return Err(refusal(
            "has a port, and routes compare hosts without ports",
            format!("write `\"{prefix}{}\"`", authority.host),
        ));
    }
    let host = authority.host.into_owned();
    Ok(Some(if is_wildcard {
        HostPattern::Wildcard(host)
    } else {
        HostPattern::Exact(host)
    }))
}

fn path_pattern(text: &str) -> Result<PathPattern, Refusal> {
    if text == "*" {
        return Ok(PathPattern::Prefix(String::new()));
    }
    if let Some(help) = instead_of_expression(text) {
        return Err(refusal("looks like a regular expression", help));
    }
    if !text.starts_with('/') {
        return Err(refusal(
            "does not begin with `/`",
            format!("write `\"/{text}\"`"),
        ));
    }
    if let Some((path, _)) = text.split_once('?') {
        return Err(refusal(
            "has a `?`, and the query is not part of the path",
            format!(
                "write `path = {path:?}` and the conditions as `query = {{ name = \"value\" }}`"
            ),
        ));
    }
    let (path, is_prefix) = match text.strip_suffix("/*") {
        Some(path) => (path, true),
        None => (text, false),
    };
    if path.contains('*') {
        let help = match path.strip_suffix('*') {
            Some(start) if !start.contains('*') => format!(
                "paths are matched by whole segments: write `\"{}/*\"`",
                start.trim_end_matches('/')
            ),
            _ => "write `\"/start/*\"`: it matches `/start` and everything below it".to_owned(),
        };
        return Err(refusal(
            "has a `*` that is not the whole last segment",
            help,
        ));
    }
    if let Some(bad) = path
        .chars()
        .find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}#".contains(*c))
    {
        return Err(refusal(
            format!("has the character {bad:?}, which is never in the path of a request"),
            format!("write `\"{}\"`", escaped(text)),
        ));
    }
    let normal = if path.is_empty() {
        std::borrow::Cow::Borrowed("")
    } else {
        normalise(path)
    };
    let segments = |path: &str| path.matches('/').count();
    if segments(&normal) != segments(path) {
        let star = if is_prefix { "/*" } else { "" };
        return Err(refusal(
            "has dot segments, and Evenkeel resolves those before it compares paths",
            format!("write `\"{}{star}\"`", normal.trim_end_matches('/')),
        ));
    }
    let path = normal.into_owned();
    Ok(if is_prefix {
        PathPattern::Prefix(path)
    } else {
        PathPattern::Exact(path)
    })
}

fn path_regex(text: &str) -> Result<Pattern, Refusal> {
    Pattern::new(text).map_err(|why| {
        let why = format!("is not a regular expression: {why}");
        refusal(why, "https://docs.rs/regex has the syntax")
    })
}

/// The condition that the path matches one of `expressions` and that `when` holds. A condition and no
/// kind of path pattern, so that it is evaluated for every reading of an ambiguous path.
fn with_expressions(expressions: Vec<Pattern>, when: Option<Condition>) -> Option<Condition> {
    let matches = |pattern| {
        let path = Expr {
            fetch: Fetch::Path,
            arguments: Vec::new(),
            converters: Vec::new(),
        };
        Condition::Matches(path, pattern)
    };
    let mut any: Vec<Condition> = expressions.into_iter().map(matches).collect();
    let of_path = match any.len() {
        0 => return when,
        1 => any.remove(0),
        _ => Condition::Any(any),
    };
    // As it is read from the text that `check --show` writes: without an `and` within an `and`.
    Some(match when {
        None => of_path,
        Some(Condition::All(mut all)) => {
            all.insert(0, of_path);
            Condition::All(all)
        }
        Some(when) => Condition::All(vec![of_path, when]),
    })
}

/// What to write instead of a regular expression. Only what no path has makes one: `/a.b`, `/a+b` and
/// `/(a)` are paths.
fn instead_of_expression(text: &str) -> Option<String> {
    let is_expression = text.starts_with(['^', '~']) || text.contains(['\\', '^', '|']);
    if !is_expression && !text.contains(".*") {
        return None;
    }
    let literal = text.trim_start_matches(['^', '~', '*', ' ']);
    let whole = literal.strip_suffix('$').unwrap_or(literal);
    let end = whole.find(|c| "\\.^$|?*+()[]{}".contains(c));
    let start = match end {
        // The last segment may not be whole.
        Some(end) => whole[..end].rsplit_once('/').map(|(start, _)| start),
        None => Some(whole.trim_end_matches('/')),
    };
    let start = start.filter(|start| start.is_empty() || start.starts_with('/'));
    let none = "`path` is no regular expression (`path_regex` is)";
    Some(match start {
        Some("") => format!("{none}: `\"/*\"` matches all paths"),
        Some(path) if end.is_none() && literal.ends_with('$') => {
            format!("{none}: `\"{path}\"` matches exactly that path")
        }
        Some(path) => {
            format!("{none}: `\"{path}/*\"` matches `{path}` and everything below it")
        }
        None => format!("{none}: `\"/start/*\"` matches `/start` and everything below it"),
    })
}

fn method(text: &str) -> Result<Method, Refusal> {
    const COMMON: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY",
    ];
    let capitals = text.to_ascii_uppercase();
    if capitals != text && COMMON.contains(&capitals.as_str()) {
        return Err(refusal(
            "is not a method: methods are case-sensitive",
            format!("write `\"{capitals}\"`"),
        ));
    }
    if matches!(text, "CONNECT" | "TRACE") {
        return Err(refusal(
            "never reaches a route",
            "leave it out: such requests are answered 405 (CONNECT, TRACE)",
        ));
    }
    Method::from_bytes(text.as_bytes())
        .map_err(|_| refusal("is not a method", "write a method such as `\"GET\"`"))
}

/// The predicates of a table, by name: their order means nothing, so two orders are one plan.
fn predicates<N: PartialEq + AsRef<str>>(
    section: &Section<'_>,
    key: &'static str,
    parse: impl Fn(&Entry, ValuePattern) -> Result<Predicate<N>, Refusal>,
    report: &mut Report<'_>,
) -> Vec<Predicate<N>> {
    let Some(table) = section.named(key, report) else {
        return Vec::new();
    };
    let mut predicates: Vec<(Predicate<N>, Span)> = Vec::new();
    for entry in &table.entries {
        let setting = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        let Some(text) = setting.text(report) else {
            continue;
        };
        match parse(entry, value_pattern(&text.value)) {
            Ok(predicate) => predicates.push((predicate, entry.key_span)),
            Err(refusal) => refuse(setting.span(), &entry.key, text, refusal, report),
        }
    }
    predicates.sort_by(|(left, _), (right, _)| left.name.as_ref().cmp(right.name.as_ref()));
    for pair in predicates.windows(2) {
        let [(first, first_span), (second, second_span)] = pair else {
            continue;
        };
        if first.name == second.name {
            report.add(
                Diagnostic::error(*second_span, format!("`{key}` has the same name twice"))
                    .related(*first_span, "the other is here")
                    .help("upper and lower case are the same in field names; keep one of them"),
            );
        }
    }
    predicates
        .into_iter()
        .map(|(predicate, _)| predicate)
        .collect()
}

fn value_pattern(text: &str) -> ValuePattern {
    match text.strip_suffix('*') {
        Some("") => ValuePattern::Present,
        Some(start) => ValuePattern::Prefix(start.to_owned()),
        None => ValuePattern::Exact(text.to_owned()),
    }
}

fn header_predicate(entry: &Entry, value: ValuePattern) -> Result<Predicate<HeaderName>, Refusal> {
    let Ok(name) = HeaderName::from_bytes(entry.key.as_bytes()) else {
        return Err(refusal(
            "has a key that is not a valid field name",
            "field names have letters, digits and `-`",
        ));
    };
    if let ValuePattern::Exact(text) | ValuePattern::Prefix(text) = &value {
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(refusal(
                "has a control character, and field values never have any",
                "leave it out",
            ));
        }
        if text.starts_with([' ', '\t'])
            || matches!(&value, ValuePattern::Exact(text) if text.ends_with([' ', '\t']))
        {
            return Err(refusal(
                "begins or ends with a space, and field values never do",
                "leave the space out",
            ));
        }
    }
    Ok(Predicate { name, value })
}

fn query_predicate(entry: &Entry, value: ValuePattern) -> Result<Predicate<String>, Refusal> {
    Ok(Predicate {
        name: entry.key.clone(),
        value,
    })
}

fn refusal(why: impl Into<String>, help: impl Into<String>) -> Refusal {
    (why.into(), help.into())
}

/// `path` with what cannot stand in it as escapes.
fn escaped(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#' => {
                format!("%{byte:02X}")
            }
            byte if byte.is_ascii_graphic() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
