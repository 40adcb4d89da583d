//! `tls` of a frontend and of its addresses. The plan has only the paths of files;
//! `control::verify` reads them.

use crate::base::{FoldMap, FoldSet};
use crate::config::compile::pattern::host_pattern;
use crate::config::compile::pem_file::file;
use crate::config::diagnostic::Diagnostic;
use crate::config::haproxy_hints;
use crate::config::keys;
use crate::config::raw::{Entry, Kind};
use crate::config::report::Report;
use crate::config::section::{KeyList, Section};
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::plan::{
    Certificates, ClientAuth, ClientCertificates, DEFAULT_ALPN, DefaultName, FileAt, HostPattern,
    Http2, NameRules, Need, Tls, TlsRules,
};

const H2: &str = "h2";

/// Which protocols are spoken under TLS, unless `alpn` names them.
#[derive(Clone, Copy)]
pub(super) enum Protocols<'a> {
    /// HTTP, in these versions.
    Http(&'a Http2),
    /// Whatever the servers speak.
    OfServers,
}

/// Compiles the `tls` of `owner`, a frontend or an item of its `listen`; `None`: no TLS.
///
/// `outer` is the `tls` of the frontend that this one replaces.
pub(super) fn tls(
    owner: &Section<'_>,
    outer: Option<Setting<'_>>,
    protocols: Protocols<'_>,
    report: &mut Report<'_>,
) -> Option<Tls> {
    let setting = owner.setting("tls")?;
    let default = default_rules(protocols);
    if is_list_of_tables(setting) {
        let header = format!("{}.tls]", owner.title.trim_end_matches(']'));
        report.error(
            setting.span(),
            "`tls` is one table, and here it is a list of tables",
            format!("write `{header}`"),
        );
        return None;
    }
    if let Kind::String(text) = &setting.value.kind
        && text.is_as_written()
        && let Some(is_on) = haproxy_hints::switch(&text.value)
    {
        let is_at_address = owner.title.ends_with(".listen]");
        let help = match (is_on, is_at_address) {
            (true, _) => "write `tls = \"/path/to/fullchain.pem\"`",
            (false, true) => "write `tls = false`, without quotes",
            (false, false) => "leave `tls` out for clear text",
        };
        setting.wrong_with("a path or a table with `certificates`", help, report);
        return None;
    }
    // A string or a list is the certificates; the rest has its defaults.
    if let Kind::String(_) | Kind::Array(_) = setting.value.kind {
        return Some(Tls::new(certificates(setting, report), default));
    }
    if !matches!(setting.value.kind, Kind::Table(_)) {
        setting.wrong_with(
            "a path or a table with `certificates`",
            "write `tls = \"/path/to/fullchain.pem\"`, or leave `tls` out for clear text",
            report,
        );
        return None;
    }
    let section = owner.section("tls", &keys::FRONTEND_TLS, report)?;
    let mut tls = Tls::new(Vec::new(), default);
    keys::FRONTEND_TLS.whole().read(&section, &mut tls, report);
    rules(&section, &mut tls.rules, protocols, report);
    match section.setting("certificates") {
        Some(setting) => tls.certificates = certificates(setting, report),
        None if !section.lacks("certificates") => {}
        None => {
            let mut help =
                "write `certificates = [\"/path/to/fullchain.pem\"]`, or the path of a directory"
                    .to_owned();
            if outer.is_some() {
                help.push_str("; it replaces the frontend's `tls` and is not joined with it");
            }
            let message = format!("`{}` has no `certificates`", section.title);
            report.error(section.span, message, help);
        }
    }
    tls.default = default_name(&section, report);
    tls.names = names(&section, &tls.rules, protocols, report);
    Some(tls)
}

/// Whether `setting` is written `[[frontend.NAME.tls]]`; `[{ certificate = …, key = … }]` is a list of
/// certificates.
fn is_list_of_tables(setting: Setting<'_>) -> bool {
    let Kind::Array(items) = &setting.value.kind else {
        return false;
    };
    items.iter().any(|item| match &item.kind {
        Kind::Table(table) => {
            let mut entries = table.entries.iter();
            table.entries.is_empty() || entries.any(|entry| is_of_tls(&entry.key))
        }
        _ => false,
    })
}

/// Whether `key` is a key of `tls`, and not of a certificate in it.
fn is_of_tls(key: &str) -> bool {
    let keys: &dyn KeyList = &keys::FRONTEND_TLS;
    keys.names().contains(&key)
}

/// The rules if none are written.
fn default_rules(protocols: Protocols<'_>) -> TlsRules {
    let mut rules = TlsRules::default();
    match protocols {
        Protocols::Http(http2) => rules
            .alpn
            .retain(|protocol| http2.enabled || protocol != H2),
        Protocols::OfServers => rules.alpn.clear(),
    }
    rules
}

fn certificates(setting: Setting<'_>, report: &mut Report<'_>) -> Vec<Certificates> {
    let items = setting.list();
    if items.is_empty() {
        report.error(
            setting.span(),
            format!("`{}` is an empty list", setting.key),
            "write at least one file: `certificates = [\"/path/to/fullchain.pem\"]`",
        );
    }
    items
        .into_iter()
        .filter_map(|item| certificate(item, report))
        .collect()
}

fn certificate(item: Setting<'_>, report: &mut Report<'_>) -> Option<Certificates> {
    if let Kind::String(_) = item.value.kind {
        let FileAt { path, at } = file(item, report)?;
        return Some(Certificates {
            path,
            key: None,
            at,
        });
    }
    let title = "certificates".to_owned();
    let section = Section::open(&keys::CERTIFICATE, title, item, report)?;
    let mut both = |key| match section.setting(key) {
        Some(setting) => file(setting, report),
        None => {
            report.error(
                section.span,
                format!("this certificate has no `{key}`"),
                "write both: `{ certificate = \"fullchain.pem\", key = \"privkey.pem\" }`",
            );
            None
        }
    };
    let (certificate, key) = (both("certificate"), both("key"));
    let FileAt { path, at } = certificate?;
    Some(Certificates {
        path,
        key: Some(key?.path),
        at,
    })
}

fn files(section: &Section<'_>, key: &'static str, report: &mut Report<'_>) -> Vec<FileAt> {
    let items = section.list(key).unwrap_or_default();
    items
        .into_iter()
        .filter_map(|item| file(item, report))
        .collect()
}

fn default_name(section: &Section<'_>, report: &mut Report<'_>) -> Option<DefaultName> {
    let setting = section.setting("default")?;
    let text = setting.text(report)?;
    let at = report.position(setting.span());
    match host_pattern(&text.value) {
        Ok(Some(HostPattern::Exact(name))) => Some(DefaultName { name, at }),
        _ => {
            report.error(
                setting.span(),
                format!("`default = {:?}` is not a host name", text.shown()),
                "write a host name that is in one of the certificates, such as \"www.example.com\"",
            );
            None
        }
    }
}

/// Reads ALPN and the settings for client certificates; a missing key leaves the value as it is.
fn rules(
    section: &Section<'_>,
    rules: &mut TlsRules,
    protocols: Protocols<'_>,
    report: &mut Report<'_>,
) {
    if let Some(setting) = section.setting("alpn")
        && let Some(alpn) = alpn(section, protocols, report)
    {
        rules.alpn = alpn;
        rules.alpn_at = report.position(setting.span());
    }
    let auth = section.setting("client_auth");
    if let Some(auth) = auth.and_then(|setting| client_auth(section, setting, report)) {
        rules.client_auth = auth;
    }
}

fn alpn(
    section: &Section<'_>,
    protocols: Protocols<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<String>> {
    let is_http = matches!(protocols, Protocols::Http(_));
    let mut names: Vec<String> = Vec::new();
    for item in section.list("alpn")? {
        let choices = DEFAULT_ALPN.map(|protocol| (protocol, protocol));
        let hints = [
            ("http/2", "h2"),
            ("h1", "http/1.1"),
            ("http1.1", "http/1.1"),
        ];
        if let Kind::String(text) = &item.value.kind
            && text.is_as_written()
            && text.value.contains([',', ' '])
        {
            let names = text.value.split([',', ' ']).filter(|name| !name.is_empty());
            let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
            report.error(
                item.span(),
                format!("`alpn` has more than one protocol in {}", text.quoted()),
                format!("write a list: `[{}]`", names.join(", ")),
            );
            continue;
        }
        let protocol = match is_http {
            true => item.choice(&choices, &hints, report),
            false => item.text(report).map(|text| text.value.as_str()),
        };
        let Some(protocol) = protocol else {
            continue;
        };
        if !(1..=255).contains(&protocol.len()) {
            report.error(
                item.span(),
                "a protocol of `alpn` has 1 to 255 bytes",
                "write its name, such as \"mqtt\"",
            );
            continue;
        }
        if names.iter().any(|known| known == protocol) {
            report.error(
                item.span(),
                format!("`alpn` has {protocol:?} twice"),
                "write each protocol once, the best first",
            );
            continue;
        }
        names.push(protocol.to_owned());
    }
    Some(names)
}

fn client_auth(
    section: &Section<'_>,
    setting: Setting<'_>,
    report: &mut Report<'_>,
) -> Option<ClientAuth> {
    if setting.is_word("off") {
        return Some(ClientAuth::Off);
    }
    if let Kind::String(_) = setting.value.kind {
        setting.wrong_with(
            "a table, or \"off\"",
            "write `client_auth = { mode = \"required\", ca = \"/path/to/ca.pem\" }`",
            report,
        );
        return None;
    }
    let section = section.section("client_auth", &keys::CLIENT_AUTH, report)?;
    let modes = [
        ("off", None),
        ("optional", Some(Need::Optional)),
        ("required", Some(Need::Required)),
    ];
    let hints = [("none", "off"), ("require", "required"), ("on", "required")];
    let need = match section.setting("mode") {
        Some(setting) => setting.choice(&modes, &hints, report)?,
        // A CA without a `mode` means that certificates are required.
        None => Some(Need::Required),
    };
    let ca = files(&section, "ca", report);
    let crl = files(&section, "crl", report);
    let Some(need) = need else {
        if let Some(setting) = section.setting("ca").or(section.setting("crl")) {
            let idle = "these files have no effect: with `mode = \"off\"` clients are not asked for a certificate";
            let warning = Diagnostic::warning(setting.span(), idle);
            report.add(
                warning.help("write `mode = \"required\"` or `\"optional\"`, or leave them out"),
            );
        }
        return Some(ClientAuth::Off);
    };
    if ca.is_empty() {
        if section.lacks("ca") || section.list("ca").is_some_and(|list| list.is_empty()) {
            report.error(
                section.span,
                "`client_auth` has no `ca` to verify client certificates with",
                "write `ca = \"/path/to/ca.pem\"`",
            );
        }
        return None;
    }
    Some(ClientAuth::On(ClientCertificates { need, ca, crl }))
}

fn names(
    section: &Section<'_>,
    inherited: &TlsRules,
    protocols: Protocols<'_>,
    report: &mut Report<'_>,
) -> Vec<NameRules> {
    let Some(table) = section.setting("names").and(section.named("names", report)) else {
        return Vec::new();
    };
    let mut seen: FoldMap<HostPattern, Span> = FoldMap::default();
    let (mut names, mut empty) = (Vec::new(), Vec::new());
    for entry in &table.entries {
        let Some(name) = name(entry, report) else {
            continue;
        };
        if let Some(first) = seen.insert(name.clone(), entry.key_span) {
            report.add(
                Diagnostic::error(entry.key_span, "this name is in `names` twice")
                    .related(first, "the other is here")
                    .help("upper and lower case are the same in host names; keep one of the two"),
            );
            continue;
        }
        let title = format!(
            "{}.names.{:?}]",
            section.title.trim_end_matches(']'),
            entry.key
        );
        let setting = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        if matches!(&entry.value.kind, Kind::Table(table) if table.entries.is_empty()) {
            empty.push((name.clone(), entry.key_span));
        }
        if let Some(section) = Section::open(&keys::TLS_NAME, title, setting, report) {
            let mut rules = inherited.clone();
            keys::TLS_NAME.whole().read(&section, &mut rules, report);
            self::rules(&section, &mut rules, protocols, report);
            let at = report.position(entry.key_span);
            names.push(NameRules { name, rules, at });
        }
    }
    let wildcards: FoldSet<&str> = names.iter().filter_map(wildcard_of).collect();
    for (name, span) in empty {
        warn_of_empty(&name, span, &wildcards, report);
    }
    names
}

/// The part after the `*.` of a wildcard with rules.
fn wildcard_of(own: &NameRules) -> Option<&str> {
    match &own.name {
        HostPattern::Wildcard(parent) => Some(parent),
        HostPattern::Exact(_) => None,
    }
}

/// Warns of a name without keys. If a wildcard with keys covers it, it is an exception from the
/// wildcard, and gets no warning.
fn warn_of_empty(
    name: &HostPattern,
    span: Span,
    wildcards: &FoldSet<&str>,
    report: &mut Report<'_>,
) {
    let parent = match name {
        HostPattern::Exact(host) => host.split_once('.').map(|(_, parent)| parent),
        HostPattern::Wildcard(_) => None,
    };
    if !parent.is_some_and(|parent| wildcards.contains(parent)) {
        let message = "this name has no keys, so it changes nothing";
        report.add(Diagnostic::warning(span, message).help(
            "write what is different for this name, such as `client_auth`, or leave the name out",
        ));
    }
}

fn name(entry: &Entry, report: &mut Report<'_>) -> Option<HostPattern> {
    let (why, help) = match host_pattern(&entry.key) {
        Ok(Some(name)) => return Some(name),
        Ok(None) => (
            "would match all names".to_owned(),
            "write keys for all names in the `tls` table itself".to_owned(),
        ),
        Err(refusal) => refusal,
    };
    report.error(entry.key_span, format!("{:?} {why}", entry.key), help);
    None
}
