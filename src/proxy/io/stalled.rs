//! Exchanges of a worker whose client reads nothing while they hold a connection to a server.
//!
//! When descriptors run short, these are ended, the one that has waited longest first: a client
//! that reads keeps its connection. An exchange enters itself after a check at which nothing had
//! been taken, so one that moves never comes here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use crate::base::clock::Instant;

/// All of one worker.
#[derive(Debug, Default)]
pub struct Stalled(Rc<RefCell<Vec<Rc<Line>>>>);

#[derive(Debug)]
struct Line {
    /// Since when nothing was taken.
    since: Instant,
    /// Its index in the list. Written as others leave it.
    index: Cell<usize>,
    /// Whether it must end. Written by [`Stalled::end`].
    must_end: Cell<bool>,
    waker: RefCell<Waker>,
}

/// One exchange in the list; it leaves the list when dropped.
#[derive(Debug)]
pub struct StalledEntry {
    list: Rc<RefCell<Vec<Rc<Line>>>>,
    line: Rc<Line>,
}

impl Stalled {
    /// Enters the exchange of the task of `cx`, whose client has taken nothing since then.
    pub fn enter(&self, since: Instant, cx: &Context<'_>) -> StalledEntry {
        let mut list = self.0.borrow_mut();
        let line = Rc::new(Line {
            since,
            index: Cell::new(list.len()),
            must_end: Cell::new(false),
            waker: RefCell::new(cx.waker().clone()),
        });
        list.push(Rc::clone(&line));
        StalledEntry {
            list: Rc::clone(&self.0),
            line,
        }
    }

    /// Ends up to `most` of them, the ones that have waited longest, and returns how many.
    pub fn end(&self, most: usize) -> usize {
        let list = self.0.borrow();
        let mut waiting: Vec<&Rc<Line>> = list.iter().filter(|line| !line.must_end.get()).collect();
        waiting.sort_by_key(|line| line.since);
        waiting.truncate(most);
        for line in &waiting {
            line.must_end.set(true);
            line.waker.borrow().wake_by_ref();
        }
        waiting.len()
    }
}

impl StalledEntry {
    /// Since when nothing was taken.
    pub fn since(&self) -> Instant {
        self.line.since
    }

    /// Whether the exchange must end; its task is woken when that changes.
    pub fn must_end(&self, cx: &Context<'_>) -> bool {
        let mut waker = self.line.waker.borrow_mut();
        if !waker.will_wake(cx.waker()) {
            waker.clone_from(cx.waker());
        }
        self.line.must_end.get()
    }
}

impl Drop for StalledEntry {
    fn drop(&mut self) {
        let mut list = self.list.borrow_mut();
        let index = self.line.index.get();
        list.swap_remove(index);
        if let Some(moved) = list.get(index) {
            moved.index.set(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::{self, Duration};

    #[test]
    fn exchanges_that_have_waited_longest_end_first() {
        let mut cx = Context::from_waker(Waker::noop());
        let stalled = Stalled::default();
        let now = clock::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let entries = [3, 1, 2, 4].map(|seconds| stalled.enter(after(seconds), &cx));
        let ends = |entries: &[StalledEntry], cx: &mut Context<'_>| -> Vec<bool> {
            entries.iter().map(|entry| entry.must_end(cx)).collect()
        };
        assert_eq!(stalled.end(2), 2);
        assert_eq!(ends(&entries, &mut cx), [false, true, true, false]);
        let [first, second, third, fourth] = entries;
        drop((second, first));
        assert_eq!(stalled.end(9), 1, "each is ended once");
        assert_eq!(ends(&[third, fourth], &mut cx), [true, true]);
        assert_eq!(stalled.end(9), 0, "they have left");
    }
}
