//! Holds the table of actions in `conf/reference/rules.md` to the entries of the keys of rules.
//!
//! The page is written by hand but for this table. `EVENKEEL_BLESS=1 cargo test` writes it.

use std::path::Path;
use std::{env, fmt::Write as _, fs};

use crate::plan::On;

use super::RULE;

/// Stands before and after the table.
const BEGIN: &str = "<!-- From here on, the table is written from src/config/keys/rule/mod.rs: EVENKEEL_BLESS=1 cargo test -->\n";
const END: &str = "<!-- End of the table -->\n";

fn table() -> String {
    let mut table = String::from("| key | on | what it does |\n|---|---|---|\n");
    for info in RULE.keys.iter().map(|key| &key.info) {
        let on = match info.parts {
            [On::Request, On::Response, On::After] => "all".to_owned(),
            parts => {
                let words: Vec<&str> = parts.iter().map(|on| word(*on)).collect();
                words.join(", ")
            }
        };
        for (form, does) in info.forms {
            writeln!(table, "| `{form}` | {on} | {does} |").expect("text");
        }
    }
    table
}

fn word(on: On) -> &'static str {
    match on {
        On::Request => "request",
        On::Response => "response",
        On::After => "after",
    }
}

#[test]
fn the_page_of_rules_has_the_actions_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/reference/rules.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the table begins");
    let (found, after) = rest.split_once(END).expect("the table ends");
    if env::var_os("EVENKEEL_BLESS").is_some() {
        let page = format!("{before}{BEGIN}{}{END}{after}", table());
        fs::write(&path, page).expect("the page can be written");
        return;
    }
    assert_eq!(
        found,
        table(),
        "run EVENKEEL_BLESS=1 cargo test to write the table anew"
    );
}

#[test]
fn every_key_of_a_rule_is_an_action_with_rows_in_the_reference_or_about_all_actions() {
    for info in RULE.keys.iter().map(|key| &key.info) {
        let is_action = !matches!(info.name, "on" | "when");
        assert_eq!(is_action, !info.parts.is_empty(), "{}", info.name);
        assert_eq!(is_action, !info.forms.is_empty(), "{}", info.name);
        let starts = info
            .forms
            .iter()
            .all(|(form, _)| form.starts_with(info.name));
        assert!(starts, "{}", info.name);
    }
}
