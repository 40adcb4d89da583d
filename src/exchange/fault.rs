//! A fault of the data plane: the cause, whose side it is, and whether a retry is allowed.

use std::fmt;
use std::io;
use std::rc::Rc;

use crate::base::InWords;

use super::Reason;

/// A fault during an exchange or an attempt.
#[derive(Debug)]
pub struct Fault {
    /// The stable code; status, side and retry follow from it.
    pub reason: Reason,
    /// The error of the layer below; for the log, never for the client.
    pub cause: Option<Cause>,
}

/// The error of the layer below.
#[derive(Debug)]
pub enum Cause {
    /// The system.
    Io(io::Error),
    /// HTTP/2.
    Http2(h2::Error),
    /// The error of another exchange that waited for the same connection.
    Text(Rc<str>),
    /// The other side uses another protocol than we do.
    NotSpoken(Rc<str>),
}

impl Fault {
    /// A fault without an error of the layer below.
    pub fn new(reason: Reason) -> Self {
        Self {
            reason,
            cause: None,
        }
    }

    /// A fault with an error of the system.
    pub fn io(reason: Reason, error: io::Error) -> Self {
        Self {
            reason,
            cause: Some(Cause::Io(error)),
        }
    }

    /// A fault with an error of HTTP/2.
    pub fn http2(reason: Reason, error: h2::Error) -> Self {
        Self {
            reason,
            cause: Some(Cause::Http2(error)),
        }
    }

    /// A fault because the server does not speak `protocol`; `detail` is the error that shows it.
    pub fn not_spoken(reason: Reason, protocol: &str, detail: &dyn fmt::Display) -> Self {
        let text = format!("the server does not speak {protocol}: {detail}");
        Self {
            reason,
            cause: Some(Cause::NotSpoken(text.into())),
        }
    }

    /// A fault that several exchanges share; one of them had this cause.
    pub fn with_text(reason: Reason, cause: Rc<str>) -> Self {
        Self {
            reason,
            cause: Some(Cause::Text(cause)),
        }
    }
}

impl Cause {
    /// The same, for another exchange.
    pub fn copied(&self) -> Self {
        match self {
            Self::NotSpoken(text) => Self::NotSpoken(Rc::clone(text)),
            Self::Text(text) => Self::Text(Rc::clone(text)),
            other => Self::Text(other.to_string().into()),
        }
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.code())?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => InWords(error).fmt(f),
            Self::Http2(error) => Http2InWords(error).fmt(f),
            Self::Text(text) | Self::NotSpoken(text) => f.write_str(text),
        }
    }
}

/// Shows an error of HTTP/2 within a sentence. h2 shows the bytes of a GOAWAY as well, which the other
/// side chooses, and the system's errors with their numbers.
pub struct Http2InWords<'a>(pub &'a h2::Error);

impl fmt::Display for Http2InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        if let Some(error) = error.get_io() {
            return InWords(error).fmt(f);
        }
        let Some(reason) = error.reason() else {
            return error.fmt(f);
        };
        let what = match error.is_go_away() {
            true => "connection",
            false => "stream",
        };
        match error.is_remote() {
            true => write!(f, "the other side ended the {what}: {reason}"),
            false => write!(f, "the {what} was ended: {reason}"),
        }
    }
}

impl std::error::Error for Fault {}
