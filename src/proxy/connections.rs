//! The client connections of one worker, and when they must end.
//!
//! A connection that waits for bytes must be woken when it has to end. Each is registered with its
//! waker: `worker` wakes all of them when it drains, and those of a frontend when a reload removes
//! it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::sync::Notify;

use crate::proxy::frontend::{Counted, Frontend};

/// All client connections of one worker.
#[derive(Default)]
pub struct Connections {
    inner: RefCell<Registered>,
    /// Notified when a connection that was to end has ended.
    left: Notify,
}

#[derive(Default)]
struct Registered {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Holds for later connections, too.
    shutdown: Shutdown,
}

struct Slot {
    waker: Option<Waker>,
    frontend: Option<Arc<Frontend>>,
    /// Its place among those of its client. Boxed: most connections are not counted.
    counted: Option<Box<Counted>>,
}

/// Whether and how a connection must end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// Continue.
    #[default]
    Run,
    /// End with the open exchange, or at once if none is open.
    Drain,
    /// End now, whatever is open.
    Abort,
}

/// The registration of one connection; dropping it removes it.
pub struct Registration {
    connections: Rc<Connections>,
    slot: u32,
}

impl Connections {
    /// Registers a connection of `frontend`.
    pub fn register(self: &Rc<Self>, frontend: Arc<Frontend>) -> Registration {
        let mut inner = self.inner.borrow_mut();
        let slot = Slot {
            waker: None,
            frontend: Some(frontend),
            counted: None,
        };
        let index = match inner.free.pop() {
            Some(index) => {
                inner.slots[index as usize] = slot;
                index
            }
            None => {
                inner.slots.push(slot);
                inner.slots.len() as u32 - 1
            }
        };
        Registration {
            connections: Rc::clone(self),
            slot: index,
        }
    }

    /// Sets how all connections must end.
    pub fn shut_down(&self, shutdown: Shutdown) {
        self.inner.borrow_mut().shutdown = shutdown;
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
            .slots
            .iter_mut()
            .filter(|slot| slot.frontend.as_deref().is_some_and(&whose))
            .filter_map(|slot| slot.waker.take())
            .collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until it may have become empty, when a connection ends, or until
    /// [`Connections::look`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn emptied(&self) {
        self.left.notified().await;
    }

    /// Wakes the task that waits in [`Connections::emptied`].
    pub fn look(&self) {
        self.left.notify_one();
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        let inner = self.inner.borrow();
        inner.slots.len() - inner.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Registration {
    /// The connection is counted among those of its client until it ends.
    pub fn count(&self, counted: Counted) {
        let mut inner = self.connections.inner.borrow_mut();
        inner.slots[self.slot as usize].counted = Some(Box::new(counted));
    }

    /// Whether this connection must end; its task is woken when that changes.
    pub fn shutdown(&self, cx: &mut Context<'_>) -> Shutdown {
        let mut inner = self.connections.inner.borrow_mut();
        let general = inner.shutdown;
        let slot = &mut inner.slots[self.slot as usize];
        match &slot.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => slot.waker = Some(cx.waker().clone()),
        }
        let is_removed = slot.frontend.as_ref().is_some_and(|f| f.is_removed());
        if is_removed {
            general.max(Shutdown::Drain)
        } else {
            general
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut inner = self.connections.inner.borrow_mut();
        inner.slots[self.slot as usize] = Slot {
            waker: None,
            frontend: None,
            counted: None,
        };
        inner.free.push(self.slot);
        if inner.shutdown != Shutdown::Run {
            self.connections.left.notify_one();
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

    fn shutdown(registration: &Registration) -> Shutdown {
        registration.shutdown(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn slots_are_used_again() {
        let connections = Rc::new(Connections::default());
        let first = connections.register(frontend());
        drop(first);
        let _second = connections.register(frontend());
        assert_eq!(connections.len(), 1);
        assert_eq!(connections.inner.borrow().slots.len(), 1);
    }

    #[test]
    fn connections_of_a_removed_frontend_drain_and_others_stay() {
        let connections = Rc::new(Connections::default());
        let (gone, stays) = (frontend(), frontend());
        let leaves = connections.register(Arc::clone(&gone));
        let stays = connections.register(stays);
        gone.remove();
        assert_eq!(shutdown(&leaves), Shutdown::Drain);
        assert_eq!(shutdown(&stays), Shutdown::Run);
        connections.shut_down(Shutdown::Abort);
        assert_eq!(shutdown(&stays), Shutdown::Abort);
    }
}
