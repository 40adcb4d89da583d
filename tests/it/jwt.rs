//! Tokens (JWT).

use crate::rig::{Folder, Message, OK, Origin, Proxy, Setup, until};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Signed with `SECRET`: "joe", until 2100.
const HS256: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.kldLfqAjHlSZm8IJW4kj2GeAinjn\
    P2XtPLLnUxjTCKg";

/// The same by a key on P-256.
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJqb2UiLCJleHAiOjQxMDI0NDQ4MDB9.dJQZYWqOfS8H6rKQ4ZKcV4uvaWWd\
    TyAr2WvkASKsJvAlC6VWkLepSxirP5mjUekGtKuSDH0wfaU3nvOTlIklzw";

const P256: &str = "-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKD5lfFQhygUoqGTu88Itvusrekph\n\
oa6Eb73r9zz8tuuNY83ev4oQ0UIIoTrPwDlEoIhux9evTs7i7Xn9YNmC9g==\n\
-----END PUBLIC KEY-----\n\
";

const ED25519: &str = "-----BEGIN PUBLIC KEY-----\n\
MCowBQYDK2VwAyEAOeYkRXuUZfivT1r7UJbFePB0eEHykpQy3vf6G/6jOGw=\n\
-----END PUBLIC KEY-----\n\
";

fn asked(proxy: &Proxy, token: &str, fields: &str) -> Message {
    proxy.ask(format!(
        "GET / HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n{fields}\r\n"
    ))
}

fn ruled(origin: &Origin, jwt: &str) -> Proxy {
    let rule = format!("rule = [{{ jwt = {{ {jwt} }} }}]");
    Setup::of(&[origin]).frontend(&rule).start()
}

#[test]
fn claims_of_a_token_go_to_the_server_and_those_of_the_client_do_not() {
    let origin = Origin::answering(OK);
    let jwt = format!("secret = '{SECRET}', claims = {{ x-user = 'sub', x-tenant = 'tenant' }}");
    let proxy = ruled(&origin, &jwt);
    let forged = "X-User: root\r\nx_user: root\r\nX-Tenant: root\r\nX_Tenant: root\r\n";
    // The second time the signature is remembered.
    for _ in 0..2 {
        assert_eq!(asked(&proxy, HS256, forged).text(), "ok");
    }
    for seen in origin.requests() {
        assert_eq!(seen.values("x-user"), ["joe"]);
        for name in ["x-tenant", "x_user", "x_tenant"] {
            assert!(seen.values(name).is_empty(), "{name}");
        }
    }
    let other = format!("{}x", &HS256[..HS256.len() - 1]);
    let answer = asked(&proxy, &other, "");
    assert_eq!(
        (answer.status(), answer.reason()),
        (401, "rule.unauthorized".to_owned())
    );
    let challenge = answer.field("www-authenticate").unwrap_or_default();
    assert!(
        challenge.starts_with("Bearer error=\"invalid_token\""),
        "{challenge}"
    );
    let answer = proxy.get("/");
    assert_eq!(
        (answer.status(), answer.field("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_key_that_is_replaced_in_the_file_is_not_good_any_more() {
    let folder = Folder::new();
    let keys = folder.write("keys.pem", P256);
    let origin = Origin::answering(OK);
    let rule = format!("rule = [{{ jwt = {{ file = '{}' }} }}]", keys.display());
    let proxy = Setup::of(&[&origin]).frontend(&rule).watched().start();
    assert_eq!(asked(&proxy, ES256, "").text(), "ok");
    folder.replace("keys.pem", ED25519);
    until("the file is read again", || {
        (asked(&proxy, ES256, "").status() == 401).then_some(())
    });
}

#[test]
fn the_recipe_of_tokens_works() {
    let origin = Origin::answering(OK);
    let folder = Folder::new();
    let text = include_str!("../../conf/recipes/jwt.toml")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:3000", &origin.address().to_string());
    let text = format!("{text}\n[admin]\nlisten = '127.0.0.1:0'\n");
    let path = folder.write("evenkeel.toml", &text);
    let proxy = Proxy::start(folder, path);
    let ask = |target: &str, token: &str| {
        proxy.ask(format!(
            "GET {target} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
    };
    assert_eq!(ask("/v1/items", HS256).text(), "ok");
    assert_eq!(origin.requests()[0].values("x-user"), ["joe"]);
    assert_eq!(ask("/v1/items", ES256).status(), 401);
    assert_eq!(ask("/v1/admin", HS256).status(), 403);
    assert_eq!(proxy.get("/health").text(), "ok");
}
