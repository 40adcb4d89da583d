//! Models of servers that read paths, and tests: if the router lets a request pass, no server reads
//! a path of another route in it.
//!
//! Each model is written from the server's own documentation or source, and shares no code with
//! `wire::readings`: so a missing step is noticed here.

use http::{HeaderMap, Method};
use proptest::prelude::*;
use proptest::sample::select;

use super::tests::route;
use super::{Ambiguous, Request, Router};
use crate::plan::{ClientCertificate, PathPattern, Route};

/// The path that a server looks up, decoded; `None`: it refuses the request.
type Server = fn(&str) -> Option<String>;

const SERVERS: [(&str, Server); 14] = [
    ("Node: the target as received", |path| Some(path.to_owned())),
    ("Node: WHATWG URL", whatwg_url),
    ("Express: the router", express),
    ("Express: static files", static_files),
    ("Go: ServeMux", |path| dots(&merged(&decoded(path)?))),
    ("WSGI: PATH_INFO", decoded),
    ("WSGI: werkzeug", |path| Some(merged(&decoded(path)?))),
    ("PHP: parse_url", php_url),
    ("nginx", |path| dots(&merged(&decoded(path)?))),
    ("nginx: merge_slashes off", |path| dots(&decoded(path)?)),
    ("Apache: AllowEncodedSlashes NoDecode", apache),
    ("Tomcat", tomcat),
    ("IIS", iis),
    ("nginx before Tomcat", |path| {
        tomcat(&dots(&merged(&decoded(path)?))?)
    }),
];

// The parts of the servers.

/// Decodes escapes; invalid ones stay.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = |at: usize| char::from(*rest.get(at)?).to_digit(16);
        match (first, digits(1), digits(2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &rest[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    // No server finds a route by bytes that are not text.
    String::from_utf8(bytes).ok()
}

fn merged(path: &str) -> String {
    let mut merged = path.to_owned();
    while merged.contains("//") {
        merged = merged.replace("//", "/");
    }
    merged
}

/// RFC 3986 §5.2.4, literally.
fn dots(path: &str) -> Option<String> {
    let mut input = path.to_owned();
    let mut output = String::new();
    while !input.is_empty() {
        if input.starts_with("/./") || input == "/." {
            input = format!("/{}", input.get(3..).unwrap_or(""));
        } else if input.starts_with("/../") || input == "/.." {
            input = format!("/{}", input.get(4..).unwrap_or(""));
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |slash| slash + 1);
            output.push_str(&input[..end]);
            input.drain(..end);
        }
    }
    Some(output)
}

// The servers.

/// `new URL(request.url, "http://host").pathname`. Only `%2e` is decoded, and only where it makes a
/// dot segment.
fn whatwg_url(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let path = match path.strip_prefix("//") {
        Some(reference) => {
            let host = reference.trim_start_matches('/');
            host.find('/')
                .map_or("/", |slash| &host[slash..])
                .to_owned()
        }
        None => path,
    };
    let segments: Vec<String> = path
        .split('/')
        .map(
            |segment| match segment.to_lowercase().replace("%2e", ".").as_str() {
                "." => ".".to_owned(),
                ".." => "..".to_owned(),
                _ => segment.to_owned(),
            },
        )
        .collect();
    dots(&segments.join("/"))
}

/// Ignores case and a last slash by default.
fn express(path: &str) -> Option<String> {
    let path = decoded(path)?.to_lowercase();
    Some(match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter.to_owned(),
        _ => path,
    })
}

/// `path.normalize` of the decoded path; a path out of the folder is refused.
fn static_files(path: &str) -> Option<String> {
    let path = decoded(path)?;
    (!path.contains('\0')).then(|| dots(&merged(&path)))?
}

/// The path from `parse_url`, and then decoded.
fn php_url(path: &str) -> Option<String> {
    let path = match path.strip_prefix("//") {
        Some(reference) => &reference[reference.find('/').unwrap_or(reference.len())..],
        None => path,
    };
    decoded(path)
}

/// `%2F` and `%5C` stay; dots are resolved after decoding and slashes merged before.
fn apache(path: &str) -> Option<String> {
    let kept = path.replace("%2f", "%2F").replace("%2F", "%252F");
    dots(&merged(&decoded(&kept)?))
}

/// With `ALLOW_BACKSLASH` and `encodedSolidusHandling="decode"`.
fn tomcat(path: &str) -> Option<String> {
    let names = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or(""));
    let path = decoded(&names.collect::<Vec<_>>().join("/"))?;
    let path = merged(&path.replace('\\', "/"));
    (!path.contains('\0')).then(|| dots(&path))?
}

/// Names are those of Windows.
fn iis(path: &str) -> Option<String> {
    let path = dots(&merged(&decoded(path)?.replace('\\', "/")))?;
    let names = path
        .split('/')
        .map(|name| name.trim_end_matches(['.', ' ']));
    Some(names.collect::<Vec<_>>().join("/").to_lowercase())
}

// The tests.

fn patterns() -> impl Strategy<Value = PathPattern> {
    let text = select(vec![
        "/partners",
        "/a",
        "/a/partners",
        "/a/b",
        "/x%20y",
        "/",
    ]);
    (text, any::<bool>()).prop_map(|(text, is_prefix)| match is_prefix {
        true => PathPattern::Prefix(text.trim_end_matches('/').to_owned()),
        false => PathPattern::Exact(text.to_owned()),
    })
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let paths = prop::collection::vec(patterns(), 1..3);
    let one = paths.prop_map(|paths| Route { paths, ..route() });
    prop::collection::vec(one, 1..4)
}

/// Paths made of parts that servers read in different ways, and of the paths of routes.
fn requests() -> impl Strategy<Value = String> {
    let part = select(vec![
        "/",
        "/",
        "/",
        "//",
        "\\",
        "%2f",
        "%2F",
        "%5c",
        "%252f",
        "%25",
        "2f",
        ".",
        "..",
        "%2e",
        "/..",
        "/.",
        "..;",
        ";",
        ";v=1",
        "%3b",
        "%00",
        "%3f",
        "partners",
        "%70artners",
        "a",
        "b",
        "x",
        "%61",
        "x%20y",
        " ",
    ]);
    prop::collection::vec(part, 1..8).prop_map(|parts| format!("/{}", parts.concat()))
}

/// The first of `routes` that matches `path`, which is decoded.
fn owner(routes: &[Route], path: &str) -> Option<usize> {
    // The one escape in a pattern.
    let path = &path.replace(' ', "%20");
    let takes = |pattern: &PathPattern| match pattern {
        PathPattern::Exact(exact) => path == exact,
        PathPattern::Prefix(prefix) => path == prefix || path.starts_with(&format!("{prefix}/")),
    };
    routes
        .iter()
        .position(|route| route.paths.iter().any(takes))
}

fn find(routes: &[Route], path: &str) -> Result<Option<usize>, Ambiguous> {
    Router::compile(routes).find(&Request {
        host: "a",
        method: &Method::GET,
        path,
        query: None,
        headers: &HeaderMap::new(),
        evaluation: None,
    })
}

/// Whether a server treats case and the ends of segments as routes do.
fn is_strict(server: &str) -> bool {
    !matches!(server, "IIS" | "Express: the router")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_server_reads_a_path_of_another_route(
        routes in routes(),
        paths in prop::collection::vec(requests(), 16),
    ) {
        for path in paths {
            let Ok(found) = find(&routes, &path) else { continue };
            for (name, server) in SERVERS.iter().filter(|(name, _)| is_strict(name)) {
                let Some(read) = server(&path) else { continue };
                let owner = owner(&routes, &read);
                prop_assert_eq!(owner, found, "{} reads {} in {}", name, read, path);
            }
        }
    }

    #[test]
    fn no_server_reads_a_path_of_a_route_whose_requirement_was_not_checked(
        mut routes in routes(),
        required in any::<prop::sample::Index>(),
        paths in prop::collection::vec(requests(), 16),
        has_capitals in any::<bool>(),
    ) {
        let required = required.index(routes.len());
        routes[required].client_certificate = ClientCertificate::Required;
        for mut path in paths {
            if has_capitals {
                path = path.replace('a', "A");
            }
            let Ok(found) = find(&routes, &path) else { continue };
            if found == Some(required) {
                continue;
            }
            for (name, server) in SERVERS {
                let Some(read) = server(&path) else { continue };
                prop_assert_ne!(owner(&routes, &read), Some(required), "{} reads {} in {}", name, read, path);
            }
        }
    }
}

#[test]
fn paths_of_attackers_do_not_get_past_a_route() {
    let partners = [Route {
        paths: vec![PathPattern::Prefix("/partners".to_owned())],
        client_certificate: ClientCertificate::Required,
        ..route()
    }];
    for path in [
        "//partners/x",
        "///partners/x",
        "/partners%2fx",
        "/%2fpartners/x",
        "/%2Fpartners/x",
        "/.//partners/x",
        "/x/..%2fpartners/x",
        "/x/..%252fpartners/x",
        "/x/%2e%2e%2fpartners/x",
        "/x/..%5cpartners",
        "/x\\..\\partners",
        "/\\partners/x",
        "/partners\\x",
        "/partners;a=b/x",
        "/partners;/x",
        "/;/partners/x",
        "/;a=b/partners/x",
        "/a/..;/partners",
        "/a/..;x=y/partners",
        "/a/..%3bx/partners",
        "/a/.;/../partners",
        "/partners/..;/x",
        "/%70artners/x",
        "/%2570artners/x",
        "/partners%00",
        "/partners%3fx",
        "/partners%23",
        "/partners%c0%afx",
        "/%c0%ae%c0%ae/partners",
        "/x/%e0%80%ae%e0%80%ae/partners",
        "/x/..%c1%9cpartners",
        "/x%u002f..%u002f..%u002fpartners",
        "//a/partners/x",
        "/\\a/partners/x",
        "/x//../partners/x",
        "/PARTNERS/x",
        "/Partners",
        "/partners./x",
        "/partners%20/x",
        "/partners.%20.",
    ] {
        assert_eq!(find(&partners, path), Err(Ambiguous), "{path}");
    }
    for path in [
        "/partners",
        "/partners/",
        "/partners/.;/x",
        "/partners//x",
        "/partners/a;b/%2f",
    ] {
        assert_eq!(find(&partners, path), Ok(Some(0)), "{path}");
    }
    for path in [
        "/partner",
        "/partnersx",
        "/x/partners",
        "/a//b",
        "/a%2Fb;c=d",
        "/100%",
        "/%C3%BC",
    ] {
        assert_eq!(find(&partners, path), Ok(None), "{path}");
    }
}

#[test]
fn paths_with_one_reading_pass() {
    let cases = [
        // Pictures, archives, wikis, single sign-on: paths with an address in them.
        "/img/plain/https://example.com//a.png",
        "/web/2024/http://example.com/?q",
        "/img/https%3A%2F%2Fexample.com%2Fa%20b.png",
        "/wiki/C%2B%2B_(language)",
        "/wiki/AC/DC;_live",
        "/app/page;jsessionid=1A2B",
        "/a%252Fb/%25",
        "/packages/@scope%2fname",
        "/git/repo.git/info/refs",
        "/caf\u{e9}/{id}|x",
        "/odata/Products('a''b')/$value",
    ];
    let api = [Route {
        paths: vec![PathPattern::Prefix("/api".to_owned())],
        ..route()
    }];
    for path in cases {
        assert_eq!(find(&api, path), Ok(None), "{path}");
        assert_eq!(
            find(&api, &format!("/api{path}")),
            Ok(Some(0)),
            "/api{path}"
        );
    }
    // Case and ends of segments do not matter if no route requires a certificate.
    for path in ["/API", "/api./x"] {
        assert_eq!(find(&api, path), Ok(None), "{path}");
    }
    // If no route has a path, nothing can be confused.
    assert_eq!(find(&[route()], "//a/..;/%2f"), Ok(Some(0)));
}

#[test]
fn a_route_for_a_path_that_has_readings_is_found_by_it() {
    for path in ["/a;v=1", "/a%2Fb", "/a%24b", "/a%25b", "/%5Bx%5D"] {
        for pattern in [
            PathPattern::Exact(path.to_owned()),
            PathPattern::Prefix(path.to_owned()),
        ] {
            let routes = [
                Route {
                    paths: vec![pattern],
                    ..route()
                },
                Route { ..route() },
            ];
            assert_eq!(find(&routes, path), Ok(Some(0)), "{path}");
        }
    }
}

#[test]
fn a_path_with_too_many_readings_is_refused_at_little_cost() {
    let api = [Route {
        paths: vec![PathPattern::Prefix("/api".to_owned())],
        ..route()
    }];
    let tricks = "/a;b\\c//%252e%2e/./%5c%3b%2f%00%3f%41";
    assert_eq!(find(&api, &tricks.repeat(4)), Err(Ambiguous));
    assert_eq!(find(&api, &tricks.repeat(400)), Err(Ambiguous));
    assert_eq!(find(&api, &format!("/{}", "%2525".repeat(3_000))), Ok(None));
}
