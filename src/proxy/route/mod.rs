//! Finds the route of a request: the first one of a frontend that matches.
//!
//! `control::assemble` compiles a frontend's routes, `http::handle` calls [`Router::find`]. Pure:
//! no I/O, no clock, no state. A search costs a few look-ups in tables however many routes there
//! are, and allocates only for a path that is not in its normal form.
//!
//! # Precedence
//!
//! The one place where this is written down; `reference.rs` is the same as code.
//!
//! 1. **The first route in file order that matches wins.** No route counts as more specific: an
//!    exact host does not come before a wildcard, nor a longer path before a shorter one.
//! 2. A route matches if each kind of its conditions holds: one of its hosts, one of its paths, one
//!    of its methods, all of its header predicates, all of its query predicates.
//! 3. Host: the request's host in lower case, without port and without a last dot. `*.example.com`
//!    is any number of labels before `example.com`, at least one. A request without a host matches
//!    only routes without hosts.
//! 4. Path: in the form of [`wire::path`](crate::wire::path), patterns and requests alike. A prefix is
//!    by whole segments: `/v1/*` is `/v1`, `/v1/` and `/v1/a/b`, not `/v10`. The target `*` matches
//!    only routes that take every path.
//! 5. **A path that some server reads as one of another route is ambiguous**: the server gets the
//!    target as received, and must read the same route's path in it.
//!    [`wire::readings`](crate::wire::readings) has the readings of servers. A pattern matches as
//!    written and in its normal form, and where readings are compared in its readings too: a route
//!    for `/a;v=1` takes `/a;v=1`, which is not ambiguous then.
//! 6. **A path is ambiguous too if it finds a route without a client certificate**, but would find
//!    one that requires it if case, a last slash, and dots and spaces at the end of segments were
//!    ignored. A `when` that compares the path ignores these, too.
//! 7. `when`: see [`crate::expr`]. Its `path` is the present reading, so a path that another server
//!    reads in another way is ambiguous here too.
//! 8. Header: the whole value of one of the field's lines; lists within a line are not split.
//!    Query: one of the parameter's values; names and values percent-decoded, `+` is a space. Case
//!    counts in values and in names of parameters.

mod conditions;
mod names;
mod paths;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod servers;
mod tcp_routes;

use std::cell::RefCell;
use std::fmt;

use http::{HeaderMap, Method, Uri, Version};

use crate::base::FoldMap;
use crate::exchange::RequestId;
use crate::expr::{BodyFacts, ConnectionFacts, Scratch, Variables};
use crate::plan::Route;
use crate::plan::expr::{self, Fetch};
use crate::wire::{path, readings};

use conditions::Conditions;
use names::{Names, indices};
use paths::{PathKind, Paths, Spelling};

pub use tcp_routes::TcpRoutes;

/// The routes of a frontend, compiled.
#[derive(Debug)]
pub struct Router {
    /// The conditions of each route besides host and path; in file order.
    conditions: Box<[Conditions]>,
    by_path: HostsAndPaths,
    /// The same by folded paths; `None` if no route requires a certificate.
    folded: Option<Box<HostsAndPaths>>,
    /// Whether a route has a path condition. If none has, all paths are read alike.
    has_paths: bool,
}

/// Routes by host and path.
#[derive(Debug)]
struct HostsAndPaths {
    /// Routes by path, for each set of routes that some host has. Hosts with the same routes share
    /// one, so that a route with a thousand hosts and a thousand paths is not a million entries.
    paths: Box<[Paths]>,
    /// For each host, the index in `paths` of its routes.
    hosts: Names<usize>,
    /// The routes without hosts.
    any: Paths,
}

/// The parts of a request for the router.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// In the form of [`Authority::host`](crate::wire::host::Authority); empty if there is none.
    pub host: &'a str,
    /// As received.
    pub method: &'a Method,
    /// The path of the target as received.
    pub path: &'a str,
    /// The text after the question mark, as received.
    pub query: Option<&'a str>,
    /// As received.
    pub headers: &'a HeaderMap,
    /// The context of a route's `when`; `None` if no route has one.
    pub evaluation: Option<Evaluation<'a>>,
}

/// The facts of an exchange beside its request, for expressions, and the buffer for their values.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// The id of the exchange.
    pub id: &'a RequestId,
    /// Of the client's connection.
    pub connection: ConnectionFacts<'a>,
    /// The version of HTTP.
    pub version: Version,
    /// As received.
    pub target: &'a Uri,
    /// What was read of the body.
    pub body: Option<BodyFacts<'a>>,
    /// The variables of the exchange.
    pub variables: Option<&'a Variables>,
    /// The scratch of the worker.
    pub scratch: &'a RefCell<Scratch>,
}

/// Some server would read another route's path in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

impl Router {
    /// The compiled form of `routes`, which are in file order.
    pub fn compile(routes: &[Route]) -> Self {
        let reads_path = |when: &expr::Condition| when.reads(Fetch::reads_path);
        let has_paths = routes
            .iter()
            .any(|route| !route.paths.is_empty() || route.when.as_ref().is_some_and(reads_path));
        let mut conditions: Box<[_]> = routes.iter().map(Conditions::of).collect();
        let needs_folded = has_paths && conditions.iter().any(Conditions::require_certificate);
        if needs_folded {
            for (conditions, route) in conditions.iter_mut().zip(routes) {
                conditions.fold(route);
            }
        }
        let folded = || Box::new(HostsAndPaths::compile(routes, Spelling::Folded));
        Self {
            conditions,
            by_path: HostsAndPaths::compile(routes, Spelling::Exact),
            folded: needs_folded.then(folded),
            has_paths,
        }
    }

    /// The index of the route that `request` matches first; `None` when it matches none.
    ///
    /// # Errors
    ///
    /// [`Ambiguous`], see the module's head: answered 400.
    pub fn find(&self, request: &Request<'_>) -> Result<Option<usize>, Ambiguous> {
        let path = match request.path {
            "" => "/",
            path => path,
        };
        if self.has_paths && !readings::has_only_one(path) {
            return self.find_in_all_readings(request, path);
        }
        let found = self.first_match(request, path, PathKind::Own);
        if self.is_passed_by(request, path, found) {
            return Err(Ambiguous);
        }
        Ok(found)
    }

    #[cold]
    fn find_in_all_readings(
        &self,
        request: &Request<'_>,
        path: &str,
    ) -> Result<Option<usize>, Ambiguous> {
        let normal = path::normalise(path);
        let found = self.first_match(request, &normal, PathKind::Own);
        let is_same = readings::all(path, |reading| {
            self.first_match(request, reading, PathKind::Reading) == found
                && !self.is_passed_by(request, reading, found)
        });
        if is_same { Ok(found) } else { Err(Ambiguous) }
    }

    /// The index of the route that `request` matches first, with `path` for its own.
    fn first_match(&self, request: &Request<'_>, path: &str, kind: PathKind) -> Option<usize> {
        let mut search = self.search(request, path, kind);
        self.by_path.run(&mut search);
        search.found
    }

    fn search<'a>(&'a self, request: &'a Request<'a>, path: &'a str, kind: PathKind) -> Search<'a> {
        Search {
            request,
            path,
            also: &[],
            kind,
            conditions: &self.conditions,
            found: None,
        }
    }

    /// Whether a server that ignores parts of the spelling of `path` would find a route that
    /// requires a certificate, while `found` requires none.
    fn is_passed_by(&self, request: &Request<'_>, path: &str, found: Option<usize>) -> bool {
        let requires = |route: Option<usize>| {
            route.is_some_and(|index| self.conditions[index].require_certificate())
        };
        let Some(folded) = &self.folded else {
            return false;
        };
        if requires(found) {
            return false;
        }
        readings::any_folded(path, |path, also| {
            let mut search = Search {
                also,
                ..self.search(request, path, PathKind::Folded)
            };
            folded.run(&mut search);
            requires(search.found)
        })
    }
}

impl HostsAndPaths {
    fn compile(routes: &[Route], spelling: Spelling) -> Self {
        let (by_host, any) = indices(routes, |route| &route.hosts);
        let mut paths = Vec::new();
        let mut known: FoldMap<Vec<usize>, usize> = FoldMap::default();
        let hosts = Names::of(by_host.into_iter().map(|(host, indices)| {
            let index = *known.entry(indices).or_insert_with_key(|indices| {
                paths.push(Paths::compile(routes, indices, spelling));
                paths.len() - 1
            });
            (host, index)
        }));
        Self {
            paths: paths.into(),
            hosts,
            any: Paths::compile(routes, &any, spelling),
        }
    }

    fn run(&self, search: &mut Search<'_>) {
        for &index in self.hosts.matching(search.request.host) {
            self.paths[index].search(search);
        }
        self.any.search(search);
    }
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("servers may read a path in the target that finds another route")
    }
}

impl std::error::Error for Ambiguous {}

/// One search: the request, and the first route found so far.
struct Search<'a> {
    request: &'a Request<'a>,
    path: &'a str,
    /// Other spellings that the server takes for the same path.
    also: &'a [&'a str],
    kind: PathKind,
    conditions: &'a [Conditions],
    found: Option<usize>,
}

impl Search<'_> {
    /// Looks among `candidates`, which are in file order and match by host and path, for one before
    /// the route found so far.
    fn consider(&mut self, candidates: &[usize]) {
        let before = self.found.unwrap_or(usize::MAX);
        self.found = candidates
            .iter()
            .copied()
            .take_while(|&index| index < before)
            .find(|&index| self.conditions[index].hold(self))
            .or(self.found);
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, COOKIE};
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::base::{Name, Peer, Position};
    use crate::config::written;
    use crate::plan::{
        BackendReference, ClientCertificate, HostPattern, PathPattern, Predicate, Target,
        ValuePattern,
    };

    pub(super) fn route() -> Route {
        Route {
            name: Name::new("r").expect("a name"),
            hosts: Vec::new(),
            paths: Vec::new(),
            methods: Vec::new(),
            headers: Vec::new(),
            queries: Vec::new(),
            when: None,
            client_certificate: ClientCertificate::Any,
            rules: Vec::new(),
            target: Target::Backend(BackendReference::built_in(Name::new("b").expect("a name"))),
            at: Position::built_in(),
            named_at: Position::built_in(),
        }
    }

    /// Written as in a file: `*.example.com`.
    fn host(text: &str) -> Route {
        let pattern = match text.strip_prefix("*.") {
            Some(suffix) => HostPattern::Wildcard(suffix.to_owned()),
            None => HostPattern::Exact(text.to_owned()),
        };
        Route {
            hosts: vec![pattern],
            ..route()
        }
    }

    /// Written as in a file: `/v1/*`.
    fn path(text: &str) -> Route {
        let pattern = match text.strip_suffix("/*") {
            Some(prefix) => PathPattern::Prefix(prefix.to_owned()),
            None => PathPattern::Exact(text.to_owned()),
        };
        Route {
            paths: vec![pattern],
            ..route()
        }
    }

    fn when(condition: &str) -> Route {
        Route {
            when: Some(written::condition(condition)),
            ..route()
        }
    }

    fn protected(route: Route) -> Route {
        Route {
            client_certificate: ClientCertificate::Required,
            ..route
        }
    }

    fn predicate<N>(name: N, value: &str) -> Predicate<N> {
        let value = match value.strip_suffix('*') {
            Some("") => ValuePattern::Present,
            Some(prefix) => ValuePattern::Prefix(prefix.to_owned()),
            None => ValuePattern::Exact(value.to_owned()),
        };
        Predicate { name, value }
    }

    fn header(name: HeaderName, value: &str) -> Route {
        Route {
            headers: vec![predicate(name, value)],
            ..route()
        }
    }

    fn query(name: &str, value: &str) -> Route {
        Route {
            queries: vec![predicate(name.to_owned(), value)],
            ..route()
        }
    }

    fn find_with(
        routes: &[Route],
        url: &str,
        headers: &HeaderMap,
    ) -> Result<Option<usize>, Ambiguous> {
        let (host, target) = url
            .find('/')
            .map_or((url, "/"), |slash| url.split_at(slash));
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let target = target.parse().unwrap_or(Uri::from_static("/"));
        let connection = ConnectionFacts {
            client: Peer::Unix,
            local: None,
            tls: None,
            frontend: "web",
            variables: None,
            tables: None,
            state: None,
            proxy_fields: None,
            content: None,
            is_local: |_| false,
        };
        Router::compile(routes).find(&Request {
            host,
            method: &Method::GET,
            path,
            query,
            headers,
            evaluation: Some(Evaluation {
                id: &RequestId::made(1),
                connection,
                version: Version::HTTP_11,
                target: &target,
                body: None,
                variables: None,
                scratch: &RefCell::default(),
            }),
        })
    }

    fn find(routes: &[Route], url: &str) -> Result<Option<usize>, Ambiguous> {
        find_with(routes, url, &HeaderMap::new())
    }

    #[test]
    fn the_first_in_file_order_wins_whatever_is_more_specific() {
        let routes = [
            path("/a/*"),
            path("/a/b"),
            host("a.x"),
            host("*.x"),
            route(),
        ];
        assert_eq!(find(&routes, "a.x/a/b"), Ok(Some(0)));
        assert_eq!(find(&routes, "a.x/b"), Ok(Some(2)));
        assert_eq!(find(&routes, "b.x/b"), Ok(Some(3)));
        assert_eq!(find(&routes, "b.y/b"), Ok(Some(4)));
        let routes = [host("*.x"), host("a.x")];
        assert_eq!(find(&routes, "a.x/"), Ok(Some(0)));
    }

    #[test]
    fn no_route_is_an_answer() {
        assert_eq!(find(&[], "a/"), Ok(None));
        assert_eq!(find(&[host("a"), path("/b")], "c/d"), Ok(None));
    }

    #[test]
    fn a_wildcard_is_at_least_one_label() {
        let routes = [host("*.b.x")];
        for (url, found) in [
            ("a.b.x", Some(0)),
            ("c.a.b.x", Some(0)),
            ("b.x", None),
            (".b.x", None),
            ("ab.x", None),
            ("a.b.x.y", None),
            ("", None),
        ] {
            assert_eq!(find(&routes, url), Ok(found), "{url}");
        }
    }

    #[test]
    fn a_prefix_is_by_whole_segments() {
        let routes = [path("/v1/*")];
        for (url, found) in [
            ("/v1", Some(0)),
            ("/v1/", Some(0)),
            ("/v1/a/b/c", Some(0)),
            ("/v10", None),
            ("/v", None),
            ("/", None),
            ("/a/v1", None),
            ("/a//v1", None),
        ] {
            assert_eq!(find(&routes, url), Ok(found), "{url}");
        }
        assert_eq!(find(&[path("/*")], "/anything"), Ok(Some(0)));
    }

    #[test]
    fn a_prefix_deeper_than_the_path_is_not_found() {
        let routes = [path("/a/b/c/*"), path("/a/*")];
        assert_eq!(find(&routes, "/a/b"), Ok(Some(1)));
        assert_eq!(find(&routes, "/a/b/c"), Ok(Some(0)));
        assert_eq!(find(&routes, "/a/b/c/d/e/f"), Ok(Some(0)));
    }

    #[test]
    fn a_path_that_hides_another_route_is_ambiguous() {
        let routes = [path("/admin/*"), path("/api/*")];
        for url in [
            "/api/../admin",
            "/api/%2e%2e/admin",
            "/%61dmin/x",
            "/x/../admin/y",
            "/admin/..",
            "/admin/../x",
        ] {
            assert_eq!(find(&routes, url), Err(Ambiguous), "{url}");
        }
    }

    #[test]
    fn a_path_that_finds_the_same_route_either_way_passes() {
        let routes = [path("/api/*"), path("/%7eanna/*"), path("/caf%c3%a9")];
        for (url, found) in [
            ("/api/a/../b", Some(0)),
            ("/api/%61", Some(0)),
            ("/x/../y", None),
            ("/%7eanna", Some(1)),
            ("/%7Eanna", Some(1)),
            ("/~anna", Some(1)),
            ("/caf%C3%A9", Some(2)),
            ("/caf%c3%A9", Some(2)),
        ] {
            assert_eq!(find(&routes, url), Ok(found), "{url}");
        }
    }

    #[test]
    fn an_escaped_slash_is_a_slash_to_some_and_so_ambiguous() {
        for url in ["/a%2Fb", "/a%2fb", "/a%252fb"] {
            assert_eq!(find(&[path("/a/*")], url), Err(Ambiguous), "{url}");
            assert_eq!(find(&[path("/b/*")], url), Ok(None), "{url}");
        }
    }

    #[test]
    fn a_condition_on_the_path_is_checked_in_every_reading() {
        for condition in [
            "path starts_with \"/Partners/\"",
            "pathq starts_with \"/Partners/\"",
            "url matches \"^/Partners/\"",
            "path,field(2,/) in [\"Partners\"]",
            "not path,regsub(^/Partners/,\"\") == path",
        ] {
            let routes = [when(condition)];
            for url in ["/Partners/x", "/Partners//x", "/Partners/%7Ex?a"] {
                assert_eq!(find(&routes, url), Ok(Some(0)), "{condition} {url}");
            }
            for url in [
                "/%50artners/x",
                "//Partners/x",
                "/x/../Partners/x",
                "/Partners%2Fx",
                "/Partners;a=b/x",
                "/x/..;/Partners/x",
            ] {
                assert_eq!(find(&routes, url), Err(Ambiguous), "{condition} {url}");
            }
            for url in ["/partners/x", "/x//y", "/x"] {
                assert_eq!(find(&routes, url), Ok(None), "{condition} {url}");
            }
        }
    }

    #[test]
    fn no_spelling_of_the_path_avoids_a_condition_that_requires_a_certificate() {
        for condition in [
            "path starts_with \"/Partners/\"",
            "pathq starts_with \"/Partners/\"",
            "url matches \"^/Partners/\"",
            "path,field(2,/) in [\"Partners\"] and path contains \"rs/\"",
            "path,upper starts_with \"/PARTNERS/\"",
            "not (path != \"/Partners/\" and not path starts_with \"/Partners/\")",
        ] {
            let routes = [protected(when(condition))];
            assert_eq!(find(&routes, "/Partners/x"), Ok(Some(0)), "{condition}");
            for url in [
                "/partners/x",
                "/PARTNERS/X?a",
                "/Partners./x",
                "/partners%20/x",
                "/partners",
                "//partners/x",
                "/x/..%2fPARTNERS%2Fx",
            ] {
                // One of the conditions ignores case by itself.
                let is_ambiguous = find(&routes, url) != Ok(None);
                assert!(is_ambiguous, "{condition} {url}");
            }
            for url in ["/", "/Partner/x", "/x/partners/", "/a//b"] {
                assert_eq!(find(&routes, url), Ok(None), "{condition} {url}");
            }
        }
    }

    #[test]
    fn a_path_of_an_open_route_is_not_ambiguous_with_a_later_route_that_requires_a_certificate() {
        let conditions = [
            "path starts_with \"/Docs\"",
            "path == \"/Docs\" or path == \"/Docs./x\" or path == \"/Docs/\"",
            "path matches \"^/Docs\"",
            "path,lower == \"/docs\" or not path starts_with \"/p\"",
        ];
        for condition in conditions {
            let routes = [when(condition), protected(path("/*"))];
            for url in ["/Docs", "/Docs/", "/Docs./x"] {
                assert_eq!(find(&routes, url), Ok(Some(0)), "{condition} {url}");
            }
            assert_eq!(find(&routes, "/p"), Ok(Some(1)), "{condition}");
        }
    }

    #[test]
    fn case_counts_if_no_condition_reads_the_path() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static("Text"));
        for (value, found) in [("Text", Ok(Some(0))), ("text", Ok(None))] {
            let condition = format!("req.hdr(accept) == \"{value}\" and path == \"/A\"");
            let routes = [protected(when(&condition))];
            assert_eq!(find_with(&routes, "/A", &headers), found, "{value}");
        }
    }

    #[test]
    fn the_target_of_the_whole_server_matches_only_any_path() {
        let options = |routes: &[Route]| {
            Router::compile(routes).find(&Request {
                host: "a",
                method: &Method::OPTIONS,
                path: "*",
                query: None,
                headers: &HeaderMap::new(),
                evaluation: None,
            })
        };
        assert_eq!(options(&[path("/a/*"), path("/*")]), Ok(Some(1)));
        assert_eq!(options(&[path("/"), host("a")]), Ok(Some(1)));
    }

    #[test]
    fn a_method_is_one_of_those_named() {
        let routes = [Route {
            methods: vec![Method::POST, Method::PUT],
            ..route()
        }];
        assert_eq!(find(&routes, "/"), Ok(None));
        let routes = [Route {
            methods: vec![Method::POST, Method::GET],
            ..route()
        }];
        assert_eq!(find(&routes, "/"), Ok(Some(0)));
    }

    #[test]
    fn a_header_predicate_takes_the_whole_value_of_one_line() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static("text/html"));
        headers.append(ACCEPT, HeaderValue::from_static("a, b"));
        for (value, found) in [
            ("text/html", Some(0)),
            ("a, b", Some(0)),
            ("text/*", Some(0)),
            ("*", Some(0)),
            ("a", None),
            ("b", None),
            ("Text/html", None),
            ("html*", None),
        ] {
            let routes = [header(ACCEPT, value)];
            assert_eq!(find_with(&routes, "/", &headers), Ok(found), "{value}");
        }
        assert_eq!(find_with(&[header(COOKIE, "*")], "/", &headers), Ok(None));
    }

    #[test]
    fn a_query_predicate_takes_one_of_the_values() {
        for (routes, found) in [
            ([query("a", "1")], Some(0)),
            ([query("a", "3")], Some(0)),
            ([query("b c", "d&e")], Some(0)),
            ([query("b c", "d*")], Some(0)),
            ([query("flag", "*")], Some(0)),
            ([query("flag", "")], Some(0)),
            ([query("a", "2")], None),
            ([query("A", "1")], None),
            ([query("c", "*")], None),
        ] {
            let url = "/?a=1&b+c=d%26e&flag&a=3";
            assert_eq!(find(&routes, url), Ok(found), "{:?}", routes[0].queries);
        }
        assert_eq!(find(&[query("a", "*")], "/"), Ok(None));
    }

    #[test]
    fn all_predicates_must_hold() {
        let mut both = query("a", "1");
        both.queries.push(predicate("b".to_owned(), "2"));
        assert_eq!(find(&[both.clone()], "/?a=1"), Ok(None));
        assert_eq!(find(&[both], "/?b=2&a=1"), Ok(Some(0)));
    }

    #[test]
    fn hosts_with_the_same_routes_share_their_table() {
        let hosts = (0..100).map(|n| HostPattern::Exact(format!("h{n}")));
        let routes = [Route {
            hosts: hosts.collect(),
            ..path("/a")
        }];
        assert_eq!(Router::compile(&routes).by_path.paths.len(), 1);
        assert_eq!(find(&routes, "h7/a"), Ok(Some(0)));
    }
}
