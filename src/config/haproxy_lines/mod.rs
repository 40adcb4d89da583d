//! Translates the words after an address in a `bind` or `server` line of HAProxy, or in a `listen`
//! or `server` line of nginx, to TOML.
//!
//! `compile::address` calls this for a text with more than an address. The answer is the line to
//! write, with the values of the text, and notes about words that are written elsewhere or left
//! out. No word is ignored.

mod bind;
mod scheme;
mod server;

pub(super) use bind::bind;
pub(super) use scheme::{of_listen, of_server};
pub(super) use server::server;

use crate::config::haproxy_hints;
use crate::config::page::{list, string, table};

/// Stands for a value that is missing in the text.
const MISSING: &str = "…";

/// A line in our format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// As a value of TOML.
    address: String,
    /// The keys beside the address.
    keys: Vec<(String, String)>,
    /// Notes about words that are written elsewhere, or cannot be written.
    notes: Vec<String>,
    /// Words that are left out without a reason of their own.
    left_out: Vec<String>,
}

/// How an address is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WrittenAs {
    /// As an item of a list; such an item may be a table.
    Item,
    /// As `address` of a table.
    Table,
    /// Where only an address is allowed.
    Alone,
}

/// The words of a line.
struct Words<'t> {
    /// The word before the address, if it is a name.
    name: Option<&'t str>,
    address: &'t str,
    rest: std::vec::IntoIter<&'t str>,
    /// The value after the `=` of the last word.
    own_value: Option<&'t str>,
}

impl Line {
    fn new(address: &str) -> Self {
        Self {
            address: address_of(address),
            keys: Vec::new(),
            notes: Vec::new(),
            left_out: Vec::new(),
        }
    }

    fn key(&mut self, key: &str, value: impl Into<String>) {
        self.keys.push((key.to_owned(), value.into()));
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// What to write, for the help of a message.
    pub(super) fn help(&self, written_as: WrittenAs) -> String {
        let address = ("address".to_owned(), self.address.clone());
        let mut help = match written_as {
            WrittenAs::Alone => return format!("write the address alone: `{}`", self.address),
            WrittenAs::Item if self.keys.is_empty() => format!("write `{}`", self.address),
            WrittenAs::Item => {
                let keys = std::iter::once(address).chain(self.keys.iter().cloned());
                format!("write `{}`", table(keys))
            }
            WrittenAs::Table => {
                let keys = std::iter::once(&address).chain(&self.keys);
                let keys: Vec<String> = keys
                    .map(|(key, value)| format!("`{key} = {value}`"))
                    .collect();
                format!("write {}", keys.join(" and "))
            }
        };
        for note in &self.notes {
            help.push_str(&format!("; {note}"));
        }
        if !self.left_out.is_empty() {
            let words = self.left_out.iter().map(|word| format!("`{word}`"));
            let words: Vec<String> = words.collect();
            help.push_str(&format!("; leave out {}", words.join(", ")));
        }
        help
    }

    /// Takes a word that has no key here; `with_value` lists such words that have a value.
    fn take_other(&mut self, word: &str, with_value: &[&str], words: &mut Words<'_>) {
        if with_value.contains(&word) && words.own_value.is_none() {
            words.rest.next();
        }
        match haproxy_hints::absent(word) {
            Some(answer) => self.note(format!("`{word}`: {answer}")),
            None => self.left_out.push(word.to_owned()),
        }
    }
}

impl<'t> Words<'t> {
    /// The words of `text`; `None`: there is one word only.
    fn of(text: &'t str, line: &[&str]) -> Option<Self> {
        let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
        if words.first().is_some_and(|first| line.contains(first)) {
            words.remove(0);
        }
        let is_named = words.len() > 1 && !is_address(words[0]) && is_address(words[1]);
        let name = is_named.then(|| words.remove(0));
        if words.len() < 2 && name.is_none() {
            return None;
        }
        let address = words.remove(0);
        Some(Self {
            name,
            address,
            rest: words.into_iter(),
            own_value: None,
        })
    }

    /// The next word. nginx writes values as `word=value`.
    fn next(&mut self) -> Option<&'t str> {
        let word = self.rest.next()?;
        let with_value = word.split_once('=');
        let with_value = with_value.filter(|(word, _)| NGINX.contains(word));
        self.own_value = with_value.map(|(_, value)| value);
        Some(with_value.map_or(word, |(word, _)| word))
    }

    /// The value of the last word, without the quotes that HAProxy allows.
    fn value(&mut self) -> &'t str {
        let value = self.own_value.take().or_else(|| self.rest.next());
        value.unwrap_or(MISSING).trim_matches(['"', '\''])
    }

    /// The same as a string of TOML.
    fn string(&mut self) -> String {
        string(self.value())
    }

    /// The same as a number; any other text is shown as it is.
    fn number(&mut self) -> String {
        self.value().to_owned()
    }
}

/// Words of nginx that have a value after `=`.
const NGINX: [&str; 7] = [
    "weight",
    "max_conns",
    "max_fails",
    "fail_timeout",
    "slow_start",
    "backlog",
    "so_keepalive",
];

fn is_address(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = word.rsplit_once(':').map(|(_, port)| port);
    word.starts_with(['/', '@'])
        || word.contains("://")
        || is_number(word)
        || port.is_some_and(is_number)
}

/// An address as a value of TOML: HAProxy separates several by commas, and nginx allows a port
/// alone.
fn address_of(text: &str) -> String {
    let one = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => string(&format!(":{text}")),
        false => {
            let text = text.strip_prefix("unix@").unwrap_or(text);
            string(text.strip_prefix("unix:").unwrap_or(text))
        }
    };
    match text.contains(',') {
        true => list(text.split(',').map(one)),
        false => one(text),
    }
}

/// One string, or a list of several.
fn one_or_list(mut items: Vec<String>) -> String {
    match items.len() {
        1 => items.remove(0),
        _ => list(items.into_iter()),
    }
}

/// Whether `text`, a line with the words `known`, has one of them after its address.
fn has_any(text: &str, known: &[&str]) -> bool {
    let mut words = text.split_ascii_whitespace().skip(1);
    words.any(|word| {
        let word = word.split_once('=').map_or(word, |(word, _)| word);
        known.contains(&word)
    })
}
