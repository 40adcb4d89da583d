//! The configurations in `conf/recipes` that no other file of this folder runs: as they are, but for their addresses.

use std::path::Path;

use crate::rig::{Client, Ending, Folder, Message, Origin, Proxy, until};

/// A recipe that runs; `moved` are its addresses and paths, and those of the test.
fn recipe(name: &str, moved: &[(&str, String)]) -> Proxy {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/recipes");
    let mut text = std::fs::read_to_string(recipes.join(name)).expect("the recipe");
    for (from, to) in moved {
        assert!(text.contains(from), "{name} has no {from}");
        text = text.replace(from, to);
    }
    let folder = Folder::new();
    std::fs::create_dir(folder.path("lists")).expect("a folder");
    for list in std::fs::read_dir(recipes.join("lists")).expect("the lists") {
        let list = list.expect("a list").path();
        let to = folder.path("lists").join(list.file_name().expect("a name"));
        std::fs::copy(&list, to).expect("a copy");
    }
    // The networks of the recipe, and the one that a test comes from.
    let networks = std::fs::read_to_string(folder.path("lists/networks.txt")).expect("the list");
    folder.write("lists/own.txt", &format!("{networks}127.0.0.0/8\n"));
    let log = folder.path("access.log");
    let own = match text.contains("[[log.access]]") {
        true => String::new(),
        false => format!("[log.access]\nto = '{}'\n", log.display()),
    };
    let text = format!("{text}\n[admin]\nlisten = '127.0.0.1:0'\n{own}");
    let path = folder.write("evenkeel.toml", &text);
    Proxy::start(folder, path)
}

fn address(from: &'static str, origin: &Origin) -> (&'static str, String) {
    (from, origin.address().to_string())
}

/// The answer to a GET of `target` with `fields`.
fn ask(proxy: &Proxy, target: &str, fields: &str) -> Message {
    proxy.ask(format!("GET {target} HTTP/1.1\r\n{fields}\r\n\r\n"))
}

#[test]
fn the_recipe_of_a_blocklist_refuses_what_its_lists_have() {
    let origin = Origin::named("app");
    let moved = [
        ("127.0.0.1:8080", "127.0.0.1:0".to_owned()),
        address("127.0.0.1:8000", &origin),
    ];
    let proxy = recipe("blocklist.toml", &moved);
    assert_eq!(proxy.get("/").text(), "app");
    let bad = ask(&proxy, "/", "host: a\r\nuser-agent: Mozilla (BadBot/1.0)");
    assert_eq!(bad.status(), 403);
    let good = ask(&proxy, "/", "host: a\r\nuser-agent: Mozilla");
    assert_eq!(good.status(), 200);
    assert_eq!(ask(&proxy, "/WP-login.php", "host: a").status(), 404);
}

#[test]
fn the_recipe_of_a_blocklist_closes_connections_of_its_networks() {
    let origin = Origin::named("app");
    let moved = [
        ("127.0.0.1:8080", "127.0.0.1:0".to_owned()),
        ("lists/networks.txt", "lists/own.txt".to_owned()),
        address("127.0.0.1:8000", &origin),
    ];
    let proxy = recipe("blocklist.toml", &moved);
    let (seen, ending) = Client::connect(proxy.address()).rest();
    assert_eq!((seen, ending), (Vec::new(), Ending::Reset));
    assert!(origin.has_seen_nothing());
}

#[test]
fn the_recipe_of_a_map_finds_the_backend_of_each_host() {
    let [shop, blog, site] = ["shop", "blog", "site"].map(Origin::named);
    let moved = [
        ("127.0.0.1:8080", "127.0.0.1:0".to_owned()),
        address("127.0.0.1:8001", &shop),
        address("127.0.0.1:8002", &blog),
        address("127.0.0.1:8003", &site),
    ];
    let proxy = recipe("maps-by-host.toml", &moved);
    for (host, backend) in [
        ("shop.example.com", "shop"),
        ("WWW.Shop.Example.com:8080", "shop"),
        ("blog.example.com", "blog"),
        ("other.example.com", "site"),
    ] {
        let answer = ask(&proxy, "/", &format!("host: {host}"));
        assert_eq!(answer.text(), backend, "{host}");
    }
}

#[test]
fn the_recipe_of_cors_answers_preflights_and_names_the_origin() {
    let origin = Origin::named("app");
    let moved = [
        ("\":8080\"", "\"127.0.0.1:0\"".to_owned()),
        address("127.0.0.1:3000", &origin),
    ];
    let proxy = recipe("cors.toml", &moved);
    let page = "host: a\r\norigin: https://app.example.com";
    let preflight = proxy.ask(format!(
        "OPTIONS /v1/items HTTP/1.1\r\n{page}\r\naccess-control-request-method: PUT\r\n\r\n"
    ));
    assert_eq!(preflight.status(), 204);
    let allowed = preflight.field("access-control-allow-methods");
    assert!(
        allowed.is_some_and(|methods| methods.contains("PUT")),
        "{allowed:?}"
    );
    assert!(origin.has_seen_nothing());
    let answer = ask(&proxy, "/v1/items", page);
    assert_eq!(answer.text(), "app");
    let field = |name| answer.field(name);
    assert_eq!(
        field("access-control-allow-origin"),
        Some("https://app.example.com")
    );
    assert_eq!(field("x-content-type-options"), Some("nosniff"));
    let other = ask(
        &proxy,
        "/v1/items",
        "host: a\r\norigin: https://evil.example.com",
    );
    assert_eq!(other.field("access-control-allow-origin"), None);
}

#[test]
fn the_recipe_of_compression_compresses_all_but_pages_with_secrets() {
    let body = "text ".repeat(1000);
    let origin = Origin::answering(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    let moved = [
        ("\":8080\"", "\"127.0.0.1:0\"".to_owned()),
        address("10.0.0.1:8000", &origin),
        (", \"10.0.0.2:8000\"", String::new()),
    ];
    let proxy = recipe("compression.toml", &moved);
    let accept = "host: a\r\naccept-encoding: gzip, br;q=0.5";
    let page = ask(&proxy, "/", accept);
    assert_eq!(page.field("content-encoding"), Some("gzip"));
    let account = ask(&proxy, "/account/cards", accept);
    assert_eq!(account.field("content-encoding"), None);
    assert_eq!(account.text(), body);
}

#[test]
fn the_recipe_of_log_formats_writes_each_log() {
    let origin = Origin::named("app");
    let logs = Folder::new();
    let path = |name: &str| logs.path(name).display().to_string();
    let moved = [
        ("\":80\"", "\"127.0.0.1:0\"".to_owned()),
        ("/var/log/evenkeel/haproxy.log", path("haproxy.log")),
        ("\"stdout\"", format!("{:?}", path("lines.log"))),
        ("unix:/dev/log", path("system.log")),
        (
            "\nsyslog = { facility = \"local0\", tag = \"evenkeel\" }",
            String::new(),
        ),
        ("/var/log/evenkeel/errors.log", path("errors.log")),
        ("/var/log/evenkeel/busy.log", path("busy.log")),
        address("10.0.0.1:80", &origin),
        (", \"10.0.0.2:80\"", String::new()),
    ];
    let proxy = recipe("log-formats.toml", &moved);
    assert_eq!(ask(&proxy, "/a", "host: a\r\nx-tenant: acme").text(), "app");
    let line = |name: &str| {
        until(name, || {
            let text = std::fs::read_to_string(logs.path(name)).unwrap_or_default();
            text.lines().next().map(str::to_owned)
        })
    };
    let short = line("lines.log");
    assert!(short.contains(" app/127.0.0.1:"), "{short}");
    assert!(short.contains("\"GET /a HTTP/1.1\" 200 "), "{short}");
    let haproxy = line("haproxy.log");
    assert!(
        haproxy.contains(" web app/") && haproxy.contains("\"GET /a HTTP/1.1\""),
        "{haproxy}"
    );
    assert!(line("system.log").contains(" web app/"));
}
