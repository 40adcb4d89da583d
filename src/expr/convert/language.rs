//! `language`: the language that a client wants most, of those that there are.

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};

use super::Convert;
use super::arguments::Arguments;

/// The languages that there are.
#[derive(Debug)]
pub(super) struct Language {
    known: Box<[Box<[u8]>]>,
    default: Option<Box<[u8]>>,
}

impl Language {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        let known = arguments.text(0).split(';');
        Self {
            known: known.map(|language| language.as_bytes().into()).collect(),
            default: arguments.maybe_text(1).map(|text| text.as_bytes().into()),
        }
    }

    /// The first known language that `wanted` is, or is a variant of.
    fn known(&self, wanted: &[u8]) -> Option<&[u8]> {
        let is_it = |known: &[u8]| {
            let rest = wanted.strip_prefix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'-')
        };
        let mut known = self.known.iter().map(|known| &**known);
        known.find(|known| is_it(known))
    }

    /// Of equal weights the first one in `accepted` counts (RFC 9110 §12.5.4).
    fn best(&self, accepted: &[u8]) -> Option<&[u8]> {
        let mut best = None;
        let mut most = 0;
        for item in accepted.split(|byte| *byte == b',') {
            let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let Some(known) = parts.next().and_then(|wanted| self.known(wanted)) else {
                continue;
            };
            let weight = parts.find_map(|part| part.strip_prefix(b"q="));
            let weight = weight.map_or(1_000, thousandths);
            if weight > most {
                (most, best) = (weight, Some(known));
            }
        }
        best
    }
}

/// A weight (RFC 9110 §12.4.2) in thousandths; 0 if it is none.
fn thousandths(weight: &[u8]) -> u32 {
    let weight = str::from_utf8(weight).unwrap_or_default();
    let weight: f32 = weight.parse().unwrap_or_default();
    (weight.clamp(0.0, 1.0) * 1_000.0).round() as u32
}

impl Convert for Language {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let best = scratch.text(value).and_then(|accepted| self.best(accepted));
        best.or(self.default.as_deref())
            .map_or(Value::Absent, Value::Text)
    }
}
