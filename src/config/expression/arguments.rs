//! The arguments of a fetch or a converter: split as HAProxy does, then parsed by the kind of each
//! parameter.
//!
//! An argument ends at a comma or at the closing parenthesis. In double or single quotes these have
//! no meaning. Outside of single quotes, a backslash escapes one of `\ " ' , ( )` or a space;
//! before any other character it stays. Space around an argument is dropped unless it is in quotes
//! or escaped.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use http::HeaderName;

use crate::base::quote::beginning;
use crate::base::{Name, Position};
use crate::config::suggest;
use crate::plan::expr::{Argument, JsonPath, Key, Kind, Parameter, Pattern, Scope, Variable};
use crate::plan::{
    BackendReference, FrontendReference, JwtAlgorithm, ServerReference, TableReference,
};

use super::cursor::Cursor;
use super::{Files, Mistake, map, signature_keys};

/// An argument as written.
struct Written {
    text: String,
    part: Range<usize>,
    /// Whether a part of it is in quotes or escaped: then it exists even if it is empty.
    is_quoted: bool,
}

/// An argument while it is read.
#[derive(Default)]
struct Unfinished {
    text: String,
    /// From the first to the last byte of `text` that is in quotes or escaped.
    quoted: Option<Range<usize>>,
}

/// Parses the arguments of `name`, which takes `parameters`.
pub(super) fn arguments(
    cursor: &mut Cursor<'_>,
    name: &str,
    name_part: &Range<usize>,
    parameters: &[Parameter],
    files: &mut dyn Files,
) -> Result<Vec<Argument>, Mistake> {
    let has_parentheses = cursor.peek() == Some('(');
    let written = match has_parentheses {
        true => split(cursor)?,
        false => Vec::new(),
    };
    // An empty text is a text, as in HAProxy.
    if name == "str" && has_parentheses && written.is_empty() {
        return Ok(vec![Argument::Text(String::new())]);
    }
    if let Some(surplus) = written.get(parameters.len()) {
        return Err(Mistake::new(
            surplus.part.clone(),
            match parameters.len() {
                0 => format!("`{name}` takes no arguments"),
                1 => format!("`{name}` takes one argument"),
                most => format!("`{name}` takes at most {most} arguments"),
            },
            format!("write `{}`", signature(name, parameters)),
        ));
    }
    let mut arguments = Vec::with_capacity(written.len());
    for (parameter, written) in parameters.iter().zip(&written) {
        arguments.push(match written.text.is_empty() && !written.is_quoted {
            true if parameter.is_optional => Argument::Omitted,
            true => return Err(missing(name, parameters, parameter, &written.part)),
            false => match parameter.kind {
                Kind::Map(keys, values) => {
                    map::read(&written.text, &written.part, (keys, values), files)?
                }
                Kind::SignatureKeys => {
                    let algorithm = arguments.last();
                    signature_keys::read(&written.text, &written.part, algorithm, files)?
                }
                _ => typed(written, parameter, cursor.written_at())?,
            },
        });
    }
    let rest = parameters.iter().skip(arguments.len());
    if let Some(parameter) = rest.into_iter().find(|parameter| !parameter.is_optional) {
        return Err(missing(name, parameters, parameter, name_part));
    }
    while arguments.last() == Some(&Argument::Omitted) {
        arguments.pop();
    }
    if name == "be2hex" && lacks_size(&arguments) {
        return Err(Mistake::new(
            name_part.clone(),
            "`be2hex` needs a `size` from 1 on if it has another argument".to_owned(),
            format!("write `{}`", signature(name, parameters)),
        ));
    }
    Ok(arguments)
}

/// Whether `be2hex` says how chunks are written, and not how long they are: as in HAProxy, a mistake.
fn lacks_size(arguments: &[Argument]) -> bool {
    let has_size = matches!(arguments.get(1), Some(Argument::Int(1..)));
    let has_separator = matches!(arguments.first(), Some(Argument::Text(text)) if !text.is_empty());
    let truncates = matches!(arguments.get(2), Some(Argument::Int(1..)));
    !has_size && (has_separator || truncates)
}

fn missing(
    name: &str,
    parameters: &[Parameter],
    parameter: &Parameter,
    part: &Range<usize>,
) -> Mistake {
    Mistake::new(
        part.clone(),
        format!("`{name}` needs its argument `{}`", parameter.name),
        format!("write `{}`", signature(name, parameters)),
    )
}

/// `field(index,delimiters[,count])`
pub(super) fn signature(name: &str, parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return name.to_owned();
    }
    let mut text = format!("{name}(");
    let mut open = 0;
    for (index, parameter) in parameters.iter().enumerate() {
        if parameter.is_optional {
            text.push('[');
            open += 1;
        }
        if index > 0 {
            text.push(',');
        }
        text.push_str(parameter.name);
    }
    text.extend(std::iter::repeat_n(']', open));
    text.push(')');
    text
}

/// The texts between the parentheses; the cursor is at the first one.
fn split(cursor: &mut Cursor<'_>) -> Result<Vec<Written>, Mistake> {
    let open = cursor.at();
    let rest = cursor.rest();
    let mut found = Vec::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    let mut unfinished = Unfinished::default();
    let mut start = open + 1;
    let mut quote = None;
    while let Some((index, c)) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                unfinished.add_quoted(None);
            }
            (None | Some('"'), '\\') => {
                let next = characters.next_if(|(_, next)| "\\\"' ,()".contains(*next));
                unfinished.add_quoted(Some(next.map_or('\\', |(_, next)| next)));
            }
            (Some(_), c) => unfinished.add_quoted(Some(c)),
            (None, '(') => {
                return Err(Mistake::new(
                    open + index..open + index + 1,
                    "a parenthesis within an argument",
                    "write the argument in quotes, within which parentheses and commas are plain characters",
                ));
            }
            (None, ',' | ')') => {
                let end = open + index;
                let finished = std::mem::take(&mut unfinished);
                found.push(Written {
                    text: finished.text(),
                    part: start..end.max(start + 1),
                    is_quoted: finished.quoted.is_some(),
                });
                start = end + 1;
                if c == ')' {
                    cursor.skip(index + 1);
                    if let [only] = found.as_slice()
                        && only.text.is_empty()
                        && !only.is_quoted
                    {
                        found.clear();
                    }
                    return Ok(found);
                }
            }
            (None, c) => unfinished.text.push(c),
        }
    }
    Err(Mistake::new(
        open..open + 1,
        "the parenthesis is not closed",
        "write `)` after the last argument",
    ))
}

impl Unfinished {
    /// Adds a character in quotes or after a backslash; `None`: a quote begins.
    fn add_quoted(&mut self, c: Option<char>) {
        let start = self.quoted.as_ref().map(|quoted| quoted.start);
        let start = start.unwrap_or(self.text.len());
        self.text.extend(c);
        self.quoted = Some(start..self.text.len());
    }

    /// Without the space around it.
    fn text(&self) -> String {
        let Some(quoted) = &self.quoted else {
            return self.text.trim().to_owned();
        };
        let before = self.text[..quoted.start].trim_start();
        let after = self.text[quoted.end..].trim_end();
        [before, &self.text[quoted.clone()], after].concat()
    }
}

/// Parses the argument by the kind of its parameter.
fn typed(written: &Written, parameter: &Parameter, at: &Position) -> Result<Argument, Mistake> {
    let text = written.text.as_str();
    let wrong = |expected: &str, help: &str| {
        Mistake::new(
            written.part.clone(),
            format!(
                "`{}` must be {expected}, and is `{}`",
                parameter.name,
                beginning(text)
            ),
            help,
        )
    };
    match parameter.kind {
        Kind::Text => Ok(Argument::Text(text.to_owned())),
        Kind::Int => text
            .parse()
            .map(Argument::Int)
            .map_err(|_| wrong("a whole number", "write digits alone: `1`, or `-1`")),
        Kind::IntIn(least, most) => match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Argument::Int(number)),
            _ => {
                let range = match most {
                    i64::MAX => format!("a whole number from {least} on"),
                    _ => format!("a whole number from {least} to {most}"),
                };
                Err(wrong(&range, &format!("write {range}, as digits")))
            }
        },
        Kind::Index => match text.parse() {
            Ok(0) | Err(_) => Err(wrong(
                "a whole number other than 0",
                "write `1` for the first part, `-1` for the last",
            )),
            Ok(number) => Ok(Argument::Int(number)),
        },
        Kind::Characters if text.is_empty() => Err(wrong(
            "a text that is not empty",
            "write the characters, in quotes where they are commas, spaces or parentheses",
        )),
        Kind::Characters => Ok(Argument::Text(text.to_owned())),
        Kind::NumberFrom(least) => match text.parse() {
            Ok(number) if number < least => {
                let range = format!("a whole number from {least} on");
                Err(wrong(&range, &format!("write {range}, as digits")))
            }
            Ok(number) => Ok(Argument::Int(number)),
            Err(_) if text.contains('.') => variable(written).map(Argument::Variable),
            Err(_) => Err(wrong(
                "a whole number or a variable",
                "write digits alone (`1`), or a variable such as `txn.number`",
            )),
        },
        Kind::Number => match text.parse() {
            Ok(number) => Ok(Argument::Int(number)),
            Err(_) if text.contains('.') => variable(written).map(Argument::Variable),
            Err(_) => Err(wrong(
                "a whole number or a variable",
                "write digits alone (`1`, `-1`), or a variable such as `txn.number`",
            )),
        },
        Kind::OneOf(words) => match words.contains(&text) {
            true => Ok(Argument::Text(text.to_owned())),
            false => {
                let list = suggest::list(words.iter().copied());
                Err(wrong(
                    &format!("one of {list}"),
                    &format!("write one of {list}"),
                ))
            }
        },
        Kind::Key => match Key::new(text) {
            Some(key) => Ok(Argument::Key(key)),
            None if text.contains('.') => variable(written).map(Argument::Variable),
            None => Err(wrong(
                "a key in base64 or a variable",
                "write the key in base64, or a variable such as `txn.key`",
            )),
        },
        Kind::Bool => match text {
            "true" | "1" => Ok(Argument::Bool(true)),
            "false" | "0" => Ok(Argument::Bool(false)),
            _ => Err(wrong("`true` or `false`", "write `true` or `false`")),
        },
        Kind::Hexadecimal => hexadecimal(text).map(Argument::Bytes).ok_or_else(|| {
            let help = "write two digits for each byte: `616263`";
            wrong("pairs of hexadecimal digits", help)
        }),
        Kind::JsonPath => JsonPath::new(text)
            .map(Argument::JsonPath)
            .ok_or_else(|| wrong("a path in a JSON text", "write a path such as `$.a.b[0]`")),
        Kind::Ip => text
            .parse()
            .map(Argument::Ip)
            .map_err(|_| wrong("an address", "write an address such as `192.0.2.1`")),
        Kind::Ipv4 => text
            .parse()
            .map(|addr: Ipv4Addr| Argument::Ip(addr.into()))
            .map_err(|_| wrong("an IPv4 address", "write an address such as `192.0.2.1`")),
        Kind::Ipv6 => text
            .parse()
            .map(|addr: Ipv6Addr| Argument::Ip(addr.into()))
            .map_err(|_| wrong("an IPv6 address", "write an address such as `2001:db8::1`")),
        Kind::Field => HeaderName::from_bytes(text.as_bytes())
            .map(Argument::Field)
            .map_err(|_| wrong("the name of a field", "write a name such as `host`")),
        Kind::TlvType => tlv_type(text).map(Argument::Int).ok_or_else(|| {
            wrong(
                "a type of a field: a number from 0 to 255, or its name",
                "write a number, or `ALPN`, `AUTHORITY`, `CRC32C`, `NOOP`, `UNIQUE_ID`, `SSL` or `NETNS`",
            )
        }),
        Kind::Mask4 => mask4(text)
            .map(Argument::Mask4)
            .ok_or_else(|| wrong("a mask of IPv4", "write `24` or `255.255.255.0`")),
        Kind::Mask6 => mask6(text)
            .map(Argument::Mask6)
            .ok_or_else(|| wrong("a mask of IPv6", "write `64` or `ffff:ffff:ffff:ffff::`")),
        Kind::Pattern => Pattern::new(text).map(Argument::Pattern).map_err(|why| {
            let help = "https://docs.rs/regex has the syntax";
            Mistake::new(written.part.clone(), why, help)
        }),
        Kind::CaseFlag => flags(text, "i")
            .ok_or_else(|| wrong("`i`", "write `i`, or leave it out where case counts")),
        Kind::Variable => variable(written).map(Argument::Variable),
        Kind::Table => match Name::new(text) {
            Ok(name) => Ok(Argument::Table(TableReference {
                name,
                at: at.clone(),
            })),
            Err(_) => Err(wrong(
                "the name of a table",
                "write the NAME of a `[table.NAME]`",
            )),
        },
        Kind::Backend => match Name::new(text) {
            Ok(name) => Ok(Argument::Backend(BackendReference {
                name,
                at: at.clone(),
            })),
            Err(_) => Err(wrong(
                "the name of a backend",
                "write the NAME of a `[backend.NAME]`",
            )),
        },
        Kind::Frontend => match Name::new(text) {
            Ok(name) => Ok(Argument::Frontend(FrontendReference {
                name,
                at: at.clone(),
            })),
            Err(_) => Err(wrong(
                "the name of a frontend",
                "write the NAME of a `[frontend.NAME]`",
            )),
        },
        Kind::Server => ServerReference::parse(text, at)
            .map(Argument::Server)
            .ok_or_else(|| {
                wrong(
                    "the name of a backend and of its server",
                    "write both with `/` between them: `app/s1`",
                )
            }),
        Kind::Algorithm => match JwtAlgorithm::named(text) {
            Some(_) => Ok(Argument::Text(text.to_owned())),
            None if text.contains('.') => variable(written).map(Argument::Variable),
            None => {
                let list = suggest::list(JwtAlgorithm::ALL.iter().map(|(name, _)| *name));
                Err(wrong(
                    "an algorithm of signatures",
                    &format!("write one of {list}, or a variable such as `txn.alg`"),
                ))
            }
        },
        // The caller reads the file.
        Kind::Map(..) | Kind::SignatureKeys => Ok(Argument::Text(text.to_owned())),
        Kind::SubstitutionFlags => flags(text, "gi").ok_or_else(|| {
            let expected = "`g`, `i` or both";
            wrong(
                expected,
                "write `g` for each match, `i` where case does not count",
            )
        }),
    }
}

fn variable(written: &Written) -> Result<Variable, Mistake> {
    parse_variable(&written.text, written.part.clone())
}

/// Parses the name of a variable: `txn.tenant`.
pub(super) fn parse_variable(text: &str, part: Range<usize>) -> Result<Variable, Mistake> {
    let scopes =
        "scopes are `sess` (the client's connection), `txn` (the exchange), `req` and `res`";
    let Some((scope, name)) = text.split_once('.') else {
        let message = format!("the variable `{text}` has no scope");
        let help = format!("write `txn.{text}`; {scopes}");
        return Err(Mistake::new(part, message, help));
    };
    let Some((_, scope)) = Scope::ALL.iter().find(|(known, _)| *known == scope) else {
        let message = format!("`{scope}` is not the scope of a variable");
        return Err(Mistake::new(part, message, scopes));
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    if name.is_empty() || !name.chars().all(is_part) {
        let message = format!("`{text}` is not the name of a variable");
        let help = "write letters, digits, `_` and `.`: `txn.tenant`";
        return Err(Mistake::new(part, message, help));
    }
    Ok(Variable {
        scope: *scope,
        name: name.to_owned(),
    })
}

/// `text` with its letters in the order of `known`, so that two orders are one plan.
fn flags(text: &str, known: &str) -> Option<Argument> {
    let is_known = text.chars().all(|c| known.contains(c));
    is_known.then(|| Argument::Text(known.chars().filter(|c| text.contains(*c)).collect()))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| (pair[0] << 4 | pair[1]) as u8)
            .collect(),
    )
}

/// The names of HAProxy for types of fields of a PROXY header (`proxy-protocol.txt` §2.2).
fn tlv_type(text: &str) -> Option<i64> {
    let number = match text {
        "ALPN" => 0x01,
        "AUTHORITY" => 0x02,
        "CRC32C" | "CRC32" => 0x03,
        "NOOP" => 0x04,
        "UNIQUE_ID" => 0x05,
        "SSL" => 0x20,
        "NETNS" => 0x30,
        _ => match text.strip_prefix("0x") {
            Some(digits) => u8::from_str_radix(digits, 16).ok()?,
            None => text.parse().ok()?,
        },
    };
    Some(number.into())
}

fn mask4(text: &str) -> Option<Ipv4Addr> {
    match text.parse::<u32>() {
        Ok(bits @ 0..=32) => Some(u32::MAX.checked_shl(32 - bits).unwrap_or(0).into()),
        Ok(_) => None,
        Err(_) => text.parse().ok(),
    }
}

fn mask6(text: &str) -> Option<Ipv6Addr> {
    match text.parse::<u32>() {
        Ok(bits @ 0..=128) => Some(u128::MAX.checked_shl(128 - bits).unwrap_or(0).into()),
        Ok(_) => None,
        Err(_) => text.parse().ok(),
    }
}
