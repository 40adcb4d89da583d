//! Patterns of a route: hosts, paths, methods, and predicates of header fields and queries.
//!
//! A pattern is read from its text alone; [`patterns`] and [`predicates`] read all patterns of a
//! key and report the invalid ones. TLS and the admin listener use the same patterns for hosts.

use http::{HeaderName, Method};

use crate::config::diagnostic::Diagnostic;
use crate::config::raw::{Entry, Text};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::plan::expr::Pattern;
use crate::plan::{HostPattern, PathPattern, Predicate, ValuePattern};
use crate::wire::host::Authority;
use crate::wire::path::normalise;

/// The mistake in a pattern, and what to write instead.
pub(super) type Refusal = (String, String);

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

/// The patterns of a list. With `"*"` among them, the list is empty: any host.
pub(super) fn unless_any(hosts: Vec<Option<HostPattern>>) -> Vec<HostPattern> {
    hosts.into_iter().collect::<Option<_>>().unwrap_or_default()
}

/// The predicates of a table, by name: their order means nothing, so two orders are one plan.
pub(super) fn predicates<N: PartialEq + AsRef<str>>(
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

/// Reports a pattern; its parts are not quoted if they would show a variable's value.
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

pub(super) fn path_pattern(text: &str) -> Result<PathPattern, Refusal> {
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

/// What to write instead of a regular expression. Only characters that no path has make it one:
/// `/a.b`, `/a+b` and `/(a)` are paths.
fn instead_of_expression(text: &str) -> Option<String> {
    let is_expression = text.starts_with(['^', '~']) || text.contains(['\\', '^', '|']);
    if !is_expression && !text.contains(".*") {
        return None;
    }
    let literal = text.trim_start_matches(['^', '~', '*', ' ']);
    let whole = literal.strip_suffix('$').unwrap_or(literal);
    let end = whole.find(|c| "\\.^$|?*+()[]{}".contains(c));
    let start = match end {
        // The last segment may be incomplete.
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

/// `path` with percent-encoding where a character is not allowed in a path.
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

pub(super) fn path_regex(text: &str) -> Result<Pattern, Refusal> {
    Pattern::new(text).map_err(|why| {
        let why = format!("is not a regular expression: {why}");
        refusal(why, "https://docs.rs/regex has the syntax")
    })
}

pub(super) fn method(text: &str) -> Result<Method, Refusal> {
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

fn value_pattern(text: &str) -> ValuePattern {
    match text.strip_suffix('*') {
        Some("") => ValuePattern::Present,
        Some(start) => ValuePattern::Prefix(start.to_owned()),
        None => ValuePattern::Exact(text.to_owned()),
    }
}

pub(super) fn header_predicate(
    entry: &Entry,
    value: ValuePattern,
) -> Result<Predicate<HeaderName>, Refusal> {
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

pub(super) fn query_predicate(
    entry: &Entry,
    value: ValuePattern,
) -> Result<Predicate<String>, Refusal> {
    Ok(Predicate {
        name: entry.key.clone(),
        value,
    })
}

fn refusal(why: impl Into<String>, help: impl Into<String>) -> Refusal {
    (why.into(), help.into())
}
