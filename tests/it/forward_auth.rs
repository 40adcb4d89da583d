//! `forward_auth`: another server decides whether a request may continue.

use std::path::Path;

use crate::rig::{Client, Folder, Message, OK, Origin, Proxy, RefusingAddress, Setup, until};

const YES: &str =
    "HTTP/1.1 204 No Content\r\nx-user: joe\r\nx-role: a\r\nx-role: b\r\nx-other: c\r\n\r\n";
const NO: &str = "HTTP/1.1 302 Found\r\nlocation: https://login.test/?rd=a\r\nset-cookie: csrf=1\r\nset-cookie: b=2\r\n\
                  connection: close, x-hop\r\nx-hop: 1\r\ncontent-length: 5\r\n\r\nlogin";

/// A proxy whose requests need the consent of `auth`.
fn asking(app: &Origin, auth: &Origin, more: &str) -> Proxy {
    let rule = format!(
        "rule = [{{ forward_auth = {{ backend = 'auth', path = '/verify?a=%[path]', copy = ['x-user', 'x-role']{more} }} }}]"
    );
    Setup::of(&[app]).also("auth", auth).frontend(&rule).start()
}

fn ask(proxy: &Proxy, fields: &str) -> Message {
    proxy.ask(format!(
        "POST /cart?b=1 HTTP/1.1\r\nHost: shop.test\r\n{fields}Content-Length: 2\r\n\r\nhi"
    ))
}

#[test]
fn a_request_with_consent_continues_with_the_fields_of_the_answer() {
    let (app, auth) = (Origin::answering(OK), Origin::answering(YES));
    let proxy = asking(&app, &auth, "");
    let forged = "X-User: root\r\nX_User: root\r\nx-role: root\r\nCookie: id=1\r\nX-Forwarded-Host: evil\r\nTE: trailers\r\n\
                  Content-Type: text/plain\r\n";
    assert_eq!(ask(&proxy, forged).text(), "ok");
    let question = auth.request();
    assert_eq!(
        (question.method(), question.target()),
        ("GET", "/verify?a=/cart")
    );
    for (name, expected) in [
        ("host", "shop.test"),
        ("cookie", "id=1"),
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "shop.test"),
        ("x-forwarded-uri", "/cart?b=1"),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        assert_eq!(question.values(name), [expected], "{name}");
    }
    for name in [
        "x-user",
        "x_user",
        "te",
        "content-type",
        "content-length",
        "transfer-encoding",
    ] {
        assert!(question.values(name).is_empty(), "{name}");
    }
    let seen = app.request();
    assert_eq!((seen.method(), seen.target()), ("POST", "/cart?b=1"));
    assert_eq!(seen.text(), "hi");
    assert_eq!(seen.values("x-user"), ["joe"]);
    assert_eq!(seen.values("x-role"), ["a", "b"]);
    for name in ["x_user", "x-other"] {
        assert!(seen.values(name).is_empty(), "{name}");
    }
}

#[test]
fn a_refusal_is_the_clients_answer_with_its_fields_and_body() {
    let (app, auth) = (Origin::answering(OK), Origin::answering(NO));
    let proxy = asking(&app, &auth, "");
    let answer = ask(&proxy, "");
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.field("location"), Some("https://login.test/?rd=a"));
    assert_eq!(answer.values("set-cookie"), ["csrf=1", "b=2"]);
    assert!(answer.values("x-hop").is_empty());
    assert_eq!(answer.text(), "login");
    assert!(app.has_seen_nothing());
    assert_eq!(proxy.line().text("reason"), "rule.forward_auth_refused");
    // HEAD gets no body.
    let mut client = Client::connect(proxy.address());
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status(), head.text()), (302, String::new()));
}

#[test]
fn only_chosen_fields_are_sent() {
    let (app, auth) = (Origin::answering(OK), Origin::answering(YES));
    let proxy = asking(
        &app,
        &auth,
        ", send = ['authorization'], host = 'auth.test'",
    );
    ask(&proxy, "Cookie: id=1\r\nAuthorization: Bearer x\r\n");
    let question = auth.request();
    assert_eq!(question.values("authorization"), ["Bearer x"]);
    assert_eq!(question.values("host"), ["auth.test"]);
    assert_eq!(question.values("x-forwarded-host"), ["shop.test"]);
    assert!(question.values("cookie").is_empty());
}

#[test]
fn a_request_about_which_nobody_decides_is_refused_or_passes_as_it_is_written() {
    let endless = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 100000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    let broken = [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\ncontent-length: 0\r\n\r\n",
        "nonsense\r\n\r\n",
        &endless,
    ];
    for answer in broken {
        // A status of 200 to 299 is consent, whatever the body is.
        let is_consent = answer.starts_with("HTTP/1.1 206");
        let (app, auth) = (Origin::answering(OK), Origin::answering(answer));
        let proxy = asking(&app, &auth, "");
        let expected = if is_consent { 200 } else { 503 };
        assert_eq!(ask(&proxy, "").status(), expected, "{answer:.60}");
        let proxy = asking(&app, &auth, ", without_answer = 'pass'");
        assert_eq!(
            ask(&proxy, "X-User: root\r\n").status(),
            200,
            "{answer:.60}"
        );
        assert!(
            app.requests()
                .iter()
                .all(|seen| seen.values("x-user").is_empty())
        );
    }
    let (app, nobody) = (Origin::answering(OK), RefusingAddress::new());
    let auth = format!("[backend.auth]\nservers = ['{}']\n", nobody.address());
    let setup = Setup::of(&[&app]).rest(&auth);
    let proxy = setup
        .frontend("rule = [{ forward_auth = { backend = 'auth' } }]")
        .start();
    assert_eq!(ask(&proxy, "").status(), 503);
}

#[test]
fn a_server_that_does_not_decide_in_time_is_not_waited_for() {
    let (app, auth) = (Origin::answering(OK), Origin::silent());
    let proxy = asking(&app, &auth, ", timeout = '50ms'");
    assert_eq!(ask(&proxy, "").status(), 503);
    assert_eq!(proxy.line().text("reason"), "rule.forward_auth_failed");
    assert!(app.has_seen_nothing());
}

#[test]
fn a_client_that_leaves_ends_the_question() {
    let (app, auth) = (Origin::answering(OK), Origin::silent());
    let proxy = asking(&app, &auth, "");
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    auth.wait_for_requests(1);
    client.reset();
    assert_eq!(proxy.line().text("reason"), "client.left");
    auth.wait_for_end_of(0);
    assert!(app.has_seen_nothing());
}

#[test]
fn the_recipe_of_forward_auth_works() {
    let (app, auth) = (
        Origin::answering(OK),
        Origin::scripted(|visit| {
            while let Some(question) = visit.request() {
                let is_known = question.values("cookie") == ["id=1"];
                let answer = match question.target() == "/oauth2/auth" {
                    true if is_known => {
                        "HTTP/1.1 202 Accepted\r\nx-auth-request-user: joe\r\ncontent-length: 0\r\n\r\n"
                    }
                    true => {
                        "HTTP/1.1 302 Found\r\nlocation: /oauth2/sign_in\r\ncontent-length: 0\r\n\r\n"
                    }
                    false => "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npage",
                };
                visit.send(answer);
            }
        }),
    );
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/recipes/forward-auth.toml");
    let text = std::fs::read_to_string(recipe).expect("the recipe");
    let text = text
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:3000", &app.address().to_string())
        .replace("127.0.0.1:4180", &auth.address().to_string());
    let folder = Folder::new();
    let path = folder.write(
        "evenkeel.toml",
        &format!("{text}\n[admin]\nlisten = '127.0.0.1:0'\n"),
    );
    let proxy = Proxy::start(folder, path);
    let get = |target: &str, fields: &str| {
        proxy.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
    };
    let stranger = get("/", "");
    assert_eq!(stranger.field("location"), Some("/oauth2/sign_in"));
    assert_eq!(get("/oauth2/sign_in", "").text(), "page");
    assert_eq!(
        get("/", "Cookie: id=1\r\nX-Auth-Request-Email: forged\r\n").text(),
        "ok"
    );
    let seen = app.request();
    assert_eq!(seen.values("x-auth-request-user"), ["joe"]);
    assert!(seen.values("x-auth-request-email").is_empty());
    until("the question is counted", || {
        proxy.metrics().contains("backend=\"auth\"").then_some(())
    });
}
