//! `auth` of a rule.

use std::collections::BTreeMap;

use crate::config::page::{key as quoted_key, list, string, table};
use crate::plan::{Auth, User};

use super::kind::Shape;
use super::{Keys, key};

pub(in crate::config) static AUTH: Keys<Auth> = Keys {
    keys: &[
        key("realm")
            .means("What the browser shows when it asks for the password.")
            .compiled(Shape::Text, |auth| Some(string(&auth.realm))),
        key("required")
            .means("Whether a request without a right password is answered 401; else it passes, and `http_auth` is false.")
            .also("mandatory")
            .switch(|auth| &mut auth.required),
        key("users")
            .means("Names, each with a hash, or with \"{PLAIN}\" and the password.")
            .also("user credentials")
            .compiled(Shape::Named(&Shape::Text), |auth| {
                let own = auth.users.iter().filter(|user| !user.is_of_file);
                let users: Vec<_> = own
                    .map(|user| (quoted_key(&user.name), string(shown(user))))
                    .collect();
                (!users.is_empty()).then(|| table(users.into_iter()))
            }),
        key("file")
            .means("A file with a line `name:hash` for each user.")
            .also("htpasswd users_file usersfile user_file auth_basic_user_file")
            .compiled(Shape::Text, |auth| auth.file.as_deref().map(string)),
        key("groups")
            .means("Groups, each with its users: `http_auth_group` reads them.")
            .also("group")
            .compiled(Shape::Named(&Shape::List(&Shape::Text)), |auth| {
                let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
                for user in &auth.users {
                    for group in &user.groups {
                        groups.entry(group).or_default().push(string(&user.name));
                    }
                }
                (!groups.is_empty()).then(|| {
                    let groups = groups.into_iter();
                    table(groups.map(|(group, users)| (quoted_key(group), list(users.into_iter()))))
                })
            }),
    ],
    hints: r#"
        password hash: write `users = { name = "hash" }`
        insecure_password: write `users = { name = "{PLAIN}password" }`
        remove_header removeheader: write a rule after it: `del_header = "authorization"`
        header_field headerfield: write a rule after it: `set_header = { x-user = "%[http_auth_user]" }`
    "#,
    ..Keys::EMPTY
};

/// The stored password as `check --show` writes it; the content of a secret file is not shown.
fn shown(user: &User) -> &str {
    match user.password.is_secret {
        true => "{PLAIN}***",
        false => &user.password.text,
    }
}
