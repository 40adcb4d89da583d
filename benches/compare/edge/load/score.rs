//! The counts of the clients of one run, all on one thread.

use std::cell::Cell;
use std::io;

use crate::edge::client::Answer;
use crate::tally::Tally;

#[derive(Default)]
pub(super) struct Score {
    window: Cell<Window>,
    completed: Cell<u64>,
    completed_ever: Cell<u64>,
    broken: Cell<u64>,
    refused: Cell<u64>,
    /// Begun and not settled.
    open: Cell<u64>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Window {
    #[default]
    WarmUp,
    Open,
    /// No exchange is begun any more.
    Closed,
}

impl Score {
    pub(super) fn open_window(&self) {
        self.window.set(Window::Open);
    }

    pub(super) fn close_window(&self) {
        self.window.set(Window::Closed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.window.get() == Window::Closed
    }

    /// An exchange begins; `settle` ends it.
    pub(super) fn begin(&self) {
        self.open.update(|it| it + 1);
    }

    pub(super) fn settle(&self, outcome: &io::Result<Answer>) {
        self.open.update(|it| it - 1);
        match outcome {
            Ok(Answer::Proper) => {
                self.completed_ever.update(|it| it + 1);
                if self.window.get() == Window::Open {
                    self.completed.update(|it| it + 1);
                }
            }
            Ok(Answer::Refused) => self.refused.update(|it| it + 1),
            Err(_) => self.lose_connection(),
        }
    }

    pub(super) fn lose_connection(&self) {
        self.broken.update(|it| it + 1);
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            completed: self.completed.get(),
            completed_ever: self.completed_ever.get(),
            broken: self.broken.get(),
            refused: self.refused.get(),
            unfinished: self.open.get(),
            ..Tally::default()
        }
    }
}
