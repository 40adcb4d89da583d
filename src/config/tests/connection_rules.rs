//! Errors and warnings about rules for connections.

use super::{BASE, errors, warnings};

fn with(rules: &str) -> String {
    let lines = format!("backend = \"app\"\nconnection_rule = [{rules}]");
    BASE.replacen("backend = \"app\"", &lines, 1)
}

#[test]
fn what_is_not_known_of_a_connection_is_refused_with_what_is() {
    for fetch in ["path", "ssl_fc", "req.hdr(host)", "status", "path_beg"] {
        let said = errors(&with(&format!("{{ when = '{fetch}', reject = true }}")));
        assert!(
            said.contains("rules for connections run before TLS"),
            "{said}"
        );
        assert!(said.contains("write a `[[frontend.NAME.rule]]`"), "{said}");
    }
    let said = errors(&with("{ when = 'srk', reject = true }"));
    assert!(said.contains("did you mean `src`"), "{said}");
}

#[test]
fn a_rule_for_connections_has_one_action() {
    for (rule, message) in [
        ("{ }", "this rule does nothing"),
        ("{ when = 'src == \"::1\"' }", "this rule does nothing"),
        (
            "{ reject = true, accept = true }",
            "a rule has one action, and this one has `accept` and `reject`",
        ),
        ("{ reject = false }", "`reject = false` does nothing"),
        ("{ deny = true }", "write `reject`"),
        ("{ rejct = true }", "did you mean `reject`"),
        ("{ set_src = 'fe_name,sha1' }", "needs an address"),
        (
            "{ track = { table = 'no', key = 'src' } }",
            "table `no` is not defined",
        ),
    ] {
        let said = errors(&with(rule));
        assert!(said.contains(message), "{rule}\n{said}");
    }
}

#[test]
fn a_rule_after_the_one_that_ends_all_is_warned_of() {
    let said = warnings(&with("{ reject = true }, { silent_drop = true }"));
    assert!(said.contains("this rule never runs"), "{said}");
    assert_eq!(
        warnings(&with("{ expect_proxy = true }, { reject = true }")),
        ""
    );
}

#[test]
fn a_counter_that_no_rule_tracks_is_warned_of() {
    let said = warnings(&with("{ when = 'sc_conn_cur(0) > 1', reject = true }"));
    assert!(said.contains("no rule tracks the counter 0"), "{said}");
}

#[test]
fn a_field_of_a_proxy_header_has_a_known_type() {
    for (fetch, message) in [
        ("fc_pp_tlv", "fc_pp_tlv"),
        ("fc_pp_tlv(256)", "a number from 0 to 255"),
        ("fc_pp_tlv(AUTH)", "a number from 0 to 255"),
    ] {
        let said = errors(&with(&format!("{{ when = '{fetch}', reject = true }}")));
        assert!(said.contains(message), "{fetch}\n{said}");
    }
    let log = format!("{BASE}[[log.access]]\nto = 'stdout'\nformat = '%[fc_pp_authority]'\n");
    let said = errors(&log);
    assert!(said.contains("the PROXY header is not kept"), "{said}");
}
