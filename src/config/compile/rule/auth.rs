//! `auth = { users = { … } }`.

use std::sync::Arc;

use crate::base::FoldSet;
use crate::config::compile::files;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::plan::{Auth, Password, User};

const USUAL_REALM: &str = "restricted";

pub(super) fn auth(rule: &Section<'_>, report: &mut Report<'_>) -> Option<Auth> {
    let section = rule.section("auth", &keys::AUTH, report)?;
    let realm = match section.setting("realm") {
        Some(setting) => realm(setting, report),
        None => Some(USUAL_REALM.to_owned()),
    };
    let required = match section.setting("required") {
        Some(setting) => setting.boolean(report),
        None => Some(true),
    };
    let mut users = Vec::new();
    let (own, file) = (section.setting("users"), section.setting("file"));
    if section.lacks("users") && section.lacks("file") {
        let help =
            "write `auth = { users = { joe = \"$6$…\" } }` with the output of `openssl passwd -6`";
        report.error(section.span, "this `auth` has no users", help);
        return None;
    }
    let is_right = own.is_none_or(|setting| own_users(setting, &mut users, report));
    let file = match file {
        Some(setting) => Some(users_of_file(setting, &mut users, report)?),
        None => None,
    };
    let groups = section.setting("groups");
    let is_grouped = groups.is_none_or(|groups| group(groups, &mut users, report));
    if !is_right || !is_grouped {
        return None;
    }
    for user in &mut users {
        user.groups.sort();
    }
    users.sort_by(|one, other| one.name.cmp(&other.name));
    Some(Auth {
        realm: realm?,
        required: required?,
        users: users.into_iter().map(Arc::new).collect(),
        file,
        at: report.position(section.span),
    })
}

/// It becomes a quoted string of a field (RFC 9110 §5.6.4).
fn realm(setting: Setting<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = setting.text(report)?;
    let is_plain = |byte: u8| (byte == b' ' || byte.is_ascii_graphic()) && !b"\"\\".contains(&byte);
    if !text.value.bytes().all(is_plain) {
        let message = format!(
            "`realm = {:?}` has characters that a realm cannot have",
            text.shown()
        );
        report.error(setting.span(), message, "use ASCII without `\"` and `\\`");
        return None;
    }
    Some(text.value.clone())
}

/// Reads `users = { … }`; whether all of them are right.
fn own_users(setting: Setting<'_>, users: &mut Vec<User>, report: &mut Report<'_>) -> bool {
    let Some(table) = setting.table(report) else {
        return false;
    };
    let mut is_right = true;
    for entry in &table.entries {
        let name = &entry.key;
        let value = Setting {
            key: name,
            value: &entry.value,
        };
        let Some(text) = value.text(report) else {
            is_right = false;
            continue;
        };
        if !is_name(name) {
            report.error(entry.key_span, BAD_NAME.0, BAD_NAME.1);
            is_right = false;
        }
        match Password::parse(&text.value) {
            Ok(password) => users.push(User {
                name: name.clone(),
                password: Password {
                    is_secret: text.is_secret,
                    ..password
                },
                groups: Vec::new(),
                is_of_file: false,
            }),
            // Not the text: it may be a password.
            Err((message, help)) => {
                report.error(
                    value.span(),
                    format!("the value of `{name}` {message}"),
                    help,
                );
                is_right = false;
            }
        }
    }
    is_right
}

const BAD_NAME: (&str, &str) = (
    "this cannot be the name of a user",
    "Basic credentials end the name with the first `:`; a name has one character at least",
);

/// RFC 7617 §2.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(':') && !name.contains(char::is_control)
}

/// Reads the file that `setting` names, as `htpasswd` writes it, and returns its path as written.
fn users_of_file(
    setting: Setting<'_>,
    users: &mut Vec<User>,
    report: &mut Report<'_>,
) -> Option<String> {
    let path = &setting.text(report)?.value;
    let content = files::content(setting, path, report)?;
    let mut is_right = true;
    let mut seen: FoldSet<String> = users.iter().map(|user| user.name.clone()).collect();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let mut wrong = |message: &str, help: &str| {
            let message = format!("line {} of {path}: {message}", index + 1);
            report.error(setting.span(), message, help);
            is_right = false;
        };
        let line = str::from_utf8(line)
            .ok()
            .and_then(|line| line.split_once(':'));
        let Some((name, hash)) = line.filter(|(name, _)| is_name(name)) else {
            wrong("is not `name:hash`", "write the file with `htpasswd -B`");
            continue;
        };
        if !seen.insert(name.to_owned()) {
            wrong("the user is there twice", "leave one of them out");
            continue;
        }
        match Password::parse(hash) {
            Ok(password) => users.push(User {
                name: name.to_owned(),
                password,
                groups: Vec::new(),
                is_of_file: true,
            }),
            Err((message, help)) => wrong(&format!("the second part {message}"), help),
        }
    }
    is_right.then(|| path.clone())
}

/// Reads `groups = { … }`; whether all of it is right.
fn group(setting: Setting<'_>, users: &mut [User], report: &mut Report<'_>) -> bool {
    let Some(table) = setting.table(report) else {
        return false;
    };
    let mut is_right = true;
    for entry in &table.entries {
        let members = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        for member in members.list() {
            let Some(text) = member.text(report) else {
                is_right = false;
                continue;
            };
            if let Some(user) = users.iter_mut().find(|user| user.name == text.value) {
                if !user.groups.contains(&entry.key) {
                    user.groups.push(entry.key.clone());
                }
                continue;
            }
            let message = format!(
                "the group `{}` has an unknown user {:?}",
                entry.key,
                text.shown()
            );
            let names = users.iter().map(|user| user.name.as_str());
            let help = match suggest::nearest(&text.value, names) {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => "write the user in `users` or in the file".to_owned(),
            };
            report.error(member.span(), message, help);
            is_right = false;
        }
    }
    is_right
}
