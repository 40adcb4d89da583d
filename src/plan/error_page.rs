//! `error_page`: what a client gets in place of the usual text of an answer that Evenkeel makes.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::base::Position;
use crate::plan::expr::{Expr, Template};
use crate::plan::{Field, StatusSet};

/// `error_page` of a frontend or a backend: which answers it is for, and their content.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorPage {
    /// The statuses that it is for; `None`: all.
    pub statuses: Option<StatusSet>,
    /// The codes of the reasons that it is for, or beginnings of them with `.*`. Empty: all.
    pub reasons: Vec<String>,
    /// The fields of the answer, with `Content-Type`.
    pub headers: Vec<Field>,
    /// The body of the answer.
    pub body: PageBody,
    /// The body for clients that ask for JSON.
    pub json: PageJson,
    /// Where it is written.
    pub at: Position,
}

/// The body of an error page.
#[derive(Clone, Debug, PartialEq)]
pub enum PageBody {
    /// The text with status, reason and request id.
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
    /// `errorfile = "…"`: a whole answer, as HAProxy reads it.
    ErrorFile {
        /// As it is written.
        path: String,
        /// Read when the configuration was loaded.
        answer: Arc<WholeAnswer>,
    },
    /// `location = "…"`: the client is sent there.
    Elsewhere {
        /// 302 or 303, in place of the status of the answer.
        status: StatusCode,
        /// The field `Location`.
        location: String,
    },
    /// `haproxy = true`: the text that HAProxy has for the status.
    HaProxy,
}

/// A whole answer that was read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeAnswer {
    /// It replaces the status.
    pub status: StatusCode,
    /// Without those of the framing.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What follows the head.
    pub body: Arc<[u8]>,
}

/// The body of an error page for clients that ask for JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum PageJson {
    /// The same as for all.
    #[default]
    Off,
    /// `json = true`: a problem document (RFC 9457).
    Problem,
    /// `json = "…"`
    Template(Template),
}

impl ErrorPage {
    /// Whether it is for every answer.
    pub fn is_for_all(&self) -> bool {
        self.statuses.is_none() && self.reasons.is_empty()
    }

    /// Hands each of its expressions to `see`.
    pub fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        let fields = self.headers.iter();
        fields.for_each(|field| field.value.each_expr(see));
        if let PageBody::Template(body) = &self.body {
            body.each_expr(see);
        }
        if let PageJson::Template(json) = &self.json {
            json.each_expr(see);
        }
    }
}
