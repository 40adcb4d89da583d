//! A socket that holds its place among the descriptors, if it was given one.

use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};

use super::descriptors::Place;

/// A socket and its place, which is given back when the socket is closed.
#[derive(Debug)]
pub struct Counted<S> {
    socket: S,
    /// `None`: it is a client's, or belongs to the control plane.
    place: Option<Place>,
}

impl<S> Counted<S> {
    pub(super) fn hold(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// Whether an exchange waits for its place.
    pub(super) fn is_wanted(&self) -> bool {
        self.place.as_ref().is_some_and(Place::is_wanted)
    }
}

impl<S> From<S> for Counted<S> {
    fn from(socket: S) -> Self {
        Self {
            socket,
            place: None,
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
