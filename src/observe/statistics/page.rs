//! The page for people: a table for each frontend and each backend, without script.

use std::fmt::Write as _;

use crate::base::clock::Duration;
use crate::plan::Stats;

use super::rows::{Kind, Row};

const STYLE: &str = "body{font:14px sans-serif;margin:1.5em}table{border-collapse:collapse;margin-bottom:1.5em}\
    th,td{border:1px solid #bbb;padding:.2em .6em;text-align:right}th{background:#eee}\
    td:first-child,th:first-child{text-align:left}.up{background:#cfc}.down{background:#fcc}.none{background:#eef}";

/// The columns that are shown, with their heads.
const SHOWN: &[(&str, &str)] = &[
    ("svname", "name"),
    ("status", "status"),
    ("lastchg", "for (s)"),
    ("qcur", "queue"),
    ("scur", "now"),
    ("slim", "limit"),
    ("stot", "total"),
    ("bin", "bytes in"),
    ("bout", "bytes out"),
    ("hrsp_1xx", "1xx"),
    ("hrsp_2xx", "2xx"),
    ("hrsp_3xx", "3xx"),
    ("hrsp_4xx", "4xx"),
    ("hrsp_5xx", "5xx"),
    ("dreq", "denied"),
    ("ereq", "bad requests"),
    ("econ", "connect errors"),
    ("eresp", "answer errors"),
    ("weight", "weight"),
    ("act", "active"),
    ("bck", "backup"),
    ("chkfail", "failed checks"),
    ("chkdown", "went down"),
    ("downtime", "down (s)"),
    ("last_chk", "last check"),
];

pub(crate) fn write(rows: &[Row], stats: &Stats, refresh: Option<Duration>) -> String {
    let mut text =
        String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    if let Some(refresh) = refresh {
        // Writing to a string does not fail, here and below.
        let seconds = refresh.as_secs().max(1);
        let _ = write!(text, "<meta http-equiv=\"refresh\" content=\"{seconds}\">");
    }
    let _ = write!(
        text,
        "<title>Statistics</title><style>{STYLE}</style></head><body><h1>"
    );
    match stats.hide_version {
        true => text.push_str("Evenkeel"),
        false => {
            let _ = write!(text, "Evenkeel {}", env!("CARGO_PKG_VERSION"));
        }
    }
    if let Some(title) = &stats.title {
        let _ = write!(text, ": {}", escaped(title));
    }
    text.push_str("</h1>\n<p>");
    let path = escaped(&stats.path);
    for (option, name) in [
        ("", "refresh"),
        (";norefresh", "keep"),
        (";csv", "CSV"),
        (";json", "JSON"),
    ] {
        let _ = write!(text, "<a href=\"{path}{option}\">{name}</a> ");
    }
    text.push_str("</p>\n");
    let mut rows = rows.iter().peekable();
    while let Some(row) = rows.next() {
        begin_table(row, &mut text);
        line(row, &mut text);
        // The servers of a backend and its sum.
        while row.kind != Kind::Frontend
            && let Some(next) = rows.next_if(|next| next.proxy_number == row.proxy_number)
        {
            line(next, &mut text);
        }
        text.push_str("</table>\n");
    }
    text.push_str("</body></html>\n");
    text
}

fn begin_table(row: &Row, text: &mut String) {
    let _ = write!(text, "<h2>{}</h2>\n<table><tr>", escaped(&row.proxy));
    for (_, head) in SHOWN {
        let _ = write!(text, "<th>{head}</th>");
    }
    text.push_str("</tr>\n");
}

fn line(row: &Row, text: &mut String) {
    let class = match row.shown("status").as_str() {
        "UP" | "OPEN" => "up",
        "DOWN" => "down",
        _ => "none",
    };
    let _ = write!(text, "<tr class=\"{class}\">");
    for (column, _) in SHOWN {
        let _ = write!(text, "<td>{}</td>", escaped(&row.shown(column)));
    }
    text.push_str("</tr>\n");
}

/// `text` in HTML, also in the value of an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::rows::fixture;
    use super::*;
    use crate::plan::StatsFormat;

    #[test]
    fn names_are_escaped_and_there_is_no_script() {
        let stats = Stats {
            path: "/stats\"".to_owned(),
            format: StatsFormat::Page,
            refresh: None,
            hide_version: true,
            title: Some("<b>".to_owned()),
            scope: Vec::new(),
        };
        let text = write(&fixture::rows(), &stats, Some(Duration::from_secs(5)));
        assert!(text.contains("<h2>web&lt;1&gt;</h2>"), "{text}");
        assert!(text.contains("<td>a,&quot;b&quot;</td>"), "{text}");
        assert!(text.contains("Evenkeel: &lt;b&gt;</h1>"), "{text}");
        assert!(text.contains("href=\"/stats&quot;;csv\""), "{text}");
        assert!(text.contains("content=\"5\""), "{text}");
        assert!(
            !text.contains("<script") && !text.contains("web<1>"),
            "{text}"
        );
        assert!(!text.contains(env!("CARGO_PKG_VERSION")), "{text}");
        let without = write(&fixture::rows(), &stats, None);
        assert!(!without.contains("http-equiv"), "{without}");
    }
}
