//! The cost of a search for a route: by the number of routes, found and not found; for requests,
//! and for TCP connections by SNI.
//!
//! `cargo bench --bench router`. The promise: 10,000 host routes cost a few hash look-ups.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use evenkeel::base::{Name, Position};
use evenkeel::plan::{
    BackendReference, ClientCertificate, HostPattern, PathPattern, Predicate, Route, Target,
    TcpRoute, ValuePattern,
};
use evenkeel::proxy::route::{Request, Router, TcpRoutes};
use evenkeel::wire::client_hello::ClientHello;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Method};

/// Every second host has a wildcard beside it, and every route takes one folder.
fn host_routes(count: usize) -> Vec<Route> {
    (0..count)
        .map(|number| Route {
            hosts: vec![match number % 2 {
                0 => HostPattern::Exact(format!("www.customer-{number}.example.com")),
                _ => HostPattern::Wildcard(format!("customer-{number}.example.com")),
            }],
            paths: vec![PathPattern::Prefix("/app".to_owned())],
            ..any_route()
        })
        .collect()
}

fn path_routes(count: usize) -> Vec<Route> {
    (0..count)
        .map(|number| Route {
            paths: vec![match number % 2 {
                0 => PathPattern::Prefix(format!("/api/v1/resource-{number}")),
                _ => PathPattern::Exact(format!("/static/page-{number}.html")),
            }],
            ..any_route()
        })
        .collect()
}

fn any_route() -> Route {
    Route {
        name: Name::new("route").expect("a name"),
        hosts: Vec::new(),
        paths: Vec::new(),
        methods: Vec::new(),
        headers: Vec::new(),
        queries: Vec::new(),
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

fn find(router: &Router, host: &str, path: &str, headers: &HeaderMap) -> Option<usize> {
    let found = router.find(&Request {
        host: black_box(host),
        method: &Method::GET,
        path: black_box(path),
        query: Some("page=2"),
        headers,
        evaluation: None,
    });
    found.expect("no path here is ambiguous")
}

fn hosts(criterion: &mut Criterion) {
    let headers = HeaderMap::new();
    let mut group = criterion.benchmark_group("hosts");
    for count in [10, 1_000, 10_000] {
        let router = Router::compile(&host_routes(count));
        // An even and an odd one in the middle.
        let (exact, wildcard) = (count / 2 / 2 * 2, count / 2 / 2 * 2 + 1);
        let cases = [
            (
                "exact",
                format!("www.customer-{exact}.example.com"),
                Some(exact),
            ),
            (
                "wildcard",
                format!("a.b.customer-{wildcard}.example.com"),
                Some(wildcard),
            ),
            ("miss", "www.unknown.example.org".to_owned(), None),
        ];
        for (case, host, expected) in cases {
            let path = "/app/users/4711/profile.html";
            assert_eq!(find(&router, &host, path, &headers), expected);
            group.bench_function(BenchmarkId::new(case, count), |bencher| {
                bencher.iter(|| find(&router, &host, path, &headers));
            });
        }
    }
    group.finish();
}

fn paths(criterion: &mut Criterion) {
    let headers = HeaderMap::new();
    let router = Router::compile(&path_routes(100));
    let mut group = criterion.benchmark_group("paths");
    for (case, path, expected) in [
        ("prefix", "/api/v1/resource-50/4711/comments", Some(50)),
        ("exact", "/static/page-51.html", Some(51)),
        ("miss", "/somewhere/else/entirely.html", None),
        ("not in its form", "/api/v1/resource-50/./%7Eanna", Some(50)),
    ] {
        assert_eq!(find(&router, "example.com", path, &headers), expected);
        group.bench_function(BenchmarkId::new(case, 100), |bencher| {
            bencher.iter(|| find(&router, "example.com", path, &headers));
        });
    }
    group.finish();
}

fn tcp_routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("names of connections");
    for count in [10, 10_000] {
        let routes = host_routes(count).into_iter();
        let routes: Vec<TcpRoute> = routes
            .map(|route| TcpRoute {
                name: route.name,
                sni: route.hosts,
                alpn: Vec::new(),
                when: None,
                backend: BackendReference::built_in(Name::new("app").expect("a name")),
                at: route.at,
                named_at: route.named_at,
            })
            .collect();
        let tcp_routes = TcpRoutes::compile(&routes);
        // The last of each kind.
        let (exact, wildcard) = (count - 2, count - 1);
        for (case, name, expected) in [
            (
                "exact",
                format!("www.customer-{exact}.example.com"),
                Some(exact),
            ),
            (
                "wildcard",
                format!("a.b.customer-{wildcard}.example.com"),
                Some(wildcard),
            ),
            ("miss", "www.unknown.example.org".to_owned(), None),
        ] {
            let hello = ClientHello {
                server_name: Some(name),
                alpn: vec![b"h2".to_vec()],
                version: 0x0303,
            };
            assert_eq!(tcp_routes.find(Some(&hello), |_| true), expected);
            group.bench_function(BenchmarkId::new(case, count), |bencher| {
                bencher.iter(|| tcp_routes.find(Some(black_box(&hello)), |_| true));
            });
        }
    }
    group.finish();
}

/// The worst case of a configuration: routes that differ only by predicates are tried one after
/// another.
fn predicates(criterion: &mut Criterion) {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static("curl/8.0"));
    let routes: Vec<Route> = (0..100)
        .map(|number| Route {
            headers: vec![Predicate {
                name: USER_AGENT,
                value: ValuePattern::Exact(format!("agent/{number}")),
            }],
            ..any_route()
        })
        .collect();
    let router = Router::compile(&routes);
    assert_eq!(find(&router, "example.com", "/", &headers), None);
    criterion.bench_function("predicates/header miss/100", |bencher| {
        bencher.iter(|| find(&router, "example.com", "/", &headers));
    });
}

fn compiling(criterion: &mut Criterion) {
    let routes = host_routes(10_000);
    criterion.bench_function("compile/10000 hosts", |bencher| {
        bencher.iter(|| Router::compile(black_box(&routes)));
    });
}

criterion_group!(benches, hosts, paths, tcp_routes, predicates, compiling);
criterion_main!(benches);
