//! Errors and warnings about rules for content.

use super::{BASE, errors, plan, warnings};
use crate::config::show;

fn in_http(rules: &str) -> String {
    let lines = format!("backend = \"app\"\ncontent_rule = [{rules}]");
    BASE.replacen("backend = \"app\"", &lines, 1)
}

fn in_tcp(rules: &str) -> String {
    format!(
        "[frontend.db]\nmode = 'tcp'\nlisten = ':5432'\nbackend = 'app'\ncontent_rule = [{rules}]\n\
         [backend.app]\nservers = '10.0.0.1:5432'\n"
    )
}

#[test]
fn what_is_not_known_of_first_bytes_is_refused_with_what_is() {
    for fetch in ["path", "req.hdr(host)", "status", "be_name"] {
        let rule = format!("{{ when = '{fetch}', reject = true }}");
        for said in [errors(&in_http(&rule)), errors(&in_tcp(&rule))] {
            assert!(
                said.contains("only the first bytes of a connection"),
                "{said}"
            );
            assert!(said.contains("look at `req.ssl_sni`"), "{said}");
        }
    }
    let of_tls = "{ when = 'ssl_fc', reject = true }";
    assert_eq!(warnings(&in_http(of_tls)), "");
    let said = errors(&in_tcp(of_tls));
    assert!(said.contains("`ssl_fc` is not known here"), "{said}");
}

#[test]
fn first_bytes_are_not_known_later() {
    let rule = "rule = [{ when = 'req.len > 3', deny = 403 }]";
    let text = BASE.replacen(
        "backend = \"app\"",
        &format!("backend = \"app\"\n{rule}"),
        1,
    );
    let said = errors(&text);
    assert!(
        said.contains("`req.len` is not known here any more"),
        "{said}"
    );
    assert!(said.contains("content_rule"), "{said}");
}

#[test]
fn rules_of_tcp_mode_are_shown_as_they_are_written() {
    let rules = "{ when = 'req.len > 3', use_backend = 'app' }, { capture = { value = 'req.ssl_sni', len = 9 } }";
    let plan = plan(&in_tcp(rules));
    let shown = show(&plan);
    assert!(shown.contains("use_backend = \"app\""), "{shown}");
    assert!(
        shown.contains("capture = { value = \"req.ssl_sni\", len = 9, id = 0 }"),
        "{shown}"
    );
    assert_eq!(super::plan(&shown), plan);
}

#[test]
fn a_rule_for_content_says_where_it_does_not_fit() {
    for (rule, message) in [
        (
            "{ use_backend = 'app' }",
            "`use_backend` of a rule for content needs `mode = \"tcp\"`",
        ),
        (
            "{ capture = { value = 'src', len = 9 } }",
            "`capture` of a rule for content needs `mode = \"tcp\"`",
        ),
        (
            "{ expect_proxy = true }",
            "write a `[[frontend.NAME.connection_rule]]`",
        ),
        (
            "{ set_var = { \"txn.a\" = 'src' } }",
            "variables of `sess` live as long as the connection",
        ),
    ] {
        let said = errors(&in_http(rule));
        assert!(said.contains(message), "{rule}\n{said}");
    }
    let said = errors(&in_tcp("{ use_backend = 'ap' }"));
    assert!(said.contains("did you mean `app`"), "{said}");
    let both =
        "{ set_var = { \"txn.a\" = 'src' } }, { when = 'var(txn.a) == \"1\"', reject = true }";
    assert_eq!(warnings(&in_tcp(both)), "");
}
