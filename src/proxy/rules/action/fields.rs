//! Fields with templates, for the actions that write some.

use http::{HeaderName, header};

use crate::expr::Template;
use crate::plan;

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
