//! What the frontend's configuration says of a connection of HTTP/1, as it is now.

use crate::net::HalfClose;
use crate::plan::{self, HeaderCase};
use crate::proxy::http::client::Client;
use crate::wire::h1::{HeadLimits, KeepNames};

/// Settings for the next request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Of the snapshot that they are from.
    generation: u64,
    pub(super) limits: HeadLimits,
    /// What the end of the client's sending side means.
    pub(super) half_close: HalfClose,
    /// How field names are written to the client.
    pub(super) case: HeaderCase,
    /// Whether the field names of requests are kept as they came.
    pub(super) keep_names: KeepNames,
}

impl Terms {
    /// Those of the frontend of `client`.
    pub(super) fn of(client: &Client) -> Self {
        let (view, index) = client.view();
        let usual = plan::FrontendLimits::default();
        let plan = index.map(|index| &view.snapshot.plan.frontends[index as usize]);
        if let Some(index) = index {
            client.note_timeouts(&view, index as usize);
        }
        // A frontend that has just been removed has none: the connection is about to end.
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

    /// Takes what a reload has changed since.
    #[inline]
    pub(super) fn renew(&mut self, client: &Client) {
        if client.context.views.current().snapshot.generation != self.generation {
            *self = Self::of(client);
        }
    }

    /// Whether an exchange goes on after the client has closed its sending side.
    pub(super) fn outlives_half_close(&self) -> bool {
        self.half_close == HalfClose::IsFine
    }
}
