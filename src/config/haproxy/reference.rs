//! Holds the tables of words in `conf/reference/haproxy.md` to those that the readers of lines use.
//!
//! `EVENKEEL_BLESS=1 cargo test` writes them.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use super::option::{Effect, OPTIONS};
use super::{bind, global, old, proxy, rule, server};

const BEGIN: &str = "<!-- From here on, the tables are written from src/config/haproxy: EVENKEEL_BLESS=1 cargo test -->\n";
const END: &str = "<!-- End of the tables -->\n";

type Rows = Vec<(&'static str, &'static str, &'static str)>;

fn rows(words: &[(&'static str, &'static str)], verdict: &'static str) -> Rows {
    let rows = words.iter();
    rows.map(|(word, what)| (*word, verdict, *what)).collect()
}

fn tables() -> String {
    let mut text = String::new();
    let mut table = |title: &str, mut rows: Rows| {
        rows.sort_unstable();
        writeln!(
            text,
            "\n### {title}\n\n| word | verdict | what |\n|---|---|---|"
        )
        .expect("text");
        for (word, verdict, what) in rows {
            writeln!(text, "| `{word}` | {verdict} | {what} |").expect("text");
        }
    };
    let mut all = rows(global::WITHOUT_EFFECT, "without effect");
    all.extend(rows(global::APPROXIMATED, "approximated"));
    all.extend(rows(global::REFUSED, "refused"));
    table("`global`", all);
    let mut all = rows(proxy::WITHOUT_EFFECT, "without effect");
    all.extend(rows(proxy::REFUSED, "refused"));
    let same = proxy::READ.iter().chain(proxy::SETTINGS);
    let same = same.chain(proxy::ERRORS).chain(old::KEYWORDS);
    all.extend(rows(proxy::APPROXIMATED, "approximated"));
    all.extend(same.map(|word| (*word, "read", "")));
    table("`defaults`, `frontend`, `backend`, `listen`", all);
    let options = OPTIONS.iter().map(|(name, effect)| match effect {
        Effect::Read => (*name, "read", ""),
        Effect::Same => (*name, "the same", "in any case"),
        Effect::Approximated(what) => (*name, "approximated", *what),
        Effect::Without(why) => (*name, "without effect", *why),
        Effect::Refused(instead) => (*name, "refused", *instead),
    });
    table("`option`", options.collect());
    let tuning = |words: &'static [(&'static str, bool)]| {
        let words = words.iter();
        words.map(|(word, _)| (*word, "without effect", "tuning"))
    };
    let mut all: Rows = tuning(bind::TUNING).collect();
    all.extend(bind::REFUSED.iter().map(|word| (*word, "refused", "")));
    all.extend(bind::OWN.iter().map(|word| (*word, "read", "")));
    table("`bind`", all);
    let mut all: Rows = tuning(server::TUNING).collect();
    all.extend(rows(server::REFUSED, "refused"));
    all.extend(server::OWN.iter().map(|word| (*word, "read", "")));
    table("`server`", all);
    let actions = rule::ACTIONS
        .iter()
        .map(|action| match rule::REFUSED.contains(action) {
            true => (*action, "refused", ""),
            false => (*action, "read", ""),
        });
    table("Actions of rules", actions.collect());
    text
}

#[test]
fn the_page_about_haproxys_files_has_the_words_of_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/reference/haproxy.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the tables begin");
    let (found, after) = rest.split_once(END).expect("the tables end");
    if env::var_os("EVENKEEL_BLESS").is_some() {
        let page = format!("{before}{BEGIN}{}{END}{after}", tables());
        fs::write(&path, page).expect("the page can be written");
        return;
    }
    assert_eq!(
        found,
        tables(),
        "run EVENKEEL_BLESS=1 cargo test to write the tables anew"
    );
}

#[test]
fn no_word_has_two_verdicts() {
    let text = tables();
    for table in text.split("\n### ") {
        let mut words: Vec<&str> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count, "{table}");
    }
}
