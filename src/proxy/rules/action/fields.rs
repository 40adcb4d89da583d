//! Fields with templates, for the actions that write some.

use http::{HeaderMap, HeaderName, header};

use crate::expr::Template;
use crate::plan;
use crate::wire::field_names::FieldNames;

/// Fields of the connection or of the framing, which no action touches, whatever part of their names it
/// looks for.
const OF_THE_CONNECTION: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

pub(super) fn templates(fields: &[plan::Field]) -> Box<[(HeaderName, Template)]> {
    let fields = fields.iter();
    fields
        .map(|field| (field.name.clone(), Template::compile(&field.value)))
        .collect()
}

pub(super) fn is_of_the_connection(name: &HeaderName) -> bool {
    OF_THE_CONNECTION.contains(name)
}

/// Removes the fields of `names` that the client sent, under every name that a server may take for
/// theirs.
pub(super) fn remove_alike(headers: &mut HeaderMap, names: &FieldNames) {
    let forged = headers.keys().filter(|name| names.have_like(name.as_str()));
    let forged: Vec<HeaderName> = forged.cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}
