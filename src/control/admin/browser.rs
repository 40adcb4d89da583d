//! Recognises requests that a web page may have sent, and refuses some of them.
//!
//! The admin listener does not authenticate clients: every client that can reach it may use it.
//! Browsers of people who can reach it run foreign pages, so requests that only a page sends are
//! refused:
//!
//! - **`Host`**: a page can have its own name resolve to this host (DNS rebinding), and its requests
//!   are then those of the same origin. Such a request names the page's host. IP addresses,
//!   `localhost` and the names of `[admin] hosts` cannot be that, and are the only ones let in. A
//!   client of HTTP/1.0 may send none; no browser does that. On a Unix socket every name is let in:
//!   no page can connect to one.
//! - **`Origin`**: a browser sends it with every POST, and with requests of scripts to other
//!   origins. It must be the origin of the request (RFC 6454 §7.3).
//! - **`Sec-Fetch-Site`**: the same for requests without `Origin`, as for images and frames. A
//!   person who follows a link may read a page; every other request from another site is refused.
//!
//! Pure: a request in, a verdict out. Prior art: Go's `http.CrossOriginProtection`.

use std::fmt;
use std::net::Ipv4Addr;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header};

use crate::plan::HostPattern;
use crate::wire::host::Authority;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The names that a request may have in `Host`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Names<'a> {
    /// IP addresses, `localhost` and these.
    These(&'a [HostPattern]),
    /// Any: the answer is no secret, or no page can have asked.
    Any,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has no `Host`, two of them, or none that can be parsed.
    HostMalformed,
    /// It names a host that is not one of this listener.
    HostUnknown(String),
    /// A page of another origin sent it.
    OriginForeign,
}

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::HostMalformed => StatusCode::BAD_REQUEST,
            Self::HostUnknown(_) | Self::OriginForeign => StatusCode::FORBIDDEN,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostMalformed => f.write_str("a request needs one `Host` with a host in it"),
            Self::HostUnknown(name) => write!(
                f,
                "`{name}` is not a name of the admin listener; ask by IP address or as `localhost`, \
                 or write `hosts = [\"{name}\"]` in `[admin]`"
            ),
            Self::OriginForeign => f.write_str(
                "the request was sent by a web page of another origin (`Origin`, `Sec-Fetch-Site`)",
            ),
        }
    }
}

/// Refuses requests that only a web page of another origin sends.
pub(super) fn check<B>(request: &Request<B>, names: Names<'_>) -> Result<(), Refused> {
    let asked = asked_for(request)?;
    if let (Some(asked), Names::These(names)) = (&asked, names)
        && !is_known(&asked.host, names)
    {
        return Err(Refused::HostUnknown(asked.host.clone().into_owned()));
    }
    check_origin(request, asked.as_ref())
}

/// The host of the request; `None`: it has none, which only HTTP/1.0 allows.
fn asked_for<B>(request: &Request<B>) -> Result<Option<Authority<'_>>, Refused> {
    let mut fields = request.headers().get_all(header::HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (Some(field), None) => Some(field.as_bytes()),
        (None, _) if request.version() <= Version::HTTP_10 => None,
        _ => return Err(Refused::HostMalformed),
    };
    // RFC 9112 §3.2.2: the host of a target in absolute form counts, not the field.
    let target = request.uri().authority();
    let named = target.map(|target| target.as_str().as_bytes()).or(field);
    let asked = named.map(Authority::parse).transpose();
    asked.map_err(|_| Refused::HostMalformed)
}

fn is_known(host: &str, names: &[HostPattern]) -> bool {
    // `Authority` leaves brackets around IPv6 addresses alone.
    let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
    let is_local = host == "localhost";
    let is_listed = |name: &HostPattern| match name {
        HostPattern::Exact(name) => name == host,
        HostPattern::Wildcard(parent) => {
            let above = host.strip_suffix(parent.as_str());
            above.is_some_and(|above| above.len() > 1 && above.ends_with('.'))
        }
    };
    is_address || is_local || names.iter().any(is_listed)
}

fn check_origin<B>(request: &Request<B>, asked: Option<&Authority<'_>>) -> Result<(), Refused> {
    let headers = request.headers();
    let is_same = |origin: &HeaderValue| asked.is_some_and(|asked| is_origin_of(origin, asked));
    if !headers.get_all(header::ORIGIN).iter().all(is_same) {
        return Err(Refused::OriginForeign);
    }
    let is_own = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    let comes_from_elsewhere = !headers.get_all(SEC_FETCH_SITE).iter().all(is_own);
    if comes_from_elsewhere && !follows_link(request.method(), headers) {
        return Err(Refused::OriginForeign);
    }
    Ok(())
}

/// Whether `origin` (`http://host:port`) is the origin of `asked`. A proxy before us may speak TLS.
fn is_origin_of(origin: &HeaderValue, asked: &Authority<'_>) -> bool {
    let text = origin.as_bytes();
    let (authority, default_port) = match (
        text.strip_prefix(b"http://"),
        text.strip_prefix(b"https://"),
    ) {
        (Some(authority), _) => (authority, 80),
        (_, Some(authority)) => (authority, 443),
        _ => return false,
    };
    Authority::parse(authority).is_ok_and(|origin| origin.is_same(asked, default_port))
}

fn follows_link(method: &Method, headers: &HeaderMap) -> bool {
    let is_read = [Method::GET, Method::HEAD].contains(method);
    let mode = headers.get(SEC_FETCH_MODE);
    is_read && mode.is_some_and(|mode| mode == "navigate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> [HostPattern; 2] {
        [
            HostPattern::Exact("lb1.internal".to_owned()),
            HostPattern::Wildcard("svc.test".to_owned()),
        ]
    }

    fn checked(method: &str, target: &str, fields: &[(&str, &str)]) -> Result<(), Refused> {
        let mut request = Request::builder().method(method).uri(target);
        for &(name, value) in fields {
            request = request.header(name, value);
        }
        check(
            &request.body(()).expect("a request"),
            Names::These(&listed()),
        )
    }

    fn host(host: &str) -> Result<(), Refused> {
        checked("GET", "/status", &[("host", host)])
    }

    #[test]
    fn addresses_localhost_and_listed_names_are_let_in_with_any_port() {
        for good in [
            "127.0.0.1:9900",
            "10.1.2.3",
            "[::1]:9900",
            "[fd00::7]",
            "localhost",
            "LocalHost.:9900",
            "lb1.internal:443",
            "LB1.internal",
            "a.svc.test",
            "a.b.svc.test:1",
        ] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_name_that_resolves_here_and_is_not_listed_is_refused() {
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "1.2.3",
            "2130706433",
            "svc.test",
            "xsvc.test",
            ".svc.test",
            "[::1].evil.example",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
        let unknown = Refused::HostUnknown("evil.example".to_owned());
        assert_eq!(host("evil.example:9900"), Err(unknown));
        for malformed in ["", "a b", "a@b", "[::1"] {
            assert_eq!(host(malformed), Err(Refused::HostMalformed), "{malformed}");
        }
    }

    #[test]
    fn one_host_is_needed_but_for_http_1_0() {
        assert_eq!(checked("GET", "/", &[]), Err(Refused::HostMalformed));
        let twice = [("host", "127.0.0.1"), ("host", "127.0.0.1")];
        assert_eq!(checked("GET", "/", &twice), Err(Refused::HostMalformed));
        let old = Request::get("/").version(Version::HTTP_10).body(());
        let old = old.expect("a request");
        assert_eq!(check(&old, Names::These(&[])), Ok(()));
        // The target counts, whatever the field says.
        let target = "http://evil.example/status";
        assert!(checked("GET", target, &[("host", "127.0.0.1")]).is_err());
    }

    #[test]
    fn where_names_do_not_matter_origins_still_do() {
        let request = |origin: &str| {
            let request = Request::post("/reload").header("host", "x");
            let request = request.header("origin", origin).body(());
            check(&request.expect("a request"), Names::Any)
        };
        assert_eq!(request("http://x"), Ok(()));
        assert_eq!(request("http://evil.example"), Err(Refused::OriginForeign));
    }

    #[test]
    fn a_page_of_another_origin_may_not_ask() {
        let post = |origin: &str| {
            let fields = [("host", "127.0.0.1:9900"), ("origin", origin)];
            checked("POST", "/reload", &fields)
        };
        assert_eq!(post("http://127.0.0.1:9900"), Ok(()));
        for foreign in [
            "http://evil.example",
            "http://127.0.0.1",
            "http://127.0.0.1:9901",
            "http://localhost:9900",
            "null",
            "",
            "file://",
            "chrome-extension://127.0.0.1:9900",
        ] {
            assert_eq!(post(foreign), Err(Refused::OriginForeign), "{foreign}");
        }
        // Behind a proxy that speaks TLS and leaves `Host` alone.
        let fields = [("host", "lb1.internal"), ("origin", "https://lb1.internal")];
        assert_eq!(checked("POST", "/reload", &fields), Ok(()));
        let old = Request::post("/reload").version(Version::HTTP_10);
        let old = old.header("origin", "http://evil.example").body(());
        let refused = check(&old.expect("a request"), Names::These(&[]));
        assert_eq!(refused, Err(Refused::OriginForeign));
    }

    #[test]
    fn requests_of_another_site_are_refused_but_a_link_may_be_followed() {
        let fetch = |method: &str, site: &str, mode: &str| {
            let fields = [
                ("host", "localhost"),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
            ];
            checked(method, "/status", &fields)
        };
        for site in ["same-origin", "none"] {
            assert_eq!(fetch("GET", site, "cors"), Ok(()));
            assert_eq!(fetch("POST", site, "navigate"), Ok(()));
        }
        for site in ["cross-site", "same-site", "other"] {
            let refused = Err(Refused::OriginForeign);
            assert_eq!(fetch("GET", site, "no-cors"), refused);
            assert_eq!(fetch("GET", site, "navigate"), Ok(()));
            assert_eq!(fetch("POST", site, "navigate"), refused, "a form");
        }
    }
}
