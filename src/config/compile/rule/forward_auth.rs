//! `forward_auth = { backend = "…" }`.

use http::{HeaderName, header};

use crate::config::compile::expression;
use crate::config::compile::name::name_of;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::Known;
use crate::plan::{BackendReference, ForwardAuth};
use crate::wire::host::Authority;

/// Compiles `forward_auth` of `rule`.
pub(super) fn forward_auth(
    rule: &Section<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<ForwardAuth> {
    let section = rule.section("forward_auth", &keys::FORWARD_AUTH, report)?;
    let Some(backend) = section.setting("backend") else {
        if section.lacks("backend") {
            let help = "write `forward_auth = { backend = \"auth\" }`";
            report.error(section.span, "`forward_auth` has no `backend`", help);
        }
        return None;
    };
    let name = name_of(backend.text(report)?, "backend", backend.span(), report)?;
    let at = report.position(backend.span());
    let mut auth = ForwardAuth::at(BackendReference { name, at });
    keys::FORWARD_AUTH.whole().read(&section, &mut auth, report);
    if let Some(path) = section.setting("path") {
        auth.path = expression::template(path, known, report)?;
    }
    if let Some(host) = section.setting("host") {
        let text = host.text(report)?;
        if Authority::parse(text.value.as_bytes()).is_err() {
            let help = "write a name, such as \"auth.example.com\"";
            report.error(
                host.span(),
                format!("{} is not a host", text.quoted()),
                help,
            );
            return None;
        }
        auth.host = Some(text.value.clone());
    }
    if let Some(send) = section.setting("send") {
        auth.send = Some(names(send, report)?);
    }
    if let Some(copy) = section.setting("copy") {
        auth.copy = names(copy, report)?;
    }
    Some(auth)
}

/// Names of fields that go from one head to another.
fn names(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Vec<HeaderName>> {
    let mut names: Vec<HeaderName> = Vec::new();
    let mut is_right = true;
    for item in setting.list() {
        let Some(text) = item.text(report) else {
            is_right = false;
            continue;
        };
        let name = HeaderName::from_bytes(text.value.as_bytes()).ok();
        let name = name.filter(|name| !names.contains(name) && !RESERVED.contains(name));
        match name {
            Some(name) => names.push(name),
            None => {
                let message = format!("{} is not a field that is handed on", text.quoted());
                let help = "write a name of letters, digits and `-`, once; not `host` or a field of the connection or the body";
                report.error(item.span(), message, help);
                is_right = false;
            }
        }
    }
    is_right.then_some(names)
}

/// Fields of the connection, of the framing and of the route.
const RESERVED: [HeaderName; 11] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
