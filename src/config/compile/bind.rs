//! `listen` of a frontend and of `[admin]`: addresses, each with its own TLS and PROXY settings.

use crate::base::{FileMode, FoldMap, ListenAddress};
use crate::config::compile::tls::Protocols;
use crate::config::compile::{address, tls};
use crate::config::haproxy_lines::WrittenAs;
use crate::config::keys::{self, Part};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{Bind, Mode, ProxyProtocol, Tls};

/// One item of `listen`.
pub(super) struct Item<'a> {
    /// The binds of the item: `":80"` is two addresses. Their TLS is compiled later.
    binds: Vec<Bind>,
    tls: ItemTls<'a>,
}

/// The `tls` of an item.
enum ItemTls<'a> {
    /// None: that of the frontend holds.
    Unwritten,
    /// `false`
    Off,
    /// Its own, in this table.
    Own(Section<'a>),
}

/// The result of compiling `listen`.
pub(super) struct Compiled {
    pub(super) binds: Vec<Bind>,
    /// The TLS settings of the binds, without duplicates.
    pub(super) tls: Vec<Tls>,
}

/// `proxy_protocol` as it is written in `section`, a frontend or an item of its `listen`.
pub(super) fn proxy_protocol(
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<ProxyProtocol> {
    keys::proxy_protocol(section, section.setting("proxy_protocol")?, report)
}

/// The items of the `listen` of the frontend `section`. An item without `proxy_protocol` has that
/// of the frontend, `inherited`.
pub(super) fn items<'a>(
    section: &Section<'a>,
    setting: Setting<'a>,
    mode: Mode,
    inherited: &ProxyProtocol,
    report: &mut Report<'_>,
) -> Vec<Item<'a>> {
    refuse_no_address(section, setting, report);
    let keys = keys::BIND.part(Part::of(mode));
    let socket_mode = socket_mode(section, report);
    let mut items = Vec::new();
    for item in setting.list() {
        let mut own = None;
        let (mut addresses, mut written_as) = (vec![item], WrittenAs::Item);
        if let Kind::Table(_) = &item.value.kind {
            let title = format!("{}.listen]", section.title.trim_end_matches(']'));
            let header = format!("[{title}]");
            let Some(table) = section.inner(&keys, title, &header, item, report) else {
                continue;
            };
            addresses = table.list("address").unwrap_or_default();
            written_as = WrittenAs::Table;
            if table.lacks("address") {
                report.error(
                    item.span(),
                    "this has no `address`",
                    "write `{ address = \":443\", tls = \"/path/to/fullchain.pem\" }`",
                );
            }
            own = Some(table);
        }
        let mut binds = Vec::new();
        for address in addresses {
            binds.extend(self::binds(address, socket_mode, written_as, report));
        }
        let header = own.as_ref().and_then(|own| proxy_protocol(own, report));
        for bind in &mut binds {
            bind.proxy_protocol = header.as_ref().unwrap_or(inherited).clone();
        }
        let tls = own.map_or(ItemTls::Unwritten, |own| ItemTls::of(section, own));
        items.push(Item { binds, tls });
    }
    if socket_mode.is_some() {
        refuse_idle_mode(section, items.iter().flat_map(|item| &item.binds), report);
    }
    items
}

impl<'a> ItemTls<'a> {
    /// The TLS of the item `own` of the frontend `section`.
    fn of(section: &Section<'_>, own: Section<'a>) -> Self {
        match own.setting("tls").map(|tls| tls.as_switch()) {
            None => Self::Unwritten,
            Some(Some(false)) => Self::Off,
            Some(Some(true)) if section.setting("tls").is_some() => Self::Unwritten,
            Some(_) => Self::Own(own),
        }
    }
}

/// The binds of `items` and their TLS. Items with equal TLS share it, as do all that have the
/// frontend's.
pub(super) fn with_tls(
    section: &Section<'_>,
    items: Vec<Item<'_>>,
    protocols: Protocols<'_>,
    report: &mut Report<'_>,
) -> Compiled {
    let of_frontend = tls::tls(section, None, protocols, report);
    let is_used = |item: &Item<'_>| matches!(item.tls, ItemTls::Unwritten);
    if let Some(setting) = section.setting("tls")
        && !items.is_empty()
        && !items.iter().any(is_used)
    {
        report.error(
            setting.span(),
            format!(
                "`tls` does nothing: every address of `{}` writes its own `tls`",
                section.title
            ),
            "leave it out, or leave `tls` out at one address",
        );
    }
    let mut compiled = Compiled {
        binds: Vec::new(),
        tls: Vec::new(),
    };
    let mut indices = FoldMap::default();
    for Item { mut binds, tls } in items {
        let own = match &tls {
            ItemTls::Off => None,
            ItemTls::Unwritten => of_frontend.clone(),
            ItemTls::Own(own) => tls::tls(own, section.setting("tls"), protocols, report),
        };
        let index = own.map(|own| {
            *indices.entry(own).or_insert_with_key(|own| {
                compiled.tls.push(own.clone());
                compiled.tls.len() - 1
            })
        });
        for bind in &mut binds {
            bind.tls = index;
        }
        compiled.binds.extend(binds);
    }
    compiled
}

/// The binds of `[admin]`, with its `socket_mode`.
pub(super) fn admin_binds(
    section: &Section<'_>,
    setting: Setting<'_>,
    report: &mut Report<'_>,
) -> Vec<Bind> {
    refuse_no_address(section, setting, report);
    let socket_mode = socket_mode(section, report);
    let mut binds = Vec::new();
    for item in setting.list() {
        binds.extend(self::binds(item, socket_mode, WrittenAs::Alone, report));
    }
    if socket_mode.is_some() {
        refuse_idle_mode(section, &binds, report);
    }
    binds
}

/// The binds of one string that is all that is written of them.
pub(super) fn binds_alone(item: Setting<'_>, report: &mut Report<'_>) -> Vec<Bind> {
    binds(item, None, WrittenAs::Alone, report)
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

/// The binds of one string.
fn binds(
    item: Setting<'_>,
    mode: Option<FileMode>,
    written_as: WrittenAs,
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
            bad.report(item, text, written_as, report);
            return Vec::new();
        }
    };
    let at = report.position(item.span());
    let with_mode = |addr: ListenAddress| Bind {
        mode: mode.filter(|_| addr.path().is_some()).unwrap_or_default(),
        ..Bind::new(addr, at.clone())
    };
    found.into_iter().map(with_mode).collect()
}

/// Reports a `socket_mode` without a socket file.
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
