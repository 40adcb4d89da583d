//! The fields of a head, as the bytes that were received.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::Extensions;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use httparse::Header;

use super::Refusal;
use super::names::{KeepNames, OriginalNames, common_name};

/// Where a head may have no more fields than this, it is parsed without allocating memory for them.
const FIELDS_ON_STACK: usize = 100;

/// The bounds of a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes, line ends included.
    pub bytes: usize,
    /// Field lines.
    pub fields: usize,
}

/// Where the fields of a head are. Its memory is used again for the next head.
#[derive(Debug, Default)]
pub(super) struct FieldList(Vec<FieldAt>);

/// Where the name and the value of a field are: offsets and lengths in bytes.
#[derive(Clone, Copy, Debug)]
struct FieldAt {
    name: usize,
    name_length: usize,
    value: usize,
    value_length: usize,
}

impl FieldList {
    /// Notes where `fields`, parsed from `bytes`, are.
    pub(super) fn note(&mut self, fields: &[Header<'_>], bytes: &[u8]) {
        self.0.clear();
        self.0.extend(fields.iter().map(|field| FieldAt {
            name: offset(field.name.as_bytes(), bytes),
            name_length: field.name.len(),
            value: offset(field.value, bytes),
            value_length: field.value.len(),
        }));
    }

    /// Puts the fields of `head` into `headers`. The values share its memory. `see` is called with
    /// each of them.
    #[inline]
    pub(super) fn collect(
        &self,
        head: &Bytes,
        headers: &mut HeaderMap,
        mut see: impl FnMut(&HeaderName, &HeaderValue) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        for field in &self.0 {
            let name = &head[field.name..field.name + field.name_length];
            let name = match common_name(name) {
                Some(name) => name,
                None => HeaderName::from_bytes(name).map_err(|_| Refusal::Field)?,
            };
            let value = head.slice(field.value..field.value + field.value_length);
            let value = HeaderValue::from_maybe_shared(value).map_err(|_| Refusal::Field)?;
            see(&name, &value)?;
            headers
                .try_append(name, value)
                .map_err(|_| Refusal::TooManyFields)?;
        }
        Ok(())
    }

    /// Notes the spelling of the names of `head` in `extensions`, if it is to be kept.
    pub(super) fn note_names(&self, head: &Bytes, keep: KeepNames, extensions: &mut Extensions) {
        if keep == KeepNames::No {
            return;
        }
        let mut names = OriginalNames::with_capacity(self.0.len());
        for field in &self.0 {
            let original = head.slice(field.name..field.name + field.name_length);
            if let Ok(name) = HeaderName::from_bytes(&original) {
                names.note(&name, original);
            }
        }
        extensions.insert(names);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Calls `parse` with room for as many fields as `limits` allow.
#[inline]
pub(super) fn with_room<'b, T>(
    limits: HeadLimits,
    parse: impl FnOnce(&mut [MaybeUninit<Header<'b>>]) -> T,
) -> T {
    if limits.fields <= FIELDS_ON_STACK {
        let mut room = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
        parse(&mut room[..limits.fields])
    } else {
        let mut room = vec![MaybeUninit::uninit(); limits.fields];
        parse(&mut room)
    }
}

/// The offset of `part` within `whole`.
pub(super) fn offset(part: &[u8], whole: &[u8]) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}
