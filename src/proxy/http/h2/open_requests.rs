//! The memory that the open requests of a connection may use together: their heads, and the bytes of
//! their bodies that no server has taken.
//!
//! In HPACK a byte may stand for a field of kilobytes (RFC 7541 §6.1), and a client that grants no
//! window keeps its requests open for any time. So the sum over all open requests is bounded;
//! `limits.head` bounds each of them.
//!
//! A head counts until it is dropped: at the latest with the head of the answer, and before that when
//! it was sent and cannot be sent again, because its method is not idempotent or a part of its body
//! is not kept. Other heads are needed until the answer comes: the server may close a reused connection, or
//! refuse the request, and the head is sent once more. Nothing else needs it by then: the log and
//! the variables of rules have copies, and rules for answers see no fields of the request.
//!
//! The bytes of a body count in the windows of its stream and of the connection until a server takes
//! them (RFC 9113 §6.9). The windows stop a client while servers are slow, but a window that was
//! granted cannot be taken back (§6.9.3). So a request with a body counts with all bytes that the
//! windows allow, whether or not they have come. Otherwise a client could fill the bound with heads
//! and send the bodies afterwards.
//!
//! Pure: the session asks before it opens an exchange, and reports when one is over.

use std::cell::Cell;

use http::{HeaderMap, Request, header};

use crate::plan::Http2;

/// The bytes that a field counts beside its name and its value (RFC 9113 §6.5.2).
const FIELD_BYTES: usize = 32;

/// Heads may use one part in so many of the bound. The client sends few bytes for a large head, but
/// every byte of a body.
const SHARE_OF_HEADS: u64 = 2;

/// The memory of the open requests of one connection.
#[derive(Debug)]
pub(super) struct OpenRequests {
    bound: u64,
    stream_window: u64,
    connection_window: u64,
    /// The bytes of all heads. Written by [`OpenRequests::admit`],
    /// [`OpenRequests::head_dropped`] and [`OpenRequests::over`].
    heads: Cell<u64>,
    /// The bytes that the windows of all streams allow for bodies. Written as `heads`.
    bodies: Cell<u64>,
}

/// The bytes of an admitted request, released when it is over; those of its head when that is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestSize {
    head: u64,
    /// The bytes of its body that the window of its stream allows.
    body: u64,
}

impl OpenRequests {
    /// No requests yet, with the bounds of `limits`.
    pub(super) fn new(limits: &Http2) -> Self {
        Self {
            bound: limits.open_requests.0,
            stream_window: limits.stream_window.0,
            connection_window: limits.connection_window.0,
            heads: Cell::new(0),
            bodies: Cell::new(0),
        }
    }

    /// The size of `request` without a body, as RFC 9113 §6.5.2 counts its head.
    pub(super) fn size_of<B>(&self, request: &Request<B>) -> RequestSize {
        let uri = request.uri();
        let target = uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        let authority = uri.authority().map_or(0, |text| text.as_str().len());
        let fields = request.headers().iter();
        let fields: usize = fields
            .map(|(name, value)| name.as_str().len() + value.len() + FIELD_BYTES)
            .sum();
        RequestSize {
            head: (target + authority + fields) as u64,
            body: 0,
        }
    }

    /// The same for a request with a body.
    pub(super) fn size_with_body<B>(&self, request: &Request<B>) -> RequestSize {
        let window = self.stream_window;
        RequestSize {
            // h2 resets a stream that brings more than its length.
            body: length_in(request.headers()).map_or(window, |length| length.min(window)),
            ..self.size_of(request)
        }
    }

    /// Counts a request; `false`: the sum would be over the bound. A single request is always admitted:
    /// `limits.head` is checked elsewhere.
    pub(super) fn admit(&self, size: RequestSize) -> bool {
        let heads = self.heads.get().saturating_add(size.head);
        let bodies = self.bodies.get().saturating_add(size.body);
        let may_come = bodies.min(self.connection_window);
        let is_admitted = self.heads.get() == 0
            || heads <= self.bound / SHARE_OF_HEADS && heads.saturating_add(may_come) <= self.bound;
        if is_admitted {
            self.heads.set(heads);
            self.bodies.set(bodies);
        }
        is_admitted
    }

    /// The head of an admitted request was dropped; its body may still come.
    pub(super) fn head_dropped(&self, size: &mut RequestSize) {
        let head = std::mem::take(&mut size.head);
        self.heads.set(self.heads.get().saturating_sub(head));
    }

    /// An admitted request is over.
    pub(super) fn over(&self, RequestSize { head, body }: RequestSize) {
        self.heads.set(self.heads.get().saturating_sub(head));
        self.bodies.set(self.bodies.get().saturating_sub(body));
    }
}

/// The length of a body by its head; `None`: it is not known. A malformed length is refused elsewhere.
fn length_in(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ByteSize;

    /// Up to 300 bytes, 100 of them in the windows, of which a stream has 40.
    fn requests() -> OpenRequests {
        OpenRequests::new(&Http2 {
            open_requests: ByteSize(300),
            connection_window: ByteSize(100),
            stream_window: ByteSize(40),
            ..Http2::default()
        })
    }

    fn size(head: u64, body: u64) -> RequestSize {
        RequestSize { head, body }
    }

    #[test]
    fn heads_are_admitted_up_to_half_the_bound_and_again_when_others_are_over() {
        let requests = requests();
        assert!(requests.admit(size(100, 0)));
        assert!(requests.admit(size(50, 0)));
        assert!(!requests.admit(size(1, 0)));
        requests.over(size(50, 0));
        assert!(!requests.admit(size(51, 0)));
        assert!(requests.admit(size(50, 0)));
    }

    #[test]
    fn a_dropped_head_makes_room_once_and_its_body_still_counts() {
        let requests = requests();
        let mut first = size(150, 40);
        assert!(requests.admit(first));
        assert!(!requests.admit(size(1, 0)));
        requests.head_dropped(&mut first);
        requests.head_dropped(&mut first);
        assert!(requests.admit(size(150, 0)));
        requests.over(first);
        assert!(!requests.admit(size(1, 0)));
    }

    #[test]
    fn what_bodies_may_bring_leaves_less_for_heads() {
        let requests = OpenRequests {
            bound: 200,
            ..requests()
        };
        assert!(requests.admit(size(20, 40)));
        assert!(requests.admit(size(20, 40)));
        // Two windows are more than the connection's: the next do not count in full, and then not at all.
        assert!(requests.admit(size(20, 40)));
        assert!(requests.admit(size(20, 40)));
        assert!(requests.admit(size(20, 0)));
        assert!(!requests.admit(size(1, 0)));
        // The others still fill the window of the connection.
        requests.over(size(20, 40));
        assert!(!requests.admit(size(21, 0)));
        requests.over(size(20, 40));
        assert!(requests.admit(size(40, 0)));
        assert!(!requests.admit(size(1, 0)));
        requests.over(size(20, 40));
        requests.over(size(20, 40));
        assert!(requests.admit(size(40, 0)));
        assert!(!requests.admit(size(1, 0)));
    }

    #[test]
    fn a_body_that_brings_too_much_is_refused_where_heads_have_filled_the_bound() {
        let requests = OpenRequests {
            bound: 120,
            ..requests()
        };
        assert!(requests.admit(size(50, 30)));
        assert!(requests.admit(size(10, 30)));
        assert!(!requests.admit(size(0, 1)));
        requests.over(size(10, 30));
        assert!(requests.admit(size(1, 39)));
    }

    #[test]
    fn one_request_by_itself_is_always_admitted() {
        let requests = requests();
        assert!(requests.admit(size(1_000, 1_000)));
        assert!(!requests.admit(size(1, 0)));
        requests.over(size(1_000, 1_000));
        assert!(requests.admit(size(1, 0)));
    }

    #[test]
    fn a_field_counts_as_http2_counts_it() {
        let request = Request::get("http://host/path?query").header("name", "value");
        let request = request.body(()).expect("a request");
        assert_eq!(requests().size_of(&request), size(4 + 11 + 4 + 5 + 32, 0));
    }

    #[test]
    fn a_body_counts_by_its_length_up_to_the_window_of_its_stream() {
        for (length, counts) in [(None, 40), (Some("39"), 39), (Some("41"), 40)] {
            let mut request = Request::post("/").body(()).expect("a request");
            if let Some(length) = length {
                let length = length.parse().expect("a value");
                request.headers_mut().insert(header::CONTENT_LENGTH, length);
            }
            assert_eq!(requests().size_with_body(&request).body, counts);
        }
    }
}
