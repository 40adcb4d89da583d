//! A socket that holds a permit of `descriptors`, if it was given one.

use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};

use super::descriptors::Permit;

/// A socket and its permit, which is given back when the socket is closed.
#[derive(Debug)]
pub struct Counted<S> {
    socket: S,
    /// `None`: it is a client's, or belongs to the control plane.
    permit: Option<Permit>,
}

impl<S> Counted<S> {
    pub(super) fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Whether an exchange waits for its permit.
    pub(super) fn is_wanted(&self) -> bool {
        self.permit.as_ref().is_some_and(Permit::is_wanted)
    }
}

impl<S> From<S> for Counted<S> {
    fn from(socket: S) -> Self {
        Self {
            socket,
            permit: None,
        }
    }
}

impl<S: AsFd> AsFd for Counted<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<S> Deref for Counted<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.socket
    }
}

impl<S> DerefMut for Counted<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.socket
    }
}
