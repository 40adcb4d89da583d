//! `send_proxy` of a backend and of a server.

use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{ProxyVersion, SendProxy};

use super::kind::Shape;
use super::words::Words;
use super::{Keys, key};

pub(super) const SEND_PROXY_SHAPE: Shape = Shape::AnyOf(&[
    Shape::Words(&["v1", "v2", "off"]),
    Shape::Table(&SEND_PROXY),
]);

/// `send_proxy` as a table.
pub(super) static SEND_PROXY: Keys<SendProxy> = Keys {
    keys: &[
        key("version")
            .means("The version of the header.")
            .word(ProxyVersion::words, |how| &mut how.version),
        key("authority")
            .means("Whether it has the host name that the client asks for.")
            .switch(|how| &mut how.authority),
        key("unique_id")
            .means("Whether it has the id of the first exchange.")
            .switch(|how| &mut how.unique_id),
        key("tls")
            .means("Whether it has the client's TLS: version, cipher, ALPN, common name.")
            .switch(|how| &mut how.tls),
    ],
    hints: "
        ssl: write `tls = true`
        cert_cn: write `tls = true`: it says the common name, too
        sni: write `authority = true`
    ",
    ..Keys::EMPTY
};

/// `"v1"`, `"v2"`, `"off"`, or a table.
pub(super) fn send_proxy(
    section: &Section<'_>,
    setting: Setting<'_>,
    report: &mut Report<'_>,
) -> Option<SendProxy> {
    if setting.is_word("off") {
        return None;
    }
    if let Kind::Boolean(false) = setting.value.kind {
        setting.wrong_with(
            "\"v1\", \"v2\", \"off\" or a table",
            "write `send_proxy = \"off\"`",
            report,
        );
        return None;
    }
    let mut send_proxy = SendProxy {
        version: ProxyVersion::V2,
        authority: false,
        unique_id: false,
        tls: false,
    };
    if !matches!(setting.value.kind, Kind::Table(_)) {
        send_proxy.version = ProxyVersion::of(setting, report)?;
        return Some(send_proxy);
    }
    let section = section.section("send_proxy", &SEND_PROXY, report)?;
    SEND_PROXY.whole().read(&section, &mut send_proxy, report);
    for (key, is_set) in [
        ("authority", send_proxy.authority),
        ("unique_id", send_proxy.unique_id),
        ("tls", send_proxy.tls),
    ] {
        if is_set
            && send_proxy.version == ProxyVersion::V1
            && let Some(setting) = section.setting(key)
        {
            report.error(
                setting.span(),
                format!("version 1 of the PROXY protocol cannot carry `{key}`"),
                format!("write `version = \"v2\"`, or leave `{key}` out"),
            );
        }
    }
    Some(send_proxy)
}
