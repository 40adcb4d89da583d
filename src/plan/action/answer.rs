//! `deny` and `return`: answers in place of a server's.

use std::sync::Arc;

use http::StatusCode;

use crate::base::Position;
use crate::plan::expr::{Expr, Template};

use crate::plan::WholeAnswer;

use super::Field;

/// The table of `deny` and of `return`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status of the answer.
    pub status: StatusCode,
    /// The fields of the answer, with `Content-Type`.
    pub headers: Vec<Field>,
    /// The body of the answer.
    pub body: ReplyBody,
    /// Where the body is written, or the whole answer if it has none.
    pub body_at: Position,
}

impl Reply {
    /// An answer with `status` and nothing else, written at `at`.
    pub fn of(status: StatusCode, at: Position) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: ReplyBody::Usual,
            body_at: at,
        }
    }

    /// Hands each of its expressions to `see`.
    pub fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        let fields = self.headers.iter();
        fields.for_each(|field| field.value.each_expr(see));
        if let ReplyBody::Template(body) = &self.body {
            body.each_expr(see);
        }
    }
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplyBody {
    /// Of `deny`, the text with status, reason and request id; of `return`, none.
    Usual,
    /// `body = "…"`
    Template(Template),
    /// `file = "…"`: its content as it is.
    File {
        /// As it is written.
        path: String,
        /// Read when the configuration was loaded.
        content: Arc<[u8]>,
    },
    /// `errorfile = "…"`: a whole answer, as HAProxy reads it, in place of the status and the fields.
    ErrorFile {
        /// As it is written.
        path: String,
        /// Read when the configuration was loaded.
        answer: Arc<WholeAnswer>,
    },
}
