//! `forward_auth`.

use std::time::Duration;

use http::HeaderName;

use crate::plan::BackendReference;
use crate::plan::expr::{Expr, Piece, Template};

/// `forward_auth = { … }`: another server decides whether a request may continue.
#[derive(Clone, Debug, PartialEq)]
pub struct ForwardAuth {
    /// The servers that decide.
    pub backend: BackendReference,
    /// The target of the question, with its query.
    pub path: Template,
    /// The host of the question; `None`: that of the request.
    pub host: Option<String>,
    /// The fields of the request that the question has; `None`: all that are not about the
    /// connection or the body.
    pub send: Option<Vec<HeaderName>>,
    /// The fields of a positive answer that the request gets, in place of those that the client
    /// sent.
    pub copy: Vec<HeaderName>,
    /// For the whole question.
    pub timeout: Duration,
    /// What happens to a request without a decision.
    pub without_answer: WithoutAnswer,
}

/// What happens to a request when nobody decides: no server is there, or it takes too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutAnswer {
    /// It is refused.
    #[default]
    Refuse,
    /// It continues, without the fields of an answer.
    Pass,
}

impl ForwardAuth {
    /// A question to `backend`, with every default.
    pub fn at(backend: BackendReference) -> Self {
        Self {
            backend,
            path: Template {
                pieces: vec![Piece::Text("/".to_owned())],
            },
            host: None,
            send: None,
            copy: Vec::new(),
            timeout: Duration::from_secs(5),
            without_answer: WithoutAnswer::default(),
        }
    }

    /// Hands its expressions to `see`.
    pub(super) fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        self.path.each_expr(see);
    }
}
