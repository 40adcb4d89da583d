//! `replace_header` and `replace_value`: replace the lines of a field, or the elements of its lists, that
//! match a regular expression.

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

use crate::expr::Facts;
use crate::plan;
use crate::proxy::rules::encode::{Invalid, field_value};
use crate::proxy::rules::{Answer, Flow, Scope};

use super::host::{host_of, set_host};
use super::replace::Replacement;
use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct ReplaceHeader {
    name: HeaderName,
    of: Of,
    replacement: Replacement,
}

/// What is matched and replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Lines,
    /// The parts between commas, without the spaces around them.
    Elements,
}

/// The new values of the lines of a field; `None`: the line stays.
type Changes = Vec<Option<HeaderValue>>;

impl ReplaceHeader {
    pub(super) fn of_lines(field: &plan::ReplaceField) -> Self {
        Self::compile(field, Of::Lines)
    }

    pub(super) fn of_elements(field: &plan::ReplaceField) -> Self {
        Self::compile(field, Of::Elements)
    }

    fn compile(field: &plan::ReplaceField, of: Of) -> Self {
        Self {
            name: field.field.name.clone(),
            of,
            replacement: Replacement::compile(&field.replace),
        }
    }

    fn changes(
        &self,
        headers: &HeaderMap,
        facts: &Facts<'_>,
        scope: &Scope<'_>,
    ) -> Result<Changes, Invalid> {
        let lines = headers.get_all(&self.name).iter();
        let changed = lines.map(|line| self.change(line.as_bytes(), facts, scope));
        changed.collect()
    }

    fn change(
        &self,
        line: &[u8],
        facts: &Facts<'_>,
        scope: &Scope<'_>,
    ) -> Result<Option<HeaderValue>, Invalid> {
        let changed = match self.of {
            Of::Lines => self.replacement.apply(line, facts, scope),
            Of::Elements => self.elements(line, facts, scope),
        };
        changed.map(field_value).transpose()
    }

    /// `line` with its matching elements replaced; `None`: none matches.
    fn elements(&self, line: &[u8], facts: &Facts<'_>, scope: &Scope<'_>) -> Option<Vec<u8>> {
        let mut changed = Vec::with_capacity(line.len());
        let mut has_changed = false;
        for (index, element) in split(line).enumerate() {
            if index > 0 {
                changed.push(b',');
            }
            // As in HAProxy, also an empty element, and a new one has no spaces around it.
            match self.replacement.apply(element.trim_ascii(), facts, scope) {
                Some(new) => {
                    has_changed = true;
                    changed.extend_from_slice(&new);
                }
                None => changed.extend_from_slice(element),
            }
        }
        has_changed.then_some(changed)
    }

    fn write(&self, headers: &mut HeaderMap, changes: Changes) {
        if let header::Entry::Occupied(mut lines) = headers.entry(&self.name) {
            for (line, change) in lines.iter_mut().zip(changes) {
                if let Some(new) = change {
                    *line = new;
                }
            }
        }
    }
}

/// The elements of a list; a comma in quotes separates none (RFC 9110 §5.6.4).
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    line.split(move |byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        *byte == b',' && !is_quoted
    })
}

impl Act for ReplaceHeader {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        if self.name == header::HOST {
            let host = host_of(request).unwrap_or_default();
            return match self.change(host, &facts(request, scope), scope)? {
                Some(host) => set_host(request, host),
                None => Ok(Flow::Continue),
            };
        }
        let changes = self.changes(request.headers(), &facts(request, scope), scope)?;
        self.write(request.headers_mut(), changes);
        Ok(Flow::Continue)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        let changes = self.changes(answer.headers, &scope.of_answer(answer), scope);
        if changes.is_err() {
            // Of an answer that cannot be refused any more, the old value is removed in any case.
            answer.headers.remove(&self.name);
        }
        self.write(answer.headers, changes?);
        Ok(Flow::Continue)
    }
}
