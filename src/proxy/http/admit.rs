//! Refuses requests that must not be passed on, because two readers would understand them
//! differently.
//!
//! The parser refuses requests that it cannot parse. This module refuses those that it can parse
//! and that are still wrong, before a server sees any of them. The page
//! `conf/reference/refusals.md` lists both.
//!
//! RFC 9112 §3.2 (targets and Host), §6 (framing), §11.2 (smuggling); RFC 9110 §7.8 (Upgrade),
//! §10.1.1 (Expect).

use std::borrow::Cow;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};

use crate::exchange::Reason;
use crate::plan::{FrontendLimits, MOST_METHOD_BYTES};
use crate::wire::content_length::{self, Lists, NoLength};
use crate::wire::host::Authority;

use super::seen::Seen;
use super::upgrade::is_extended_connect;

/// Results of the admission, for later steps.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// In the router's form; empty for an HTTP/1.0 request without a host.
    pub host: Cow<'a, str>,
}

/// Leaves one length, written in one form. h2 accepts leading zeros, an empty field and several
/// fields.
///
/// # Errors
///
/// `request.head.malformed`: it is no length.
pub fn settle_length(headers: &mut HeaderMap, seen: Seen) -> Result<(), Reason> {
    if seen.has(Seen::CONTENT_LENGTH) {
        let settled = content_length::settle(headers, Lists::Refused);
        settled.map_err(|NoLength| Reason::RequestHeadMalformed)?;
    }
    Ok(())
}

/// Admits `request`, or returns why not.
///
/// # Errors
///
/// The reason of the refusal: one of `request.*`.
pub fn admit<'a, B>(
    request: &'a Request<B>,
    seen: Seen,
    limits: &FrontendLimits,
    requires_host: bool,
) -> Result<Admitted<'a>, Reason> {
    if request.version() == Version::HTTP_2 {
        check_size(request.headers(), limits)?;
    }
    check_method(request)?;
    check_target(request, limits)?;
    let host = check_host(request, requires_host)?;
    check_fields(request.headers(), seen)?;
    Ok(Admitted { host })
}

/// Checks the bounds of a head, which the parser checks for HTTP/1. A field is counted as in RFC
/// 9113 §6.5.2. A client may send each cookie in its own field; together they count as one (RFC
/// 9113 §8.2.3).
fn check_size(headers: &HeaderMap, limits: &FrontendLimits) -> Result<(), Reason> {
    let mut size = 0;
    let mut cookies = 0;
    for (name, value) in headers {
        size += name.as_str().len() + value.len() + 32;
        cookies += usize::from(*name == header::COOKIE);
    }
    let fields = headers.len() - cookies + cookies.min(1);
    if fields > limits.fields || size as u64 > limits.head.0 {
        return Err(Reason::RequestHeadTooLarge);
    }
    Ok(())
}

/// CONNECT would make us an open relay, and TRACE shows fields that only we may see. An extended
/// CONNECT (RFC 8441) is a request to this host, like any other.
fn check_method<B>(request: &Request<B>) -> Result<(), Reason> {
    match *request.method() {
        Method::CONNECT if is_extended_connect(request) => Ok(()),
        Method::CONNECT | Method::TRACE => Err(Reason::RequestMethodRefused),
        ref method if method.as_str().len() > MOST_METHOD_BYTES => {
            Err(Reason::RequestMethodTooLong)
        }
        _ => Ok(()),
    }
}

/// Whether `target` is within the bound.
///
/// # Errors
///
/// `request.target.too_long`.
pub fn check_target_length(target: &Uri, limits: &FrontendLimits) -> Result<(), Reason> {
    let path_length = target
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let authority_length = target.authority().map_or(0, |text| text.as_str().len());
    match (path_length + authority_length) as u64 > limits.target.0 {
        true => Err(Reason::RequestTargetTooLong),
        false => Ok(()),
    }
}

fn check_target<B>(request: &Request<B>, limits: &FrontendLimits) -> Result<(), Reason> {
    let uri = request.uri();
    check_target_length(uri, limits)?;
    let has_form = match (uri.scheme_str(), uri.authority()) {
        // Absolute form, which RFC 9112 §3.2.2 requires us to accept; in HTTP/2 every target has
        // scheme and authority.
        (Some("http" | "https"), Some(_)) => true,
        (None, None) => true,
        _ => false,
    };
    let has_path = |target| has_path(request, target);
    match has_form && uri.path_and_query().is_some_and(has_path) {
        true => Ok(()),
        false => Err(Reason::RequestTargetForm),
    }
}

/// Whether `target` has a path, or a form without one that means `/`. `http` cuts a fragment off,
/// so a target that is only a fragment is empty here.
fn has_path<B>(request: &Request<B>, target: &PathAndQuery) -> bool {
    match target.as_str().as_bytes() {
        // An empty one is shown as `/` too.
        b"/" => *target == PathAndQuery::from_static("/"),
        b"*" => request.method() == Method::OPTIONS,
        // `http://a?b`: the path is `/` (RFC 9110 §4.2.3). In HTTP/2 it must be written (RFC 9113
        // §8.3.1).
        [b'?', ..] => request.uri().scheme().is_some() && request.version() < Version::HTTP_2,
        [first, ..] => *first == b'/',
        [] => false,
    }
}

/// The host of `request`, which was admitted and whose host a rule may have changed since.
///
/// # Errors
///
/// `request.host.*`: the rule wrote an invalid host.
pub fn host_of<B>(request: &Request<B>, requires_host: bool) -> Result<Cow<'_, str>, Reason> {
    check_host(request, requires_host)
}

fn check_host<B>(request: &Request<B>, requires_host: bool) -> Result<Cow<'_, str>, Reason> {
    let mut fields = request.headers().get_all(header::HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (Some(field), None) => {
            let host = Authority::parse(field.as_bytes());
            Some(host.map_err(|_| Reason::RequestHostMalformed)?)
        }
        (None, _) if request.version() <= Version::HTTP_10 || !requires_host => None,
        // In HTTP/2 the target names it (RFC 9113 §8.3.1).
        (None, _) if is_named_by_target(request) => None,
        (None, _) => return Err(Reason::RequestHostMissing),
        (Some(_), Some(_)) => return Err(Reason::RequestHostDuplicate),
    };
    let Some(target) = request.uri().authority() else {
        return Ok(field.map_or(Cow::Borrowed(""), |field| field.host));
    };
    let target =
        Authority::parse(target.as_str().as_bytes()).map_err(|_| Reason::RequestHostMalformed)?;
    let default_port = match request.uri().scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    match field {
        Some(field) if !field.is_same(&target, default_port) => Err(Reason::RequestHostConflict),
        _ => Ok(target.host),
    }
}

fn is_named_by_target<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_2 && request.uri().authority().is_some()
}

fn check_fields(headers: &HeaderMap, seen: Seen) -> Result<(), Reason> {
    if seen.has(Seen::TRANSFER_ENCODING)
        && let Some(first) = headers.get(header::TRANSFER_ENCODING)
    {
        let is_only = headers.get_all(header::TRANSFER_ENCODING).iter().count() == 1;
        // The parser accepts `gzip, chunked` as chunked; without the field, the next hop would not
        // know of the gzip.
        if !is_only || !first.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Reason::RequestTransferCoding);
        }
    }
    let is_known =
        |expectation: &HeaderValue| expectation.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if seen.has(Seen::EXPECT) && !headers.get_all(header::EXPECT).iter().all(is_known) {
        return Err(Reason::RequestExpectation);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(request: http::request::Builder) -> Result<String, Reason> {
        let request = request.body(()).expect("a request");
        let seen = Seen::of(request.headers());
        admit(&request, seen, &FrontendLimits::default(), true).map(|admitted| admitted.host.into())
    }

    fn get(target: &str) -> http::request::Builder {
        Request::get(target).header("host", "example.com")
    }

    #[test]
    fn hosts_are_taken_in_the_routers_form() {
        assert_eq!(admitted(get("/")).as_deref(), Ok("example.com"));
        let upper = Request::get("/").header("host", "EXAMPLE.com:8080");
        assert_eq!(admitted(upper).as_deref(), Ok("example.com"));
        let old = Request::get("/").version(Version::HTTP_10);
        assert_eq!(admitted(old).as_deref(), Ok(""));
    }

    #[test]
    fn a_request_without_a_host_or_with_two_hosts_is_refused() {
        let cases = [
            (Request::get("/"), Reason::RequestHostMissing),
            (
                get("/").header("host", "example.com"),
                Reason::RequestHostDuplicate,
            ),
            (
                Request::get("/").header("host", "a b"),
                Reason::RequestHostMalformed,
            ),
            (
                Request::get("/").header("host", ""),
                Reason::RequestHostMalformed,
            ),
            (get("http://other.com/"), Reason::RequestHostConflict),
            (get("http://example.com:81/"), Reason::RequestHostConflict),
        ];
        for (request, reason) in cases {
            assert_eq!(admitted(request), Err(reason));
        }
        assert!(admitted(get("http://example.com:80/")).is_ok());
    }

    #[test]
    fn a_request_without_a_host_passes_where_none_is_required() {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let request = Request::get("/").version(version).body(()).expect("one");
            assert_eq!(host_of(&request, true), Err(Reason::RequestHostMissing));
            assert_eq!(host_of(&request, false).as_deref(), Ok(""));
        }
        let twice = Request::get("/").header("host", "a").header("host", "b");
        let twice = twice.body(()).expect("one");
        assert_eq!(host_of(&twice, false), Err(Reason::RequestHostDuplicate));
    }

    #[test]
    fn the_form_of_the_target_must_match_the_method() {
        assert!(admitted(get("*").method(Method::OPTIONS)).is_ok());
        assert_eq!(admitted(get("*")), Err(Reason::RequestTargetForm));
        assert_eq!(
            admitted(get("example.com:80")),
            Err(Reason::RequestTargetForm)
        );
        assert_eq!(
            admitted(get("ftp://example.com/")),
            Err(Reason::RequestTargetForm)
        );
        for method in [Method::CONNECT, Method::TRACE] {
            let refused = admitted(get("/").method(method));
            assert_eq!(refused, Err(Reason::RequestMethodRefused));
        }
    }

    #[test]
    fn a_target_may_be_as_long_as_the_limit() {
        let limit = FrontendLimits::default().target.0 as usize;
        let longest = format!("/{}", "x".repeat(limit - 1));
        assert!(admitted(get(&longest)).is_ok());
        let longer = format!("/{}", "x".repeat(limit));
        assert_eq!(admitted(get(&longer)), Err(Reason::RequestTargetTooLong));
    }

    #[test]
    fn in_http_2_the_target_names_the_host() {
        let h2 = |request: http::request::Builder| admitted(request.version(Version::HTTP_2));
        let named = h2(Request::get("https://EXAMPLE.com/"));
        assert_eq!(named.as_deref(), Ok("example.com"));
        assert!(h2(get("https://example.com/")).is_ok());
        assert!(h2(get("/")).is_ok());
        let other = h2(get("https://other.com/"));
        assert_eq!(other, Err(Reason::RequestHostConflict));
        assert_eq!(h2(Request::get("/")), Err(Reason::RequestHostMissing));
    }

    #[test]
    fn a_head_has_bounds_in_http_2_too() {
        let limits = FrontendLimits::default();
        let head = |fields: usize, length: usize| {
            let mut request = get("/").version(Version::HTTP_2);
            for number in 1..fields {
                request = request.header(format!("x-{number}"), "");
            }
            let filler = length.saturating_sub(4 + 11 + 32 + 6 + 32);
            admitted(request.header("filler", "x".repeat(filler)))
        };
        let most_fields = limits.fields - 1;
        let most_bytes = limits.head.0 as usize;
        assert!(head(most_fields, 0).is_ok());
        assert_eq!(head(most_fields + 1, 0), Err(Reason::RequestHeadTooLarge));
        assert!(head(1, most_bytes).is_ok());
        assert_eq!(head(1, most_bytes + 1), Err(Reason::RequestHeadTooLarge));
    }

    #[test]
    fn only_one_transfer_coding_is_known() {
        let coding = |value: &str| admitted(get("/").header("transfer-encoding", value));
        assert!(coding("chunked").is_ok());
        assert!(coding("Chunked").is_ok());
        for bad in ["gzip, chunked", "chunked, chunked", "identity", "xchunked"] {
            assert_eq!(coding(bad), Err(Reason::RequestTransferCoding), "{bad}");
        }
        let twice = get("/")
            .header("transfer-encoding", "chunked")
            .header("transfer-encoding", "chunked");
        assert_eq!(admitted(twice), Err(Reason::RequestTransferCoding));
    }

    #[test]
    fn a_target_has_a_path() {
        let form = Err(Reason::RequestTargetForm);
        for target in [
            "http://example.com",
            "http://example.com?b",
            "http://example.com/?b",
        ] {
            assert!(admitted(get(target)).is_ok(), "{target}");
        }
        for target in ["http://example.com#x", "http://example.com#"] {
            assert_eq!(admitted(get(target)), form, "{target}");
        }
        let h2 = |method: Method, path: &'static str| {
            let uri = http::Uri::builder().scheme("https").authority("a");
            let uri = uri.path_and_query(path).build().expect("a target");
            let request = Request::builder().method(method).uri(uri);
            admitted(request.version(Version::HTTP_2))
        };
        assert!(h2(Method::GET, "/").is_ok());
        assert!(h2(Method::GET, "/a?b").is_ok());
        assert!(h2(Method::OPTIONS, "*").is_ok());
        for path in ["*", "#x", "?b", "?"] {
            assert_eq!(h2(Method::GET, path), form, "{path}");
        }
        assert_eq!(h2(Method::OPTIONS, "#x"), form);
    }

    #[test]
    fn a_method_may_be_as_long_as_the_bound() {
        let method = |length: usize| get("/").method("X".repeat(length).as_str());
        assert!(admitted(method(MOST_METHOD_BYTES)).is_ok());
        let longer = admitted(method(MOST_METHOD_BYTES + 1));
        assert_eq!(longer, Err(Reason::RequestMethodTooLong));
    }

    #[test]
    fn cookies_of_http_2_are_one_field() {
        let mut request = get("/").version(Version::HTTP_2);
        for number in 0..FrontendLimits::default().fields {
            request = request.header("cookie", format!("a{number}=b"));
        }
        assert!(admitted(request).is_ok());
    }

    #[test]
    fn only_one_expectation_is_known() {
        assert!(admitted(get("/").header("expect", "100-Continue")).is_ok());
        assert_eq!(
            admitted(get("/").header("expect", "a-pony")),
            Err(Reason::RequestExpectation)
        );
    }
}
