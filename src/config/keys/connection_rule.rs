//! `connection_rule` of a frontend: what is done to a connection before TLS and before its first
//! request.

use crate::config::page::{rows, string};
use crate::plan::{ConnectionAction, ConnectionRule};

use super::kind::Shape;
use super::rule::TRACK;
use super::{Keys, key};

/// All keys but `when` are actions, of which a rule has exactly one.
pub(in crate::config) static CONNECTION_RULE: Keys<ConnectionRule> = Keys {
    keys: &[
        key("when")
            .means("The condition; without it the rule always runs.")
            .also("if condition")
            .compiled(Shape::Text, |rule| {
                rule.when.as_ref().map(|when| string(&when.to_string()))
            }),
        key("accept")
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
            }),
        key("reject")
            .means("Reset the connection.")
            .also("deny block close")
            .action(
                &[],
                &[(
                    "reject = true",
                    "Resets the connection.",
                )],
            )
            .compiled(Shape::Switch, |rule| {
                shown_switch(rule, &ConnectionAction::Reject)
            }),
        key("silent_drop")
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
            }),
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
        key("set_src")
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
            }),
        key("track")
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
            }),
    ],
    hints: r#"
        unless: write `when = "not (…)"`
        src client_ip remote_ip remote_addr source: a condition of a rule is `when`: `when = 'src in ["10.0.0.0/8"]'`
        port dst_port: a condition of a rule is `when`: `when = "dst_port == 443"`
        sni alpn: write a `[[frontend.NAME.route]]` in TCP mode, or `passthrough`, with it: these rules run before the client has sent anything
        on: leave it out: these rules run once, when a connection is accepted
        return redirect set_header path host: write a `[[frontend.NAME.rule]]`: here is no request yet
        rate_limit: write `track` and a rule with `when = "sc_conn_rate(0) > 10"` and `reject = true`
    "#,
    ..Keys::EMPTY
};

/// The keys of which a rule has exactly one.
pub(in crate::config) fn connection_actions() -> Vec<&'static str> {
    let keys = CONNECTION_RULE.keys.iter().map(|key| key.info.name);
    keys.filter(|name| *name != "when").collect()
}

fn shown_switch(rule: &ConnectionRule, action: &ConnectionAction) -> Option<String> {
    (rule.action == *action).then(|| "true".to_owned())
}

/// `rules`, each on a line of its own; `None`: there is none.
pub(super) fn shown(rules: &[ConnectionRule]) -> Option<String> {
    let rules = rules
        .iter()
        .map(|rule| CONNECTION_RULE.whole().inline(rule));
    (rules.len() > 0).then(|| rows("    ", rules))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;
    use std::{env, fs};

    use super::CONNECTION_RULE;

    /// Stands before and after the table in the page.
    const BEGIN: &str = "<!-- From here on, the table is written from src/config/keys/connection_rule.rs: EVENKEEL_BLESS=1 cargo test -->\n";
    const END: &str = "<!-- End of the table -->\n";

    fn table() -> String {
        let mut table = String::from("| key | what it does |\n|---|---|\n");
        for info in CONNECTION_RULE.keys.iter().map(|key| &key.info) {
            for (form, does) in info.forms {
                writeln!(table, "| `{form}` | {does} |").expect("text");
            }
        }
        table
    }

    #[test]
    fn the_page_of_rules_for_connections_has_the_actions_of_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/reference/connection-rules.md");
        let page = fs::read_to_string(&path).expect("the page");
        let (before, rest) = page.split_once(BEGIN).expect("the table begins");
        let (found, after) = rest.split_once(END).expect("the table ends");
        if env::var_os("EVENKEEL_BLESS").is_some() {
            let page = format!("{before}{BEGIN}{}{END}{after}", table());
            fs::write(&path, page).expect("the page can be written");
            return;
        }
        assert_eq!(
            found,
            table(),
            "run EVENKEEL_BLESS=1 cargo test to write the table anew"
        );
    }

    #[test]
    fn every_key_but_the_condition_has_a_row_in_the_reference() {
        for info in CONNECTION_RULE.keys.iter().map(|key| &key.info) {
            assert_eq!(info.name != "when", !info.forms.is_empty(), "{}", info.name);
        }
    }
}
