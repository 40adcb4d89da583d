//! The host of a request, for the actions that read or replace it.

use http::{HeaderValue, Request, header};

use crate::exchange::Reason;
use crate::proxy::rules::encode::with_host;
use crate::proxy::rules::{Flow, OriginalHost};

use super::{Done, refusal};

/// The host that `request` is for.
pub(super) fn host_of<B>(request: &Request<B>) -> Option<&[u8]> {
    let authority = request.uri().authority();
    let field = || {
        request
            .headers()
            .get(header::HOST)
            .map(HeaderValue::as_bytes)
    };
    authority
        .map(|host| host.as_str().as_bytes())
        .or_else(field)
}

/// Replaces the host of `request`, in its target too. An invalid host ends the request.
pub(super) fn set_host<B>(request: &mut Request<B>, host: HeaderValue) -> Done {
    let Some(target) = with_host(request.uri(), &host) else {
        return refusal(Reason::RequestHostMalformed);
    };
    keep_host(request);
    *request.uri_mut() = target;
    request.headers_mut().insert(header::HOST, host);
    Ok(Flow::Continue)
}

/// Keeps the host that the client asked for, before a rule replaces it for the first time.
fn keep_host<B>(request: &mut Request<B>) {
    if request.extensions().get::<OriginalHost>().is_none() {
        let host = host_of(request).and_then(|host| HeaderValue::from_bytes(host).ok());
        request.extensions_mut().insert(OriginalHost(host));
    }
}
