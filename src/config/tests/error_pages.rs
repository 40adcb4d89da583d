//! Errors and warnings about error pages.

use super::{BASE, errors, warnings};

/// A configuration whose frontend has these error pages.
fn with(pages: &str) -> String {
    let lines = format!("backend = \"app\"\nerror_page = [{pages}]");
    BASE.replacen("backend = \"app\"", &lines, 1)
}

#[test]
fn what_an_error_page_cannot_be_is_refused() {
    for (page, message) in [
        ("{ status = 503 }", "this error page has no content"),
        ("{ status = 200, body = 'a' }", "from 400 to 599"),
        (
            "{ status = '5xx', body = 'a' }",
            "write `status = \"500-599\"`",
        ),
        ("{ status = [], body = 'a' }", "the list `status` is empty"),
        (
            "{ reason = 'backend.no_servers', body = 'a' }",
            "did you mean `backend.no_server`?",
        ),
        (
            "{ reason = 'backends.*', body = 'a' }",
            "\"backends.*\" is not a reason",
        ),
        ("{ reason = 'backend*', body = 'a' }", "is not a reason"),
        (
            "{ reason = 'client.stalled', body = 'a' }",
            "has no answer: the connection is cut",
        ),
        (
            "{ body = 'a', file = 'Cargo.toml' }",
            "`body` and `file` exclude each other",
        ),
        (
            "{ errorfile = 'Cargo.toml' }",
            "is not a whole answer: its head cannot be read",
        ),
        ("{ errorfile = 'none.http' }", "cannot read"),
        (
            "{ errorfile = 'tests/it/rig/503.http', content_type = 'a/b' }",
            "has its own `content-type`",
        ),
        (
            "{ json = true, content_type = 'a/b' }",
            "this page has none",
        ),
        (
            "{ body = 'a', content_type = 'a/b', headers = { Content-Type = 'c/d' } }",
            "`content-type` twice",
        ),
        (
            "{ body = 'a', headers = { connection = 'close' } }",
            "belongs to the connection",
        ),
        (
            r#"{ body = 'a', headers = { x-a = "b\nc" } }"#,
            "the value of `x-a` has a line break",
        ),
        ("{ body = '%[path]' }", "path"),
        ("{ location = 'a b' }", "this is not a location"),
        (
            "{ location = '/a', haproxy = true }",
            "`location` and `haproxy` exclude each other",
        ),
        ("{ location = '/a', location_status = 301 }", "302 to 303"),
        (
            "{ body = 'a', location_status = 303 }",
            "`location_status` is that of a `location`",
        ),
        ("{ statuses = 503, body = 'a' }", "write `status`"),
        ("{ body = 'a', hdr = 1 }", "write `headers = { x-name"),
    ] {
        let said = errors(&with(page));
        assert!(said.contains(message), "{page}\n{said}");
    }
}

#[test]
fn a_page_behind_one_for_the_same_answers_is_never_used() {
    let same = warnings(&with(
        "{ status = 503, body = 'a' }, { status = 503, body = 'b' }, { body = 'c' }",
    ));
    assert_eq!(
        same.matches("this error page is never used").count(),
        1,
        "{same}"
    );
    let all = warnings(&with("{ body = 'a' }, { status = 503, body = 'b' }"));
    assert!(all.contains("this error page is never used"), "{all}");
    let none = warnings(&with(
        "{ status = 503, reason = 'queue.full', body = 'a' }, { status = 503, body = 'b' }",
    ));
    assert_eq!(none, "");
}
