//! The one table of keys: every key of the format, with all that the program knows about it.
//!
//! A key is one entry, in the [`Keys`] of its table. The entry has its name, one line of
//! documentation, the words of HAProxy, nginx, Traefik and Caddy that mean it, its kind with unit
//! and bounds, and the place in the plan that it fills:
//!
//! ```text
//! key("max_idle")
//!     .means("Idle connections to one server that each worker keeps.")
//!     .also("pool_max_conn size")
//!     .number(0, MOST_IDLE, |pool| &mut pool.max_idle),
//! ```
//!
//! From the entries come: which keys a table may contain and the messages about other words
//! (`section`), reading a table into the plan ([`View::read`]), `check --show` ([`View::show`]),
//! `evenkeel schema`, and the tests that hold `conf/full.toml` and the tests of keys complete.
//!
//! A key is *plain* when one value fills one place: a duration, a size, a number, a switch, a word
//! of an enum, or a table of such keys. A plain key needs its entry and nothing else. A key with a
//! shape of its own (`listen`, `servers`, `rule`) has in its entry which shapes it may have and how
//! it is shown; it is read by a function that its entry names or, where other tables matter, in
//! `compile`.
//!
//! Defaults are those of the plan (`impl Default`), which tests use too: an entry shows the default and
//! does not repeat it.
//!
//! A frontend has fewer keys in TCP mode, and so has `[defaults.frontend]`: the entry says where the key
//! is missing and what to write there instead ([`KeyInfo::not_in_tcp`], [`KeyInfo::not_in_defaults`]). A
//! [`View`] is the keys of a table in one of these parts.
//!
//! Prior art: the flags of ripgrep, each defined once (`flags/defs.rs`).

mod auth;
mod backend;
mod bind;
mod command_socket;
mod compression;
mod connection_rule;
mod cors;
mod error_page;
mod forwarding;
mod frontend;
mod health;
mod http2;
mod jwt;
mod kind;
mod limits;
mod log;
mod peers;
mod process;
mod retry;
mod route;
mod rule;
mod send_proxy;
mod server;
mod table;
#[cfg(test)]
mod table_reference;
mod timeout;
mod tls;
mod words;

pub(super) use auth::AUTH;
pub(super) use backend::BACKEND;
pub(super) use bind::BIND;
pub(super) use command_socket::COMMAND_SOCKET;
pub(super) use connection_rule::{CONNECTION_RULE, CONTENT_RULE, connection_actions};
pub(super) use cors::{CORS, SECURITY_HEADERS};
pub(super) use error_page::ERROR_PAGE;
pub(super) use forwarding::is_of_the_protocol;
pub(super) use frontend::FRONTEND;
pub(super) use health::HEALTH;
pub(super) use jwt::JWT;
pub(super) use kind::{About, Described, Shape};
pub(super) use log::{ECS, JSON, LOG_ACCESS, SYSLOG};
pub(super) use peers::proxy_protocol;
pub(super) use process::{ADMIN, DEFAULTS, TOP};
pub(super) use retry::{MOST_ATTEMPTS, RETRY};
pub(super) use route::{ROUTE, TCP_ROUTE};
pub(super) use rule::{
    CAPTURE_TABLE, COOKIE_ATTRIBUTES, FORWARD_AUTH, MAX_BODY_SIZES, MONITOR, NAME_PART, RATE_LIMIT,
    REDIRECT, REPLACE, REPLACE_FIELD, REPLY, RULE, SC_INC_GPC, SC_SET_GPT, SET_TIMEOUT_TABLE,
    STATS_TABLE, TARPIT, TRACK, USE_BACKEND_TABLE, WAIT_FOR_BODY_TABLE, actions, parts_of,
};
pub(super) use server::{SERVER, SERVER_HEALTH};
pub(super) use table::{TABLE, form_of};
pub(super) use timeout::FRONTEND_TIMEOUT;
pub(super) use tls::{CERTIFICATE, CLIENT_AUTH, FRONTEND_TLS, SERVER_TLS, TLS_NAME};
pub(super) use words::{Word, Words};

use crate::base::Name;
use crate::config::haproxy_hints::fold;
use crate::config::page::{self, Page};
use crate::config::report::Report;
use crate::config::section::{KeyList, Section};
use crate::plan::On;
use kind::KeyKind;

const NO_REQUESTS: &str = "leave it out: in TCP mode there are no requests, only bytes";
const NO_FIELDS: &str =
    "leave it out: in TCP mode there are no fields that could be read or written";

/// The keys of one kind of table, which fills a `T` of the plan.
pub(super) struct Keys<T: 'static> {
    /// In the order in which they are shown.
    keys: &'static [Key<T>],
    /// Words that are not keys here. A line has such words, a colon, and what to write instead.
    hints: &'static str,
    /// Lines of `hints` that several tables share.
    more_hints: &'static str,
    /// The same in TCP mode, instead of both.
    tcp_hints: &'static str,
    /// The same in `[defaults]`, instead of both.
    default_hints: &'static str,
    /// The value of a table in which nothing is written; `None`: there is no such value.
    default: Option<fn() -> T>,
    /// What must hold among several keys, and defaults that depend on other keys.
    check: fn(&Section<'_>, &mut T, &mut Report<'_>),
}

/// One key.
pub(super) struct Key<T: 'static> {
    info: KeyInfo,
    kind: KeyKind<T>,
}

/// The description of a key without its kind.
pub(super) struct KeyInfo {
    name: &'static str,
    means: &'static str,
    also: &'static str,
    not_in_tcp: Option<&'static str>,
    not_in_defaults: Option<&'static str>,
    parts: &'static [On],
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the reference is written by a test")
    )]
    forms: &'static [(&'static str, &'static str)],
}

/// Where a table of keys is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Anywhere else.
    Whole,
    /// In a frontend in TCP mode.
    Tcp,
    /// In `[defaults]`.
    Defaults,
}

/// The keys of a table that exist in one part.
pub(super) struct View<'a, T: 'static> {
    keys: &'a Keys<T>,
    part: Part,
}

/// Begins the entry of the key `name`.
const fn key(name: &'static str) -> KeyInfo {
    KeyInfo {
        name,
        means: "",
        also: "",
        not_in_tcp: None,
        not_in_defaults: None,
        parts: &[],
        forms: &[],
    }
}

/// Stands for the name where there is none: in `[defaults]`, or where the name is a mistake.
pub(super) fn nameless() -> Name {
    Name::new("-").expect("a name of one character")
}

impl KeyInfo {
    /// One line of documentation.
    const fn means(self, means: &'static str) -> Self {
        Self { means, ..self }
    }

    /// Words of other programs that mean this key, with spaces between them.
    const fn also(self, also: &'static str) -> Self {
        Self { also, ..self }
    }

    /// TCP mode does not have the key; `instead` is the message.
    const fn not_in_tcp(self, instead: &'static str) -> Self {
        Self {
            not_in_tcp: Some(instead),
            ..self
        }
    }

    /// `[defaults]` does not have the key; `instead` is the message.
    const fn not_in_defaults(self, instead: &'static str) -> Self {
        Self {
            not_in_defaults: Some(instead),
            ..self
        }
    }

    /// The key is the action of a rule, which can run in these parts of an exchange. `forms` are its rows
    /// in the reference: what may be written, and what it does.
    const fn action(
        self,
        parts: &'static [On],
        forms: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self {
            parts,
            forms,
            ..self
        }
    }

    /// What to write instead in `part`; `None`: `part` has the key.
    fn instead_in(&self, part: Part) -> Option<&'static str> {
        match part {
            Part::Whole => None,
            Part::Tcp => self.not_in_tcp,
            Part::Defaults => self.not_in_defaults,
        }
    }

    fn is_meant_by(&self, folded: &str) -> bool {
        self.also.split_whitespace().any(|word| word == folded)
    }
}

impl<T> Keys<T> {
    const EMPTY: Self = Self {
        keys: &[],
        hints: "",
        more_hints: "",
        tcp_hints: "",
        default_hints: "",
        default: None,
        check: |_, _, _| {},
    };

    /// The keys that `part` has.
    pub(super) const fn part(&self, part: Part) -> View<'_, T> {
        View { keys: self, part }
    }

    /// All keys.
    pub(super) const fn whole(&self) -> View<'_, T> {
        self.part(Part::Whole)
    }
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<'a, T> View<'a, T> {
    /// The keys that exist in the part.
    fn present(self) -> impl Iterator<Item = &'a Key<T>> {
        let keys = self.keys.keys.iter();
        keys.filter(move |key| key.info.instead_in(self.part).is_none())
    }

    /// The hints of the part, each as its words and the answer to them.
    fn hints(self) -> impl Iterator<Item = (Vec<&'static str>, &'static str)> {
        let (hints, more) = match self.part {
            Part::Whole => (self.keys.hints, self.keys.more_hints),
            Part::Tcp => (self.keys.tcp_hints, ""),
            Part::Defaults => (self.keys.default_hints, ""),
        };
        lines(hints).chain(lines(more))
    }

    /// Reads `section` into `value`, except the keys that are read in `compile`.
    pub(super) fn read(self, section: &Section<'_>, value: &mut T, report: &mut Report<'_>) {
        for key in self.present() {
            let name = key.info.name;
            key.kind.read(self.part, section, name, value, report);
        }
        (self.keys.check)(section, value, report);
    }

    /// Writes `value` to `page`: the keys of the table `path`, then the tables in it.
    pub(super) fn show(self, path: &str, value: &T, page: &mut Page)
    where
        T: Clone,
    {
        for (key, text) in self.texts(value) {
            page.set(key, text);
        }
        let mut value = value.clone();
        for key in self.present() {
            let path = Page::inner(path, key.info.name);
            key.kind.tables(self.part, &path, &mut value, page);
        }
    }

    /// `value` in one line, as `{ key = value }`, without the keys that are shown as tables.
    pub(super) fn inline(self, value: &T) -> String
    where
        T: Clone,
    {
        let keys = self.texts(value).into_iter();
        page::table(keys.map(|(key, text)| (key.to_owned(), text)))
    }

    /// The keys that are shown as values, with their texts.
    fn texts(self, value: &T) -> Vec<(&'static str, String)>
    where
        T: Clone,
    {
        let mut value = value.clone();
        let keys = self.present();
        keys.filter_map(|key| Some((key.info.name, key.kind.text(&mut value)?)))
            .collect()
    }
}

impl<T> KeyList for View<'_, T> {
    fn names(&self) -> Vec<&'static str> {
        self.present().map(|key| key.info.name).collect()
    }

    fn hint(&self, written: &str) -> Option<String> {
        let folded = fold(written);
        // A key of the table that this part does not have.
        let same_name = self.keys.keys.iter();
        let same_name = same_name.filter(|key| fold(key.info.name) == folded);
        let mut instead = same_name.filter_map(|key| key.info.instead_in(self.part));
        if let Some(instead) = instead.next() {
            return Some(instead.to_owned());
        }
        let is_meant = |words: &[&str]| words.contains(&folded.as_str());
        if let Some((_, hint)) = self.hints().find(|(words, _)| is_meant(words)) {
            return Some(hint.to_owned());
        }
        let mut meant = self.present().filter(|key| key.info.is_meant_by(&folded));
        meant.next().map(|key| format!("write `{}`", key.info.name))
    }
}

impl<T> KeyList for Keys<T> {
    fn names(&self) -> Vec<&'static str> {
        self.whole().names()
    }

    fn hint(&self, written: &str) -> Option<String> {
        self.whole().hint(written)
    }
}

impl<T> Described for Keys<T> {
    fn about(&self) -> Vec<About> {
        self.whole().about()
    }

    #[cfg(test)]
    fn words(&self) -> Vec<&'static str> {
        self.whole().words()
    }
}

impl<T> Described for View<'_, T> {
    fn about(&self) -> Vec<About> {
        let mut default = self.keys.default.map(|default| default());
        self.present()
            .map(|key| key.about(default.as_mut()))
            .collect()
    }

    #[cfg(test)]
    fn words(&self) -> Vec<&'static str> {
        let words = self.hints().flat_map(|(words, _)| words);
        let also = self
            .present()
            .flat_map(|key| key.info.also.split_whitespace());
        words.chain(also).collect()
    }
}

/// The lines of `hints`, each as its words and the answer to them.
fn lines(hints: &'static str) -> impl Iterator<Item = (Vec<&'static str>, &'static str)> {
    let lines = hints
        .lines()
        .filter_map(|line| line.trim().split_once(": "));
    lines.map(|(words, hint)| (words.split_whitespace().collect(), hint))
}
