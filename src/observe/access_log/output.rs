//! The end of a target: a file or standard stream, or a syslog server.

use std::io;

use crate::base::clock::Instant;
use crate::observe::access_log::lost::Lost;
use crate::observe::access_log::server::Server;
use crate::observe::access_log::sink::{Sink, WriteError};
use crate::plan::LogTarget;

/// The end of a target. Used by its writer thread alone.
#[derive(Debug)]
pub(super) enum Output {
    File(Sink),
    Server(Server),
}

impl Output {
    /// # Errors
    ///
    /// The system's error if a file cannot be opened. A server is connected to when there is
    /// something to write: one that is gone must keep no proxy from starting.
    pub(super) fn open(target: &LogTarget) -> io::Result<Self> {
        match target.is_syslog() {
            true => Ok(Self::Server(Server::new(target))),
            false => Sink::open(target).map(Self::File),
        }
    }

    pub(super) fn target(&self) -> &LogTarget {
        match self {
            Self::File(sink) => sink.target(),
            Self::Server(server) => server.target(),
        }
    }

    /// Writes `lines`, waiting as long as the target does; a server has a time limit.
    ///
    /// # Errors
    ///
    /// [`Lost`], with the first error.
    pub(super) fn write(&mut self, lines: &[u8], now: Instant) -> Result<(), Lost> {
        match self {
            Self::File(sink) => sink.write(lines).map_err(|failed| {
                let WriteError { written, error } = failed;
                Lost::all(&lines[written..], error)
            }),
            Self::Server(server) => server.write(lines, now),
        }
    }

    /// See [`Sink::follow_its_name`].
    pub(super) fn follow_its_name(&mut self, now: Instant) -> io::Result<()> {
        match self {
            Self::File(sink) => sink.follow_its_name(now),
            Self::Server(_) => Ok(()),
        }
    }

    /// See [`Sink::reopen`].
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::File(sink) => sink.reopen(),
            Self::Server(_) => Ok(()),
        }
    }
}
