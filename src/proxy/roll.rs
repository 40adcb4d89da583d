//! The roll of a worker's client connections: who is there, and who shall go.
//!
//! A connection that waits for bytes has to be woken when it shall end. Each has an entry with its
//! waker; whoever drains the worker, or takes a frontend away, goes through the roll.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::sync::Notify;

use crate::proxy::frontend::Frontend;

/// All client connections of one worker.
#[derive(Default)]
pub struct Roll {
    inner: RefCell<Inner>,
    /// Told when a connection that was to leave has left.
    left: Notify,
}

#[derive(Default)]
struct Inner {
    lines: Vec<Line>,
    free: Vec<u32>,
    /// What a connection that comes later is told, too.
    order: Order,
}

struct Line {
    waker: Option<Waker>,
    frontend: Option<Arc<Frontend>>,
}

/// What a connection shall do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Go on.
    #[default]
    Stay,
    /// End with the exchange that is open, or at once.
    Leave,
    /// End now, whatever is open.
    Break,
}

/// One connection's line; it is struck out when dropped.
pub struct Entry {
    roll: Rc<Roll>,
    line: u32,
}

impl Roll {
    /// Enters a connection of `frontend`.
    pub fn enter(self: &Rc<Self>, frontend: Arc<Frontend>) -> Entry {
        let mut inner = self.inner.borrow_mut();
        let line = Line {
            waker: None,
            frontend: Some(frontend),
        };
        let place = match inner.free.pop() {
            Some(place) => {
                inner.lines[place as usize] = line;
                place
            }
            None => {
                inner.lines.push(line);
                inner.lines.len() as u32 - 1
            }
        };
        Entry {
            roll: Rc::clone(self),
            line: place,
        }
    }

    /// Gives all connections an order.
    pub fn order(&self, order: Order) {
        self.inner.borrow_mut().order = order;
        self.wake(|_| true);
    }

    /// Wakes the connections of frontends that have been removed.
    pub fn wake_removed(&self) {
        self.wake(Frontend::is_removed);
    }

    fn wake(&self, whose: impl Fn(&Frontend) -> bool) {
        let wakers: Vec<Waker> = self
            .inner
            .borrow_mut()
            .lines
            .iter_mut()
            .filter(|line| line.frontend.as_deref().is_some_and(&whose))
            .filter_map(|line| line.waker.take())
            .collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until it may have become empty, after an order to leave, or somebody wants it looked at.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn emptied(&self) {
        self.left.notified().await;
    }

    /// Has whoever waits in [`Roll::emptied`] look.
    pub fn look(&self) {
        self.left.notify_one();
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        let inner = self.inner.borrow();
        inner.lines.len() - inner.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Entry {
    /// What this connection shall do; its task is woken when that changes.
    pub fn order(&self, cx: &mut Context<'_>) -> Order {
        let mut inner = self.roll.inner.borrow_mut();
        let general = inner.order;
        let line = &mut inner.lines[self.line as usize];
        match &line.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => line.waker = Some(cx.waker().clone()),
        }
        let is_removed = line.frontend.as_ref().is_some_and(|f| f.is_removed());
        if is_removed {
            general.max(Order::Leave)
        } else {
            general
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut inner = self.roll.inner.borrow_mut();
        inner.lines[self.line as usize] = Line {
            waker: None,
            frontend: None,
        };
        inner.free.push(self.line);
        if inner.order != Order::Stay {
            self.roll.left.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Name;

    use super::*;

    fn frontend() -> Arc<Frontend> {
        Arc::new(Frontend::new(Name::new("web").expect("a name"), 1))
    }

    fn order(entry: &Entry) -> Order {
        entry.order(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn lines_are_used_again() {
        let roll = Rc::new(Roll::default());
        let first = roll.enter(frontend());
        drop(first);
        let _second = roll.enter(frontend());
        assert_eq!(roll.len(), 1);
        assert_eq!(roll.inner.borrow().lines.len(), 1);
    }

    #[test]
    fn those_of_a_removed_frontend_leave_and_others_stay() {
        let roll = Rc::new(Roll::default());
        let (gone, stays) = (frontend(), frontend());
        let leaves = roll.enter(Arc::clone(&gone));
        let stays = roll.enter(stays);
        gone.remove();
        assert_eq!(order(&leaves), Order::Leave);
        assert_eq!(order(&stays), Order::Stay);
        roll.order(Order::Break);
        assert_eq!(order(&stays), Order::Break);
    }
}
