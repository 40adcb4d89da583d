//! The beginning of a body, kept in case that it must be sent again.
//!
//! In HTTP/2 a server may report that it did not process a request, often after we have sent its
//! whole body: a server that closes connections after so many requests does it often. A short body
//! is kept until the answer begins. Pieces are kept as they came, and shared, not copied.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

/// The most bytes of one body that are kept: most forms and API calls are shorter, and more would
/// cost memory for each upload.
const MOST_BYTES: usize = 16 << 10;

/// The most bytes of all bodies of a worker. Most are kept for a moment; if thousands of uploads
/// wait for servers, those beyond this are not sent again.
const MOST_BYTES_OF_WORKER: usize = 8 << 20;

/// How many bytes are kept of all bodies of a worker, or of a connection. Clones are the same one.
#[derive(Clone, Debug)]
pub struct KeptBodies(Rc<Kept>);

#[derive(Debug)]
struct Kept {
    bytes: Cell<usize>,
    /// Beyond it, no more is kept.
    bound: usize,
    /// Those of the worker, for a connection; `None`: these are the worker's.
    worker: Option<KeptBodies>,
}

/// The part of a body that was handed on, or is about to be once more.
pub(super) struct ReplayBuffer {
    pieces: VecDeque<Bytes>,
    /// Counted in `all`.
    bytes: usize,
    trailers: Option<HeaderMap>,
    /// The sum of all bodies; `None`: it keeps nothing.
    all: Option<KeptBodies>,
}

impl KeptBodies {
    /// Those of a connection among these, up to `bound` bytes.
    #[must_use]
    pub fn of_connection(&self, bound: usize) -> Self {
        Self(Rc::new(Kept {
            bytes: Cell::new(0),
            bound,
            worker: Some(self.clone()),
        }))
    }

    fn add(&self, bytes: usize) {
        self.0.bytes.set(self.0.bytes.get() + bytes);
        if let Some(worker) = &self.0.worker {
            worker.add(bytes);
        }
    }

    fn remove(&self, bytes: usize) {
        self.0.bytes.set(self.0.bytes.get() - bytes);
        if let Some(worker) = &self.0.worker {
            worker.remove(bytes);
        }
    }

    fn has_room(&self) -> bool {
        self.0.bytes.get() <= self.0.bound && self.0.worker.as_ref().is_none_or(Self::has_room)
    }
}

impl Default for KeptBodies {
    /// Those of a worker.
    fn default() -> Self {
        Self(Rc::new(Kept {
            bytes: Cell::new(0),
            bound: MOST_BYTES_OF_WORKER,
            worker: None,
        }))
    }
}

impl ReplayBuffer {
    /// A buffer that counts in `all`.
    pub(super) fn of(all: &KeptBodies) -> Self {
        Self {
            pieces: VecDeque::new(),
            bytes: 0,
            trailers: None,
            all: Some(all.clone()),
        }
    }

    /// Keeps `frame` too; `false`: it is too large.
    pub(super) fn keep(&mut self, frame: &Frame<Bytes>) -> bool {
        if let Some(data) = frame.data_ref() {
            self.bytes += data.len();
            if let Some(all) = &self.all {
                all.add(data.len());
            }
            // It is unknown here what shares the memory of a piece; pieces are read into buffers of
            // 64 KiB at most.
            self.pieces.push_back(data.clone());
        } else if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
        }
        self.bytes <= MOST_BYTES && self.all.as_ref().is_some_and(KeptBodies::has_room)
    }

    /// The next frame that was kept.
    pub(super) fn next(&mut self) -> Option<Frame<Bytes>> {
        if let Some(piece) = self.pieces.pop_front() {
            self.bytes -= piece.len();
            if let Some(all) = &self.all {
                all.remove(piece.len());
            }
            return Some(Frame::data(piece));
        }
        self.trailers.take().map(Frame::trailers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.trailers.is_none()
    }

    pub(super) fn has_trailers(&self) -> bool {
        self.trailers.is_some()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds `rest` at the end.
    pub(super) fn append(&mut self, mut rest: Self) {
        self.bytes += std::mem::take(&mut rest.bytes);
        self.pieces.append(&mut rest.pieces);
        self.trailers = self.trailers.take().or_else(|| rest.trailers.take());
    }
}

impl Drop for ReplayBuffer {
    fn drop(&mut self) {
        if let Some(all) = &self.all {
            all.remove(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: usize) -> Frame<Bytes> {
        Frame::data(vec![b'x'; bytes].into())
    }

    #[test]
    fn bodies_are_kept_as_long_as_their_sum_is_small() {
        let worker = KeptBodies::default();
        let kept = |bytes| {
            let mut buffer = ReplayBuffer::of(&worker);
            buffer.keep(&piece(bytes)).then_some(buffer)
        };
        assert!(kept(MOST_BYTES + 1).is_none());
        let count = MOST_BYTES_OF_WORKER / MOST_BYTES;
        let mut all: Vec<ReplayBuffer> = (0..count)
            .map(|_| kept(MOST_BYTES).expect("room for it"))
            .collect();
        assert!(kept(1).is_none());
        // One is sent again, and kept once more.
        let mut last = all.pop().expect("many");
        let mut again = ReplayBuffer::of(&worker);
        while let Some(frame) = last.next() {
            assert!(again.keep(&frame));
        }
        again.append(last);
        all.push(again);
        assert!(kept(1).is_none());
        drop(all);
        assert_eq!(worker.0.bytes.get(), 0);
        assert!(kept(MOST_BYTES).is_some());
    }

    #[test]
    fn a_connection_keeps_a_part_of_what_its_worker_keeps() {
        let worker = KeptBodies::default();
        let kept = |all: &KeptBodies, bytes| {
            let mut buffer = ReplayBuffer::of(all);
            buffer.keep(&piece(bytes)).then_some(buffer)
        };
        let [one, other] = [100, 100].map(|bound| worker.of_connection(bound));
        let first = kept(&one, 60).expect("room for it");
        let second = kept(&one, 40).expect("room for it");
        assert!(kept(&one, 1).is_none());
        let third = kept(&other, 100).expect("room for it");
        assert_eq!(worker.0.bytes.get(), 200);
        drop((first, second));
        assert!(kept(&one, 100).is_some());
        drop(third);
        assert_eq!(worker.0.bytes.get(), 0);
    }

    #[test]
    fn trailers_are_sent_again_after_the_data_however_often() {
        let worker = KeptBodies::default();
        let mut kept = ReplayBuffer::of(&worker);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", http::HeaderValue::from_static("3"));
        assert!(kept.keep(&piece(3)) && kept.keep(&Frame::trailers(trailers)));
        for handed_on in [0, 1, 2] {
            let mut again = ReplayBuffer::of(&worker);
            for _ in 0..handed_on {
                assert!(again.keep(&kept.next().expect("the data and the trailers")));
            }
            again.append(kept);
            kept = again;
        }
        assert!(kept.next().is_some_and(|frame| frame.is_data()));
        let last = kept.next().and_then(|frame| frame.into_trailers().ok());
        assert_eq!(last.expect("the trailers")["x-sum"], "3");
        assert!(kept.next().is_none() && kept.is_empty());
    }
}
