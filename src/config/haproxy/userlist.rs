//! `userlist` sections, `http_auth(LIST)` in conditions, and `http-request auth` (manual §3.4, §4.2).
//!
//! HAProxy verifies a password where a condition asks for it. Here a rule does, which is put before the rule with the
//! condition and lets every request pass; the condition then reads what it found.

use std::collections::BTreeMap;

use crate::config::raw::Value;
use crate::config::source::Span;

use super::args::Args;
use super::global::Global;
use super::lexer::Line;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// `condition` without the names of user lists in `http_auth(LIST)` and `http_auth_group(LIST)`, and the names.
fn without_lists(condition: &str) -> (String, Vec<String>) {
    let mut out = String::new();
    let mut lists: Vec<String> = Vec::new();
    let mut rest = condition;
    let mut in_quotes = false;
    while !rest.is_empty() {
        if !in_quotes {
            let fetches = ["http_auth_group(", "http_auth("];
            let fetch = fetches.into_iter().find(|fetch| rest.starts_with(fetch));
            if let Some(fetch) = fetch
                && let Some(end) = rest.find(')')
            {
                let list = rest[fetch.len()..end].trim();
                if !lists.iter().any(|known| known == list) {
                    lists.push(list.to_owned());
                }
                out.push_str(fetch.trim_end_matches('('));
                rest = &rest[end + 1..];
                continue;
            }
        }
        let mut chars = rest.chars();
        let c = chars.next().unwrap_or_default();
        out.push(c);
        if c == '\\' && in_quotes {
            out.extend(chars.next());
        }
        in_quotes ^= c == '"';
        rest = chars.as_str();
    }
    (out, lists)
}

/// `condition` as Evenkeel asks for it, and the rule that must run before; `None`: a mistake, which is said.
pub(super) fn asked(
    condition: String,
    span: Span,
    global: &Global<'_>,
    verdicts: &mut Verdicts,
) -> Option<(String, Option<Value>)> {
    if !condition.contains("http_auth") {
        return Some((condition, None));
    }
    let (condition, lists) = without_lists(&condition);
    let Some(list) = lists.first() else {
        return Some((condition, None));
    };
    // The first user whose password was right is the user of the request, in all conditions.
    let mut used = global.used_list.borrow_mut();
    let is_other = used.as_ref().is_some_and(|used| used != list);
    if lists.len() > 1 || is_other {
        verdicts.refused(
            span,
            "a second `userlist` in conditions",
            "put the users into one list, and ask for their group: `http_auth_group(LIST) GROUP`",
        );
        return None;
    }
    let Some(lines) = global.userlists.get(&**list) else {
        verdicts.wrong(span, format!("unknown `userlist` `{list}`"), "");
        return None;
    };
    *used = Some(list.clone());
    let mut auth = users(lines, verdicts)?;
    auth.set("required", write::switch(span, false));
    let rule = write::table(span, "auth", auth.at(span));
    Some((condition, Some(rule)))
}

/// `users` and `groups` of a section.
fn users(lines: &[Line], verdicts: &mut Verdicts) -> Option<Keys> {
    let mut users = Keys::default();
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut span = None;
    for line in lines {
        let mut args = Args::after(line, 1);
        let name = args.need("name", verdicts)?;
        match line.keyword() {
            "group" => {
                let members = groups.entry(name.text.clone()).or_default();
                if args.takes("users") {
                    let list = args.need("list of users", verdicts)?;
                    let names = list.text.split(',').filter(|name| !name.is_empty());
                    members.extend(names.map(|name| write::text(list.span, name)));
                }
            }
            "user" => {
                span = Some(name.span);
                while let Some(word) = args.next() {
                    match &*word.text {
                        "password" => {
                            let hash = args.need("hash", verdicts)?;
                            users.set(&name.text, write::text(hash.span, hash.text.clone()));
                        }
                        "insecure-password" => {
                            let password = args.need("password", verdicts)?;
                            let text = format!("{{PLAIN}}{}", password.text);
                            users.set(&name.text, write::text(password.span, text));
                        }
                        "groups" => {
                            let list = args.need("list of groups", verdicts)?;
                            for group in list.text.split(',').filter(|name| !name.is_empty()) {
                                let members = groups.entry(group.to_owned()).or_default();
                                members.push(write::text(name.span, name.text.clone()));
                            }
                        }
                        _ => {
                            let known = ["password", "insecure-password", "groups"];
                            verdicts.unknown("word of `user`", word, known);
                            return None;
                        }
                    }
                }
                if !users.has(&name.text) {
                    verdicts.approximated(name.span, "a user without a password is left out");
                }
            }
            _ => {
                verdicts.unknown("keyword of `userlist`", &line.words[0], ["user", "group"]);
                return None;
            }
        }
        args.end(verdicts);
    }
    let Some(span) = span.filter(|_| !users.is_empty()) else {
        let span = lines.first().map(|line| line.span)?;
        verdicts.wrong(span, "this `userlist` has no user with a password", "");
        return None;
    };
    let mut keys = Keys::default();
    keys.set("users", users.at(span));
    let mut of_groups = Keys::default();
    for (group, members) in groups {
        if !members.is_empty() {
            of_groups.set(&group, write::list(span, members));
        }
    }
    if !of_groups.is_empty() {
        keys.set("groups", of_groups.at(span));
    }
    Some(keys)
}

/// `auth [realm REALM]`: asks for a password.
pub(super) fn challenge(
    span: Span,
    args: &mut Args<'_>,
    proxy: &str,
    keys: &mut Keys,
    verdicts: &mut Verdicts,
) -> Option<()> {
    let realm = match args.takes("realm") {
        true => args.need("realm", verdicts)?.text.clone(),
        false => proxy.to_owned(),
    };
    let challenge = format!("Basic realm=\"{}\"", realm.replace('%', "%%"));
    let field = write::table(span, "www-authenticate", write::text(span, challenge));
    let mut deny = Keys::default();
    deny.set("status", write::number(span, 401));
    deny.set("headers", field);
    keys.set("deny", deny.at(span));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::without_lists;

    #[test]
    fn names_of_lists_are_taken_out_of_conditions_but_not_of_texts() {
        let (condition, lists) = without_lists(
            "not (http_auth(ops)) and path == \"http_auth(\\\"x)\" and http_auth_group(ops) == \"a\"",
        );
        assert_eq!(
            condition,
            "not (http_auth) and path == \"http_auth(\\\"x)\" and http_auth_group == \"a\""
        );
        assert_eq!(lists, ["ops"]);
    }
}
