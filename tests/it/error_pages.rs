//! The content of Evenkeel's own answers: which page is used, what is in it, and what stays.

use crate::rig::{Folder, Http2, OK, Origin, Proxy, RefusingAddress, Setup};

/// A proxy whose only server refuses connections; `frontend` and `backend` are lines of the two.
fn before_nothing(frontend: &str, backend: &str) -> (RefusingAddress, Proxy) {
    let refusing = RefusingAddress::new();
    let setup = Setup::at([refusing.address()])
        .frontend(frontend)
        .backend(backend);
    let proxy = setup.start();
    (refusing, proxy)
}

#[test]
fn a_page_is_chosen_by_status_and_reason_and_is_a_template() {
    let page = "error_page = [
        { status = '500-599', reason = 'queue.*', body = 'full' },
        { status = 503, content_type = 'text/plain', headers = { x-why = '%[reason]', retry-after = '9' },
          body = '%[status] %[reason] %[unique-id] %[be_name] %[var(txn.path)]' },
        { body = 'other' }]
        rule = [{ set_var = { 'txn.path' = 'path' } }, { when = 'path == \"/no\"', deny = 403 },
                { when = 'path == \"/own\"', deny = { status = 403, body = 'mine' } }]";
    let (_refusing, proxy) = before_nothing(page, "");
    let mut client = proxy.client();
    let answer = client.ask("GET /a HTTP/1.1\r\nhost: test\r\nx-request-id: one\r\n\r\n");
    assert_eq!(answer.status(), 503);
    assert_eq!(
        answer.text(),
        "503 server.connect.refused one app /a",
        "{answer:?}"
    );
    assert_eq!(answer.values("content-type"), ["text/plain"]);
    assert_eq!(answer.values("x-why"), ["server.connect.refused"]);
    assert_eq!(answer.values("retry-after"), ["9"]);
    assert_eq!(answer.values("cache-control"), ["no-store"]);
    let denied = client.get("/no");
    assert_eq!((denied.status(), denied.text().as_str()), (403, "other"));
    assert_eq!(
        denied.field("content-type"),
        Some("text/html; charset=utf-8")
    );
    // What a rule has written stays.
    assert_eq!(client.get("/own").text(), "mine");
    // A refusal that no rule sees, too.
    let malformed = client.ask("GET /b HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n");
    assert_eq!(malformed.text(), "other");
    let lines = proxy.wait_for_lines(4);
    assert_eq!(lines[0].verdict(), (503, "server.connect.refused"));
}

#[test]
fn the_pages_of_the_backend_come_before_those_of_the_frontend() {
    let frontend = "error_page = { status = [502, 503, 404], body = 'of the frontend' }";
    let (_refusing, proxy) = before_nothing(
        frontend,
        "error_page = { status = 503, body = 'of the backend' }",
    );
    assert_eq!(proxy.get("/").text(), "of the backend");
    let (_refusing, proxy) = before_nothing(
        frontend,
        "error_page = { status = 404, body = 'of the backend' }",
    );
    assert_eq!(proxy.get("/").text(), "of the frontend");
    let origin = Origin::answering("HTTP/1.1 503 Own\r\ncontent-length: 4\r\n\r\nmine");
    let proxy = Setup::of(&[&origin]).frontend(frontend).start();
    assert_eq!(proxy.get("/").text(), "mine", "a server's page stays");
}

#[test]
fn a_request_that_cannot_be_read_gets_the_page_of_the_frontend() {
    let origin = Origin::answering(OK);
    let page = "error_page = { status = '400-499', body = '<p>%[status] %[reason] %[fe_name]' }";
    let proxy = Setup::of(&[&origin]).frontend(page).start();
    let answer = proxy.ask("GET / HTTP/1.1\r\nbad field\r\n\r\n");
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.text(), "<p>400 request.head.malformed web");
    assert_eq!(
        answer.field("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(proxy.line().verdict(), (400, "request.head.malformed"));
}

#[test]
fn a_client_that_asks_for_json_gets_json() {
    let page = "error_page = [{ status = 503, body = '<p>down', json = true },
        { body = '<p>no', json = '{\"error\":%[status]}' }]
        rule = [{ when = 'path == \"/no\"', deny = 403 }]";
    let (_refusing, proxy) = before_nothing(page, "");
    let mut client = proxy.client();
    let mut ask = |target: &str, accept: &str| {
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: test\r\naccept: {accept}\r\nx-request-id: a\"b\r\n\r\n"
        );
        client.ask(request)
    };
    let answer = ask("/", "application/json");
    assert_eq!(answer.status(), 503);
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(answer.values("vary"), ["accept"]);
    let problem: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
    assert_eq!(problem["status"], 503);
    assert_eq!(problem["title"], "Service Unavailable");
    assert_eq!(problem["reason"], "server.connect.refused");
    assert_eq!(problem["request"], "a\"b");
    let answer = ask("/no", "application/json, text/plain, */*");
    assert_eq!(answer.text(), "{\"error\":403}");
    assert_eq!(answer.field("content-type"), Some("application/json"));
    for accept in ["*/*", "text/html,application/xml;q=0.9,*/*;q=0.8"] {
        let answer = ask("/", accept);
        assert_eq!(answer.text(), "<p>down", "{accept}");
        assert_eq!(answer.values("vary"), ["accept"], "{accept}");
    }
}

#[test]
fn a_file_is_sent_as_it_is_and_a_whole_answer_of_haproxy_has_its_own_status() {
    let folder = Folder::new();
    let page = folder.write("403.html", "<p>%[status]\n");
    let whole = "HTTP/1.0 200 Found it\r\nCache-Control: max-age=1\r\nConnection: close\r\nX-A: 1\r\nX-A: 2\r\n\r\nwhole";
    let whole = folder.write("503.http", whole);
    let frontend = format!(
        "error_page = [{{ status = 403, file = '{}' }}, {{ status = 503, errorfile = '{}' }}]
         rule = [{{ when = 'path == \"/no\"', deny = 403 }}]",
        page.display(),
        whole.display()
    );
    let (_refusing, proxy) = before_nothing(&frontend, "");
    let mut client = proxy.client();
    assert_eq!(client.get("/no").text(), "<p>%[status]\n");
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "whole"));
        assert_eq!(answer.values("cache-control"), ["max-age=1"]);
        assert_eq!(answer.values("x-a"), ["1", "2"]);
        // The file is about its content, and not about this connection.
        assert_eq!(answer.field("connection"), None);
        assert_eq!(answer.field("content-type"), None);
    }
    assert_eq!(
        proxy.wait_for_lines(2)[1].verdict(),
        (200, "server.connect.refused")
    );
    client.send("HEAD / HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!(
        (head.status(), head.field("content-length")),
        (200, Some("5"))
    );
    let answer = Http2::connect(proxy.address()).get("/no");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (403, "<p>%[status]\n")
    );
}

#[test]
fn rules_for_every_answer_see_the_page() {
    let page = "error_page = { status = 503, headers = { x-page = '1' }, body = 'down' }
        rule = [{ on = 'after', when = 'res.hdr(x-page) and reason == \"server.connect.refused\"', set_header = { x-seen = '%[reason]' } }]";
    let (_refusing, proxy) = before_nothing(page, "");
    let answer = proxy.get("/");
    assert_eq!(answer.text(), "down");
    assert_eq!(answer.field("x-seen"), Some("server.connect.refused"));
}

#[test]
fn a_client_of_grpc_gets_a_status_and_no_page() {
    let page = "error_page = { body = 'down', json = true }";
    let (_refusing, proxy) = before_nothing(page, "");
    let mut client = Http2::connect(proxy.address());
    let request = client
        .request("POST", "/a.B/C")
        .header("content-type", "application/grpc")
        .header("accept", "application/json");
    let answer = client.ask(request).answer();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("grpc-status"), Some("14"));
    assert_eq!(answer.field("content-type"), Some("application/grpc"));
    assert!(answer.body.is_empty());
}

#[test]
fn a_page_that_changes_on_disk_is_used() {
    let origin = Origin::answering(OK);
    let folder = Folder::new();
    let page = folder.write("404.html", "old");
    let lines = format!(
        "error_page = {{ file = '{}' }}\nrule = [{{ deny = 404 }}]",
        page.display()
    );
    let proxy = Setup::of(&[&origin]).frontend(&lines).start();
    assert_eq!(proxy.get("/").text(), "old");
    folder.replace("404.html", "new");
    assert_eq!(proxy.reload().status(), 200);
    assert_eq!(proxy.get("/").text(), "new");
}

#[test]
fn the_recipe_of_error_pages_works() {
    let refusing = RefusingAddress::new();
    let folder = Folder::new();
    let text = include_str!("../../conf/recipes/error-pages.toml")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8001", &refusing.address().to_string());
    let log = folder.path("access.log");
    let text = format!(
        "{text}\n[admin]\nlisten = '127.0.0.1:0'\n[log.access]\nto = '{}'\n",
        log.display()
    );
    let path = folder.write("evenkeel.toml", &text);
    let proxy = Proxy::start(folder, path);
    let page = proxy.get("/");
    assert_eq!(page.status(), 503);
    assert!(
        page.text().contains("<h1>Back soon</h1>"),
        "{}",
        page.text()
    );
    assert_eq!(page.field("retry-after"), Some("10"));
    let json = proxy.ask("GET / HTTP/1.1\r\nhost: test\r\naccept: application/json\r\n\r\n");
    assert_eq!(json.field("content-type"), Some("application/problem+json"));
    let missing = proxy.get("/nothing/here");
    assert_eq!(missing.status(), 404);
    assert!(
        missing.text().contains("no such page"),
        "{}",
        missing.text()
    );
    let refused = proxy.ask("GET / HTTP/1.1\r\nhost: a/b\r\nx-request-id: <b>\r\n\r\n");
    assert_eq!(refused.status(), 400);
    assert!(
        refused.text().contains("the number %3Cb%3E."),
        "{}",
        refused.text()
    );
}
