//! `listen` of a frontend and of `[admin]`: addresses, and which of them have TLS.

use crate::base::{FileMode, ListenAddress};
use crate::config::compile::cross::Written;
use crate::config::compile::frontend::bad_address;
use crate::config::compile::{address, tls};
use crate::config::diagnostic::Diagnostic;
use crate::config::keys::{self, Part};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::plan::{Bind, Http2, Mode, Security, Tls};

/// One item of `listen`.
pub(super) struct Item<'a> {
    /// What it stands for: `":80"` is two addresses.
    binds: Vec<Bind>,
    span: Span,
    tls: ItemTls<'a>,
}

/// What an item says of TLS.
enum ItemTls<'a> {
    /// Nothing: as the frontend.
    Unwritten,
    /// `false`
    Off,
    /// The TLS of the frontend is written here.
    Own(Section<'a>),
}

/// The items of the `listen` of the frontend `section`, each address noted as bound by it.
pub(super) fn items<'a>(
    section: &Section<'a>,
    setting: Setting<'a>,
    mode: Mode,
    written: &mut Written,
    report: &mut Report<'_>,
) -> Vec<Item<'a>> {
    refuse_no_address(section, setting, report);
    let keys = keys::BIND.part(Part::of(mode));
    let socket_mode = socket_mode(section, report);
    let mut items = Vec::new();
    for item in setting.list() {
        let Kind::Table(_) = &item.value.kind else {
            let binds = addresses(section, item, socket_mode, written, report);
            items.push(Item {
                binds,
                span: item.span(),
                tls: ItemTls::Unwritten,
            });
            continue;
        };
        let title = format!("{}.listen]", section.title.trim_end_matches(']'));
        let Some(own) = Section::open(&keys, title, item, report) else {
            continue;
        };
        let mut binds = Vec::new();
        for address in own.list("address").unwrap_or_default() {
            binds.extend(addresses(section, address, socket_mode, written, report));
        }
        if own.lacks("address") {
            report.error(
                item.span(),
                "this has no `address`",
                "write `{ address = \":443\", tls = \"/path/to/fullchain.pem\" }`",
            );
        }
        let header = own.setting("proxy_protocol");
        let header = header.and_then(|setting| keys::proxy_protocol(&own, setting, report));
        for bind in &mut binds {
            bind.proxy_protocol.clone_from(&header);
        }
        let tls = match own.setting("tls").map(|tls| tls.as_switch()) {
            None => ItemTls::Unwritten,
            Some(Some(false)) => ItemTls::Off,
            Some(Some(true)) if section.setting("tls").is_some() => ItemTls::Unwritten,
            Some(_) => ItemTls::Own(own),
        };
        items.push(Item {
            binds,
            span: item.span(),
            tls,
        });
    }
    if socket_mode.is_some() {
        refuse_idle_mode(section, items.iter().flat_map(|item| &item.binds), report);
    }
    items
}

/// Whether `tls` is written in the frontend `section` or at one of its addresses.
pub(super) fn has_tls(section: &Section<'_>) -> bool {
    let at_address = section.list("listen").unwrap_or_default();
    let has = |item: &Setting<'_>| match &item.value.kind {
        Kind::Table(table) => table.get("tls").is_some(),
        _ => false,
    };
    !section.lacks("tls") || at_address.iter().any(has)
}

/// The binds of `items`, each with what is spoken there, and the TLS of those that have it.
pub(super) fn with_tls(
    section: &Section<'_>,
    items: Vec<Item<'_>>,
    http2: &Http2,
    report: &mut Report<'_>,
) -> (Vec<Bind>, Option<Tls>) {
    let mut tls = tls::tls(section, http2, report);
    let is_of_frontend = section.setting("tls").is_some();
    let mut first = section.setting("tls").map(|tls| tls.span());
    let mut binds = Vec::new();
    for item in items {
        let security = match &item.tls {
            ItemTls::Off => Security::Clear,
            ItemTls::Unwritten if is_of_frontend => Security::Tls,
            ItemTls::Unwritten => Security::Clear,
            ItemTls::Own(own) => {
                match first {
                    None => tls = tls::tls(own, http2, report),
                    Some(first) => report.add(written_twice(section, item.span, first)),
                }
                first.get_or_insert(item.span);
                Security::Tls
            }
        };
        let with_security = |bind| Bind { security, ..bind };
        binds.extend(item.binds.into_iter().map(with_security));
    }
    let has_tls = binds.iter().any(|one| one.security == Security::Tls);
    if let Some(setting) = section.setting("tls")
        && !has_tls
        && !binds.is_empty()
    {
        report.error(
            setting.span(),
            format!(
                "`tls` does nothing: every address of `{}` has `tls = false`",
                section.title
            ),
            "leave it out, or leave `tls = false` out at one address",
        );
    }
    refuse_same_address(&binds, section, report);
    (binds, tls)
}

fn written_twice(section: &Section<'_>, span: Span, first: Span) -> Diagnostic {
    let message = format!("`tls` of `{}` is written twice", section.title);
    Diagnostic::error(span, message)
        .related(first, "the first is here")
        .help(
            "the addresses of a frontend that have TLS have the same: write `tls` in the frontend and \
             `{ address = \"…\", tls = false }` for the others, or another frontend",
        )
}

/// An address is known by what is written: with port 0 it may be there twice.
fn refuse_same_address(binds: &[Bind], section: &Section<'_>, report: &mut Report<'_>) {
    let differing = |differs: fn(&Bind, &Bind) -> bool| {
        binds.iter().enumerate().any(|(index, one)| {
            let mut earlier = binds[..index].iter();
            one.addr.is_any_port() && earlier.any(|two| two.addr == one.addr && differs(one, two))
        })
    };
    let what = if differing(|one, two| one.security != two.security) {
        "with TLS and without"
    } else if differing(|one, two| one.proxy_protocol != two.proxy_protocol) {
        "with different `proxy_protocol`"
    } else {
        return;
    };
    let setting = section.setting("listen");
    report.error(
        setting.map_or(section.span, |listen| listen.span()),
        format!("one address with port 0 is here {what}"),
        "write port 0 at two different addresses, or fixed ports",
    );
}

/// The binds of `[admin]`, the address of each noted as bound by it, with its `socket_mode`.
pub(super) fn admin_binds(
    section: &Section<'_>,
    setting: Setting<'_>,
    written: &mut Written,
    report: &mut Report<'_>,
) -> Vec<Bind> {
    refuse_no_address(section, setting, report);
    let socket_mode = socket_mode(section, report);
    let mut binds = Vec::new();
    for item in setting.list() {
        binds.extend(addresses(section, item, socket_mode, written, report));
    }
    if socket_mode.is_some() {
        refuse_idle_mode(section, &binds, report);
    }
    binds
}

fn refuse_no_address(section: &Section<'_>, setting: Setting<'_>, report: &mut Report<'_>) {
    if setting.list().is_empty() {
        report.error(
            setting.span(),
            format!("`{}` listens on no address", section.title),
            "write at least one address: `listen = \"127.0.0.1:8080\"`",
        );
    }
}

/// What one string stands for.
fn addresses(
    section: &Section<'_>,
    item: Setting<'_>,
    mode: Option<FileMode>,
    written: &mut Written,
    report: &mut Report<'_>,
) -> Vec<Bind> {
    let instead = match &item.value.kind {
        Kind::Integer(port) => Some(format!(
            "write `\":{port}\"` for all addresses, `\"127.0.0.1:{port}\"` for this machine alone"
        )),
        Kind::Table(_) => Some("write the address alone: `listen = \"127.0.0.1:9900\"`".to_owned()),
        _ => None,
    };
    if let Some(instead) = instead {
        item.wrong_with("an address and a port", instead, report);
        return Vec::new();
    }
    let Some(text) = item.text(report) else {
        return Vec::new();
    };
    let found = match address::to_listen(&text.value) {
        Ok(found) => found,
        Err(bad) => {
            bad_address(item, text, bad, report);
            return Vec::new();
        }
    };
    let at = report.position(item.span());
    let with_mode = |addr: ListenAddress| {
        written.listener(addr.clone(), &section.title, item.span());
        Bind {
            mode: mode.filter(|_| addr.path().is_some()).unwrap_or_default(),
            addr,
            security: Security::Clear,
            proxy_protocol: None,
            at: at.clone(),
        }
    };
    found.into_iter().map(with_mode).collect()
}

/// Reports a `socket_mode` where nothing has a mode.
pub(super) fn refuse_idle_mode<'l>(
    section: &Section<'_>,
    binds: impl IntoIterator<Item = &'l Bind>,
    report: &mut Report<'_>,
) {
    let Some(setting) = section.setting("socket_mode") else {
        return;
    };
    let mut binds = binds.into_iter();
    if !binds.any(|bind| bind.addr.path().is_some()) {
        report.error(
            setting.span(),
            format!(
                "`socket_mode` does nothing: `{}` listens on no Unix socket with a path",
                section.title
            ),
            "leave it out, or listen on a path: `listen = \"/run/app.sock\"`",
        );
    }
}

/// The permission bits for the files of Unix sockets, as `chmod` takes them.
fn socket_mode(section: &Section<'_>, report: &mut Report<'_>) -> Option<FileMode> {
    let setting = section.setting("socket_mode")?;
    let help = "write three octal digits in quotes, such as \"660\": owner, group, others";
    let Kind::String(text) = &setting.value.kind else {
        setting.wrong_with("permissions such as \"660\"", help, report);
        return None;
    };
    let digits = text.value.strip_prefix('0').unwrap_or(&text.value);
    let is_octal = digits.len() == 3 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    if !is_octal {
        let message = format!("`socket_mode` cannot be {}", text.quoted());
        report.error(setting.span(), message, help);
        return None;
    }
    u32::from_str_radix(digits, 8).ok().map(FileMode)
}
