//! `[table.NAME]`.

use crate::config::compile::name::name_of_key;
use crate::config::compile::named_section;
use crate::config::keys::{self, TABLE};
use crate::config::raw::Entry;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::Table;

pub(super) fn tables(top: &Section<'_>, report: &mut Report<'_>) -> Vec<Table> {
    let Some(tables) = top
        .setting("table")
        .and_then(|_| top.named("table", report))
    else {
        return Vec::new();
    };
    let entries = tables.entries.iter();
    entries.filter_map(|entry| table(entry, report)).collect()
}

fn table(entry: &Entry, report: &mut Report<'_>) -> Option<Table> {
    let name = name_of_key(&entry.key, "table", entry.key_span, report);
    let section = named_section(&TABLE, "table", entry, report)?;
    let mut table = Table::new(
        name.clone().unwrap_or_else(keys::nameless),
        report.position(entry.key_span),
    );
    TABLE.whole().read(&section, &mut table, report);
    for (key, help) in [
        ("key", "write `key = \"ip\"` for the addresses of clients"),
        ("size", "write how many keys it may have: `size = 100000`"),
    ] {
        if section.lacks(key) {
            let message = format!("`{}` has no `{key}`", section.title);
            report.error(entry.key_span, message, help);
        }
    }
    name.map(|_| table)
}
