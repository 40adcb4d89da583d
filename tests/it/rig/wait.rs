//! Waiting for something to become true, with a deadline that fails the test.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The deadline of anything that happens at once on an idle machine. Long, because the machine that
/// runs the tests is not idle.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(3);

/// Waits until `look` finds something, and returns it.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came: {what}");
        thread::park_timeout(LOOK_EVERY);
    }
}

/// Checks that `holds` is true all the time for `span`: for things that must *not* happen.
#[track_caller]
pub(crate) fn while_for(span: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        assert!(holds(), "it did not last: {what}");
        thread::park_timeout(LOOK_EVERY);
    }
}

/// A gate that is shut until it is opened: makes a script wait for its test. Clones are the
/// same gate.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    /// Opens it for all, now and later.
    pub(crate) fn open(&self) {
        *self.shared.0.lock().expect("no thread panics with it") = true;
        self.shared.1.notify_all();
    }

    /// Waits until it is open. Gives up after a while, so that a failed test can end.
    pub(crate) fn pass(&self) {
        let is_open = self.shared.0.lock().expect("no thread panics with it");
        let waited = self
            .shared
            .1
            .wait_timeout_while(is_open, 2 * TIMEOUT, |is_open| !*is_open);
        drop(waited.expect("no thread panics with it"));
    }
}
