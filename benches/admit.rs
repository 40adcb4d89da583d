//! The cost of admitting a request: the pass over its head, and the checks.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use evenkeel::plan::FrontendLimits;
use evenkeel::proxy::http::admit::admit;
use evenkeel::proxy::http::seen::Seen;
use evenkeel::proxy::io::FieldRules;
use http::Request;

/// A request of a browser.
fn browser() -> Request<()> {
    Request::get("/products/4711?color=blue&size=m")
        .header("host", "shop.example.com")
        .header("connection", "keep-alive")
        .header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        )
        .header(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9",
        )
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("accept-language", "en-US,en;q=0.9")
        .header(
            "cookie",
            "session=0123456789abcdef0123456789abcdef; theme=dark",
        )
        .header("referer", "https://shop.example.com/products")
        .header("cache-control", "no-cache")
        .header("upgrade-insecure-requests", "1")
        .body(())
        .expect("a request")
}

/// The smallest request.
fn tiny() -> Request<()> {
    Request::get("/")
        .header("host", "a")
        .body(())
        .expect("a request")
}

fn benchmarks(criterion: &mut Criterion) {
    let limits = FrontendLimits::default();
    let rules = FieldRules::default();
    for (name, request) in [("tiny", tiny()), ("browser", browser())] {
        criterion.bench_function(&format!("admit/{name}"), |bencher| {
            bencher.iter(|| {
                let request = black_box(&request);
                let seen = Seen::of_request(request.headers(), &rules);
                admit(request, seen, &limits, true).is_ok()
            });
        });
    }
}

criterion_group!(group, benchmarks);
criterion_main!(group);
