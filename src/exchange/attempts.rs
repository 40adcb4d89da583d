//! The attempts of one exchange, each with its own record.
//!
//! `forward` begins an attempt and keeps its index. Later facts are written by that index, so that
//! no attempt writes into the record of another. `observe` reads them all when the exchange is
//! over.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use super::{Attempt, Outcome, TriedServer, Verdict};

/// The index of an attempt in its exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptIndex(usize);

/// The attempts of one exchange. Written by `forward`.
#[derive(Debug, Default)]
pub struct Attempts {
    list: RefCell<AttemptList>,
    /// The attempt whose answer the client gets. Written by [`Attempts::deliver`]; `None`: none yet.
    delivered: Cell<Option<AttemptIndex>>,
}

/// Attempts in the order in which they began.
#[derive(Debug, Default)]
pub struct AttemptList {
    /// Not in `later`, so that an exchange with one attempt allocates nothing.
    first: Option<Attempt>,
    later: Vec<Attempt>,
}

impl AttemptIndex {
    /// The slot of the attempt among `slots`: no more than that run at once.
    pub fn slot(self, slots: usize) -> usize {
        self.0 % slots
    }
}

impl Attempts {
    /// The index of the attempt that begins next.
    pub fn next(&self) -> AttemptIndex {
        AttemptIndex(self.list.borrow().len())
    }

    /// Begins `attempt`.
    pub fn begin(&self, attempt: Attempt) -> AttemptIndex {
        let index = self.next();
        let mut list = self.list.borrow_mut();
        match &list.first {
            None => list.first = Some(attempt),
            Some(_) => list.later.push(attempt),
        }
        index
    }

    /// Changes the record of the attempt `index`.
    pub fn stamp(&self, index: AttemptIndex, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.list.borrow_mut().get_mut(index) {
            change(attempt);
        }
    }

    /// Notes that the client gets the answer of the attempt `index`.
    pub fn deliver(&self, index: AttemptIndex) {
        self.delivered.set(Some(index));
    }

    /// The attempt whose outcome is that of the exchange: the one whose answer the client gets, else the latest.
    pub fn decisive(&self) -> Option<AttemptIndex> {
        let latest = self.list.borrow().len().checked_sub(1);
        self.delivered.get().or(latest.map(AttemptIndex))
    }

    /// The server of that attempt.
    pub fn server(&self) -> Option<Rc<TriedServer>> {
        let decisive = self.decisive()?;
        let list = self.list.borrow();
        list.get(decisive).map(|attempt| Rc::clone(&attempt.server))
    }

    /// The outcome of the attempt `index`, with this verdict.
    pub fn outcome(&self, index: AttemptIndex, verdict: Verdict) -> Outcome {
        let list = self.list.borrow();
        match list.get(index) {
            None => Outcome::without_answer(verdict),
            Some(attempt) => Outcome {
                verdict,
                status: attempt.status,
                latency: attempt.response,
            },
        }
    }

    /// All attempts.
    pub fn list(&self) -> Ref<'_, AttemptList> {
        self.list.borrow()
    }
}

impl AttemptList {
    /// The number of attempts.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.later.len()
    }

    /// Whether there was no attempt.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The attempt `index`.
    pub fn get(&self, index: AttemptIndex) -> Option<&Attempt> {
        match index.0.checked_sub(1) {
            None => self.first.as_ref(),
            Some(index) => self.later.get(index),
        }
    }

    fn get_mut(&mut self, index: AttemptIndex) -> Option<&mut Attempt> {
        match index.0.checked_sub(1) {
            None => self.first.as_mut(),
            Some(index) => self.later.get_mut(index),
        }
    }

    /// All but the attempt `index`, in order.
    pub fn others(&self, index: Option<AttemptIndex>) -> impl Iterator<Item = &Attempt> {
        let all = self.first.iter().chain(&self.later).enumerate();
        all.filter(move |(of, _)| index != Some(AttemptIndex(*of)))
            .map(|(_, attempt)| attempt)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::Name;
    use crate::exchange::ServerMetrics;

    fn at(server: &str) -> Attempt {
        Attempt::at(Rc::new(TriedServer {
            name: Name::new(server).expect("a name"),
            metrics: Arc::new(ServerMetrics::new(1)),
        }))
    }

    #[test]
    fn an_attempt_writes_into_its_own_record() {
        let attempts = Attempts::default();
        assert_eq!(attempts.decisive(), None);
        let [one, two, three] = ["a", "b", "c"].map(|name| attempts.begin(at(name)));
        attempts.stamp(two, |attempt| attempt.status = 200);
        attempts.stamp(one, |attempt| attempt.status = 503);
        let list = attempts.list();
        let status = |index| list.get(index).map(|attempt| attempt.status);
        assert_eq!(
            [one, two, three].map(status),
            [Some(503), Some(200), Some(0)]
        );
        assert_eq!(list.len(), 3);
    }

    #[test]
    fn the_outcome_is_that_of_the_latest_attempt_unless_another_one_is_delivered() {
        let attempts = Attempts::default();
        let [one, two] = ["a", "b"].map(|name| attempts.begin(at(name)));
        let seen = || {
            let list = attempts.list();
            let others = list.others(attempts.decisive());
            let others: Vec<String> = others.map(|one| one.server.name.to_string()).collect();
            let server = attempts.server().map(|server| server.name.to_string());
            (server, others)
        };
        assert_eq!(attempts.decisive(), Some(two));
        assert_eq!(seen(), (Some("b".to_owned()), vec!["a".to_owned()]));
        attempts.deliver(one);
        assert_eq!(seen(), (Some("a".to_owned()), vec!["b".to_owned()]));
    }
}
