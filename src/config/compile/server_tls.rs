//! `tls` of a `[backend.NAME]`, of its servers and of their checks. The plan has only the paths of
//! files; `control` reads them.

use rustls::pki_types::ServerName;

use crate::base::Fingerprint;
use crate::config::compile::pem_file::file;
use crate::config::diagnostic::Diagnostic;
use crate::config::haproxy_hints;
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{FileAt, Identity, Own, ServerTls, Sni, Trust};

/// Compiles `tls` of `section`: of a backend, a server, or checks. `true` means `outer`, the `tls`
/// around `section`, or else the system's CAs.
pub(super) fn server_tls(
    section: &Section<'_>,
    outer: Option<&ServerTls>,
    report: &mut Report<'_>,
) -> Own<ServerTls> {
    let Some(setting) = section.setting("tls") else {
        return Own::Inherited;
    };
    let at = report.position(setting.span());
    match setting.as_switch() {
        Some(false) => return Own::Off,
        Some(true) => {
            let system = || ServerTls {
                trust: Trust::System,
                sni: Sni::default(),
                verify_name: None,
                identity: None,
                at,
            };
            return Own::On(Box::new(outer.cloned().unwrap_or_else(system)));
        }
        None => {}
    }
    if !matches!(setting.value.kind, Kind::Table(_)) {
        let help = match &setting.value.kind {
            Kind::String(text) => match haproxy_hints::switch(&text.value) {
                Some(is_on) => format!("write `tls = {is_on}`, without quotes"),
                None => format!(
                    "write `tls = {{ ca = {:?} }}` to trust servers that this CA has signed, `tls = true` \
                     to trust the system's CAs",
                    text.shown()
                ),
            },
            Kind::Array(_) => "write `tls = { ca = […] }`".to_owned(),
            _ => "write `tls = true` or `tls = { ca = \"/path/to/ca.pem\" }`".to_owned(),
        };
        setting.wrong_with("`true`, `false` or a table", help, report);
        return Own::Inherited;
    }
    let Some(section) = section.section("tls", &keys::SERVER_TLS, report) else {
        return Own::Inherited;
    };
    let trust = trust(&section, report);
    Own::On(Box::new(ServerTls {
        verify_name: verify_name(&section, &trust, report),
        trust,
        sni: sni(&section, report),
        identity: identity(&section, report),
        at,
    }))
}

fn trust(section: &Section<'_>, report: &mut Report<'_>) -> Trust {
    let choices = [("full", true), ("none", false)];
    let hints = [
        ("required", "full"),
        ("on", "full"),
        ("true", "full"),
        ("off", "none"),
        ("false", "none"),
    ];
    let verify = section.setting("verify");
    let verifies = verify.and_then(|verify| verify.choice(&choices, &hints, report));
    let authorities: Vec<FileAt> = section
        .list("ca")
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| file(item, report))
        .collect();
    if verifies == Some(false) {
        if let Some(ca) = section.setting("ca") {
            report.error(
                ca.span(),
                "`ca` has no effect: with `verify = \"none\"` no certificate is verified",
                "leave one of them out",
            );
        }
        if let Some(fingerprint) = section.setting("fingerprint") {
            report.error(
                fingerprint.span(),
                "`fingerprint` has no effect: with `verify = \"none\"` no certificate is verified",
                "leave one of them out",
            );
        }
        if let Some(verify) = section.setting("verify") {
            report.add(
                Diagnostic::warning(
                    verify.span(),
                    "`verify = \"none\"`: an attacker on the network can pose as the servers, read and change everything",
                )
                .help("name the CA that has signed the servers' certificates: `ca = \"/path/to/ca.pem\"`"),
            );
        }
        return Trust::Anyone;
    }
    if let Some(setting) = section.setting("fingerprint") {
        if let Some(ca) = section.setting("ca") {
            report.error(
                ca.span(),
                "`ca` has no effect: with `fingerprint` the certificates themselves are trusted",
                "leave one of them out",
            );
        }
        return Trust::Fingerprints(fingerprints(setting, report));
    }
    if authorities.is_empty() {
        Trust::System
    } else {
        Trust::Authorities(authorities)
    }
}

fn fingerprints(setting: Setting<'_>, report: &mut Report<'_>) -> Vec<Fingerprint> {
    let items = setting.list();
    if items.is_empty() {
        report.error(
            setting.span(),
            "`fingerprint` is empty, so no certificate would be trusted",
            "write at least one, or leave it out",
        );
    }
    let read = |item: Setting<'_>| {
        let text = item.text(report)?;
        let fingerprint = Fingerprint::parse(&text.value);
        if fingerprint.is_err() {
            report.error(
                item.span(),
                format!("{:?} is not the SHA-256 of a certificate", text.shown()),
                "write `\"sha256:…\"` with the 64 digits that `openssl x509 -noout -fingerprint -sha256 -in FILE` shows",
            );
        }
        fingerprint.ok()
    };
    items.into_iter().filter_map(read).collect()
}

fn sni(section: &Section<'_>, report: &mut Report<'_>) -> Sni {
    let Some(setting) = section.setting("sni") else {
        return Sni::default();
    };
    let Some(text) = setting.text(report) else {
        return Sni::default();
    };
    match text.value.as_str() {
        "host" => Sni::Host,
        "off" => Sni::Off,
        "server" => Sni::Server,
        name => {
            if !is_dns_name(name) {
                report.error(
                    setting.span(),
                    format!("`sni = {:?}` is not a host name", text.shown()),
                    "write `\"host\"` for the request's host, `\"server\"` for the server's `name`, `\"off\"`, or a host name",
                );
            }
            Sni::Fixed(name.to_owned())
        }
    }
}

fn is_dns_name(name: &str) -> bool {
    matches!(ServerName::try_from(name), Ok(ServerName::DnsName(_)))
}

fn verify_name(section: &Section<'_>, trust: &Trust, report: &mut Report<'_>) -> Option<String> {
    let setting = section.setting("verify_name")?;
    let text = setting.text(report)?;
    if *trust == Trust::Anyone {
        report.error(
            setting.span(),
            "`verify_name` has no effect: with `verify = \"none\"` no certificate is verified",
            "leave one of them out",
        );
    } else if matches!(trust, Trust::Fingerprints(_)) {
        report.error(
            setting.span(),
            "`verify_name` has no effect: with `fingerprint` no name is checked",
            "leave one of them out",
        );
    } else if ServerName::try_from(text.value.as_str()).is_err() {
        report.error(
            setting.span(),
            format!(
                "`verify_name = {:?}` is not a host name or an IP address",
                text.shown()
            ),
            "write the name that is in the servers' certificates",
        );
    }
    Some(text.value.clone())
}

fn identity(section: &Section<'_>, report: &mut Report<'_>) -> Option<Identity> {
    let key = section.setting("key");
    let Some(certificate) = section.setting("certificate") else {
        if let Some(key) = key {
            report.error(
                key.span(),
                "`key` has no effect without `certificate`",
                "write both, or leave `key` out",
            );
        }
        return None;
    };
    Some(Identity {
        certificate: file(certificate, report)?,
        key: key.and_then(|key| file(key, report)),
    })
}
