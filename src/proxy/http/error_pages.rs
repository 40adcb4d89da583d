//! The content of our own answers, where the backend or the frontend has an `error_page` for them.

use bytes::Bytes;
use http::Response;

use crate::exchange::{Reason, RequestId};
use crate::expr::{ConnectionFacts, Facts};
use crate::net;
use crate::proxy::rules::PageFacts;

use super::active::ActiveRequest;
use super::client::Client;
use super::dialect::Dialect;

impl ActiveRequest {
    /// `answer`, which has the usual text for `reason`, as the error pages have it: those of the
    /// backend first, then those of the frontend.
    pub(super) fn with_error_page(
        &self,
        reason: Reason,
        answer: Response<Bytes>,
    ) -> Response<Bytes> {
        let snapshot = &self.view.snapshot;
        let chosen = self.chosen.get().backend;
        let of_backend = chosen.and_then(|index| snapshot.backend_error_pages.get(index as usize));
        let of_backend = of_backend.and_then(Option::as_deref);
        let of_frontend = self.frontend_index.and_then(|index| {
            let frontend = snapshot.frontends.get(index as usize)?;
            frontend.error_pages.as_deref()
        });
        // A gRPC client understands no page.
        if (of_backend.is_none() && of_frontend.is_none()) || self.dialect == Dialect::Grpc {
            return answer;
        }
        let backend = self.backend();
        let about = PageFacts {
            reason,
            asks_for_json: self.asks_for_json,
            facts: Facts {
                id: &self.exchange.record.opening.id,
                connection: self.connection_facts(),
                request: None,
                backend: backend.map(|backend| backend.shared.plan.name.as_str()),
                response: None,
                variables: Some(&self.exchange.variables),
                tracked: Some(&self.exchange.tracked),
            },
            scratch: &self.client.context.scratch,
        };
        let pages = [of_backend, of_frontend].into_iter().flatten();
        let mut answer = answer;
        for pages in pages {
            if pages.dress(&mut answer, &about) {
                break;
            }
        }
        answer
    }
}

impl Client {
    /// The same for a request that could not be read: `id` is that of the answer. What the client
    /// accepts is not known.
    pub(super) fn with_error_page(
        &self,
        reason: Reason,
        id: &RequestId,
        answer: Response<Bytes>,
    ) -> Response<Bytes> {
        let (view, index) = self.view();
        let frontend = index.and_then(|index| view.snapshot.frontends.get(index as usize));
        let Some(pages) = frontend.and_then(|frontend| frontend.error_pages.as_deref()) else {
            return answer;
        };
        let about = PageFacts {
            reason,
            asks_for_json: false,
            facts: Facts {
                id,
                connection: ConnectionFacts {
                    client: self.peer,
                    local: self.local,
                    tls: self.tls.as_deref(),
                    frontend: &self.live.name,
                    variables: Some(&self.variables),
                    tables: Some(&*view.snapshot.tables),
                    state: Some(&*view.snapshot),
                    proxy_fields: self.proxy_fields.as_deref(),
                    content: None,
                    is_local: net::is_local,
                },
                request: None,
                backend: None,
                response: None,
                variables: None,
                tracked: None,
            },
            scratch: &self.context.scratch,
        };
        let mut answer = answer;
        pages.dress(&mut answer, &about);
        answer
    }
}
