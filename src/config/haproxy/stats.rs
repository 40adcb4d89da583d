//! `stats` lines of a proxy as rules (manual §4.2): the page, and who may see it.

use crate::config::raw::Value;
use crate::config::source::Span;

use super::acl::{Acls, quoted};
use super::args::Args;
use super::lexer::Line;
use super::quantity;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// HAProxy's own path and realm.
const PATH: &str = "/haproxy?stats";
const REALM: &str = "HAProxy Statistics";

/// The words behind `stats`.
const WORDS: &[&str] = &[
    "admin",
    "auth",
    "enable",
    "hide-version",
    "http-request",
    "realm",
    "refresh",
    "scope",
    "show-desc",
    "show-legends",
    "show-modules",
    "show-node",
    "uri",
];

/// The rules of the `stats` lines of the proxy `name`, in the order in which they run.
pub(super) fn rules(
    lines: &[&Line],
    name: &str,
    acls: &Acls,
    verdicts: &mut Verdicts,
) -> Vec<Value> {
    let Some(first) = lines.first() else {
        return Vec::new();
    };
    let span = first.span;
    let mut keys = Keys::default();
    keys.set("path", write::text(span, PATH));
    let mut realm = REALM.to_owned();
    let (mut users, mut scope, mut title) = (Keys::default(), Vec::new(), Vec::new());
    let mut access: Vec<&Line> = Vec::new();
    for line in lines {
        let read = word(
            line, &mut keys, &mut realm, &mut users, &mut scope, &mut title, verdicts,
        );
        if read == Some(Read::Access) {
            access.push(line);
        }
    }
    let path = keys_path(&keys);
    let here = format!("pathq starts_with {}", quoted(&path));
    if !scope.is_empty() {
        let names = scope.into_iter().map(|scope: String| {
            // A point is the proxy itself.
            write::text(span, if scope == "." { name.to_owned() } else { scope })
        });
        keys.set("scope", write::list(span, names.collect()));
    }
    if !title.is_empty() {
        keys.set("title", write::text(span, title.join(": ")));
    }
    let mut auth = None;
    if !users.is_empty() {
        let mut table = Keys::default();
        table.set("realm", write::text(span, realm));
        table.set("users", users.at(span));
        auth = Some(table.at(span));
    }
    let mut rules = access_rules(&access, &here, auth.as_ref(), acls, verdicts);
    if access.is_empty()
        && let Some(auth) = auth
    {
        rules.push(rule(span, here, "auth", auth));
    }
    let mut page = Keys::default();
    page.set("stats", keys.at(span));
    rules.push(page.at(span));
    rules
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Page,
    /// `stats http-request`
    Access,
}

fn word(
    line: &Line,
    keys: &mut Keys,
    realm: &mut String,
    users: &mut Keys,
    scope: &mut Vec<String>,
    title: &mut Vec<String>,
    verdicts: &mut Verdicts,
) -> Option<Read> {
    let mut args = Args::after(line, 1);
    let word = args.need("word", verdicts)?;
    match &*word.text {
        "enable" => {}
        "uri" => {
            let path = args.need("path", verdicts)?;
            keys.set("path", write::text(path.span, path.text.clone()));
        }
        "refresh" => {
            let time = args.need("time", verdicts)?;
            // A time without a unit is in seconds here.
            let mut seconds = time.clone();
            if seconds.text.bytes().all(|byte| byte.is_ascii_digit()) {
                seconds.text.push('s');
            }
            if let Some(written) = quantity::time(&seconds, verdicts) {
                keys.set("refresh", write::text(time.span, written));
            }
        }
        "hide-version" => keys.set("hide_version", write::switch(word.span, true)),
        "realm" => realm.clone_from(&args.need("realm", verdicts)?.text),
        "auth" => {
            let user = args.need("user and password", verdicts)?;
            let Some((name, password)) = user.text.split_once(':') else {
                verdicts.wrong(user.span, "a user is written as `name:password`", "");
                return None;
            };
            let stored = write::text(user.span, format!("{{PLAIN}}{password}"));
            users.set(name, stored);
        }
        "scope" => scope.push(args.need("name", verdicts)?.text.clone()),
        "show-node" => title.extend(args.next().map(|node| node.text.clone())),
        "show-desc" => {
            let words: Vec<&str> = args.by_ref().map(|word| &*word.text).collect();
            if !words.is_empty() {
                title.push(words.join(" "));
            }
        }
        "show-legends" | "show-modules" => {
            verdicts.without_effect(line.span, "the page has the same columns in any case");
        }
        "admin" => {
            verdicts.approximated(line.span, "the page shows the state, and changes nothing");
            return Some(Read::Page);
        }
        "http-request" => return Some(Read::Access),
        _ => {
            verdicts.unknown("word of `stats`", word, WORDS.iter().copied());
            return None;
        }
    }
    args.end(verdicts);
    Some(Read::Page)
}

/// `stats http-request allow|deny|auth`: the first whose condition holds decides.
fn access_rules(
    lines: &[&Line],
    here: &str,
    auth: Option<&Value>,
    acls: &Acls,
    verdicts: &mut Verdicts,
) -> Vec<Value> {
    let mut rules = Vec::new();
    // Requests for which an earlier line has decided that they pass.
    let mut passed: Vec<String> = Vec::new();
    for line in lines {
        let (mut args, condition) = Args::after(line, 2).until_condition();
        let Some(action) = args.need("action", verdicts) else {
            continue;
        };
        let Ok(condition) = acls.condition(condition, verdicts) else {
            continue;
        };
        let own = condition.map(|(condition, _)| condition);
        let mut all = vec![here.to_owned()];
        all.extend(passed.iter().map(|passed| format!("not ({passed})")));
        all.extend(own.iter().map(|own| format!("({own})")));
        let when = all.join(" and ");
        let span = line.span;
        match (&*action.text, auth) {
            ("allow", _) => {}
            ("deny", _) => {
                rules.push(rule(span, when, "deny", write::number(span, 403)));
                continue;
            }
            ("auth", Some(auth)) => rules.push(rule(span, when, "auth", auth.clone())),
            ("auth", None) => {
                verdicts.wrong(span, "`stats http-request auth` has no `stats auth`", "");
                continue;
            }
            _ => {
                verdicts.unknown("action", action, ["allow", "deny", "auth"]);
                continue;
            }
        }
        passed.push(own.unwrap_or_else(|| "always_true".to_owned()));
    }
    rules
}

fn rule(span: Span, when: String, key: &str, value: Value) -> Value {
    let mut keys = Keys::default();
    keys.set("when", write::text(span, when));
    keys.set(key, value);
    keys.at(span)
}

/// The text of `path`.
fn keys_path(keys: &Keys) -> String {
    keys.text_of("path").unwrap_or_else(|| PATH.to_owned())
}
