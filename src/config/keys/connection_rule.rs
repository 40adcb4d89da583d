//! `connection_rule` and `content_rule` of a frontend: what is done to a connection before TLS, and on its
//! first bytes, before a request.

use crate::config::page::{key as quoted_key, list, rows, string, table};
use crate::plan::{ConnectionAction, ConnectionRule};

use super::kind::Shape;
use super::rule::{CAPTURE_TABLE, TRACK};
use super::{Key, Keys, key};

/// All keys but `when` are actions, of which a rule has exactly one.
pub(in crate::config) static CONNECTION_RULE: Keys<ConnectionRule> = Keys {
    keys: &[
        WHEN,
        ACCEPT,
        REJECT,
        SILENT_DROP,
        key("expect_proxy")
            .means("Read a PROXY header, which the peer must send.")
            .also("expect_proxy_layer4 accept_proxy proxy_protocol")
            .action(
                &[],
                &[(
                    "expect_proxy = true",
                    "Reads a PROXY header, which the peer must send within `timeout.head`; without one the connection is closed. Later rules see the client of the header. Nothing is read if `proxy_protocol` required a header already.",
                )],
            )
            .compiled(Shape::Switch, |rule| {
                shown_switch(rule, &ConnectionAction::ExpectProxy)
            }),
        SET_SRC,
        SET_SRC_PORT,
        SET_DST,
        SET_DST_PORT,
        SET_VAR,
        UNSET_VAR,
        TRACK_KEY,
    ],
    hints: r#"
        unless: write `when = "not (…)"`
        src client_ip remote_ip remote_addr source: a condition of a rule is `when`: `when = 'src in ["10.0.0.0/8"]'`
        port dst_port: a condition of a rule is `when`: `when = "dst_port == 443"`
        sni alpn use_backend capture: write a `[[frontend.NAME.content_rule]]`: these rules run before the client has sent anything
        on: leave it out: these rules run once, when a connection is accepted
        return redirect set_header path host: write a `[[frontend.NAME.rule]]`: here is no request yet
        rate_limit: write `track` and a rule with `when = "sc_conn_rate(0) > 10"` and `reject = true`
    "#,
    ..Keys::EMPTY
};

/// The same for rules for content.
pub(in crate::config) static CONTENT_RULE: Keys<ConnectionRule> = Keys {
    keys: &[
        WHEN,
        ACCEPT,
        REJECT,
        SILENT_DROP,
        SET_SRC,
        SET_SRC_PORT,
        SET_DST,
        SET_DST_PORT,
        SET_VAR,
        UNSET_VAR,
        TRACK_KEY,
        key("capture")
            .means("Keep a value for the log, in TCP mode.")
            .action(
                &[],
                &[(
                    "capture = { value = \"req.ssl_sni\", len = 64 }",
                    "In TCP mode, keeps the value for the log, where `%hr` has it. `id` is its place, else its position among the rules with `capture`.",
                )],
            )
            .compiled(Shape::Table(&CAPTURE_TABLE), |rule| match &rule.action {
                ConnectionAction::Capture(capture) => Some(CAPTURE_TABLE.whole().inline(capture)),
                _ => None,
            }),
        key("use_backend")
            .means("In TCP mode: the backend, in place of that of the routes; no later rule runs.")
            .also("backend default_backend")
            .action(
                &[],
                &[(
                    "use_backend = \"name\"",
                    "In TCP mode, passes the connection on to this backend: no later rule runs, and no route is looked at.",
                )],
            )
            .compiled(Shape::Text, |rule| match &rule.action {
                ConnectionAction::UseBackend(backend) => Some(string(&backend.name)),
                _ => None,
            }),
    ],
    hints: r#"
        unless: write `when = "not (…)"`
        expect_proxy: write a `[[frontend.NAME.connection_rule]]`: a PROXY header comes before all other bytes
        sni: a condition of a rule is `when`: `when = 'req.ssl_sni == "a.example"'`
        alpn: a condition of a rule is `when`: `when = 'req.ssl_alpn == "h2"'`
        inspect_delay: write it in the frontend, for all rules
        src client_ip remote_ip remote_addr source: a condition of a rule is `when`: `when = 'src in ["10.0.0.0/8"]'`
        on: leave it out: these rules run once, on the first bytes of a connection
        return redirect set_header path host: write a `[[frontend.NAME.rule]]`: here is no request yet
        rate_limit: write `track` and a rule with `when = "sc_conn_rate(0) > 10"` and `reject = true`
    "#,
    ..Keys::EMPTY
};

const WHEN: Key<ConnectionRule> = key("when")
    .means("The condition; without it the rule always runs.")
    .also("if condition")
    .compiled(Shape::Text, |rule| {
        rule.when.as_ref().map(|when| string(&when.to_string()))
    });

const ACCEPT: Key<ConnectionRule> = key("accept")
    .means("Serve the connection; no later rule runs.")
    .also("allow")
    .action(
        &[],
        &[(
            "accept = true",
            "Serves the connection: no later rule runs. So it is after the last rule.",
        )],
    )
    .compiled(Shape::Switch, |rule| {
        shown_switch(rule, &ConnectionAction::Accept)
    });

const REJECT: Key<ConnectionRule> = key("reject")
    .means("Reset the connection.")
    .also("deny block close")
    .action(&[], &[("reject = true", "Resets the connection.")])
    .compiled(Shape::Switch, |rule| {
        shown_switch(rule, &ConnectionAction::Reject)
    });

const SILENT_DROP: Key<ConnectionRule> = key("silent_drop")
    .means("Close the connection so that the client does not notice.")
    .also("drop")
    .action(
        &[],
        &[(
            "silent_drop = true",
            "Closes the connection so that the client does not notice: the reset that is sent ends at the first router. A client in the same network sees it. Firewalls in between that keep state keep theirs until it times out.",
        )],
    )
    .compiled(Shape::Switch, |rule| {
        shown_switch(rule, &ConnectionAction::SilentDrop)
    });

const SET_SRC: Key<ConnectionRule> = key("set_src")
    .means("The expression whose value becomes the client's address.")
    .also("set_source")
    .action(
        &[],
        &[(
            "set_src = \"expression\"",
            "The value of the expression becomes the address of the client, for later rules, requests, logs and servers; its port stays. A value that is no address changes nothing.",
        )],
    )
    .compiled(Shape::Text, |rule| match &rule.action {
        ConnectionAction::SetSrc(value) => Some(string(&value.to_string())),
        _ => None,
    });

const SET_SRC_PORT: Key<ConnectionRule> = key("set_src_port")
    .means("The expression whose value becomes the client's port.")
    .action(
        &[],
        &[(
            "set_src_port = \"expression\"",
            "The value of the expression becomes the port of the client. A value that is no port changes nothing.",
        )],
    )
    .compiled(Shape::Text, |rule| match &rule.action {
        ConnectionAction::SetSrcPort(value) => Some(string(&value.to_string())),
        _ => None,
    });

const SET_DST: Key<ConnectionRule> = key("set_dst")
    .means("The expression whose value becomes the address that the client connected to.")
    .action(
        &[],
        &[(
            "set_dst = \"expression\"",
            "The value of the expression becomes the address that the client connected to, for later rules, requests, logs and the PROXY header for servers; its port stays.",
        )],
    )
    .compiled(Shape::Text, |rule| match &rule.action {
        ConnectionAction::SetDst(value) => Some(string(&value.to_string())),
        _ => None,
    });

const SET_DST_PORT: Key<ConnectionRule> = key("set_dst_port")
    .means("The expression whose value becomes the port that the client connected to.")
    .action(
        &[],
        &[(
            "set_dst_port = \"expression\"",
            "The value of the expression becomes the port that the client connected to.",
        )],
    )
    .compiled(Shape::Text, |rule| match &rule.action {
        ConnectionAction::SetDstPort(value) => Some(string(&value.to_string())),
        _ => None,
    });

const SET_VAR: Key<ConnectionRule> = key("set_var")
    .means("Variables of the connection, which later rules read as `var(sess.name)`.")
    .action(
        &[],
        &[(
            "set_var = { \"sess.name\" = \"expression\" }",
            "Gives the variables the values of expressions, for the rest of the connection.",
        )],
    )
    .compiled(Shape::Named(&Shape::Text), |rule| match &rule.action {
        ConnectionAction::SetVar(variables) => {
            let variables = variables.iter();
            Some(table(variables.map(|(variable, expr)| {
                let (variable, expr) = (variable.to_string(), expr.to_string());
                (quoted_key(&variable), string(&expr))
            })))
        }
        _ => None,
    });

const UNSET_VAR: Key<ConnectionRule> = key("unset_var")
    .means("Remove variables.")
    .action(
        &[],
        &[("unset_var = [\"sess.name\"]", "Removes the variables.")],
    )
    .compiled(Shape::List(&Shape::Text), |rule| match &rule.action {
        ConnectionAction::UnsetVar(variables) => {
            let names = variables.iter();
            Some(list(names.map(|name| string(&name.to_string()))))
        }
        _ => None,
    });

const TRACK_KEY: Key<ConnectionRule> = key("track")
    .means("Count the connection in an entry of a table.")
    .also("track_sc track_sc0 track_sc1 track_sc2")
    .action(
        &[],
        &[(
            "track = { table, key }",
            "Counts the connection in an entry of a table until it is closed, and in the same entry each of its requests: [tables.md](tables.md).",
        )],
    )
    .compiled(Shape::Table(&TRACK), |rule| match &rule.action {
        ConnectionAction::Track(track) => Some(TRACK.whole().inline(track)),
        _ => None,
    });

/// The keys of `keys` of which a rule has exactly one.
pub(in crate::config) fn connection_actions(keys: &Keys<ConnectionRule>) -> Vec<&'static str> {
    let keys = keys.keys.iter().map(|key| key.info.name);
    keys.filter(|name| *name != "when").collect()
}

fn shown_switch(rule: &ConnectionRule, action: &ConnectionAction) -> Option<String> {
    (rule.action == *action).then(|| "true".to_owned())
}

/// `rules`, which have these keys, each on a line of its own; `None`: there is none.
pub(super) fn shown(keys: &Keys<ConnectionRule>, rules: &[ConnectionRule]) -> Option<String> {
    let rules = rules.iter().map(|rule| keys.whole().inline(rule));
    (rules.len() > 0).then(|| rows("    ", rules))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;
    use std::{env, fs};

    use super::super::Keys;
    use super::{CONNECTION_RULE, CONTENT_RULE};
    use crate::plan::ConnectionRule;

    /// The pages, each with its keys.
    const PAGES: [(&str, &Keys<ConnectionRule>); 2] = [
        ("connection-rules.md", &CONNECTION_RULE),
        ("content-rules.md", &CONTENT_RULE),
    ];

    /// Stands before and after the table in a page.
    const BEGIN: &str = "<!-- From here on, the table is written from src/config/keys/connection_rule.rs: EVENKEEL_BLESS=1 cargo test -->\n";
    const END: &str = "<!-- End of the table -->\n";

    fn table(keys: &Keys<ConnectionRule>) -> String {
        let mut table = String::from("| key | what it does |\n|---|---|\n");
        for info in keys.keys.iter().map(|key| &key.info) {
            for (form, does) in info.forms {
                writeln!(table, "| `{form}` | {does} |").expect("text");
            }
        }
        table
    }

    #[test]
    fn the_pages_of_rules_for_connections_have_the_actions_of_the_tables() {
        for (name, keys) in PAGES {
            let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/reference");
            let path = reference.join(name);
            let page = fs::read_to_string(&path).expect("the page");
            let (before, rest) = page.split_once(BEGIN).expect("the table begins");
            let (found, after) = rest.split_once(END).expect("the table ends");
            if env::var_os("EVENKEEL_BLESS").is_some() {
                let page = format!("{before}{BEGIN}{}{END}{after}", table(keys));
                fs::write(&path, page).expect("the page can be written");
                continue;
            }
            assert_eq!(
                found,
                table(keys),
                "run EVENKEEL_BLESS=1 cargo test to write the table anew"
            );
        }
    }

    #[test]
    fn every_key_but_the_condition_has_a_row_in_the_reference() {
        let keys = PAGES.iter().flat_map(|(_, keys)| keys.keys);
        for info in keys.map(|key| &key.info) {
            assert_eq!(info.name != "when", !info.forms.is_empty(), "{}", info.name);
        }
    }
}
