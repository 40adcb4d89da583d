//! The format of a line in an access log.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::plan::expr::Expr;

use super::{JsonField, Preset, Variable};

/// The format of a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LineFormat {
    /// One JSON object with all fields.
    #[default]
    Json,
    /// One JSON object with these fields, in this order. Never empty, none twice.
    JsonOf(Vec<JsonField>),
    /// One JSON object in the Elastic Common Schema.
    Ecs,
    /// A template that has a name.
    Preset(Preset, LineTemplate),
    /// A template of the configuration.
    Template(LineTemplate),
}

/// Text with variables in it, in HAProxy's notation: `%ci:%cp [%tr] %{+Q}r`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineTemplate {
    /// In order. Two texts never follow each other, nor two spaces; no text is empty.
    pub pieces: Vec<Piece>,
    /// `Some`: the line is a JSON object (`%{+json}o`), and each piece, a variable or an expression, is
    /// the value with this name and this type.
    pub names: Option<Vec<(String, JsonType)>>,
}

/// The type of a value in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Bool,
}

impl JsonType {
    /// As HAProxy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "str",
            Self::Number => "sint",
            Self::Bool => "bool",
        }
    }

    /// The type with this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "str" | "string" => Self::Text,
            "sint" | "int" => Self::Number,
            "bool" => Self::Bool,
            _ => return None,
        })
    }
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A literal text, without spaces.
    Text(String),
    /// One or more spaces: one is written, and none after another one.
    Space,
    /// A fact of the exchange.
    Variable(Variable, Flags),
    /// An expression: `%[var(txn.tenant)]`.
    Expr(Expr, Flags),
}

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `+Q`: in double quotes; an absent value as an empty text.
    pub quote: bool,
    /// `+E`: a backslash before `"`, `\` and `]`, for the structured data of RFC 5424.
    pub escape: bool,
    /// `+X`: addresses and ports as hexadecimal digits.
    pub hexadecimal: bool,
    /// Texts as they are: for JSON, which has its own escapes. No configuration writes it.
    pub raw: bool,
}

impl Display for LineTemplate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(names) = &self.names {
            f.write_str("%{+json}o")?;
            for (piece, (name, kind)) in self.pieces.iter().zip(names) {
                write!(f, " %({name}:{})", kind.name())?;
                match piece {
                    Piece::Variable(variable, flags) => write!(f, "{flags}{}", variable.name())?,
                    Piece::Expr(expr, flags) => write!(f, "{flags}[{expr}]")?,
                    Piece::Text(_) | Piece::Space => {}
                }
            }
            return Ok(());
        }
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(&text.replace('%', "%%"))?,
                Piece::Space => f.write_char(' ')?,
                Piece::Variable(variable, flags) => write!(f, "%{flags}{}", variable.name())?,
                Piece::Expr(expr, flags) => write!(f, "%{flags}[{expr}]")?,
            }
        }
        Ok(())
    }
}

/// `{+Q,+X}`, or nothing.
impl Display for Flags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let flags = [
            (self.quote, "+Q"),
            (self.escape, "+E"),
            (self.hexadecimal, "+X"),
        ];
        let set: Vec<&str> = flags
            .into_iter()
            .filter_map(|(is_set, flag)| is_set.then_some(flag))
            .collect();
        match set.is_empty() {
            true => Ok(()),
            false => write!(f, "{{{}}}", set.join(",")),
        }
    }
}
