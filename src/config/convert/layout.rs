//! Tables as text in TOML: what a person would write by hand.
//!
//! A frontend, a backend and the like have a header, and so has each route; a list of tables has one on each line; a
//! small table is on the line of its key.

use std::fmt::Write as _;

use crate::config::page;
use crate::config::raw::{Entry, Kind, Table, Value};
use crate::config::variables;

use super::comments::Comments;

/// The longest line on which a table is written inline, in characters.
const WIDEST: usize = 100;

/// Lists whose items have headers of their own.
const WITH_HEADERS: [&str; 3] = ["route", "passthrough", "access"];

/// `top` as a file.
pub(super) fn write(top: &Table, comments: Comments<'_>) -> String {
    let mut page = Layout {
        text: String::new(),
        comments,
    };
    page.comments.find_owners(top);
    page.body("", top);
    let body = std::mem::take(&mut page.text);
    let (left, end) = page.comments.left();
    page.comment("", &left);
    if !left.is_empty() {
        page.blank();
    }
    page.text.push_str(&body);
    if !end.is_empty() {
        page.blank();
        page.comment("", &end);
    }
    page.text
}

struct Layout<'a> {
    text: String,
    comments: Comments<'a>,
}

impl Layout<'_> {
    /// The entries of the table `path`: first those on a line of their own, then those with a header.
    fn body(&mut self, path: &str, table: &Table) {
        let (blocks, lines): (Vec<&Entry>, Vec<&Entry>) = table
            .entries
            .iter()
            .partition(|entry| has_header(path, entry));
        for entry in lines {
            self.line(entry);
        }
        for entry in blocks {
            let path = page_path(path, &entry.key);
            match &entry.value.kind {
                Kind::Table(table) if holds_names(&path) => {
                    for named in &table.entries {
                        self.named(&page_path(&path, &named.key), named);
                    }
                }
                Kind::Table(table) => {
                    // A header above nothing but other headers says nothing.
                    if table.entries.iter().any(|entry| !has_header(&path, entry)) {
                        self.blank();
                        let _ = writeln!(self.text, "[{path}]");
                    }
                    self.body(&path, table);
                }
                Kind::Array(items) => {
                    for item in items {
                        let found = self.comments_of(item);
                        self.blank();
                        self.comment("", &found);
                        let _ = writeln!(self.text, "[[{path}]]");
                        if let Kind::Table(table) = &item.kind {
                            self.body(&path, table);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// A frontend, a backend, a table: with the comments of its section that belong to no line of it.
    fn named(&mut self, path: &str, entry: &Entry) {
        let Kind::Table(table) = &entry.value.kind else {
            return;
        };
        let above = self.comments.of_words(entry.key_span);
        let before = std::mem::take(&mut self.text);
        self.body(path, table);
        let body = std::mem::replace(&mut self.text, before);
        let left = self.comments.left_in_section(entry.key_span);
        self.blank();
        self.comment("", &above);
        self.comment("", &left);
        let _ = writeln!(self.text, "[{path}]");
        self.text.push_str(&body);
    }

    fn line(&mut self, entry: &Entry) {
        let key = page::key(&entry.key);
        match &entry.value.kind {
            Kind::Array(items) if items.iter().any(is_table) => {
                let own = self.comments.of_words(entry.key_span);
                self.comment("", &own);
                let _ = writeln!(self.text, "{key} = [");
                for item in items {
                    let found = self.comments_of(item);
                    self.comment("  ", &found);
                    let _ = writeln!(self.text, "  {},", inline(item));
                }
                self.text.push_str("]\n");
            }
            _ => {
                let mut found = self.comments.of_words(entry.key_span);
                found.extend(self.comments_of(&entry.value));
                self.comment("", &found);
                let _ = writeln!(self.text, "{key} = {}", inline(&entry.value));
            }
        }
    }

    /// The comments of the lines that `value` and its parts are made of.
    fn comments_of(&mut self, value: &Value) -> Vec<String> {
        let mut found = self.comments.of_value(value);
        match &value.kind {
            Kind::Array(items) => {
                for item in items {
                    found.extend(self.comments_of(item));
                }
            }
            Kind::Table(table) => {
                for entry in &table.entries {
                    found.extend(self.comments.of_words(entry.key_span));
                    found.extend(self.comments_of(&entry.value));
                }
            }
            _ => {}
        }
        found
    }

    fn comment(&mut self, indent: &str, lines: &[String]) {
        for line in lines {
            let _ = writeln!(self.text, "{}", format!("{indent}# {line}").trim_end());
        }
    }

    fn blank(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }
}

/// Whether `entry` of the table `path` is written with a header of its own.
fn has_header(path: &str, entry: &Entry) -> bool {
    match &entry.value.kind {
        Kind::Table(_) if path.is_empty() => true,
        Kind::Table(_) => inline(&entry.value).len() > WIDEST,
        Kind::Array(items) => {
            WITH_HEADERS.contains(&entry.key.as_str()) && items.iter().all(is_table)
        }
        _ => false,
    }
}

/// Whether the keys of the table `path` are names of the user.
fn holds_names(path: &str) -> bool {
    matches!(path, "frontend" | "backend" | "table")
}

fn is_table(value: &Value) -> bool {
    matches!(value.kind, Kind::Table(_))
}

fn page_path(path: &str, key: &str) -> String {
    page::Page::inner(path, &page::key(key))
}

/// On one line.
fn inline(value: &Value) -> String {
    match &value.kind {
        Kind::String(text) => string(&text.value),
        Kind::Integer(number) => number.to_string(),
        Kind::Float(number) | Kind::Datetime(number) => number.clone(),
        Kind::Boolean(value) => value.to_string(),
        Kind::Array(items) => page::list(items.iter().map(inline)),
        Kind::Table(table) if table.entries.is_empty() => "{}".to_owned(),
        Kind::Table(table) => {
            let entries = table.entries.iter();
            page::table(entries.map(|entry| (page::key(&entry.key), inline(&entry.value))))
        }
        Kind::Broken => String::new(),
    }
}

/// A string with as few escapes as possible: expressions are full of quotes.
fn string(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() && c != '\'';
    match text.contains(['"', '\\']) && text.chars().all(is_plain) {
        true => format!("'{}'", variables::escape(text)),
        false => page::string(text),
    }
}
