//! Reads the head of the next request on an HTTP/1 connection.

use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};

use crate::base::clock::{self, Duration};
use crate::exchange::Reason;
use crate::observe::event;
use crate::proxy::connections::Shutdown;
use crate::wire::h1::Refusal;
use crate::wire::h1::request_head::{BLANK_BYTES_MAX, RequestParser, blank_bytes};
use crate::wire::preface;

use super::active_period::ActivePeriod;
use super::terms::Terms;
use super::verdict::Verdict;

/// How long buffers are kept after an exchange. A client that asks again within a second costs
/// nothing more; one that does not is probably idle for longer.
const PARK_AFTER: Duration = Duration::from_secs(1);

impl ActivePeriod<'_> {
    /// Ready when the head of the next request is complete.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Verdict>> {
        let shutdown = self.note_shutdown(cx);
        if shutdown == Shutdown::Abort {
            return Poll::Ready(Err(Verdict::Over));
        }
        if let Err(verdict) = self.read_head(cx) {
            return Poll::Ready(Err(verdict));
        }
        if self.head.is_some() {
            return Poll::Ready(Ok(()));
        }
        if self.socket.has_read() {
            return Poll::Ready(Err(Verdict::HalfHead));
        }
        // The client of a connection that has not been served yet expects an answer.
        if shutdown == Shutdown::Drain && self.session.has_served {
            return Poll::Ready(Err(Verdict::Over));
        }
        let park = self.session.idle_since + PARK_AFTER;
        let until = park.min(self.session.idle_until());
        ready!(self.timer.poll(cx, until));
        Poll::Ready(Err(Verdict::Idle))
    }

    /// Reads until there is a head, or nothing more to read now.
    fn read_head(&mut self, cx: &mut Context<'_>) -> Result<(), Verdict> {
        loop {
            self.parse_head()?;
            if self.head.is_some() {
                return Ok(());
            }
            match self.socket.poll_read(cx) {
                Poll::Ready(Ok(count)) if count > 0 => {}
                // The end of the stream, or a reset.
                Poll::Ready(_) if self.socket.has_read() => {
                    return Err(Verdict::Unanswered(Reason::ClientLeft));
                }
                Poll::Ready(_) => return Err(Verdict::Over),
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// Takes a head from the bytes that were read, if it is complete.
    fn parse_head(&mut self) -> Result<(), Verdict> {
        let Self {
            parser,
            head,
            terms,
            blank_bytes: blank,
            ..
        } = self;
        let parsed = self.socket.with_read(|read| {
            let skipped = blank_bytes(read);
            if skipped > 0 {
                read.advance(skipped);
                *blank += skipped;
            }
            if *blank > BLANK_BYTES_MAX {
                return Err(Verdict::Unanswered(Reason::RequestHeadMalformed));
            }
            if read.is_empty() {
                return Ok(());
            }
            let parsed = parser.parse(read, terms.limits, terms.keep_names);
            // An HTTP/2 client would not understand an answer.
            let is_preface = preface::version(read) != Some(preface::Version::H1);
            let refused = |refusal| {
                let client = &self.session.client;
                event::connection_failed(&client.live.name, client.peer, &refusal);
                match is_preface {
                    true => Verdict::Unanswered(reason_of(refusal)),
                    false => Verdict::Unread(reason_of(refusal)),
                }
            };
            *head = parsed.map_err(refused)?;
            Ok(())
        });
        if head.is_some() {
            *blank = 0;
        } else if self.session.head_began.is_none() && self.socket.has_read() {
            self.session.head_began = Some(clock::now());
        }
        parsed
    }
}

/// The reason for the refusal of a part of a head whose client has left. `None`: the part is valid so far.
pub(super) fn reason_of_part(part: &[u8], terms: &Terms) -> Option<Reason> {
    let mut part = BytesMut::from(part);
    let parsed = RequestParser::default().parse(&mut part, terms.limits, terms.keep_names);
    parsed.err().map(reason_of)
}

/// The reason for the refusal of a head.
fn reason_of(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::HeadTooLarge | Refusal::TooManyFields => Reason::RequestHeadTooLarge,
        Refusal::TargetTooLong => Reason::RequestTargetTooLong,
        _ => Reason::RequestHeadMalformed,
    }
}
