//! Any routes and any request: the router of all routes finds the first route that alone would be
//! found.

#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use evenkeel::base::{Name, Position};
use evenkeel::plan::{
    BackendReference, ClientCertificate, HostPattern, PathPattern, Predicate, Route, Target,
    ValuePattern,
};
use evenkeel::proxy::route::{Request, Router};
use evenkeel::wire::path;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    routes: Vec<Rule>,
    host: Word<0>,
    path: Word<1>,
    query: Option<Word<2>>,
    field: Option<Word<2>>,
    is_post: bool,
}

#[derive(Arbitrary, Debug)]
struct Rule {
    hosts: Vec<(bool, Word<0>)>,
    paths: Vec<(bool, Word<1>)>,
    is_post: Option<bool>,
    field: Option<Word<2>>,
    parameter: Option<Word<2>>,
}

/// A text of few pieces, so that routes and requests meet: of a host (0), a path (1), a value (2).
#[derive(Debug)]
struct Word<const KIND: usize>(String);

impl<const KIND: usize> Arbitrary<'_> for Word<KIND> {
    fn arbitrary(source: &mut Unstructured<'_>) -> Result<Self> {
        const PIECES: [&[&str]; 3] = [
            &["a", "b", ".", ".x", "a.x", "[::1]"],
            &[
                "/", "/a", "/b", "/..", "/.", "%2e", "%61", "%7e", "~", "%2F", "%", "a",
            ],
            &["", "p", "=", "&", "1", "+", "%31", "p=1"],
        ];
        let length = source.int_in_range(0..=6)?;
        let pieces: Result<String> = (0..length)
            .map(|_| source.choose(PIECES[KIND]).copied())
            .collect();
        Ok(Self(pieces?))
    }
}

impl Rule {
    fn route(&self) -> Route {
        Route {
            name: Name::new("route").expect("a name"),
            hosts: self.hosts.iter().take(4).map(host_pattern).collect(),
            paths: self.paths.iter().take(4).map(path_pattern).collect(),
            methods: self.is_post.map(method).into_iter().collect(),
            headers: self
                .field
                .iter()
                .map(|Word(text)| Predicate {
                    name: HeaderName::from_static("p"),
                    value: ValuePattern::Exact(text.clone()),
                })
                .collect(),
            queries: self
                .parameter
                .iter()
                .map(|Word(text)| Predicate {
                    name: "p".to_owned(),
                    value: ValuePattern::Prefix(text.clone()),
                })
                .collect(),
            when: None,
            client_certificate: ClientCertificate::Any,
            rules: Vec::new(),
            target: Target::Backend(BackendReference::built_in(
                Name::new("app").expect("a name"),
            )),
            at: Position::built_in(),
            named_at: Position::built_in(),
        }
    }
}

fn host_pattern((is_wildcard, Word(text)): &(bool, Word<0>)) -> HostPattern {
    if *is_wildcard {
        HostPattern::Wildcard(text.clone())
    } else {
        HostPattern::Exact(text.clone())
    }
}

fn path_pattern((is_prefix, Word(text)): &(bool, Word<1>)) -> PathPattern {
    let text = format!("/{text}");
    if *is_prefix {
        PathPattern::Prefix(text.trim_end_matches('/').to_owned())
    } else {
        PathPattern::Exact(text)
    }
}

fn method(is_post: bool) -> Method {
    if is_post { Method::POST } else { Method::GET }
}

fuzz_target!(|input: Input| {
    let routes: Vec<Route> = input.routes.iter().take(8).map(Rule::route).collect();
    let field = input.field.as_ref().map(|Word(text)| {
        let value = HeaderValue::from_str(text).expect("visible ASCII");
        (HeaderName::from_static("p"), value)
    });
    let headers: HeaderMap = field.into_iter().collect();
    let method = method(input.is_post);
    let received = format!("/{}", input.path.0);
    let normal = path::normalise(&received);
    let ask = |routes: &[Route], path: &str| {
        Router::compile(routes).find(&Request {
            host: &input.host.0,
            method: &method,
            path,
            query: input.query.as_ref().map(|Word(text)| text.as_str()),
            headers: &headers,
            evaluation: None,
        })
    };

    // In `//a` or `/a%2Fb`, servers read several paths: then no route is chosen.
    let Ok(found) = ask(&routes, &normal) else {
        return;
    };
    let first = routes
        .iter()
        .position(|route| ask(std::slice::from_ref(route), &normal) == Ok(Some(0)));
    assert_eq!(found, first);
    if let Ok(as_received) = ask(&routes, &received) {
        assert_eq!(as_received, found);
    }
});
