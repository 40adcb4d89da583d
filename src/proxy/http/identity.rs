//! What TLS says of a client, held against what the client asks for, and passed on to servers.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::base::ListenAddress;
use crate::exchange::{ClientTls, Reason};
use crate::plan::{self, ClientFields};

/// Whether a connection to `address` that was opened for one name may ask for `host`.
///
/// Only where names have rules of their own: what was asked of the client in the handshake may be
/// less than `host` asks of its clients. Where both names have the same rules, one connection serves
/// for both, as HTTP/2 wants it (RFC 9113 §9.1.1). The rules are those of the bind that the connection
/// came in by.
pub(super) fn check_host(
    plan: &plan::Frontend,
    address: &ListenAddress,
    tls: Option<&ClientTls>,
    host: &str,
) -> Result<(), Reason> {
    let Some(tls) = tls else {
        return Ok(());
    };
    let asked_for = tls.server_name.as_deref();
    if asked_for == Some(host) {
        return Ok(());
    }
    let serves_both = |tls: &plan::Tls| {
        tls.names.is_empty() || tls.rules_of(asked_for).1 == tls.rules_of(Some(host)).1
    };
    let is_fine = match plan.bind_at(address) {
        Some(bind) => plan.tls_of(bind).is_none_or(serves_both),
        // The address was removed from the frontend. Its rules are not known any more.
        None => plan.tls.iter().all(serves_both),
    };
    match is_fine {
        true => Ok(()),
        false => Err(Reason::RequestHostMisdirected),
    }
}

/// Takes off what the client wrote in the fields that tell servers about certificates, those of all
/// frontends. Before a route is looked for: no client chooses one by them.
pub(super) fn remove_certificate_fields(headers: &mut HeaderMap, all: &[HeaderName]) {
    for name in all {
        headers.remove(name);
    }
}

/// Tells the server about the certificate that the client showed.
pub(super) fn say_certificate(
    headers: &mut HeaderMap,
    fields: &ClientFields,
    tls: Option<&ClientTls>,
) {
    let Some(certificate) = tls.and_then(|tls| tls.certificate.as_ref()) else {
        return;
    };
    for (name, value) in [
        (&fields.subject, &certificate.subject),
        (&fields.sans, &certificate.sans),
        (&fields.serial, &certificate.serial),
        (&fields.fingerprint, &certificate.fingerprint),
    ] {
        // It is ASCII without controls, made so where it was read; what is not must not go out.
        if let (Some(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name.clone(), value);
        }
    }
}
