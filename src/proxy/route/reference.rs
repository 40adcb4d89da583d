//! The router by the words of its head, one route after the other: what the compiled one must
//! agree with, whatever is asked.

use std::collections::HashSet;
use std::fmt::Debug;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::tests::route;
use super::{Ambiguous, Request, Router};
use crate::plan::{HostPattern, PathPattern, Predicate, Route, ValuePattern};
use crate::wire::{path, query};

fn find(routes: &[Route], request: &Request<'_>) -> Result<Option<usize>, Ambiguous> {
    let received = if request.path.is_empty() {
        "/"
    } else {
        request.path
    };
    let by = |path: &str| {
        routes
            .iter()
            .position(|route| matches(route, request, path))
    };
    let in_form = by(&path::normalise(received));
    let as_received = by(&path::with_capital_escapes(received));
    if in_form == as_received {
        Ok(in_form)
    } else {
        Err(Ambiguous)
    }
}

fn matches(route: &Route, request: &Request<'_>, path: &str) -> bool {
    let hosts = &route.hosts;
    let paths = &route.paths;
    (hosts.is_empty() || hosts.iter().any(|host| takes_host(host, request.host)))
        && (paths.is_empty() || paths.iter().any(|pattern| takes_path(pattern, path)))
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
    match pattern {
        PathPattern::Exact(exact) => {
            path == path::normalise(exact) || path == path::with_capital_escapes(exact)
        }
        PathPattern::Prefix(prefix) => {
            let below = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
            // The form of a folder ends in a slash; every path is below the empty prefix.
            let folder = path::normalise(&format!("{prefix}/")).into_owned();
            let in_form = folder.strip_suffix('/').expect("it was a folder");
            in_form.is_empty()
                || prefix.is_empty()
                || below(in_form)
                || below(&path::with_capital_escapes(prefix))
        }
    }
}

fn takes_value(pattern: &ValuePattern, value: &[u8]) -> bool {
    match pattern {
        ValuePattern::Present => true,
        ValuePattern::Exact(exact) => value == exact.as_bytes(),
        ValuePattern::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
    }
}

/// A request that owns what it is made of.
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
        }
    }
}

// So few words that routes and requests meet often.

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

/// None mostly: a route that asks for little is found often.
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
    );
    let one = one.prop_map(|(hosts, paths, methods, headers, queries)| Route {
        hosts,
        paths,
        methods,
        headers,
        queries,
        ..route()
    });
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
