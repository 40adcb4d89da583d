//! The log of events, and the access logs.

mod format;
mod json_field;
mod level;
mod mask;
mod preset;
mod sample;
mod syslog;
mod target;
mod variable;

use crate::base::Position;
use crate::plan::expr::{Condition, Expr};

pub use format::{Flags, JsonType, LineFormat, LineTemplate, Piece};
pub use json_field::JsonField;
pub use level::{LogAs, Severity};
pub use mask::{Mask, MaskedFact, MaskedQuery};
pub use preset::Preset;
pub use sample::Sample;
pub use syslog::{Facility, Syslog, SyslogFormat};
pub use target::{LogServer, LogTarget};
pub use variable::{Kind, NOT_HERE, Variable};

/// `[log]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The least severe event that is written.
    pub level: LogLevel,
    /// How events are written.
    pub format: LogFormat,
    /// Each writes lines for exchanges. Never empty; several may have the same target.
    pub access: Vec<AccessLog>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            format: LogFormat::default(),
            access: vec![AccessLog::default()],
        }
    }
}

/// Severity of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// Someone should know.
    Warn,
    /// The life of the process.
    #[default]
    Info,
    /// The life of an exchange.
    Debug,
}

/// How events are written to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// `[[log.access]]`: a line for each exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// Where the lines go.
    pub to: LogTarget,
    /// What a line is.
    pub format: LineFormat,
    /// Which exchanges have a line; `None`: all.
    pub when: Option<Condition>,
    /// Which of these lines are written; `None`: all.
    pub sample: Option<Sample>,
    /// What lines do not contain.
    pub mask: Mask,
    /// What comes before a line if the target is a syslog.
    pub syslog: Syslog,
    /// Where `to` is written.
    pub at: Position,
}

impl AccessLog {
    /// Calls `see` with every expression of its format.
    pub fn each_expr_of_format(&self, see: &mut dyn FnMut(&Expr)) {
        if let LineFormat::Template(template) = &self.format {
            for piece in &template.pieces {
                if let Piece::Expr(expr, _) = piece {
                    see(expr);
                }
            }
        }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            to: LogTarget::default(),
            format: LineFormat::default(),
            when: None,
            sample: None,
            mask: Mask::default(),
            syslog: Syslog::default(),
            at: Position::built_in(),
        }
    }
}
