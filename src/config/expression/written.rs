//! Parsers for tests: expressions, conditions and templates from text as in a configuration.

use std::path::PathBuf;

use crate::base::Position;
use crate::plan::expr::{Condition, Expr, Known, Template};
use crate::plan::log::LineTemplate;

use super::{
    Files, condition as parse, expression as parse_expression, line_template as parse_line,
    template as parse_template,
};

struct NoFiles;

impl Files for NoFiles {
    fn read(&mut self, _: &str) -> Result<(PathBuf, String), String> {
        Err("this test has no files".to_owned())
    }
}

/// Parses `text` as a condition.
#[track_caller]
pub(crate) fn condition(text: &str) -> Condition {
    parse(text, &Position::built_in(), Known::Everything, &mut NoFiles).expect(text)
}

/// Parses `text` as an expression.
#[track_caller]
pub(crate) fn expression(text: &str) -> Expr {
    parse_expression(text, &Position::built_in(), Known::Everything, &mut NoFiles).expect(text)
}

/// Parses `text` as the template of a log line.
#[track_caller]
pub(crate) fn line_template(text: &str) -> LineTemplate {
    parse_line(text, &Position::built_in(), &mut NoFiles).expect(text)
}

/// Parses `text` as a template.
#[track_caller]
pub(crate) fn template(text: &str) -> Template {
    parse_template(text, &Position::built_in(), Known::Everything, &mut NoFiles).expect(text)
}

/// Parses `text` as an expression, which may be none.
pub(crate) fn maybe_expression(text: &str) -> Option<Expr> {
    parse_expression(text, &Position::built_in(), Known::Everything, &mut NoFiles).ok()
}
