//! `show stat`: frontends, backends and servers in HAProxy's columns.

use crate::expr::State as _;
use crate::observe::statistics::{self, Kind, Row, rows};

use super::{Answer, Asked};

/// Which rows are shown.
struct Choice {
    /// The name of a proxy, or its number; `None`: all.
    proxy: Option<String>,
    /// 1: frontends, 2: backends, 4: servers; their sum.
    kinds: i64,
    /// Negative: all.
    server: i64,
    is_up: bool,
}

pub(super) fn show(asked: &Asked<'_>) -> Answer {
    let mut words = asked.arguments;
    if let ["domain", domain, rest @ ..] = &*words.iter().map(String::as_str).collect::<Vec<_>>() {
        match *domain {
            "proxy" => words = &words[words.len() - rest.len()..],
            // There are none of resolvers.
            "resolvers" => return Answer::text(""),
            _ => return Answer::text("Invalid statistics domain.\n"),
        }
    }
    let mut choice = Choice {
        proxy: None,
        kinds: -1,
        server: -1,
        is_up: false,
    };
    if let [proxy, kinds, server, rest @ ..] = words {
        let number = |word: &str| word.parse().unwrap_or(0_i64);
        choice.proxy = (number(proxy) >= 0).then(|| proxy.clone());
        (choice.kinds, choice.server) = (number(kinds), number(server));
        words = rest;
    }
    let has = |word: &str| words.iter().any(|known| known == word);
    choice.is_up = has("up");
    let (is_json, is_typed) = (has("json"), has("typed"));
    Answer::of(move |snapshot| {
        let rows = rows(&snapshot.figures(), &[]);
        if let Some(proxy) = &choice.proxy
            && !rows.iter().any(|row| is_of(row, proxy))
            && proxy.parse::<i64>().map_or(true, |number| number == 0)
        {
            return "No such proxy.\n".to_owned();
        }
        let rows: Vec<Row> = rows.into_iter().filter(|row| choice.takes(row)).collect();
        match (is_json, is_typed) {
            (true, _) => statistics::write_json(&rows),
            (false, true) => statistics::write_typed(&rows),
            (false, false) => statistics::write_csv(&rows),
        }
    })
}

fn is_of(row: &Row, proxy: &str) -> bool {
    row.proxy == proxy || row.proxy_number.to_string() == proxy
}

impl Choice {
    fn takes(&self, row: &Row) -> bool {
        let kind = match row.kind {
            Kind::Frontend => 1,
            Kind::Backend => 2,
            Kind::Server => 4,
        };
        let is_down = row.shown("status").starts_with("DOWN");
        self.proxy.as_ref().is_none_or(|proxy| is_of(row, proxy))
            && self.kinds & kind != 0
            && (self.server < 0
                || row.kind != Kind::Server
                || row.shown("sid") == self.server.to_string())
            && !(self.is_up && is_down)
    }
}
