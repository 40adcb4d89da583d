//! `max_body`: refuses a request whose body is longer.
//!
//! A length that the client announces is refused at once; the bytes of a body without one are counted
//! as they come (`proxy::io::RequestBody`).

use http::{Request, header};

use crate::base::ByteSize;
use crate::exchange::Reason;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done, refusal};

/// The most bytes of the body of a request: an extension of it. Of several rules the least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MostBody(pub(crate) u64);

#[derive(Debug)]
pub(in crate::proxy::rules) struct MaxBody(pub(super) ByteSize);

impl Act for MaxBody {
    fn on_request<B>(&self, request: &mut Request<B>, _: &Scope<'_>) -> Done {
        let ByteSize(most) = self.0;
        let length = request.headers().get(header::CONTENT_LENGTH);
        // `http::admit` has refused a length that is no number.
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > most) {
            return refusal(Reason::RequestBodyTooLarge);
        }
        let named = request.extensions_mut();
        let before = named.get::<MostBody>().map_or(u64::MAX, |before| before.0);
        named.insert(MostBody(most.min(before)));
        Ok(Flow::Continue)
    }
}
