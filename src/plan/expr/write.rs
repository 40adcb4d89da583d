//! Expressions and conditions as text that parses to an equal value.

use std::fmt::{self, Display, Formatter, Write as _};

use ipnet::IpNet;

use super::{
    Argument, Condition, Expr, List, ListSource, Literal, Operand, Piece, Template, Values,
};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        call(f, self.fetch.row().name, &self.arguments)?;
        for conversion in &self.converters {
            f.write_char(',')?;
            call(f, conversion.converter.row().name, &conversion.arguments)?;
        }
        Ok(())
    }
}

fn call(f: &mut Formatter<'_>, name: &str, arguments: &[Argument]) -> fmt::Result {
    f.write_str(name)?;
    if arguments.is_empty() {
        return Ok(());
    }
    f.write_char('(')?;
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        argument.fmt(f)?;
    }
    f.write_char(')')
}

impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Omitted => Ok(()),
            Self::Text(text) => argument_text(f, text),
            Self::Int(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Ip(addr) => addr.fmt(f),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Field(name) => argument_text(f, name.as_str()),
            Self::Mask4(mask) => mask.fmt(f),
            Self::Mask6(mask) => mask.fmt(f),
            Self::Pattern(pattern) => argument_text(f, &pattern.to_string()),
            Self::Variable(variable) => variable.fmt(f),
            Self::Key(key) => argument_text(f, key.written()),
            Self::JsonPath(path) => argument_text(f, path.written()),
            Self::Map(map) => argument_text(f, &map.path.to_string_lossy()),
            Self::SignatureKeys(keys) => argument_text(f, &keys.written),
            Self::Table(table) => argument_text(f, &table.name),
            Self::Backend(backend) => argument_text(f, &backend.name),
            Self::Frontend(frontend) => argument_text(f, &frontend.name),
            Self::Server(server) => {
                argument_text(f, &format!("{}/{}", server.backend.name, server.name))
            }
        }
    }
}

/// A text as an argument: bare if possible, else in double quotes with a backslash before each `"`
/// and `\`.
fn argument_text(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let is_bare = |c: char| c.is_ascii_graphic() && !"\"'\\,()".contains(c);
    if !text.is_empty() && text.chars().all(is_bare) {
        return f.write_str(text);
    }
    quoted(f, text)
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

impl Display for Template {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Expr(expr) => write!(f, "%[{expr}]")?,
                Piece::Text(text) => template_text(f, text)?,
            }
        }
        Ok(())
    }
}

/// Writes `%` twice if a single one could begin an expression.
fn template_text(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        f.write_char(c)?;
        if c == '%' && matches!(characters.peek(), None | Some('%' | '[')) {
            f.write_char(c)?;
        }
    }
    Ok(())
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(parts) => joined(f, parts, " or "),
            Self::All(parts) => joined(f, parts, " and "),
            Self::Not(inner) => match &**inner {
                Self::Any(_) | Self::All(_) => write!(f, "not ({inner})"),
                _ => write!(f, "not {inner}"),
            },
            Self::Holds(expr) => expr.fmt(f),
            Self::Compares(left, comparison, right) => {
                write!(f, "{left} {} ", comparison.as_str())?;
                match right {
                    Operand::Literal(literal) => literal.fmt(f),
                    Operand::Expr(expr) => expr.fmt(f),
                }
            }
            Self::In(value, list) => write!(f, "{value} in {list}"),
            Self::MatchesOneOf(value, matching, list) => {
                let flag = if matching.ignores_case { " -i" } else { "" };
                write!(f, "{value} {}{flag} {list}", matching.as_str())
            }
            Self::Found(expr) => write!(f, "{expr} found"),
            Self::Matches(value, pattern) => {
                write!(f, "{value} matches ")?;
                quoted(f, &pattern.to_string())
            }
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Condition], between: &str) -> fmt::Result {
    for (index, each) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        // `and` binds tighter than `or`. Superfluous parentheses could make a condition of the
        // greatest depth too deep to be loaded again.
        match each {
            Condition::Any(_) => write!(f, "({each})")?,
            _ => each.fmt(f)?,
        }
    }
    Ok(())
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Network(network) => write_network(f, network),
            Self::Text(text) => quoted(f, text),
        }
    }
}

fn write_network(f: &mut Formatter<'_>, network: &IpNet) -> fmt::Result {
    if network.prefix_len() == network.max_prefix_len() {
        return write!(f, "\"{}\"", network.addr());
    }
    write!(f, "\"{network}\"")
}

impl Display for List {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let file = match &self.source {
            ListSource::Condition => None,
            ListSource::File(path) => Some(("@file(", path)),
            ListSource::Map(path) => Some(("@map(", path)),
        };
        if let Some((open, path)) = file {
            f.write_str(open)?;
            quoted(f, &path.to_string_lossy())?;
            return f.write_char(')');
        }
        f.write_char('[')?;
        match &*self.values {
            Values::Texts(texts) => separated(f, texts, |f, text| quoted(f, text)),
            Values::Networks(networks) => separated(f, networks, write_network),
            Values::Ranges(ranges) => {
                separated(f, ranges, |f, (first, last)| match (*first, *last) {
                    (first, last) if first == last => first.fmt(f),
                    (first, i64::MAX) if first > i64::MIN => write!(f, "{first}:"),
                    (i64::MIN, last) if last < i64::MAX => write!(f, ":{last}"),
                    (first, last) => write!(f, "{first}:{last}"),
                })
            }
        }?;
        f.write_char(']')
    }
}

fn separated<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    Ok(())
}
