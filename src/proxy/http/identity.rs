//! The TLS facts of a client: compared with its requests, and passed on to servers.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::base::ListenAddress;
use crate::exchange::{ClientTls, Reason};
use crate::plan::{self, ClientFields};

/// Whether a connection to `address` that was opened for one name may be used for `host`.
///
/// Only if names have rules of their own: the handshake may have required less than `host`
/// requires. If both names have the same rules, one connection serves both, as HTTP/2 allows (RFC
/// 9113 §9.1.1). The rules are those of the bind of the connection.
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

/// Removes a client's values from the fields for servers about certificates, of all frontends.
/// Before a route is looked up: no client may choose one by them.
pub(super) fn remove_certificate_fields(headers: &mut HeaderMap, all: &[HeaderName]) {
    for name in all {
        headers.remove(name);
    }
}

/// Writes the client's certificate into fields for the server.
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
        // It was made ASCII without controls when it was read; anything else must not be sent.
        if let (Some(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name.clone(), value);
        }
    }
}
