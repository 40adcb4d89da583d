//! Peers of a frontend: which ones send a PROXY header, and which ones are trusted proxies.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::page::{self, string};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{Peers, ProxyProtocol, UnixPeers};

use super::kind::Shape;
use super::{Keys, key};

pub(super) static PROXY_PROTOCOL: Keys<Peers> = Keys {
    keys: &[key("from")
        .means("The peers that must send a PROXY header; all others are clients themselves.")
        .also("trusted")
        .compiled(Shape::List(&Shape::Text), |from| Some(page::peers(from)))],
    hints: "required: write `proxy_protocol = \"required\"` for every peer",
    ..Keys::EMPTY
};

/// The shapes of `proxy_protocol`.
pub(super) const PROXY_SHAPE: Shape = Shape::AnyOf(&[
    Shape::Words(&["off", "required"]),
    Shape::Table(&PROXY_PROTOCOL),
]);

/// Reads `proxy_protocol`: a word, or a table of peers.
pub(in crate::config) fn proxy_protocol(
    section: &Section<'_>,
    setting: Setting<'_>,
    report: &mut Report<'_>,
) -> Option<ProxyProtocol> {
    let words = [
        ("off", ProxyProtocol::Off),
        ("required", ProxyProtocol::Required),
    ];
    if let Some((_, meant)) = words.iter().find(|(word, _)| setting.is_word(word)) {
        return Some(meant.clone());
    }
    if !matches!(setting.value.kind, Kind::Table(_)) {
        let help = match &setting.value.kind {
            Kind::Boolean(true) => {
                "write `proxy_protocol = \"required\"`: every peer must send a header"
            }
            Kind::Boolean(false) => "write `proxy_protocol = \"off\"`",
            _ => {
                "write \"required\" if every peer sends a header, `{ from = [\"10.0.0.0/8\"] }` if only \
                 these peers do"
            }
        };
        setting.wrong_with("\"off\", \"required\" or a table", help, report);
        return None;
    }
    let section = section.section("proxy_protocol", &PROXY_PROTOCOL, report)?;
    let items = section.list("from").unwrap_or_default();
    if items.is_empty() && (section.setting("from").is_some() || section.lacks("from")) {
        report.error(
            section.span,
            format!(
                "`{}` names no peer that sends a PROXY header",
                section.title
            ),
            "write `from = [\"10.0.0.0/8\"]`, or `proxy_protocol = \"off\"`",
        );
    }
    Some(ProxyProtocol::From(peers(items, report)))
}

/// `proxy_protocol` as it is written.
pub(super) fn shown(protocol: &ProxyProtocol) -> String {
    match protocol {
        ProxyProtocol::Off => string("off"),
        ProxyProtocol::Required => string("required"),
        ProxyProtocol::From(from) => PROXY_PROTOCOL.whole().inline(from),
    }
}

/// Addresses, networks, and `"unix"` for every peer on a Unix socket.
pub(super) fn peers(items: Vec<Setting<'_>>, report: &mut Report<'_>) -> Peers {
    let mut networks = Vec::new();
    let mut unix = UnixPeers::Excluded;
    for item in items {
        if item.is_word("unix") {
            unix = UnixPeers::Included;
            continue;
        }
        let Some(text) = item.text(report) else {
            continue;
        };
        let written = text.value.as_str();
        let network = written
            .parse::<IpNet>()
            .or_else(|_| written.parse::<IpAddr>().map(IpNet::from));
        let Ok(network) = network else {
            report.error(
                item.span(),
                format!("{} is not an IP address or a network", text.quoted()),
                match written {
                    "*" | "all" | "any" => {
                        "write the networks of your own proxies: what any client may claim is not worth trusting"
                    }
                    _ => "write an address (`\"192.0.2.1\"`), a network (`\"10.0.0.0/8\"`), or `\"unix\"`",
                },
            );
            continue;
        };
        if network.trunc() != network {
            let help = match text.is_as_written() {
                true => format!(
                    "write `\"{}\"`, or one address without `/`",
                    network.trunc()
                ),
                false => "write the network's own address before the `/`".to_owned(),
            };
            report.error(
                item.span(),
                format!(
                    "{} has bits set after its first {}",
                    text.quoted(),
                    network.prefix_len()
                ),
                help,
            );
            continue;
        }
        networks.push(network);
    }
    Peers { networks, unix }
}
