//! Comparisons of a text with others that have a list, the flag `-i`, or no other form:
//! `path starts_with ["/a", "/b"]`, `req.hdr(host) has_domain -i "a.example"`.

use std::ops::Range;
use std::sync::Arc;

use crate::base::quote::beginning;
use crate::plan::expr::{
    Condition, Expr, List, ListSource, MapKeys, Matching, Pattern, Type, Values,
};

use super::cursor::Cursor;
use super::expr::noun;
use super::list::{check_text, list_for};
use super::right_side::wrong_operator;
use super::{Files, Mistake};

const WORDS: [(&str, MapKeys); 6] = [
    ("starts_with", MapKeys::Beginnings),
    ("ends_with", MapKeys::Ends),
    ("contains", MapKeys::Parts),
    ("has_dir", MapKeys::Directories),
    ("has_domain", MapKeys::Domains),
    ("matches", MapKeys::Patterns),
];

/// Takes `-i`, which only texts have; returns whether it is there.
pub(super) fn take_flag(cursor: &mut Cursor<'_>, left: &Expr) -> Result<bool, Mistake> {
    cursor.skip_space();
    let part = cursor.next_part();
    if !cursor.take_word("-i") {
        return Ok(false);
    }
    match left.compares_as() {
        Type::Text | Type::Bytes | Type::Any => Ok(true),
        other => Err(Mistake::new(
            part,
            format!("`-i` is for texts, and `{left}` yields {}", noun(other)),
            "leave `-i` out",
        )),
    }
}

/// Reads the comparison of `left` that comes next; `None`, and nothing is read: it is one with a
/// single value and without a flag, or none at all. `operator` is the range of the next word.
pub(super) fn matching(
    cursor: &mut Cursor<'_>,
    left: &Expr,
    operator: &Range<usize>,
    files: &mut dyn Files,
) -> Result<Option<Condition>, Mistake> {
    let word = cursor.word();
    let Some((_, keys)) = WORDS.iter().find(|(known, _)| *known == word) else {
        return Ok(None);
    };
    let is_possible = match left.compares_as() {
        Type::Bool => false,
        // Regular expressions see the text of a number or an address.
        Type::Int | Type::Ip => *keys == MapKeys::Patterns,
        Type::Text | Type::Bytes | Type::Any => true,
    };
    if !is_possible {
        return Err(wrong_operator(left, word, operator.clone()));
    }
    let before = cursor.clone();
    cursor.take_word(word);
    let matching = Matching {
        keys: *keys,
        ignores_case: take_flag(cursor, left)?,
    };
    cursor.skip_space();
    let list = if matches!(cursor.peek(), Some('[' | '@')) {
        list_for(cursor, left, files, Some(matching))?
    } else if matching.ignores_case || matches!(keys, MapKeys::Directories | MapKeys::Domains) {
        only_text(cursor, word, matching)?
    } else {
        *cursor = before;
        return Ok(None);
    };
    Ok(Some(Condition::MatchesOneOf(left.clone(), matching, list)))
}

/// The text after `sign` as a list of one.
pub(super) fn only_text(
    cursor: &mut Cursor<'_>,
    sign: &str,
    matching: Matching,
) -> Result<List, Mistake> {
    cursor.skip_space();
    let Some((text, part)) = cursor.string()? else {
        return Err(Mistake::new(
            cursor.next_part(),
            format!("no text in quotes follows `{sign}`"),
            format!("write `{sign} \"a\"`, or a list: `[\"a\", \"b\"]`"),
        ));
    };
    check_text(&text, matching).map_err(|(why, help)| Mistake::new(part, why, help))?;
    Ok(List {
        source: ListSource::Condition,
        values: Arc::new(Values::Texts(vec![text])),
    })
}

/// Reads the regular expression after `matches`, for `left`.
pub(super) fn pattern(cursor: &mut Cursor<'_>, left: Expr) -> Result<Condition, Mistake> {
    cursor.skip_space();
    let Some((text, part)) = cursor.string()? else {
        let (bare, part) = cursor.bare();
        let example = match bare {
            "" => "^/item/[0-9]+$".into(),
            bare => beginning(bare),
        };
        return Err(Mistake::new(
            part,
            "no regular expression in quotes follows `matches`",
            format!("write `matches {:?}`", &*example),
        ));
    };
    let pattern = Pattern::new(&text)
        .map_err(|why| Mistake::new(part, why, "https://docs.rs/regex has the syntax"))?;
    Ok(Condition::Matches(left, pattern))
}
