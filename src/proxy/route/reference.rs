//! The rules of the router's head as code, one route after the other: the compiled router must
//! agree with it for every request.

use std::collections::HashSet;
use std::fmt::Debug;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::tests::route;
use super::{Ambiguous, Request, Router};
use crate::plan::{ClientCertificate, HostPattern, PathPattern, Predicate, Route, ValuePattern};
use crate::wire::{path, query, readings};

fn find(routes: &[Route], request: &Request<'_>) -> Result<Option<usize>, Ambiguous> {
    let received = if request.path.is_empty() {
        "/"
    } else {
        request.path
    };
    let by = |path: &str, takes: fn(&PathPattern, &str) -> bool| {
        routes
            .iter()
            .position(|route| matches(route, request, |pattern| takes(pattern, path)))
    };
    let requires = |found: Option<usize>| {
        found.is_some_and(|index| routes[index].client_certificate == ClientCertificate::Required)
    };
    let found = by(&path::normalise(received), takes_path);
    if routes.iter().all(|route| route.paths.is_empty()) {
        return Ok(found);
    }
    let is_passed_by = |path: &str| {
        let folded = readings::folded(path);
        let shorter = folded.strip_suffix('/').filter(|path| !path.is_empty());
        let finds = |path: &str| requires(by(path, takes_folded));
        !requires(found) && (finds(&folded) || shorter.is_some_and(finds))
    };
    let is_plain = readings::has_only_one(received);
    let is_same = readings::all(received, |reading| {
        (is_plain || by(reading, takes_reading) == found) && !is_passed_by(reading)
    });
    if is_same { Ok(found) } else { Err(Ambiguous) }
}

fn matches(
    route: &Route,
    request: &Request<'_>,
    takes_path: impl Fn(&PathPattern) -> bool,
) -> bool {
    let hosts = &route.hosts;
    let paths = &route.paths;
    (hosts.is_empty() || hosts.iter().any(|host| takes_host(host, request.host)))
        && (paths.is_empty() || paths.iter().any(takes_path))
        && (route.methods.is_empty() || route.methods.contains(request.method))
        && route.headers.iter().all(|wanted| {
            let lines = request.headers.get_all(&wanted.name);
            lines
                .iter()
                .any(|line| takes_value(&wanted.value, line.as_bytes()))
        })
        && route.queries.iter().all(|wanted| {
            query::parameters(request.query.unwrap_or("")).any(|(name, value)| {
                name.collect::<Vec<u8>>() == wanted.name.as_bytes()
                    && takes_value(&wanted.value, &value.collect::<Vec<u8>>())
            })
        })
}

fn takes_host(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Exact(exact) => host == exact,
        HostPattern::Wildcard(suffix) => host
            .strip_suffix(suffix.as_str())
            .is_some_and(|before| before.len() > 1 && before.ends_with('.')),
    }
}

fn takes_path(pattern: &PathPattern, path: &str) -> bool {
    let spelled = spellings(pattern);
    spelled.iter().any(|text| is_taken(pattern, text, path))
}

/// A pattern matches its readings, too, except one that would match every path.
fn takes_reading(pattern: &PathPattern, path: &str) -> bool {
    let read = other_readings(pattern);
    takes_path(pattern, path) || read.iter().any(|text| is_taken(pattern, text, path))
}

/// `path` is folded, and so is the pattern; an exact pattern also matches without its last slash.
fn takes_folded(pattern: &PathPattern, path: &str) -> bool {
    let is_exact = matches!(pattern, PathPattern::Exact(_));
    let texts = [spellings(pattern), other_readings(pattern)].concat();
    texts.iter().any(|text| {
        let folded = match text.as_str() {
            "" => String::new(),
            text => readings::folded(text).into_owned(),
        };
        is_taken(pattern, &folded, path)
            || (is_exact && path != "/" && folded == format!("{path}/"))
    })
}

/// Whether `pattern` matches `path`; `text` is its text, of a prefix without the last slash.
fn is_taken(pattern: &PathPattern, text: &str, path: &str) -> bool {
    match pattern {
        PathPattern::Exact(_) => text == path,
        PathPattern::Prefix(_) if text.is_empty() => true,
        PathPattern::Prefix(_) => path == text || path.starts_with(&format!("{text}/")),
    }
}

fn spellings(pattern: &PathPattern) -> Vec<String> {
    let text = whole(pattern);
    let spelled = [path::normalise(&text), path::with_capital_escapes(&text)];
    spelled.map(|text| as_written(pattern, &text)).into()
}

fn other_readings(pattern: &PathPattern) -> Vec<String> {
    let text = whole(pattern);
    let mut found = Vec::new();
    if !readings::has_only_one(&text) {
        readings::all(&text, |reading| {
            found.push(as_written(pattern, reading));
            true
        });
    }
    let is_prefix = matches!(pattern, PathPattern::Prefix(_));
    found.retain(|text| !(is_prefix && text.is_empty()));
    found
}

/// The path of a pattern, that of a prefix as a folder.
fn whole(pattern: &PathPattern) -> String {
    match pattern {
        PathPattern::Exact(exact) => exact.clone(),
        PathPattern::Prefix(prefix) => format!("{prefix}/"),
    }
}

fn as_written(pattern: &PathPattern, whole: &str) -> String {
    match pattern {
        PathPattern::Exact(_) => whole.to_owned(),
        PathPattern::Prefix(_) => whole.strip_suffix('/').unwrap_or(whole).to_owned(),
    }
}

fn takes_value(pattern: &ValuePattern, value: &[u8]) -> bool {
    match pattern {
        ValuePattern::Present => true,
        ValuePattern::Exact(exact) => value == exact.as_bytes(),
        ValuePattern::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
    }
}

/// A request that owns its parts.
#[derive(Clone, Debug)]
struct Asked {
    host: String,
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

impl Asked {
    fn request(&self) -> Request<'_> {
        Request {
            host: &self.host,
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            evaluation: None,
        }
    }
}

// Few words, so that routes and requests meet often.

fn host_patterns() -> impl Strategy<Value = HostPattern> {
    let exact = select(vec!["x", "a.x", "b.a.x", "a.b.a.x", "[::1]"]);
    let wildcard = select(vec!["x", "a.x", "b.a.x", "c.b.a.x"]);
    prop_oneof![
        exact.prop_map(|host| HostPattern::Exact(host.to_owned())),
        wildcard.prop_map(|host| HostPattern::Wildcard(host.to_owned())),
    ]
}

fn hosts() -> impl Strategy<Value = String> {
    let labels = select(vec!["x", "a.x", "b.a.x", "a.b.a.x", "c.b.a.x", "d.c.b.a.x"]);
    prop_oneof![
        4 => labels.prop_map(str::to_owned),
        1 => "[abx.]{0,6}",
        1 => Just("[::1]".to_owned()),
        1 => Just(String::new()),
    ]
}

fn plain_paths() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "ab", "~", "", "a%2Fb"]);
    prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn spelled_paths() -> impl Strategy<Value = String> {
    let part = select(vec![
        "/", "/", "a", "b", ".", "..", "%2e", "%61", "~", "%7e", "%7E", "%2f", "%", "/..", "/a",
        ";", "\\", "%5c", "%3b", "A", "%25", "2f", "%20",
    ]);
    prop::collection::vec(part, 0..7).prop_map(|parts| format!("/{}", parts.concat()))
}

fn path_patterns() -> impl Strategy<Value = PathPattern> {
    let text = prop_oneof![4 => plain_paths(), 1 => spelled_paths()];
    (text, any::<bool>()).prop_map(|(text, is_prefix)| {
        if is_prefix {
            PathPattern::Prefix(text.trim_end_matches('/').to_owned())
        } else {
            PathPattern::Exact(text)
        }
    })
}

fn values() -> impl Strategy<Value = ValuePattern> {
    prop_oneof![
        Just(ValuePattern::Present),
        select(vec!["", "1", "12", "a b"]).prop_map(|text| ValuePattern::Exact(text.to_owned())),
        select(vec!["", "1", "a "]).prop_map(|text| ValuePattern::Prefix(text.to_owned())),
    ]
}

/// Mostly none: a route with few conditions is found often.
fn few<T: Clone + Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    let some = prop::collection::vec(one, 1..3);
    prop::option::weighted(0.25, some).prop_map(Option::unwrap_or_default)
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let names = || select(vec!["p", "q"]);
    let header = (names(), values()).prop_map(|(name, value)| Predicate {
        name: HeaderName::from_static(name),
        value,
    });
    let parameter = (names(), values()).prop_map(|(name, value)| Predicate {
        name: name.to_owned(),
        value,
    });
    let one = (
        prop::collection::vec(host_patterns(), 0..3),
        prop::collection::vec(path_patterns(), 0..3),
        subsequence(vec![Method::GET, Method::POST], 0..=2),
        few(header),
        few(parameter),
        prop::bool::weighted(0.2),
    );
    let one = one.prop_map(
        |(hosts, paths, methods, headers, queries, is_required)| Route {
            hosts,
            paths,
            methods,
            headers,
            queries,
            when: None,
            client_certificate: match is_required {
                true => ClientCertificate::Required,
                false => ClientCertificate::Any,
            },
            ..route()
        },
    );
    prop::collection::vec(one, 0..12)
}

fn requests() -> impl Strategy<Value = Asked> {
    let path = prop_oneof![
        6 => plain_paths(),
        4 => spelled_paths(),
        1 => Just("*".to_owned()),
        1 => Just(String::new()),
    ];
    let query = prop::option::of("([pq](=(1|12|a\\+b|%31|))?&?){0,3}");
    let lines = prop::collection::vec((select(vec!["p", "q"]), select(vec!["", "1", "12"])), 0..3);
    let method = select(vec![Method::GET, Method::POST]);
    (hosts(), method, path, query, lines).prop_map(|(host, method, path, query, lines)| Asked {
        host,
        method,
        path,
        query,
        headers: lines
            .into_iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_compiled_router_agrees_with_its_head(
        routes in routes(),
        asked in prop::collection::vec(requests(), 8),
    ) {
        let router = Router::compile(&routes);
        for asked in &asked {
            let request = asked.request();
            prop_assert_eq!(router.find(&request), find(&routes, &request), "{:?}", asked);
        }
    }
}

#[test]
fn the_words_of_this_test_reach_every_answer() {
    let mut runner = TestRunner::deterministic();
    let mut seen = HashSet::new();
    for _ in 0..2_000 {
        let case = (routes(), requests()).new_tree(&mut runner);
        let (routes, asked) = case.expect("a case").current();
        seen.insert(match find(&routes, &asked.request()) {
            Err(Ambiguous) => "ambiguous",
            Ok(None) => "none",
            Ok(Some(0)) => "first",
            Ok(Some(_)) => "later",
        });
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}
