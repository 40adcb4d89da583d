//! Conditions that can never hold, as far as their text shows it.
//!
//! A comparison with a value that the expression cannot yield (`method == "get"`), and two demands on one
//! value that exclude each other (`method == "GET" and method == "PUT"`). Others go unnoticed.

use crate::plan::expr::{
    Comparison, Condition, Converter, Expr, Fetch, Literal, Operand, Type, Values,
};

/// Only so many parts of one condition are compared with each other: longer conditions are
/// generated lists.
const MOST_COMPARED: usize = 64;

/// A part that never holds, and what to write instead.
pub(super) struct Impossible {
    pub(super) what: String,
    pub(super) help: String,
}

/// The first part of `condition` that never holds.
pub(super) fn impossible(condition: &Condition) -> Option<Impossible> {
    match condition {
        Condition::Any(parts) => parts.iter().find_map(impossible),
        Condition::All(parts) => parts
            .iter()
            .find_map(impossible)
            .or_else(|| contradiction(parts)),
        Condition::Not(inner) => impossible(inner),
        Condition::Holds(_)
        | Condition::Found(_)
        | Condition::Matches(..)
        | Condition::MatchesOneOf(..) => None,
        Condition::Compares(left, comparison, Operand::Literal(Literal::Text(text))) => {
            let is_start = match comparison {
                Comparison::Equal | Comparison::StartsWith => true,
                Comparison::EndsWith | Comparison::Contains => false,
                _ => return None,
            };
            never(left, text, is_start).map(|help| Impossible {
                what: condition.to_string(),
                help,
            })
        }
        Condition::Compares(..) => None,
        Condition::In(left, list) => match &*list.values {
            // A list may have superfluous values; it is a mistake if none of its values is
            // possible.
            Values::Texts(texts) => {
                let mut helps = texts.iter().map(|text| never(left, text, true));
                let first = helps.next()??;
                helps.all(|help| help.is_some()).then(|| Impossible {
                    what: condition.to_string(),
                    help: first,
                })
            }
            Values::Ranges(_) | Values::Networks(_) => None,
        },
    }
}

/// Two of `parts` that exclude each other; all of `parts` must hold.
fn contradiction(parts: &[Condition]) -> Option<Impossible> {
    let parts = &parts[..parts.len().min(MOST_COMPARED)];
    for (index, one) in parts.iter().enumerate() {
        for other in &parts[index + 1..] {
            if excludes(one, other) || excludes(other, one) {
                return Some(Impossible {
                    what: format!("{one} and {other}"),
                    help: "write `or` between them, or leave one out".to_owned(),
                });
            }
        }
    }
    None
}

fn excludes(one: &Condition, other: &Condition) -> bool {
    if let Condition::Not(inner) = other
        && **inner == *one
    {
        return true;
    }
    let (
        Condition::Compares(left, Comparison::Equal, Operand::Literal(value)),
        Condition::Compares(right, Comparison::Equal, Operand::Literal(other)),
    ) = (one, other)
    else {
        return false;
    };
    // If there are several values, one may equal this and another that. A network may contain
    // another one.
    let is_one_value = !left.has_many() && left.compares_as() != Type::Ip;
    is_one_value && left == right && value != other
}

/// What to write where `left` is never `text`, or never begins with it.
fn never(left: &Expr, text: &str, is_start: bool) -> Option<String> {
    let last = left.converters.last().map(|last| last.converter);
    let is_plain = |fetch| left.fetch == fetch && left.converters.is_empty();
    let instead = |text: &str| Some(format!("write {text:?}"));
    match last {
        Some(Converter::Lower) if text.chars().any(|c| c.is_ascii_uppercase()) => {
            instead(&text.to_ascii_lowercase())
        }
        Some(Converter::Upper) if text.chars().any(|c| c.is_ascii_lowercase()) => {
            instead(&text.to_ascii_uppercase())
        }
        None if is_plain(Fetch::SslFcSni) && text.chars().any(|c| c.is_ascii_uppercase()) => {
            instead(&text.to_ascii_lowercase())
        }
        None if is_plain(Fetch::Method) && is_lower_method(text) => {
            instead(&text.to_ascii_uppercase())
        }
        // `*` is the path of a request about the server itself.
        None if (is_plain(Fetch::Path) || is_plain(Fetch::Pathq))
            && is_start
            && !text.is_empty()
            && !text.starts_with(['/', '*']) =>
        {
            Some(format!(
                "a path begins with `/`: write {:?}",
                format!("/{text}")
            ))
        }
        _ => None,
    }
}

/// Methods are case-sensitive: clients do not send `get`.
fn is_lower_method(text: &str) -> bool {
    let known = ["get", "head", "post", "put", "delete", "patch", "options"];
    let folded = text.to_ascii_lowercase();
    known.contains(&folded.as_str()) && text.chars().any(|c| c.is_ascii_lowercase())
}
