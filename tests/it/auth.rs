//! Passwords of users.

use crate::rig::{Folder, Message, OK, Origin, Proxy, Setup, until};

/// By libxcrypt: the password is "secret".
const HASH: &str = "$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7";
const BCRYPT: &str = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

fn asked(proxy: &Proxy, credentials: &str) -> Message {
    let field = match credentials {
        "" => String::new(),
        credentials => format!("Authorization: Basic {credentials}\r\n"),
    };
    proxy.ask(format!("GET / HTTP/1.1\r\nHost: test\r\n{field}\r\n"))
}

/// `joe:secret` and `joe:wrong`, `bob:secret`.
const JOE: &str = "am9lOnNlY3JldA==";
const WRONG: &str = "am9lOndyb25n";
const BOB: &str = "Ym9iOnNlY3JldA==";

#[test]
fn a_password_is_verified_by_its_hash() {
    for hash in [HASH, BCRYPT] {
        let origin = Origin::answering(OK);
        let rule =
            format!("rule = [{{ auth = {{ realm = 'ops', users = {{ joe = '{hash}' }} }} }}]");
        let proxy = Setup::of(&[&origin]).frontend(&rule).start();
        // The second time the answer is remembered.
        for _ in 0..2 {
            assert_eq!(asked(&proxy, JOE).text(), "ok");
        }
        for credentials in [WRONG, BOB, ""] {
            let answer = asked(&proxy, credentials);
            assert_eq!(answer.status(), 401);
            assert_eq!(
                answer.field("www-authenticate"),
                Some("Basic realm=\"ops\", charset=\"UTF-8\"")
            );
        }
        assert_eq!(origin.requests().len(), 2);
    }
}

#[test]
fn a_user_that_is_removed_from_the_file_is_refused_from_then_on() {
    let folder = Folder::new();
    let users = folder.write("users", &format!("# staff\njoe:{HASH}\nbob:{BCRYPT}\n"));
    let origin = Origin::answering(OK);
    let rule = format!("rule = [{{ auth = {{ file = '{}' }} }}]", users.display());
    let proxy = Setup::of(&[&origin]).frontend(&rule).watched().start();
    for credentials in [JOE, BOB] {
        assert_eq!(asked(&proxy, credentials).status(), 200);
    }
    folder.replace("users", &format!("joe:{HASH}\n"));
    until("the file is read again", || {
        (asked(&proxy, BOB).status() == 401).then_some(())
    });
    assert_eq!(asked(&proxy, JOE).status(), 200);
}

#[test]
fn the_recipe_of_passwords_works() {
    let origin = Origin::answering(OK);
    let folder = Folder::new();
    let text = include_str!("../../conf/recipes/basic-auth.toml")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:3000", &origin.address().to_string());
    let text = format!("{text}\n[admin]\nlisten = '127.0.0.1:0'\n");
    let path = folder.write("evenkeel.toml", &text);
    let proxy = Proxy::start(folder, path);
    let ask = |target: &str, credentials: &str| {
        proxy.ask(format!(
            "GET {target} HTTP/1.1\r\nHost: test\r\nX-User: forged\r\nAuthorization: Basic {credentials}\r\n\r\n"
        ))
    };
    assert_eq!(ask("/admin/", JOE).text(), "ok");
    let seen = origin.requests();
    assert_eq!(seen[0].values("x-user"), ["joe"]);
    assert!(seen[0].values("authorization").is_empty());
    assert_eq!(ask("/admin/restart", JOE).status(), 200);
    // "ann:secret"
    assert_eq!(ask("/admin/restart", "YW5uOnNlY3JldA==").status(), 403);
    assert_eq!(ask("/admin/", WRONG).status(), 401);
}
