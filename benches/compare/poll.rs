//! A level-triggered epoll set, for `origin`, `relay` and `load`.
//!
//! Not tokio: the floor and the load must cost as little as the kernel allows, and a
//! level-triggered set needs no second read to find that nothing is left.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// Events taken from the kernel at once.
const BATCH: usize = 512;

/// The events to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
    /// Only errors and hang-ups, which the kernel always reports.
    Nothing,
}

pub(crate) struct Poller {
    epoll: OwnedFd,
}

/// Filled by [`Poller::wait`]; kept by the caller so that handling an event may change the set.
pub(crate) struct Events(Vec<epoll::Event>);

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
        })
    }

    pub(crate) fn add(
        &self,
        socket: impl AsFd,
        token: usize,
        interest: Interest,
    ) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            socket,
            EventData::new_u64(token as u64),
            interest.flags(),
        )?)
    }

    pub(crate) fn change(
        &self,
        socket: impl AsFd,
        token: usize,
        interest: Interest,
    ) -> io::Result<()> {
        Ok(epoll::modify(
            &self.epoll,
            socket,
            EventData::new_u64(token as u64),
            interest.flags(),
        )?)
    }

    /// Waits for events, at most `timeout`; an interrupted wait is an empty one.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        events.0.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut events.0), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Events {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }

    /// The tokens of the sockets that are ready, or broken.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = usize> {
        self.0
            .iter()
            .map(|event| usize::try_from(event.data.u64()).expect("tokens were made from a usize"))
    }
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Self::Read => EventFlags::IN,
            Self::Write => EventFlags::OUT,
            Self::Nothing => EventFlags::empty(),
        }
    }
}

/// A socket's descriptor as its token.
pub(crate) fn token_of(socket: &impl AsRawFd) -> usize {
    usize::try_from(socket.as_raw_fd()).expect("an open descriptor is not negative")
}
