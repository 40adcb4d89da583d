//! Words that HAProxy itself has removed: `reqadd`, `reqrep`, `rspdel`, `block` and their kin of 1.3 to 2.0.
//!
//! Their regular expressions see whole lines of the head, `Name: value` or the request line. A pattern that begins with
//! the name of one field, or with a method and a space, is about that field, or about the target; others are refused.

use crate::config::raw::Value;
use crate::config::source::Span;

use super::acl::{Acls, quoted};
use super::args::Args;
use super::lexer::{Line, Word};
use super::template::plain;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// The keywords that are read here.
pub(super) const KEYWORDS: &[&str] = &[
    "block",
    "reqadd",
    "reqallow",
    "reqdel",
    "reqdeny",
    "reqiallow",
    "reqidel",
    "reqideny",
    "reqipass",
    "reqirep",
    "reqitarpit",
    "reqpass",
    "reqrep",
    "reqtarpit",
    "rspadd",
    "rspdel",
    "rspdeny",
    "rspidel",
    "rspideny",
    "rspirep",
    "rsprep",
];

/// When the rule of a line runs, among those of its proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before `http-request`.
    Block,
    /// After `http-request`, before `redirect`.
    Request,
    /// After `http-response`.
    Response,
}

/// The stage of a keyword of [`KEYWORDS`].
pub(super) fn stage(keyword: &str) -> Stage {
    match keyword {
        "block" => Stage::Block,
        _ if keyword.starts_with("req") => Stage::Request,
        _ => Stage::Response,
    }
}

/// What a regular expression of a whole line is about.
#[derive(Debug, PartialEq, Eq)]
enum Subject {
    /// The value of this field.
    Field(String),
    /// The target, behind so many groups for the method.
    Target(usize),
}

/// The rule of `line`, which begins with one of [`KEYWORDS`]. `tarpit`: the time of a tarpit.
pub(super) fn rule(
    line: &Line,
    acls: &Acls,
    tarpit: Option<&str>,
    verdicts: &mut Verdicts,
) -> Option<Value> {
    let keyword = line.keyword();
    let (mut args, condition) = Args::after(line, 1).until_condition();
    let is_response = stage(keyword) == Stage::Response;
    let mut conditions = Vec::new();
    if let Some((condition, _)) = acls.condition(condition, verdicts).ok()? {
        conditions.push(condition);
    }
    let mut keys = Keys::default();
    if is_response {
        keys.set("on", write::text(line.span, "response"));
    }
    // `reqirep` is `reqrep` without regard to case.
    let rest = keyword.trim_start_matches("req").trim_start_matches("rsp");
    let (action, ignores_case) = match rest.strip_prefix('i') {
        Some(action) if keyword != "block" => (action, true),
        _ => (rest, false),
    };
    match action {
        "block" => keys.set("deny", write::number(line.span, 403)),
        "add" => {
            let word = args.need("field", verdicts)?;
            let Some((name, value)) = word.text.split_once(':') else {
                verdicts.wrong(word.span, "a field is `Name: value`", "");
                return None;
            };
            let value = write::text(word.span, plain(value.trim()));
            let name = name.trim().to_ascii_lowercase();
            keys.set("add_header", write::table(line.span, &name, value));
        }
        "allow" | "pass" => {
            verdicts.refused(
                line.span,
                keyword,
                "write an `acl` and `http-request allow`",
            );
            return None;
        }
        _ => {
            let pattern = args.need("regular expression", verdicts)?;
            let Some((subject, about)) = subject(&pattern.text) else {
                verdicts.refused(
                    pattern.span,
                    &format!("{keyword} with this expression"),
                    "only one that begins with `^Name:` or with a method and a space is read: write `http-request` rules",
                );
                return None;
            };
            let about = match ignores_case {
                true => format!("(?i){about}"),
                false => about,
            };
            match action {
                "rep" => {
                    let with = args.need("replacement", verdicts)?;
                    replace(&subject, &about, pattern.span, with, &mut keys, verdicts)?;
                }
                "del" => delete(
                    &subject,
                    &about,
                    line.span,
                    is_response,
                    &mut conditions,
                    &mut keys,
                    keyword,
                    verdicts,
                )?,
                _ => {
                    conditions.push(matches(&subject, &about, is_response));
                    refuse(action, line.span, is_response, tarpit, &mut keys, verdicts);
                }
            }
        }
    }
    args.end(verdicts);
    if !conditions.is_empty() {
        let all: Vec<String> = conditions.iter().map(|one| format!("({one})")).collect();
        let text = match all.as_slice() {
            [_] => conditions.remove(0),
            _ => all.join(" and "),
        };
        keys.set("when", write::text(line.span, text));
    }
    Some(keys.at(line.span))
}

fn refuse(
    action: &str,
    span: Span,
    is_response: bool,
    tarpit: Option<&str>,
    keys: &mut Keys,
    verdicts: &mut Verdicts,
) {
    if action != "tarpit" {
        let status = if is_response { 502 } else { 403 };
        return keys.set("deny", write::number(span, status));
    }
    let time = tarpit.unwrap_or_else(|| {
        verdicts.approximated(
            span,
            "without `timeout tarpit` the client waits 10 s, and not for ever",
        );
        "10s"
    });
    let mut table = Keys::default();
    table.set("time", write::text(span, time));
    table.set("status", write::number(span, 500));
    keys.set("tarpit", table.at(span));
}

fn fetch(subject: &Subject, is_response: bool) -> String {
    match (subject, is_response) {
        (Subject::Field(name), false) => format!("req.fhdr({name})"),
        (Subject::Field(name), true) => format!("res.fhdr({name})"),
        (Subject::Target(_), _) => "pathq".to_owned(),
    }
}

fn matches(subject: &Subject, about: &str, is_response: bool) -> String {
    format!("{} matches {}", fetch(subject, is_response), quoted(about))
}

#[expect(
    clippy::too_many_arguments,
    reason = "a step of `rule`, which has all of them"
)]
fn delete(
    subject: &Subject,
    about: &str,
    span: Span,
    is_response: bool,
    conditions: &mut Vec<String>,
    keys: &mut Keys,
    keyword: &str,
    verdicts: &mut Verdicts,
) -> Option<()> {
    let Subject::Field(name) = subject else {
        verdicts.refused(span, keyword, "a request cannot be without its first line");
        return None;
    };
    if !matches!(about, "" | "(?i)" | ".*" | "(?i).*" | ".*$" | "(?i).*$") {
        conditions.push(matches(subject, about, is_response));
        verdicts.approximated(span, "all lines of the field go if one of them matches");
    }
    keys.set(
        "del_header",
        write::list(span, vec![write::text(span, name.clone())]),
    );
    Some(())
}

/// `with` is the whole new line.
fn replace(
    subject: &Subject,
    about: &str,
    span: Span,
    with: &Word,
    keys: &mut Keys,
    verdicts: &mut Verdicts,
) -> Option<()> {
    let refused = |verdicts: &mut Verdicts, instead: &str| {
        verdicts.refused(with.span, "this replacement", instead);
        None
    };
    let mut inner = Keys::default();
    let text = plain(&with.text);
    match subject {
        Subject::Field(name) => {
            let Some((new, value)) = text.split_once(':') else {
                return refused(verdicts, "begin it with the name of the field");
            };
            if !new.trim().eq_ignore_ascii_case(name) {
                return refused(
                    verdicts,
                    "a field keeps its name: write `set-header` and `del-header`",
                );
            }
            inner.set("name", write::text(span, name.clone()));
            inner.set("match", write::text(span, about));
            inner.set("with", write::text(with.span, value.trim_start()));
            keys.set("replace_header", inner.at(span));
        }
        Subject::Target(groups) => {
            // `\1 /new\2`: the method, and then the target.
            let Some((method, target)) = text.split_once(' ') else {
                return refused(verdicts, "begin it with the method and a space");
            };
            let keeps_method = match groups {
                0 => !method.contains('\\'),
                _ => method == "\\1",
            };
            let target = target.split(' ').next().unwrap_or_default();
            let target = keeps_method.then(|| renumbered(target, *groups)).flatten();
            let Some(target) = target else {
                return refused(
                    verdicts,
                    "it must keep the method, and use no other group of it",
                );
            };
            inner.set("match", write::text(span, about));
            inner.set("with", write::text(with.span, target));
            keys.set("replace_pathq", inner.at(span));
        }
    }
    Some(())
}

/// `text` with each group number lower by `groups`; `None`: it uses one of those groups.
fn renumbered(text: &str, groups: usize) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if c != '\\' {
            continue;
        }
        let Some(next) = chars.next() else {
            break;
        };
        match next.to_digit(10) {
            Some(number) if number > 0 => {
                let number = usize::try_from(number).ok()?.checked_sub(groups)?;
                if number == 0 {
                    return None;
                }
                out.push_str(&number.to_string());
            }
            _ => out.push(next),
        }
    }
    Some(out)
}

/// What `pattern` is about, and the rest of it, which is about that alone.
fn subject(pattern: &str) -> Option<(Subject, String)> {
    let rest = pattern.strip_prefix('^')?;
    // A field: a plain name and a colon.
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    if end > 0 && rest[end..].starts_with(':') {
        let name = rest[..end].to_ascii_lowercase();
        let about = rest[end + 1..].trim_start();
        let about = about.strip_prefix("\\ ").unwrap_or(about);
        let about = about.strip_prefix("[ ]*").unwrap_or(about);
        let about = match about {
            "" | ".*" => about.to_owned(),
            _ if about.starts_with(".*") => about.to_owned(),
            _ => format!("^{about}"),
        };
        return Some((Subject::Field(name), about));
    }
    // A method: any text without a space, with or without a group, or one by its name.
    const METHODS: &[(&str, usize)] = &[
        ("([^ :]*)", 1),
        ("([^ ]*)", 1),
        ("([^\\ :]*)", 1),
        ("([^\\ ]*)", 1),
        ("([^ :]+)", 1),
        ("([^ ]+)", 1),
        ("[^ :]*", 0),
        ("[^ ]*", 0),
        ("[^\\ :]*", 0),
        ("[^\\ ]*", 0),
        ("([A-Z]*)", 1),
        ("([A-Z]+)", 1),
        ("(.*)", 1),
    ];
    let (after, groups) = METHODS
        .iter()
        .find_map(|(method, groups)| Some((rest.strip_prefix(method)?, *groups)))?;
    let after = after.strip_prefix("\\ ").or(after.strip_prefix(' '))?;
    // The version is no part of the target.
    let version = [" ", "\\ "]
        .iter()
        .filter_map(|space| after.find(space))
        .min();
    let about = match version {
        Some(at) => format!("^{}$", &after[..at]),
        None => format!("^{after}"),
    };
    Some((Subject::Target(groups), about))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_of_a_line_is_about_a_field_or_the_target() {
        let field =
            |name: &str, about: &str| Some((Subject::Field(name.to_owned()), about.to_owned()));
        let target = |groups, about: &str| Some((Subject::Target(groups), about.to_owned()));
        for (pattern, expected) in [
            ("^Host:.*", field("host", ".*")),
            ("^X-A: (.*)b", field("x-a", "^(.*)b")),
            ("^([^ :]*) /static/(.*)", target(1, "^/static/(.*)")),
            ("^([^\\ ]*)\\ /a(.*)\\ HTTP", target(1, "^/a(.*)$")),
            ("^[^ ]* /admin", target(0, "^/admin")),
            ("Host:", None),
            ("^.*evil", None),
        ] {
            assert_eq!(subject(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn groups_of_the_method_are_taken_off_the_numbers() {
        assert_eq!(renumbered("/x\\2\\3", 1).as_deref(), Some("/x\\1\\2"));
        assert_eq!(renumbered("/x\\1", 1), None);
        assert_eq!(renumbered("/x\\1", 0).as_deref(), Some("/x\\1"));
    }
}
