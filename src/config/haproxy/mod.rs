//! `haproxy.cfg`: the other front end of the configuration.
//!
//! A file of HAProxy becomes the tables that a file in TOML would have, with the words of the file as positions; from
//! there on both are the same: `compile` and `check` know nothing of this room. In the order of work: `lexer` has the
//! words of lines, `section` (with `predicate`) the sections, `global` and `proxy` the lines by kind; `frontend`,
//! `backend`, `bind`, `server`, `health`, `rule`, `answer`, `errors`, `log` and `table` make tables of them with `acl`,
//! `template`, `option` and `quantity`; `verdict` says what became of each word that is not the same here;
//! `comments` are for `evenkeel convert`.

mod acl;
mod address;
mod answer;
mod args;
mod backend;
mod bind;
mod capture;
mod command_socket;
mod comments;
mod connection;
mod content;
mod context;
mod error_files;
mod errors;
mod files;
mod frontend;
mod global;
mod health;
mod lexer;
mod log;
mod old;
mod option;
mod predicate;
mod proxy;
mod quantity;
#[cfg(test)]
mod reference;
mod rule;
mod section;
mod server;
mod stats;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod userlist;
mod verdict;
mod write;

use std::collections::{BTreeMap, HashSet};

use crate::config::diagnostic::Diagnostic;
use crate::config::raw::{Table, Value};
use crate::config::source::Span;

pub(super) use comments::{Commented, commented};
use global::Global;
use lexer::{Environment, Line, Word};
pub(super) use predicate::line_holds;
pub use predicate::{FEATURES, VERSION};
use proxy::{Proxy, Side};
use section::Section;
use verdict::Verdicts;
use write::Keys;

/// A file that was read.
pub(super) struct Read {
    /// The tables that a file in TOML would have.
    pub(super) table: Table,
    /// Mistakes, what is approximated, and what is refused.
    pub(super) found: Vec<Diagnostic>,
    /// Words without an effect here, and why that is safe.
    pub(super) without_effect: Vec<(Span, String)>,
}

/// Whether `text` is a file of HAProxy: its first word that is no comment begins a section, without a `=`, and no line
/// is the header of a table in TOML.
pub(super) fn is_haproxy_cfg(text: &str) -> bool {
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(first) = lines.next() else {
        return false;
    };
    let mut words = first.split_ascii_whitespace();
    let word = words.next().unwrap_or_default();
    let is_section = section::SECTIONS.contains(&word) || word == ".if";
    is_section
        && words.next().is_none_or(|second| !second.starts_with('='))
        && !lines.any(|line| line.starts_with('['))
}

/// Reads files, each a text and all of its range, as one. `accepts_loss`: what is refused is left out, with a warning.
pub(super) fn read(
    files: &[(&str, Span)],
    environment: Environment<'_>,
    accepts_loss: bool,
) -> Read {
    let mut verdicts = Verdicts::new(accepts_loss);
    let mut variables = section::Variables::of(environment);
    let sections = files.iter().flat_map(|(text, whole)| {
        section::sections(text, *whole, &mut variables, &mut verdicts.found)
    });
    let sections: Vec<Section> = sections.collect();
    let mut top: BTreeMap<&'static str, Keys> = BTreeMap::new();
    let mut global = Global::default();
    for section in sections
        .iter()
        .filter(|section| section.header.keyword() == "global")
    {
        global::read(
            &section.lines,
            &mut global,
            &mut top,
            environment,
            &mut verdicts,
        );
    }
    global.http_errors = named_sections(&sections, "http-errors");
    global.userlists = named_sections(&sections, "userlist");
    if let Some(sockets) = std::mem::take(&mut global.command_sockets).written() {
        top.entry("admin")
            .or_default()
            .set("haproxy_socket", sockets);
    }
    let proxies = proxies(&sections, &mut verdicts);
    let start = files
        .first()
        .map_or(Span::default(), |(_, whole)| whole.part(0, 0));
    let (mut frontends, mut backends, mut tables) =
        (Keys::default(), Keys::default(), Keys::default());
    let http_frontends = || {
        let frontends = proxies.iter().filter(|proxy| proxy.side != Side::Backend);
        frontends.filter(|proxy| !proxy.is_tcp())
    };
    let used: HashSet<&str> = proxies.iter().flat_map(Proxy::backends).collect();
    let is_added_before = http_frontends().any(|proxy| proxy.has("forwardfor").is_some());
    for proxy in &proxies {
        if proxy.is_disabled && proxy.side != Side::Backend {
            verdicts.without_effect(proxy.name.span, "the section is `disabled`");
            continue;
        }
        if proxy.side != Side::Backend {
            let frontend = frontend::frontend(proxy, &global, environment, &mut verdicts);
            add(
                &mut frontends,
                "frontend",
                proxy.name,
                frontend,
                &mut verdicts,
            );
        }
        // Many files have backends that only hold a table.
        let has_more = proxy.stick_table.is_none() || !proxy.servers.is_empty();
        if proxy.side != Side::Frontend && (has_more || used.contains(&*proxy.name.text)) {
            let adds_client = !is_added_before;
            let backend = backend::backend(proxy, &global, adds_client, environment, &mut verdicts);
            add(&mut backends, "backend", proxy.name, backend, &mut verdicts);
        }
        if let Some(line) = proxy.stick_table
            && let Some(table) = table::table(args::Args::after(line, 1), &mut verdicts)
        {
            add(&mut tables, "table", proxy.name, table, &mut verdicts);
        }
    }
    let mut keys = Keys::default();
    for (name, table) in top {
        keys.set(name, table.at(start));
    }
    let access = log::access_logs(&proxies, &global, start, &mut verdicts);
    keys.set("log", write::table(start, "access", access));
    for (name, table) in [
        ("frontend", frontends),
        ("backend", backends),
        ("table", tables),
    ] {
        if !table.is_empty() {
            keys.set(name, table.at(start));
        }
    }
    Read {
        table: keys.into_table(),
        found: verdicts.found,
        without_effect: verdicts.without_effect,
    }
}

fn add(keys: &mut Keys, kind: &str, name: &Word, value: Value, verdicts: &mut Verdicts) {
    match keys.has(&name.text) {
        true => verdicts.wrong(
            name.span,
            format!("{kind} `{}` is defined twice", name.text),
            "give one of the two another name",
        ),
        false => keys.named(&name.text, name.span, value),
    }
}

/// The lines of the sections of one kind, by name.
fn named_sections<'l>(sections: &'l [Section], kind: &str) -> BTreeMap<&'l str, &'l [Line]> {
    let sections = sections.iter();
    let of_kind = sections.filter(|section| section.header.keyword() == kind);
    let named = of_kind.filter_map(|section| {
        let name = section.header.words.get(1)?;
        Some((&*name.text, &*section.lines))
    });
    named.collect()
}

/// The proxies, with what they inherit, and what is to say about other sections.
fn proxies<'l>(sections: &'l [Section], verdicts: &mut Verdicts) -> Vec<Proxy<'l>> {
    let mut proxies = Vec::new();
    // The last defaults, and those with a name.
    let mut last: &[Line] = &[];
    let mut named: BTreeMap<&str, &[Line]> = BTreeMap::new();
    for section in sections {
        let header = &section.header;
        let mut args = args::Args::after(header, 1);
        let side = match header.keyword() {
            "global" => continue,
            "defaults" => {
                if let Some(name) = args.next().filter(|name| name.text != "from") {
                    named.insert(&name.text, &section.lines);
                }
                last = &section.lines;
                continue;
            }
            "frontend" => Side::Frontend,
            "backend" => Side::Backend,
            "listen" => Side::Both,
            // Read where it is named.
            "http-errors" | "userlist" => continue,
            other => {
                section_of_other_kind(other, header.span, verdicts);
                continue;
            }
        };
        let Some(name) = args.need("name", verdicts) else {
            continue;
        };
        let mut defaults = last;
        if args.takes("from")
            && let Some(from) = args.need("name of a `defaults` section", verdicts)
        {
            match named.get(&*from.text) {
                Some(lines) => defaults = lines,
                None => verdicts.unknown("`defaults` section", from, named.keys().copied()),
            }
        }
        let mut proxy = Proxy::read(name, side, defaults, &section.lines, verdicts);
        // Until 2.0 the addresses could be behind the name, as in a `bind` line.
        if args.peek().is_some() {
            match side {
                Side::Backend => args.end(verdicts),
                _ => proxy.binds.insert(0, args),
            }
        }
        proxies.push(proxy);
    }
    proxies
}

fn section_of_other_kind(kind: &str, span: Span, verdicts: &mut Verdicts) {
    match kind {
        "peers" => verdicts.approximated(span, "tables are not shared with other machines"),
        "mailers" => verdicts.approximated(span, "no mails are sent: alert on metrics"),
        "resolvers" => verdicts.without_effect(span, "a server that uses it is refused there"),
        "traces" => verdicts.without_effect(span, "it is for developers of HAProxy"),
        _ => verdicts.refused(span, kind, "leave the section out"),
    }
}
