//! Expressions and conditions of tests, written as in a configuration.

use std::path::PathBuf;

use crate::plan::expr::{Condition, Expr, Phase};

use super::cursor::Cursor;
use super::{Files, condition as parse, expr::expression as parse_expression};

struct NoFiles;

impl Files for NoFiles {
    fn read(&mut self, _: &str) -> Result<(PathBuf, String), String> {
        Err("this test has no files".to_owned())
    }
}

/// The condition that `text` is.
#[track_caller]
pub(crate) fn condition(text: &str) -> Condition {
    parse(text, Phase::Response, &mut NoFiles).expect(text)
}

/// The expression that `text` is.
#[track_caller]
pub(crate) fn expression(text: &str) -> Expr {
    let mut cursor = Cursor::new(text);
    let (expr, _) = parse_expression(&mut cursor, Phase::Response).expect(text);
    assert!(cursor.is_at_end(), "{text}");
    expr
}
