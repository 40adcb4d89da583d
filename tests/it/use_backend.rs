//! Rules of a frontend that choose the backend.

use crate::rig::{Folder, Origin, Proxy, Setup};

/// Three backends, each of which says its name, and a frontend with these rules and routes.
struct Three {
    _origins: [Origin; 3],
    proxy: Proxy,
}

fn three(frontend: &str, has_default: bool) -> Three {
    let origins = ["app", "shop", "blog"].map(Origin::named);
    let [app, shop, blog] = &origins;
    let setup = Setup::of(&[app])
        .also("shop", shop)
        .also("blog", blog)
        .frontend(frontend);
    let setup = match has_default {
        true => setup,
        false => setup.without_default(),
    };
    let proxy = setup.start();
    Three {
        _origins: origins,
        proxy,
    }
}

impl Three {
    /// Which backend answers, as its server says, and as the log says.
    #[track_caller]
    fn asked(&self, target: &str, fields: &str) -> String {
        let request = format!("GET {target} HTTP/1.1\r\nhost: test\r\n{fields}\r\n");
        self.proxy.ask(request).text()
    }
}

#[test]
fn the_first_rule_that_applies_chooses_the_backend_before_the_routes() {
    let three = three(
        "rule = [{ when = 'req.hdr(x-beta)', use_backend = 'shop' },
                 { when = 'path starts_with \"/b\"', use_backend = 'blog' }]
         route = [{ name = 'one', path = '/r/*', backend = 'blog', rule = [{ set_path = '/in-route' }] }]",
        true,
    );
    assert_eq!(three.asked("/", ""), "app");
    assert_eq!(three.asked("/b", ""), "blog");
    assert_eq!(three.asked("/b", "x-beta: 1\r\n"), "shop");
    // The rules of the route run all the same.
    assert_eq!(three.asked("/r/x", "x-beta: 1\r\n"), "shop");
    assert!(
        three._origins[1]
            .requests()
            .iter()
            .any(|one| one.target() == "/in-route")
    );
    // Each worker writes its own lines.
    let lines = three.proxy.wait_for_lines(4);
    let mut lines = lines.iter();
    let line = lines
        .find(|line| line.text("target") == "/r/x")
        .expect("a line");
    assert_eq!((line.text("backend"), line.text("route")), ("shop", "one"));
}

#[test]
fn a_template_names_one_of_the_backends_that_it_may_name() {
    let three = three(
        "rule = [{ when = 'path == \"/any\"', use_backend = '%[req.hdr(x-to)]' },
                 { when = 'path == \"/some\"', use_backend = { backend = '%[req.hdr(x-to)]', among = ['shop'] } },
                 { when = 'path == \"/some\"', use_backend = 'blog' }]",
        true,
    );
    assert_eq!(three.asked("/any", "x-to: blog\r\n"), "blog");
    assert_eq!(three.asked("/some", "x-to: shop\r\n"), "shop");
    // Unknown, or not among them: the frontend's own, and no later rule.
    for (target, fields) in [
        ("/any", "x-to: none\r\n"),
        ("/any", ""),
        ("/some", "x-to: blog\r\n"),
    ] {
        assert_eq!(three.asked(target, fields), "app", "{target} {fields}");
    }
}

#[test]
fn a_frontend_without_a_backend_of_its_own_has_those_of_its_rules() {
    let three = three(
        "rule = [{ when = 'path == \"/shop\"', use_backend = 'shop' }, { when = 'path == \"/x\"', use_backend = '%[req.hdr(x-to)]' }]
         route = [{ path = '/app', backend = 'app' }]",
        false,
    );
    assert_eq!(three.asked("/shop", ""), "shop");
    assert_eq!(three.asked("/app", ""), "app");
    for target in ["/other", "/x"] {
        let answer = three.proxy.get(target);
        assert_eq!(
            (answer.status(), answer.reason().as_str()),
            (404, "route.none")
        );
    }
}

#[test]
fn the_recipe_of_a_canary_keeps_each_client_at_its_version() {
    let [stable, canary] = ["stable", "canary"].map(Origin::named);
    let folder = Folder::new();
    let text = include_str!("../../conf/recipes/canary.toml")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8001", &stable.address().to_string())
        .replace("127.0.0.1:8002", &canary.address().to_string());
    let log = folder.path("access.log");
    let text = format!(
        "{text}\n[admin]\nlisten = '127.0.0.1:0'\n[log.access]\nto = '{}'\n",
        log.display()
    );
    let path = folder.write("evenkeel.toml", &text);
    let proxy = Proxy::start(folder, path);
    let first = proxy.get("/");
    let version = first.text();
    let cookie = first.field("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.starts_with(&format!("version={version};")),
        "{cookie}"
    );
    for version in ["canary", "stable"] {
        for _ in 0..3 {
            let again = proxy.ask(format!(
                "GET / HTTP/1.1\r\nhost: test\r\ncookie: version={version}\r\n\r\n"
            ));
            assert_eq!(again.text(), version);
            assert_eq!(again.field("set-cookie"), None);
        }
    }
}
