//! Expressions and conditions of tests, written as in a configuration.

use std::path::PathBuf;

use crate::plan::expr::{Condition, Expr, Known, Template};

use super::{
    Files, condition as parse, expression as parse_expression, template as parse_template,
};

struct NoFiles;

impl Files for NoFiles {
    fn read(&mut self, _: &str) -> Result<(PathBuf, String), String> {
        Err("this test has no files".to_owned())
    }
}

/// The condition that `text` is.
#[track_caller]
pub(crate) fn condition(text: &str) -> Condition {
    parse(text, Known::Everything, &mut NoFiles).expect(text)
}

/// The expression that `text` is.
#[track_caller]
pub(crate) fn expression(text: &str) -> Expr {
    parse_expression(text, Known::Everything, &mut NoFiles).expect(text)
}

/// The template that `text` is.
#[track_caller]
pub(crate) fn template(text: &str) -> Template {
    parse_template(text, Known::Everything, &mut NoFiles).expect(text)
}
