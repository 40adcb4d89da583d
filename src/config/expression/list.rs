//! Lists after `in`: written in the condition, or in a file with one value a line.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use ipnet::IpNet;

use crate::base::quote::beginning;
use crate::plan::expr::{
    Expr, List, ListSource, MapKeys, Matching, Pattern, Type, Values, map_range,
};

use super::cursor::Cursor;
use super::{Files, Mistake, lines};

/// Reads the list that comes next; its values have the type that `expr` yields.
pub(super) fn list(
    cursor: &mut Cursor<'_>,
    expr: &Expr,
    files: &mut dyn Files,
) -> Result<List, Mistake> {
    list_for(cursor, expr, files, None)
}

/// The same for `matching`, for which all values are texts.
pub(super) fn list_for(
    cursor: &mut Cursor<'_>,
    expr: &Expr,
    files: &mut dyn Files,
    matching: Option<Matching>,
) -> Result<List, Mistake> {
    cursor.skip_space();
    for (word, form) in [("@file", Form::Values), ("@map", Form::Keys)] {
        if cursor.take(word) {
            return from_file(cursor, (word, form), expr, files, matching);
        }
    }
    let open = cursor.at();
    if !cursor.take("[") {
        return Err(Mistake::new(
            cursor.next_part(),
            "no list follows `in`",
            "write `in [\"a\", \"b\"]` or `in @file(\"list.txt\")`",
        ));
    }
    let mut values = empty(type_for(expr, matching));
    loop {
        cursor.skip_space();
        if cursor.take("]") {
            break;
        }
        if cursor.is_at_end() {
            return Err(Mistake::new(
                open..open + 1,
                "the list is not closed",
                "write `]` after its last value",
            ));
        }
        let before = cursor.at();
        value(cursor, expr, &mut values)?;
        if let (Some(matching), Values::Texts(texts)) = (matching, &values)
            && let Some(text) = texts.last()
        {
            check_text(text, matching)
                .map_err(|(why, help)| Mistake::new(before..cursor.at(), why, help))?;
        }
        cursor.skip_space();
        if !cursor.take(",") && cursor.peek().is_some_and(|next| next != ']') {
            return Err(Mistake::new(
                cursor.next_part(),
                "a comma is missing here",
                "write commas between the values of a list",
            ));
        }
    }
    if length(&values) == 0 {
        return Err(Mistake::new(
            open..cursor.at(),
            "the list is empty, so the condition would never hold",
            "write its values, or leave the condition out",
        ));
    }
    Ok(List {
        source: ListSource::Condition,
        values: Arc::new(values),
    })
}

/// The type of the values: a relation of texts sees the text of a number or an address.
fn type_for(expr: &Expr, matching: Option<Matching>) -> Type {
    match matching {
        Some(_) => Type::Text,
        None => expr.compares_as(),
    }
}

fn empty(of: Type) -> Values {
    match of {
        Type::Int => Values::Ranges(Vec::new()),
        Type::Ip => Values::Networks(Vec::new()),
        Type::Text | Type::Bytes | Type::Bool | Type::Any => Values::Texts(Vec::new()),
    }
}

fn length(values: &Values) -> usize {
    match values {
        Values::Texts(texts) => texts.len(),
        Values::Ranges(ranges) => ranges.len(),
        Values::Networks(networks) => networks.len(),
    }
}

/// Reads the value that comes next and appends it to `values`.
fn value(cursor: &mut Cursor<'_>, expr: &Expr, values: &mut Values) -> Result<(), Mistake> {
    let wrong = |part: Range<usize>, expected: &str, help: &str| {
        Mistake::new(
            part,
            format!("`{expr}` yields {expected}, so each value of the list must be {expected}"),
            help,
        )
    };
    match values {
        Values::Ranges(ranges) => {
            let numbers = "write numbers without quotes: `[80, 8000:8010]`";
            let part = cursor.next_part();
            let (first, is_open) = match cursor.integer()? {
                Some((first, _)) => (first, false),
                // `:1023` and `1024:` have no other end.
                None if cursor.peek() == Some(':') => (i64::MIN, true),
                None => return Err(wrong(value_part(cursor)?, "a number", numbers)),
            };
            let last = match cursor.take(":") {
                false => first,
                true => match cursor.integer()? {
                    Some((last, _)) => last,
                    None if !is_open && matches!(cursor.peek(), Some(',' | ']' | ' ')) => i64::MAX,
                    None => return Err(wrong(cursor.next_part(), "a number", numbers)),
                },
            };
            if last < first {
                return Err(Mistake::new(
                    part.start..cursor.at(),
                    format!("the range {first}:{last} is empty"),
                    format!("write `{last}:{first}`"),
                ));
            }
            ranges.push((first, last));
        }
        Values::Networks(networks) => match cursor.string()? {
            Some((text, part)) => networks.push(network(&text, part)?),
            None => {
                let addresses = "write addresses and networks in quotes: `[\"10.0.0.0/8\"]`";
                return Err(wrong(cursor.next_part(), "an address", addresses));
            }
        },
        Values::Texts(texts) => match cursor.string()? {
            Some((text, _)) => texts.push(text),
            None => {
                let texts = "write texts in quotes: `[\"a\", \"b\"]`";
                return Err(wrong(cursor.next_part(), "a text", texts));
            }
        },
    }
    Ok(())
}

/// The range of the value that comes next, whatever its type, for a message.
fn value_part(cursor: &mut Cursor<'_>) -> Result<Range<usize>, Mistake> {
    match cursor.string()? {
        Some((_, part)) => Ok(part),
        None => Ok(cursor.next_part()),
    }
}

/// Parses an address or a network.
///
/// # Errors
///
/// `text` is neither, or it has bits set after the prefix of the network.
pub(super) fn network(text: &str, part: Range<usize>) -> Result<IpNet, Mistake> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let Ok(network) = network else {
        return Err(Mistake::new(
            part,
            format!(
                "{:?} is neither an IP address nor a network",
                beginning(text)
            ),
            "write an address (`\"192.0.2.1\"`) or a network (`\"10.0.0.0/8\"`)",
        ));
    };
    if network.trunc() != network {
        return Err(Mistake::new(
            part,
            format!(
                "{text:?} has bits set after its first {}",
                network.prefix_len()
            ),
            format!(
                "write `\"{}\"`, or one address without `/`",
                network.trunc()
            ),
        ));
    }
    Ok(network)
}

/// What of each line of a file is a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The line.
    Values,
    /// Its key: the file is one of a map.
    Keys,
}

/// What is wrong with `text` as a text of `matching`, and what to write instead.
pub(super) fn check_text(text: &str, matching: Matching) -> Result<(), (String, String)> {
    if matching.keys != MapKeys::Patterns {
        return Ok(());
    }
    let help = || "https://docs.rs/regex has the syntax".to_owned();
    Pattern::new(text).map(drop).map_err(|why| (why, help()))
}

/// Reads the rest of `@file("…")` or `@map("…")`, after the word.
fn from_file(
    cursor: &mut Cursor<'_>,
    (word, form): (&str, Form),
    expr: &Expr,
    files: &mut dyn Files,
    matching: Option<Matching>,
) -> Result<List, Mistake> {
    let open = cursor.at();
    let usage = format!("write `{word}(\"list.txt\")`");
    let path = match cursor.take("(") {
        true => cursor.string()?,
        false => None,
    };
    let Some((written, part)) = path else {
        let message = format!("`{word}` needs a path in quotes");
        return Err(Mistake::new(cursor.next_part(), message, usage));
    };
    if !cursor.take(")") {
        let message = "the parenthesis is not closed";
        return Err(Mistake::new(open..open + 1, message, usage));
    }
    let (path, text) = files.read(&written).map_err(|why| {
        let help = "a relative path begins at the directory of the file that it is written in";
        Mistake::new(part.clone(), format!("cannot read the list: {why}"), help)
    })?;
    let mut values = empty(type_for(expr, matching));
    lines::each((&path, &text), &part, |line| {
        let line = match form {
            Form::Values => line,
            Form::Keys => line.split([' ', '\t']).next().unwrap_or_default(),
        };
        matching.map_or(Ok(()), |matching| check_text(line, matching))?;
        push_line(line, &mut values)
    })?;
    Ok(List {
        source: match form {
            Form::Values => ListSource::File(path),
            Form::Keys => ListSource::Map(path),
        },
        values: Arc::new(values),
    })
}

/// Appends the value on `line` to `values`; a mistake is a message and what to write instead.
fn push_line(line: &str, values: &mut Values) -> Result<(), (String, String)> {
    match values {
        Values::Texts(texts) => texts.push(line.to_owned()),
        Values::Networks(networks) => {
            networks.push(network(line, 0..0).map_err(|mistake| (mistake.message, mistake.help))?)
        }
        Values::Ranges(ranges) => match map_range(line) {
            Some(range) => ranges.push(range),
            None => {
                let line = beginning(line);
                let message = format!("{line:?} is neither a number nor a range of numbers");
                let help = "write `80`, `8000:8010`, `:79` or `8000:`";
                return Err((message, help.to_owned()));
            }
        },
    }
    Ok(())
}
