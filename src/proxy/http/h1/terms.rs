//! The configuration of a frontend for an HTTP/1 connection, as of now.

use crate::net::HalfClose;
use crate::plan::{self, HeaderCase};
use crate::proxy::http::client::Client;
use crate::wire::h1::{HeadLimits, KeepNames};

/// The settings for the next request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The generation of their snapshot.
    generation: u64,
    pub(super) limits: HeadLimits,
    /// What a client means that closes its sending side.
    pub(super) half_close: HalfClose,
    /// The case of field names that are sent to the client.
    pub(super) case: HeaderCase,
    /// Whether the field names of requests are kept as received.
    pub(super) keep_names: KeepNames,
}

impl Terms {
    /// The terms of the frontend of `client`.
    pub(super) fn of(client: &Client) -> Self {
        let (view, index) = client.view();
        let usual = plan::FrontendLimits::default();
        let plan = index.map(|index| &view.snapshot.plan.frontends[index as usize]);
        if let Some(index) = index {
            client.note_timeouts(&view, index as usize);
        }
        // A frontend that was just removed has none: the connection is about to end.
        let limits = plan.map_or(&usual, |plan| &plan.limits);
        Self {
            generation: view.snapshot.generation,
            limits: HeadLimits {
                bytes: limits.head.0 as usize,
                fields: limits.fields,
            },
            half_close: match plan.is_some_and(|plan| plan.half_close) {
                true => HalfClose::IsFine,
                false => HalfClose::IsLeaving,
            },
            case: plan.map(|plan| plan.header_case).unwrap_or_default(),
            keep_names: match view.records_case {
                true => KeepNames::Yes,
                false => KeepNames::No,
            },
        }
    }

    /// Takes over changes of a reload.
    #[inline]
    pub(super) fn renew(&mut self, client: &Client) {
        if client.context.views.current().snapshot.generation != self.generation {
            *self = Self::of(client);
        }
    }

    /// Whether an exchange continues after the client has closed its sending side.
    pub(super) fn outlives_half_close(&self) -> bool {
        self.half_close == HalfClose::IsFine
    }
}
