//! A line by a template that is a JSON object: HAProxy's variables under names of the user.
//!
//! What is absent or empty is `null`; a step that was not reached is -1, as in other templates.

use crate::expr::Program;
use crate::observe::access_log::entry::{Entry, Evaluation};
use crate::observe::access_log::values;
use crate::observe::calendar::Calendar;
use crate::observe::json;
use crate::plan::expr::Type;
use crate::plan::log::{Flags, JsonType, Piece, Variable};

/// A value of the object.
#[derive(Debug)]
pub(crate) struct Item {
    /// The comma or brace before it, its name in quotes, and the colon.
    before: Box<[u8]>,
    kind: JsonType,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Always this text.
    Fixed(Box<[u8]>),
    Variable(Variable, Flags),
    /// An expression, and the type of its value.
    Program(Program, Type),
}

impl Item {
    /// The value number `index`, which `piece` says; `None`: it says none.
    pub(super) fn compile(
        index: usize,
        piece: &Piece,
        (name, kind): &(String, JsonType),
    ) -> Option<Self> {
        let mut before = match index {
            0 => b"{".to_vec(),
            _ => b",".to_vec(),
        };
        json::string(name.as_bytes(), &mut before);
        before.push(b':');
        let source = match piece {
            Piece::Variable(variable, flags) => {
                let flags = Flags {
                    raw: true,
                    hexadecimal: flags.hexadecimal,
                    ..Flags::default()
                };
                match values::of_process(*variable, flags) {
                    Some(text) => Source::Fixed(text.into()),
                    None => Source::Variable(*variable, flags),
                }
            }
            Piece::Expr(expr, _) => Source::Program(Program::compile(expr), expr.yields()),
            Piece::Text(_) | Piece::Space => return None,
        };
        Some(Self {
            before: before.into(),
            kind: *kind,
            source,
        })
    }

    /// Whether it is a number of connections or exchanges.
    pub(super) fn is_load(&self) -> bool {
        matches!(&self.source, Source::Variable(variable, _) if variable.is_load())
    }
}

/// Appends `entry` as one line, its end included.
pub(super) fn write(
    items: &[Item],
    out: &mut Vec<u8>,
    calendar: &mut Calendar,
    entry: &Entry<'_>,
    evaluation: &mut Evaluation<'_>,
) {
    for item in items {
        out.extend_from_slice(&item.before);
        let start = out.len();
        match &item.source {
            Source::Fixed(text) => out.extend_from_slice(text),
            Source::Variable(variable, flags) => {
                let variables = evaluation.facts.variables;
                values::write(*variable, *flags, entry, variables, calendar, out);
            }
            Source::Program(program, yields) => {
                let Evaluation { facts, scratch } = evaluation;
                scratch.clear();
                let value = program.value(facts, scratch);
                let value = scratch.cast(value, *yields, Type::Text);
                out.extend_from_slice(scratch.text(value).unwrap_or_default());
            }
        }
        encode(out, start, item.kind);
    }
    out.extend_from_slice(b"}\n");
}

/// Makes JSON of the text at the end of `out`, from `start` on.
fn encode(out: &mut Vec<u8>, start: usize, kind: JsonType) {
    let text = &out[start..];
    let word: &[u8] = match kind {
        _ if text.is_empty() => b"null",
        JsonType::Text => {
            if json::is_all_plain(text) {
                out.insert(start, b'"');
                out.push(b'"');
                return;
            }
            let text = text.to_vec();
            out.truncate(start);
            return json::string(&text, out);
        }
        JsonType::Number => {
            let number = str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse::<i64>().ok());
            out.truncate(start);
            return match number {
                Some(number) => {
                    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                }
                None => out.extend_from_slice(b"null"),
            };
        }
        JsonType::Bool => match text {
            b"0" | b"false" => b"false",
            _ => b"true",
        },
    };
    out.truncate(start);
    out.extend_from_slice(word);
}
