//! Asks another server about a request before it continues: `forward_auth`.
//!
//! The question is an exchange of its own, with its own deadline, attempts and retries; it is counted at
//! the backend and its servers, and at no frontend. The client's leaving ends it.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body;

use crate::base::clock;
use crate::exchange::Reason;
use crate::plan::WithoutAnswer;
use crate::proxy::forward::{Sending, ServerBody, forward};
use crate::proxy::io::{Exchange, RequestBody};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::Outside;

use super::active::{ActiveRequest, Stop};
use super::hop;

/// The longest body of an answer that the client gets.
const MOST_BODY_BYTES: usize = 64 << 10;

/// Fields that a request gets.
type Copied = Vec<(HeaderName, HeaderValue)>;

/// Nobody has decided.
struct Undecided;

impl ActiveRequest {
    /// The fields that the request gets, if it may continue.
    ///
    /// # Errors
    ///
    /// The answer for the client: that of the server that was asked, or the refusal of a request about
    /// which nobody decides; or the client has left.
    pub(super) async fn ask_outside(&self, outside: Outside) -> Result<Copied, Stop> {
        let without_answer = outside.without_answer;
        let timeout = outside.timeout;
        let asking = clock::within(timeout, self.decided(outside));
        let decided = self.exchange.deadlines.within(asking).await?;
        match decided.unwrap_or(Err(Undecided)) {
            Ok(Ok(copied)) => Ok(copied),
            Ok(Err(answer)) => Err(Stop::Answer(answer)),
            Err(Undecided) => match without_answer {
                WithoutAnswer::Pass => Ok(Copied::new()),
                WithoutAnswer::Refuse => Err(Reason::RuleForwardAuthFailed.into()),
            },
        }
    }

    /// The decision of a server: the fields for the request, or the answer for the client.
    async fn decided(
        &self,
        outside: Outside,
    ) -> Result<Result<Copied, Box<LocalAnswer>>, Undecided> {
        let Outside {
            backend,
            head,
            copy,
            timeout,
            ..
        } = outside;
        let index = self.view.snapshot.backend_index(&backend);
        let backend = index.and_then(|index| self.view.backends.get(index));
        let backend = backend.ok_or(Undecided)?;
        let exchange = Rc::new(Exchange::begin(
            self.exchange.record.opening.aside(clock::now()),
        ));
        exchange.request_complete.set(true);
        exchange.bound(Some(timeout));
        let mut sending = Sending::new(head, RequestBody::none(Rc::clone(&exchange)), Vec::new());
        let (pools, dialer) = (&self.client.proxy_header_pools, &self.client.context.dialer);
        let answer = forward(&mut sending, backend, pools, dialer, &exchange).await;
        let response = answer.map_err(|_| Undecided)?;
        if response.status().is_success() {
            let (head, body) = response.into_parts();
            body.discard();
            let mut copied = Copied::new();
            for name in &*copy {
                let values = head.headers.get_all(name).iter();
                copied.extend(values.map(|value| (name.clone(), value.clone())));
            }
            return Ok(Ok(copied));
        }
        self.refusal(response).await.map(Err)
    }

    /// The answer of a server as the client gets it.
    async fn refusal(
        &self,
        mut response: Response<ServerBody>,
    ) -> Result<Box<LocalAnswer>, Undecided> {
        let (plan, _) = self.frontend().map_err(|_| Undecided)?;
        hop::towards_client(&mut response, &plan.forwarding);
        let (mut head, mut body) = response.into_parts();
        let mut content = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let Ok(data) = frame.map_err(|_| Undecided)?.into_data() else {
                break;
            };
            if content.len() + data.len() > MOST_BODY_BYTES {
                return Err(Undecided);
            }
            content.extend_from_slice(&data);
        }
        head.headers.remove(header::CONTENT_LENGTH);
        let status = match head.status {
            // It cannot be an answer to a request that was not made for a part.
            StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT => return Err(Undecided),
            status => status,
        };
        let reason = Reason::RuleForwardAuthRefused;
        let answer = LocalAnswer::own(reason, status, head.headers, content.freeze());
        Ok(Box::new(answer))
    }
}
