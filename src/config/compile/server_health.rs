//! `health` of a server: its differences from the backend's checks.

use std::net::IpAddr;

use crate::base::Address;
use crate::config::compile::address;
use crate::config::compile::server_tls::server_tls;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{OwnCheck, ServerTls};

/// Compiles `health` of the server `section`; `tls` is the meaning of `true` there.
pub(super) fn own_check(
    section: &Section<'_>,
    tls: Option<&ServerTls>,
    report: &mut Report<'_>,
) -> OwnCheck {
    let Some(setting) = section.setting("health") else {
        return OwnCheck::default();
    };
    let Some(section) = section.section("health", &keys::SERVER_HEALTH, report) else {
        return OwnCheck::default();
    };
    let port = section.number("port", 1, i64::from(u16::MAX), report);
    OwnCheck {
        address: section
            .setting("address")
            .and_then(|setting| check_address(setting, report)),
        port: port.and_then(|port| u16::try_from(port).ok()),
        tls: server_tls(&section, tls, report),
        at: report.position(setting.span()),
    }
}

fn check_address(setting: Setting<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
    let text = setting.text(report)?;
    let found = text.value.parse::<IpAddr>().ok();
    let found = found.filter(|ip| !ip.is_unspecified());
    if found.is_none() {
        let help = match address::to_connect(&text.value) {
            Ok(Address::Ip(addr)) if !text.is_secret => {
                format!(
                    "write `address = \"{}\", port = {}`",
                    addr.ip(),
                    addr.port()
                )
            }
            _ => "write the address that is checked, without a port: `address = \"10.0.0.1\"`"
                .to_owned(),
        };
        report.error(
            setting.span(),
            format!("{} is not an IP address", text.quoted()),
            help,
        );
    }
    found
}
