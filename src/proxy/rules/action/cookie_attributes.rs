//! `cookie_attributes`: writes attributes of the cookies that an answer sets.

use http::{HeaderValue, header};

use crate::plan::{self, SameSite};
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct CookieAttributes {
    /// Empty: all cookies.
    names: Box<[Box<[u8]>]>,
    /// Attributes that are added where they are missing.
    added: Box<[&'static str]>,
    /// In place of the server's.
    same_site: Option<&'static str>,
}

impl CookieAttributes {
    pub(super) fn compile(attributes: &plan::CookieAttributes) -> Self {
        let names = attributes.names.iter();
        let added = [
            attributes.secure.then_some("Secure"),
            attributes.http_only.then_some("HttpOnly"),
        ];
        Self {
            names: names.map(|name| name.as_bytes().into()).collect(),
            added: added.into_iter().flatten().collect(),
            same_site: attributes.same_site.map(|same_site| match same_site {
                SameSite::Strict => "Strict",
                SameSite::Lax => "Lax",
                SameSite::None => "None",
            }),
        }
    }

    /// `line` with the attributes; `None`: it is no cookie of the rule.
    fn change(&self, line: &[u8]) -> Option<Vec<u8>> {
        let mut parts = line.split(|byte| *byte == b';');
        let pair = parts.next()?;
        let name = pair.split(|byte| *byte == b'=').next()?.trim_ascii();
        let is_meant = || self.names.iter().any(|own| **own == *name);
        if !self.names.is_empty() && !is_meant() {
            return None;
        }
        let mut changed = pair.trim_ascii_end().to_vec();
        let mut missing: Vec<&str> = self.added.to_vec();
        for part in parts {
            let attribute = part.split(|byte| *byte == b'=').next();
            let attribute = attribute.unwrap_or_default().trim_ascii();
            if self.same_site.is_some() && attribute.eq_ignore_ascii_case(b"samesite") {
                continue;
            }
            missing.retain(|own| !attribute.eq_ignore_ascii_case(own.as_bytes()));
            changed.push(b';');
            changed.extend_from_slice(part);
        }
        for attribute in missing {
            changed.extend_from_slice(b"; ");
            changed.extend_from_slice(attribute.as_bytes());
        }
        if let Some(value) = self.same_site {
            changed.extend_from_slice(b"; SameSite=");
            changed.extend_from_slice(value.as_bytes());
        }
        Some(changed)
    }
}

impl Act for CookieAttributes {
    fn on_answer(&self, answer: &mut Answer<'_>, _: &Scope<'_>) -> Done {
        if let header::Entry::Occupied(mut lines) = answer.headers.entry(header::SET_COOKIE) {
            for line in lines.iter_mut() {
                let changed = self.change(line.as_bytes());
                // What is added has no byte that a field may not have.
                let changed = changed.and_then(|text| HeaderValue::from_bytes(&text).ok());
                if let Some(changed) = changed {
                    *line = changed;
                }
            }
        }
        Ok(Flow::Continue)
    }
}
