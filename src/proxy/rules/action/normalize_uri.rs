//! `normalize_uri`: brings the path or the query of a request to a normal form.

use http::Request;

use crate::plan::Normalizer;
use crate::proxy::rules::encode::Invalid;
use crate::proxy::rules::{Flow, Scope};
use crate::wire::normalizers::{self, Escapes, InvalidEscape, LeadingDots};

use super::{Act, Done, set_target};

#[derive(Debug)]
pub(in crate::proxy::rules) struct NormalizeUri(pub(super) Box<[Normalizer]>);

impl Act for NormalizeUri {
    fn on_request<B>(&self, request: &mut Request<B>, _: &Scope<'_>) -> Done {
        let target = request.uri().path_and_query();
        let written = target.map_or("/", |target| target.as_str());
        if written == "*" {
            return Ok(Flow::Continue);
        }
        let mut target = written.as_bytes().to_vec();
        for normalizer in &self.0 {
            target = normalized(&target, *normalizer)
                .map_err(|InvalidEscape| Invalid("a target with an invalid escape"))?;
        }
        match target == written.as_bytes() {
            true => Ok(Flow::Continue),
            false => set_target::replace(request, target),
        }
    }
}

/// `target`, a path and maybe a query, after `normalizer`.
fn normalized(target: &[u8], normalizer: Normalizer) -> Result<Vec<u8>, InvalidEscape> {
    let end = target.iter().position(|byte| *byte == b'?');
    let (path, query) = target.split_at(end.unwrap_or(target.len()));
    let with_path = |path: Vec<u8>| Ok([&path, query].concat());
    match normalizer {
        Normalizer::PathStripDot => with_path(normalizers::strip_dot(path)),
        Normalizer::PathStripDotdot => {
            with_path(normalizers::strip_dotdot(path, LeadingDots::Kept))
        }
        Normalizer::PathStripDotdotFull => {
            with_path(normalizers::strip_dotdot(path, LeadingDots::Removed))
        }
        Normalizer::PathMergeSlashes => with_path(normalizers::merge_slashes(path)),
        Normalizer::PercentDecodeUnreserved => normalizers::decode_unreserved(target, Escapes::Any),
        Normalizer::PercentDecodeUnreservedStrict => {
            normalizers::decode_unreserved(target, Escapes::Valid)
        }
        Normalizer::PercentToUppercase => normalizers::upper_case_escapes(target, Escapes::Any),
        Normalizer::PercentToUppercaseStrict => {
            normalizers::upper_case_escapes(target, Escapes::Valid)
        }
        Normalizer::QuerySortByName => match query {
            [] => Ok(path.to_vec()),
            query => {
                let sorted = normalizers::sort_by_name(&query[1..]);
                Ok([path, b"?", &sorted].concat())
            }
        },
    }
}
