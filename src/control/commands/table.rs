//! `show table`: the stick tables and their entries.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::base::clock;
use crate::plan::{Data, KeyType, Stored};
use crate::proxy::snapshot::Snapshot;
use crate::tables::{Listed, Table};

use super::{Answer, Asked};

/// In this order, HAProxy shows the data of an entry.
const ORDER: &[Data] = &[
    Data::Gpt0,
    Data::Gpc0,
    Data::Gpc0Rate,
    Data::ConnCnt,
    Data::ConnRate,
    Data::ConnCur,
    Data::HttpReqCnt,
    Data::HttpReqRate,
    Data::HttpErrCnt,
    Data::HttpErrRate,
    Data::BytesInCnt,
    Data::BytesInRate,
    Data::BytesOutCnt,
    Data::BytesOutRate,
    Data::Gpc1,
    Data::Gpc1Rate,
    Data::HttpFailCnt,
    Data::HttpFailRate,
    Data::Gpt,
    Data::Gpc,
    Data::GpcRate,
];

/// At most so many filters in one command, as in HAProxy.
const MOST_FILTERS: usize = 4;

/// Which entries are shown.
enum Filter {
    Data(Data, Operator, u64),
    Key(String),
}

#[derive(Clone, Copy)]
enum Operator {
    Equal,
    NotEqual,
    AtMost,
    AtLeast,
    Less,
    Greater,
}

pub(super) fn show(asked: &Asked<'_>) -> Answer {
    let arguments = asked.arguments.to_vec();
    Answer::of(move |snapshot| match &*arguments {
        [] => all(&snapshot),
        [name, filters @ ..] => one(&snapshot, name, filters),
    })
}

fn all(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    // The last one first, as in HAProxy.
    for plan in snapshot.plan.tables.iter().rev() {
        if let Some(table) = snapshot.tables.get(&plan.name) {
            head(plan.name.as_str(), table, &mut text);
        }
    }
    text
}

fn one(snapshot: &Snapshot, name: &str, filters: &[String]) -> String {
    let mut plans = snapshot.plan.tables.iter();
    let found = plans.find(|plan| plan.name.as_str() == name);
    let found = found.and_then(|plan| Some((plan, snapshot.tables.get(&plan.name)?)));
    let Some((plan, table)) = found else {
        return "No such table\n".to_owned();
    };
    let filters = match filters_of(filters, &plan.store) {
        Ok(filters) => filters,
        Err(why) => return why,
    };
    let store: Vec<Stored> = ORDER
        .iter()
        .filter_map(|data| plan.store.iter().find(|stored| stored.data == *data))
        .copied()
        .collect();
    let entries = table.list(&store, clock::now());
    let mut text = String::new();
    let by_key = filters
        .iter()
        .any(|filter| matches!(filter, Filter::Key(_)));
    let mut shown = entries
        .iter()
        .filter(|entry| filters.iter().all(|filter| filter.takes(entry, table)))
        .peekable();
    if !by_key || shown.peek().is_some() {
        head(name, table, &mut text);
    }
    for entry in shown {
        line(entry, table, &mut text);
    }
    text
}

fn head(name: &str, table: &Arc<Table>, text: &mut String) {
    let kind = match table.key_type() {
        KeyType::Ip => "ipv6",
        KeyType::Ipv4 => "ip",
        KeyType::Integer => "integer",
        KeyType::String(_) => "string",
        KeyType::Binary(_) => "binary",
    };
    let (size, used) = (table.size(), table.used(clock::now()));
    let _ = writeln!(
        text,
        "# table: {name}, type: {kind}, size:{size}, used:{used}"
    );
}

fn line(entry: &Listed, table: &Table, text: &mut String) {
    let (place, key) = (entry.place, table.shown_key(entry));
    let (trackers, expires) = (entry.trackers, entry.expires.unwrap_or(0));
    let _ = write!(
        text,
        "{:#x}: key={key} use={trackers} exp={expires} shard=0",
        place + 1
    );
    for (stored, elements) in &entry.data {
        let period = match stored.data.kind().is_rate() {
            true => format!("({})", stored.period.as_millis()),
            false => String::new(),
        };
        let name = stored.data.name();
        for (index, number) in elements.iter().enumerate() {
            let _ = match stored.data.kind().is_array() {
                true => write!(text, " {name}[{index}]{period}={number}"),
                false => write!(text, " {name}{period}={number}"),
            };
        }
    }
    text.push('\n');
}

/// The filters that are written.
///
/// # Errors
///
/// HAProxy's sentence about what is wrong.
fn filters_of(words: &[String], store: &[Stored]) -> Result<Vec<Filter>, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["key"] => return Err("Key value expected\n".to_owned()),
        ["key", key, ..] => return Ok(vec![Filter::Key(key.to_owned())]),
        _ => {}
    }
    let mut filters = Vec::new();
    for (index, filter) in words.chunks(3).enumerate() {
        let number = index + 1;
        let Some(name) = filter[0]
            .strip_prefix("data.")
            .filter(|_| index < MOST_FILTERS)
        else {
            return Err(
                "Optional argument only supports \"data.<store_data_type>\" <operator> <value> and \
                 key <key>\n"
                    .to_owned(),
            );
        };
        let Some(data) = Data::named(name) else {
            return Err(format!("Filter entry #{number}: Unknown data type\n"));
        };
        if !store.iter().any(|stored| stored.data == data) {
            return Err(format!(
                "Filter entry #{number}: Data type not stored in this table\n"
            ));
        }
        let operator = match filter.get(1) {
            Some(&"eq") => Operator::Equal,
            Some(&"ne") => Operator::NotEqual,
            Some(&"le") => Operator::AtMost,
            Some(&"ge") => Operator::AtLeast,
            Some(&"lt") => Operator::Less,
            Some(&"gt") => Operator::Greater,
            _ => {
                return Err(format!(
                    "Filter entry #{number}: Require and operator among \"eq\", \"ne\", \"le\", \"ge\", \
                     \"lt\", \"gt\"\n"
                ));
            }
        };
        let Some(value) = filter.get(2).and_then(|value| value.parse().ok()) else {
            return Err(format!(
                "Filter entry #{number}: Require a valid integer value to compare against\n"
            ));
        };
        filters.push(Filter::Data(data, operator, value));
    }
    Ok(filters)
}

impl Filter {
    fn takes(&self, entry: &Listed, table: &Table) -> bool {
        match self {
            Self::Key(key) => {
                let same = table.shown_key(entry);
                let mapped = match table.key_type() {
                    KeyType::Ip => key.parse().ok().map(|addr: std::net::IpAddr| match addr {
                        std::net::IpAddr::V4(addr) => addr.to_ipv6_mapped().to_string(),
                        std::net::IpAddr::V6(addr) => addr.to_string(),
                    }),
                    _ => None,
                };
                same == *mapped.as_ref().unwrap_or(key)
            }
            Self::Data(data, operator, value) => {
                entry.first(*data).is_some_and(|found| match operator {
                    Operator::Equal => found == *value,
                    Operator::NotEqual => found != *value,
                    Operator::AtMost => found <= *value,
                    Operator::AtLeast => found >= *value,
                    Operator::Less => found < *value,
                    Operator::Greater => found > *value,
                })
            }
        }
    }
}
