//! Tables: `[table.NAME]`.

use std::time::Duration;

use crate::base::units::{parse_duration, show_duration};
use crate::config::page::{list, string};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::plan::{Data, KeyType, MOST_ELEMENTS, Stored, Table, WhenFull};

use super::kind::Shape;
use super::{Keys, key};

/// The most entries: at a hundred bytes each, more than a machine has memory for.
const MOST_ENTRIES: i64 = 1_000_000_000;

/// The longest key.
const LONGEST_KEY: u16 = 1024;

pub(in crate::config) static TABLE: Keys<Table> = Keys {
    keys: &[
        key("key")
            .means(
                "The type of the keys: \"ip\", \"ipv4\", \"integer\", \"string(LENGTH)\", \"binary(LENGTH)\".",
            )
            .also("type")
            .own(Shape::Text, read_key_type, |table| {
                Some(string(&shown_key_type(table.key)))
            }),
        key("size")
            .means("The most entries.")
            .also("max_entries entries")
            .number(1, MOST_ENTRIES, |table| &mut table.size),
        key("expire")
            .means("How long an entry is kept after its last change; \"off\": until its place is needed.")
            .also("ttl timeout")
            .duration_or_off(|table| &mut table.expire),
        key("nopurge")
            .means("When the table is full, new keys are not taken in; else the oldest entry makes room.")
            .own(Shape::Switch, read_nopurge, |table| {
                Some((table.when_full == WhenFull::Refuse).to_string())
            }),
        key("store")
            .means("What is counted for each key: \"http_req_rate(10s)\", \"gpc(2)\"; the reference has all.")
            .also("data")
            .own(Shape::List(&Shape::Text), read_store, |table| {
                Some(list(table.store.iter().map(|stored| string(&shown(stored)))))
            }),
    ],
    hints: r#"
        len length: write the length with the type: `key = "string(64)"`
        peers: leave it out: a table is not shared with other machines
        srvkey write_to recv_only: leave it out: a table is not shared with other machines
    "#,
    ..Keys::EMPTY
};

/// The forms of `key`, for messages.
const KEY_TYPES: &str =
    "write \"ip\", \"ipv4\", \"integer\", \"string\", \"string(64)\", \"binary\" or \"binary(20)\"";

fn shown_key_type(key: KeyType) -> String {
    match key {
        KeyType::Ip => "ip".to_owned(),
        KeyType::Ipv4 => "ipv4".to_owned(),
        KeyType::Integer => "integer".to_owned(),
        KeyType::String(length) => format!("string({length})"),
        KeyType::Binary(length) => format!("binary({length})"),
    }
}

fn read_key_type(
    _: &Section<'_>,
    setting: Setting<'_>,
    table: &mut Table,
    report: &mut Report<'_>,
) {
    let Some(text) = setting.text(report) else {
        return;
    };
    let (word, arguments) = call(&text.value);
    let length = match arguments.as_deref() {
        None => Ok(None),
        Some([length]) => match length.parse() {
            Ok(length @ 1..=LONGEST_KEY) => Ok(Some(length)),
            _ => Err(format!("write a length from 1 to {LONGEST_KEY}")),
        },
        Some(_) => Err(KEY_TYPES.to_owned()),
    };
    let found = length.and_then(|length| {
        let usual = Table::USUAL_LENGTH;
        Ok(match (word, length) {
            // HAProxy's `ipv6` takes IPv4 addresses too.
            ("ip" | "ipv6", None) => KeyType::Ip,
            ("ipv4", None) => KeyType::Ipv4,
            ("integer", None) => KeyType::Integer,
            ("string", length) => KeyType::String(length.unwrap_or(usual)),
            ("binary", length) => KeyType::Binary(length.unwrap_or(usual)),
            ("ip" | "ipv6" | "ipv4" | "integer", Some(_)) => {
                return Err("leave the length out: these keys have one".to_owned());
            }
            _ => return Err(KEY_TYPES.to_owned()),
        })
    });
    match found {
        Ok(key) => table.key = key,
        Err(help) => {
            let message = format!("`key = {:?}` is not the type of keys", text.shown());
            report.error(setting.span(), message, help);
        }
    }
}

fn read_nopurge(_: &Section<'_>, setting: Setting<'_>, table: &mut Table, report: &mut Report<'_>) {
    table.when_full = match setting.boolean(report) {
        Some(true) => WhenFull::Refuse,
        _ => WhenFull::Purge,
    };
}

fn shown(stored: &Stored) -> String {
    let kind = stored.data.kind();
    let mut arguments = Vec::new();
    if kind.is_array() {
        arguments.push(stored.count.to_string());
    }
    if kind.is_rate() {
        arguments.push(show_duration(stored.period));
    }
    match arguments.is_empty() {
        true => stored.data.name().to_owned(),
        false => format!("{}({})", stored.data.name(), arguments.join(",")),
    }
}

fn read_store(_: &Section<'_>, setting: Setting<'_>, table: &mut Table, report: &mut Report<'_>) {
    let mut store: Vec<Stored> = Vec::new();
    for item in setting.list() {
        let Some(text) = item.text(report) else {
            continue;
        };
        match stored(&text.value) {
            Err((message, help)) => {
                let message = match text.is_as_written() {
                    true => message,
                    false => format!("`store` has {:?}, which no table can keep", text.shown()),
                };
                report.error(item.span(), message, help);
            }
            Ok(one) if store.iter().any(|other| other.data == one.data) => {
                let message = format!("`store` has `{}` twice", one.data.name());
                report.error(item.span(), message, "keep one of them");
            }
            Ok(one) => store.push(one),
        }
    }
    store.sort_unstable_by_key(|stored| stored.data);
    table.store = store;
}

/// What `text` says is stored.
///
/// # Errors
///
/// What is wrong, and what to write instead.
fn stored(text: &str) -> Result<Stored, (String, String)> {
    let (name, arguments) = call(text);
    let arguments = arguments.unwrap_or_default();
    let Some(data) = Data::named(name) else {
        return Err(unknown(name));
    };
    let kind = data.kind();
    let mut stored = Stored {
        data,
        count: 1,
        period: Duration::ZERO,
    };
    let form = form_of(data);
    let wrong = || {
        let message = format!("`{text}` is not in the form of `{form}`");
        (message, format!("write `store = [\"{form}\"]`"))
    };
    let mut arguments = arguments.into_iter();
    if kind.is_array() {
        let count = arguments.next().and_then(|count| count.parse().ok());
        stored.count = count
            .filter(|count| (1..=MOST_ELEMENTS).contains(count))
            .ok_or_else(wrong)?;
    }
    if kind.is_rate() {
        let period = arguments.next().and_then(|text| parse_duration(text).ok());
        stored.period = period
            .filter(|period| *period >= Duration::from_millis(1))
            .ok_or_else(wrong)?;
    }
    match arguments.next() {
        Some(_) => Err(wrong()),
        None => Ok(stored),
    }
}

/// An example of `data` in `store`.
pub(in crate::config) fn form_of(data: Data) -> String {
    let (kind, name) = (data.kind(), data.name());
    match (kind.is_array(), kind.is_rate()) {
        (false, false) => name.to_owned(),
        (false, true) => format!("{name}(10s)"),
        (true, false) => format!("{name}(2)"),
        (true, true) => format!("{name}(2,10s)"),
    }
}

fn unknown(name: &str) -> (String, String) {
    let message = format!("`{name}` is not something that a table can keep");
    let names = Data::ALL.iter().map(|data| data.name());
    let help = match name {
        "sess_cnt" | "sess_rate" => "write `conn_cnt` or `conn_rate`".to_owned(),
        "server_id" | "server_key" => "leave it out: a table does not choose servers".to_owned(),
        _ => match suggest::nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", suggest::list(names)),
        },
    };
    (message, help)
}

/// The name and the arguments of `name(argument,argument)`.
fn call(text: &str) -> (&str, Option<Vec<&str>>) {
    let Some((name, rest)) = text.trim().split_once('(') else {
        return (text.trim(), None);
    };
    let Some(arguments) = rest.strip_suffix(')') else {
        return (text, None);
    };
    (name, Some(arguments.split(',').map(str::trim).collect()))
}
