//! The size of the heads of all open requests of a connection together.
//!
//! In HPACK a byte may stand for a field of kilobytes (RFC 7541 §6.1), and a client that grants no
//! window keeps its requests open for any time. The memory of a head on its way to a server is
//! released only when its request is over, so the sum over all open requests is bounded.
//! `limits.head` bounds each of them.
//!
//! Pure: the session asks before it opens an exchange, and reports when one is over.

use std::cell::Cell;

use http::Request;

/// The bytes that a field counts beside its name and its value (RFC 9113 §6.5.2).
const FIELD_BYTES: usize = 32;

/// The heads of the open requests of one connection.
#[derive(Debug)]
pub(super) struct OpenHeads {
    bound: u64,
    /// Written by [`OpenHeads::admit`] and [`OpenHeads::over`].
    bytes: Cell<u64>,
}

/// The size of a head that was admitted; to be given back when its request is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeadSize(u64);

impl OpenHeads {
    /// No heads yet, and at most `bound` bytes together.
    pub(super) fn new(bound: u64) -> Self {
        Self {
            bound,
            bytes: Cell::new(0),
        }
    }

    /// Counts a head; `false`: the sum would be over the bound. A single head is always admitted:
    /// `limits.head` is checked elsewhere.
    pub(super) fn admit(&self, HeadSize(bytes): HeadSize) -> bool {
        let held = self.bytes.get();
        let is_admitted = held == 0 || held.saturating_add(bytes) <= self.bound;
        if is_admitted {
            self.bytes.set(held.saturating_add(bytes));
        }
        is_admitted
    }

    /// The request of an admitted head is over.
    pub(super) fn over(&self, HeadSize(bytes): HeadSize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
    }
}

impl HeadSize {
    /// The size of the head of `request`, as RFC 9113 §6.5.2 counts it.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let uri = request.uri();
        let target = uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        let authority = uri.authority().map_or(0, |text| text.as_str().len());
        let fields = request.headers().iter();
        let fields: usize = fields
            .map(|(name, value)| name.as_str().len() + value.len() + FIELD_BYTES)
            .sum();
        Self((target + authority + fields) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_admitted_up_to_the_bound_and_again_when_others_are_over() {
        let heads = OpenHeads::new(100);
        assert!(heads.admit(HeadSize(60)));
        assert!(heads.admit(HeadSize(40)));
        assert!(!heads.admit(HeadSize(1)));
        heads.over(HeadSize(40));
        assert!(!heads.admit(HeadSize(41)));
        assert!(heads.admit(HeadSize(40)));
    }

    #[test]
    fn one_head_by_itself_is_always_admitted() {
        let heads = OpenHeads::new(100);
        assert!(heads.admit(HeadSize(1_000)));
        assert!(!heads.admit(HeadSize(1)));
        heads.over(HeadSize(1_000));
        assert!(heads.admit(HeadSize(1)));
    }

    #[test]
    fn a_field_counts_as_http2_counts_it() {
        let request = Request::get("http://host/path?query").header("name", "value");
        let request = request.body(()).expect("a request");
        assert_eq!(HeadSize::of(&request), HeadSize(4 + 11 + 4 + 5 + 32));
    }
}
