//! The rest of an HTTP/2 request when its answer has come.

use std::future::poll_fn;

use ::h2::{Reason as Code, SendStream};
use bytes::Bytes;

use crate::base::tasks::{self, JoinHandle};
use crate::proxy::io::{Pump, RequestBody, Stopped};

/// The rest of an answered request. Dropping it resets the stream if there is any.
pub(super) enum Rest {
    /// Nothing, or nothing that matters.
    Nothing,
    /// Some of its body, because the answer came before its end, or all of it, because it is kept until the
    /// answer is judged.
    Unjudged(Box<Unjudged>),
    /// Some of its body.
    Upload(#[expect(dead_code, reason = "what it does is to be dropped")] Upload),
    /// The client's further bytes: the answer to a CONNECT was 2xx.
    Tunnel(SendStream<Bytes>),
}

impl Rest {
    /// The answer goes to the client: the rest of the request goes to the server, and nothing of it is kept.
    pub(super) fn deliver(&mut self) {
        let Self::Unjudged(unjudged) = self else {
            return;
        };
        let wants_more = unjudged.wants_more;
        unjudged.pump.body_mut().forget();
        if let Self::Unjudged(unjudged) = std::mem::replace(self, Self::Nothing)
            && wants_more
        {
            *self = Self::Upload(Upload::of(unjudged.pump));
        }
    }

    /// Whether the request could be sent once more, body and all.
    pub(super) fn keeps_request(&self) -> bool {
        matches!(self, Self::Unjudged(unjudged) if unjudged.pump.body().is_kept_until_answered())
    }

    /// The body of the request, to be sent once more; `None`: it is not kept.
    pub(super) fn take_request(&mut self) -> Option<RequestBody> {
        match std::mem::replace(self, Self::Nothing) {
            Self::Unjudged(unjudged) => unjudged.pump.into_body().rewound(),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// The rest of a request, until it is certain that its answer goes to the client.
pub(super) struct Unjudged {
    pub(super) pump: Pump<RequestBody>,
    /// Whether the server gets the rest.
    pub(super) wants_more: bool,
}

/// The rest of a request on its way to the server, whether or not the answer is read. Dropping it
/// resets the stream.
pub(super) struct Upload(JoinHandle<()>);

impl Upload {
    /// In a task of its own: a client that does not read the answer may continue to send.
    fn of(mut pump: Pump<RequestBody>) -> Self {
        Self(tasks::spawn_local(async move {
            let sent = poll_fn(|cx| pump.poll(cx)).await;
            if let Err(Stopped::Body(_)) = sent {
                pump.reset(Code::CANCEL);
            }
        }))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}
