//! What is said about rules that cannot be kept.

use super::{BASE, errors, warnings};

/// What is said about a frontend with this one rule.
#[track_caller]
fn refused(rule: &str) -> String {
    let rules = format!("backend = \"app\"\nrule = [{{ {rule} }}]");
    errors(&BASE.replacen("backend = \"app\"", &rules, 1))
}

#[test]
fn fields_of_the_connection_are_not_for_rules() {
    let names = [
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ];
    for name in names {
        for rule in [
            format!("set_header = {{ {name} = 'a' }}"),
            format!("add_header = {{ {name} = 'a' }}"),
            format!("del_header = '{name}'"),
            format!("on = 'response', set_header = {{ {name} = 'a' }}"),
            format!("on = 'after', del_header = '{name}'"),
            format!("return = {{ headers = {{ {name} = 'a' }} }}"),
        ] {
            let said = refused(&rule);
            let expected = format!("`{name}` belongs to the connection");
            assert!(said.contains(&expected), "{rule}\n{said}");
        }
    }
}

#[test]
fn a_request_keeps_its_one_host_and_what_it_expects() {
    for rule in ["add_header = { host = 'a' }", "del_header = 'Host'"] {
        let said = refused(rule);
        assert!(said.contains("a request has exactly one `host`"), "{said}");
        assert!(said.contains("write `set_header = { host = "), "{said}");
    }
    for rule in [
        "set_header = { expect = 'a' }",
        "add_header = { expect = 'a' }",
        "del_header = 'expect'",
    ] {
        let said = refused(rule);
        assert!(said.contains("`expect` belongs to the client"), "{said}");
    }
    for rule in [
        "set_header = { host = 'a' }",
        "on = 'response', del_header = ['host', 'expect']",
    ] {
        assert!(refused(rule).starts_with("no error"), "{rule}");
    }
}

#[test]
fn an_answer_has_one_content_type() {
    let said = refused("return = { headers = { Content-Type = 'a' }, content_type = 'b' }");
    let expected = "`return` has the field `content-type` twice";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn an_answer_whose_status_has_no_content_has_no_body() {
    for status in [204, 205, 304] {
        let said = refused(&format!("return = {{ status = {status}, body = 'x' }}"));
        let expected = format!("an answer with the status {status} has no body");
        assert!(said.contains(&expected), "{said}");
        let said = refused(&format!("return = {{ status = {status} }}"));
        assert!(said.starts_with("no error"), "{said}");
    }
}

#[test]
fn a_list_in_a_device_is_not_read() {
    let said = refused("when = 'src in @file(\"/dev/null\")', deny = 403");
    assert!(said.contains("it is not a regular file"), "{said}");
}

#[test]
fn a_field_that_evenkeel_writes_is_pointed_at_and_not_its_rule() {
    let rules =
        "rule = [\n  { when = 'ssl_fc', set_header = { x-a = 'b', x-forwarded-for = 'c' } },\n]";
    let frontend = BASE.replace("[backend.app]", &format!("{rules}\n\n[backend.app]"));
    // Which frontend a request comes in by is not known to a backend.
    for said in [errors(&frontend), warnings(&format!("{BASE}{rules}\n"))] {
        let line = said.lines().find(|line| line.contains("x-forwarded-for ="));
        let line = line.or(said.lines().find(|line| line.contains("'ssl_fc'")));
        let column = line.and_then(|line| line.find("x-forwarded-for"));
        let mark = said.lines().find_map(|line| line.find("^^^^"));
        assert!(column.is_some() && column == mark, "{said}");
        assert!(said.contains("^^^^^^^^^^^^^^^\n"), "{said}");
    }
}
