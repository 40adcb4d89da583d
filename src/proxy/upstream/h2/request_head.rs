//! Request heads for HTTP/2.

use ::h2::ext::Protocol;
use http::uri::{Authority, Scheme, Uri};
use http::{Method, Request, Version, header, request};

use crate::proxy::io::UpgradeRequest;

/// The head of a request for HTTP/2; `authority` is the host if the request has none.
///
/// Fields of the connection are not passed on (RFC 9113 §8.2.2), and the host is in `:authority`
/// (§8.3.1).
///
/// # Errors
///
/// The host is not valid in a URI.
pub(crate) fn head_of(
    head: &request::Parts,
    scheme: Scheme,
    authority: &str,
) -> Result<Request<()>, http::uri::InvalidUri> {
    let mut headers = head.headers.clone();
    let host = headers.remove(header::HOST);
    for name in [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(scheme);
    uri.authority = Some(match host {
        Some(host) => Authority::try_from(host.as_bytes())?,
        None => Authority::try_from(authority)?,
    });
    uri.path_and_query = Some(match head.uri.path_and_query() {
        Some(target) => target.clone(),
        None => http::uri::PathAndQuery::from_static("/"),
    });
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    if let Ok(uri) = Uri::from_parts(uri) {
        *request.uri_mut() = uri;
    }
    Ok(request)
}

/// Turns an upgrade request of HTTP/1 into that of HTTP/2 (RFC 8441 §4, §5).
pub(crate) fn ask_for_tunnel(request: &mut Request<()>, upgrade: &UpgradeRequest) {
    *request.method_mut() = Method::CONNECT;
    request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
    let protocol = String::from_utf8_lossy(upgrade.protocol.as_bytes());
    request.extensions_mut().insert(Protocol::from(&*protocol));
}
