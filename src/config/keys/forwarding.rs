//! Fields about clients, towards servers and from clients: `forwarding`, `request_id`.

use http::HeaderName;

use crate::config::page::{list, string};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{ClientFields, Forwarding, Frontend, RequestIds};

use super::kind::{Inner, Shape};
use super::{Keys, key};

pub(super) static FORWARDING: Keys<Forwarding> = Keys {
    keys: &[
        key("x_forwarded")
            .means("Send the client's address, protocol and host in X-Forwarded-*.")
            .also("forwardfor")
            .switch(|forwarding| &mut forwarding.x_forwarded),
        key("forwarded")
            .means("The same in Forwarded (RFC 7239).")
            .switch(|forwarding| &mut forwarding.forwarded),
        key("via")
            .means("Add Evenkeel to Via, on requests and responses.")
            .switch(|forwarding| &mut forwarding.via),
        key("pass_untrusted")
            .means("true: servers get Forwarded and X-Forwarded-* of every client as they came, as from HAProxy.")
            .switch(|forwarding| &mut forwarding.pass_untrusted),
        key("trusted_only")
            .means("Fields that only trusted_proxies may send; others' are removed.")
            .own(Shape::List(&Shape::Text), trusted_only, |forwarding| {
                let names = forwarding.trusted_only.iter();
                Some(list(names.map(|name| string(name.as_str()))))
            }),
        key("client_certificate")
            .means("Fields with the client's certificate for servers; you choose their names.")
            .table(&Inner(&CLIENT_FIELDS, |forwarding| {
                &mut forwarding.client_certificate
            })),
    ],
    hints: "
        x_forwarded_for: write `x_forwarded`: it sends `-For`, `-Proto` and `-Host`
        x_real_ip: write a rule: `set_header = { x-real-ip = \"%[src]\" }`
    ",
    default: Some(Forwarding::default),
    ..Keys::EMPTY
};

static CLIENT_FIELDS: Keys<ClientFields> = Keys {
    keys: &[
        key("subject")
            .means("Its subject, as \"CN=alice,O=Example\" (RFC 4514).")
            .also("dn")
            .own(
                Shape::Text,
                |_, setting, fields, report| fields.subject = client_field(setting, report),
                |fields| name(&fields.subject),
            ),
        key("sans")
            .means("Its other names (SAN), as \"DNS:a.example,URI:spiffe://b\".")
            .also("san")
            .own(
                Shape::Text,
                |_, setting, fields, report| fields.sans = client_field(setting, report),
                |fields| name(&fields.sans),
            ),
        key("serial")
            .means("Its serial number, in hexadecimal digits.")
            .own(
                Shape::Text,
                |_, setting, fields, report| fields.serial = client_field(setting, report),
                |fields| name(&fields.serial),
            ),
        key("fingerprint")
            .means("Its SHA-256 fingerprint, in hexadecimal digits.")
            .also("sha256")
            .own(
                Shape::Text,
                |_, setting, fields, report| fields.fingerprint = client_field(setting, report),
                |fields| name(&fields.fingerprint),
            ),
    ],
    hints: "cn: write `subject`: it contains the common name",
    default: Some(ClientFields::default),
    ..Keys::EMPTY
};

fn name(field: &Option<HeaderName>) -> Option<String> {
    field.as_ref().map(|name| string(name.as_str()))
}

fn client_field(setting: Setting<'_>, report: &mut Report<'_>) -> Option<HeaderName> {
    let text = setting.text(report)?;
    let wrong = match HeaderName::from_bytes(text.value.as_bytes()) {
        Ok(name) if !is_of_the_protocol(&name) => return Some(name),
        Ok(_) => format!("HTTP itself uses the field {:?}", text.shown()),
        Err(_) => format!("{:?} is not a valid field name", text.shown()),
    };
    let help = format!(
        "write a field of your own, such as \"x-client-{}\"",
        setting.key
    );
    report.error(setting.span(), wrong, help);
    None
}

/// Names of fields that only trusted proxies may send.
fn trusted_only(
    _: &Section<'_>,
    setting: Setting<'_>,
    forwarding: &mut Forwarding,
    report: &mut Report<'_>,
) {
    let mut names: Vec<HeaderName> = Vec::new();
    for item in setting.list() {
        let Some(text) = item.text(report) else {
            continue;
        };
        match HeaderName::from_bytes(text.value.as_bytes()) {
            Ok(name) if is_of_the_protocol(&name) => report.error(
                item.span(),
                format!("HTTP itself uses the field {:?}", text.shown()),
                "leave it out: requests of all clients have it",
            ),
            Ok(name) if ALWAYS_REPLACED.contains(&name.as_str()) => report.error(
                item.span(),
                format!(
                    "{:?} is always replaced for clients that are not trusted",
                    text.shown()
                ),
                "leave it out: `x_forwarded` and `forwarded` say what servers get instead",
            ),
            Ok(name) if names.contains(&name) => report.error(
                item.span(),
                format!("{:?} is in the list twice", text.shown()),
                "keep one of the two",
            ),
            Ok(name) => names.push(name),
            Err(_) => report.error(
                item.span(),
                format!("{:?} is not a valid field name", text.shown()),
                "write the name of a request field, such as \"x-real-ip\"",
            ),
        }
    }
    forwarding.trusted_only = names.into_iter().collect();
}

/// Fields that other keys of `forwarding` replace or remove.
const ALWAYS_REPLACED: [&str; 4] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Reads `request_id`: the name of a field, or `"off"`.
pub(super) fn request_id(
    _: &Section<'_>,
    setting: Setting<'_>,
    frontend: &mut Frontend,
    report: &mut Report<'_>,
) {
    if setting.is_word("off") {
        frontend.request_id = RequestIds::Off;
        return;
    }
    if let Kind::Boolean(is_on) = setting.value.kind {
        let help = match is_on {
            true => "leave `request_id` out: requests get `x-request-id` by default",
            false => "write `request_id = \"off\"`",
        };
        setting.wrong_with("the name of a field, or \"off\"", help, report);
        return;
    }
    let Some(text) = setting.text(report) else {
        return;
    };
    let wrong = match HeaderName::from_bytes(text.value.as_bytes()) {
        Ok(name) if !is_of_the_protocol(&name) => {
            frontend.request_id = RequestIds::Field(name);
            return;
        }
        Ok(_) => format!("HTTP itself uses the field {:?}", text.shown()),
        Err(_) => format!("{:?} is not a valid field name", text.shown()),
    };
    let help = "write a field for ids, such as \"x-request-id\", or \"off\"";
    report.error(setting.span(), wrong, help);
}

/// Whether HTTP itself uses the field, so that it cannot carry a value of ours.
pub(in crate::config) fn is_of_the_protocol(name: &HeaderName) -> bool {
    const FIELDS: [&str; 14] = [
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "authorization",
        "cookie",
    ];
    FIELDS.contains(&name.as_str())
}
