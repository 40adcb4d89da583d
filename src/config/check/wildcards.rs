//! `*` in conditions that compare texts: it is a plain character there, and in `path` and `host` of a route it is not.

use crate::plan::expr::{
    Argument, Comparison, Condition, Expr, Fetch, Literal, MapKeys, Operand, Values,
};

/// A text that is hardly meant as it is, and what to write instead.
pub(super) struct Wildcard {
    pub(super) text: String,
    pub(super) help: String,
}

/// The first text of `condition` with a `*` that is most likely meant for any characters.
pub(super) fn wildcard(condition: &Condition) -> Option<Wildcard> {
    match condition {
        Condition::Any(parts) | Condition::All(parts) => parts.iter().find_map(wildcard),
        Condition::Not(inner) => wildcard(inner),
        Condition::Compares(left, comparison, Operand::Literal(Literal::Text(text))) => {
            compared(left, *comparison, text)
        }
        Condition::In(left, list) => match &*list.values {
            Values::Texts(texts) => texts
                .iter()
                .find_map(|text| compared(left, Comparison::Equal, text)),
            Values::Ranges(_) | Values::Networks(_) => None,
        },
        Condition::MatchesOneOf(left, matching, list) => {
            let comparison = match matching.keys {
                MapKeys::Whole => Comparison::Equal,
                MapKeys::Beginnings => Comparison::StartsWith,
                MapKeys::Ends => Comparison::EndsWith,
                _ => return None,
            };
            match &*list.values {
                Values::Texts(texts) => texts
                    .iter()
                    .find_map(|text| compared(left, comparison, text)),
                Values::Ranges(_) | Values::Networks(_) => None,
            }
        }
        Condition::Compares(..)
        | Condition::Holds(_)
        | Condition::Found(_)
        | Condition::Matches(..) => None,
    }
}

fn compared(left: &Expr, comparison: Comparison, text: &str) -> Option<Wildcard> {
    let (instead, fixed) = if looks_at_path(left) && starts(comparison) {
        ("starts_with", text.strip_suffix('*')?)
    } else if looks_at_host(left) && ends(comparison) {
        ("ends_with", text.strip_prefix('*')?)
    } else {
        return None;
    };
    let not = match comparison {
        Comparison::NotEqual => "not ",
        _ => "",
    };
    // `*` alone is the path of a request about the server itself.
    (!fixed.is_empty()).then(|| Wildcard {
        text: text.to_owned(),
        help: format!("write `{not}{left} {instead} {fixed:?}`"),
    })
}

fn starts(comparison: Comparison) -> bool {
    matches!(
        comparison,
        Comparison::Equal | Comparison::NotEqual | Comparison::StartsWith
    )
}

fn ends(comparison: Comparison) -> bool {
    matches!(
        comparison,
        Comparison::Equal | Comparison::NotEqual | Comparison::EndsWith
    )
}

fn looks_at_path(left: &Expr) -> bool {
    matches!(left.fetch, Fetch::Path | Fetch::Pathq)
}

fn looks_at_host(left: &Expr) -> bool {
    let is_host = |argument: &Argument| argument.to_string() == "host";
    match left.fetch {
        Fetch::SslFcSni => true,
        Fetch::ReqHdr => left.arguments.first().is_some_and(is_host),
        _ => false,
    }
}
