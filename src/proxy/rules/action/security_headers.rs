//! `security_headers`: the response fields that a security review asks for.

use http::header::{
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};

use crate::plan::{self, FrameOptions, ReferrerPolicy};
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SecurityHeaders {
    fields: Box<[(HeaderName, HeaderValue)]>,
    /// For TLS connections; `None`: not written.
    hsts: Option<HeaderValue>,
}

impl SecurityHeaders {
    pub(super) fn compile(plan: &plan::SecurityHeaders) -> Self {
        let frame_options = match plan.frame_options {
            FrameOptions::Deny => Some("DENY"),
            FrameOptions::SameOrigin => Some("SAMEORIGIN"),
            FrameOptions::Off => None,
        };
        let referrer_policy = match plan.referrer_policy {
            ReferrerPolicy::NoReferrer => Some("no-referrer"),
            ReferrerPolicy::SameOrigin => Some("same-origin"),
            ReferrerPolicy::StrictOrigin => Some("strict-origin"),
            ReferrerPolicy::StrictOriginWhenCrossOrigin => Some("strict-origin-when-cross-origin"),
            ReferrerPolicy::Off => None,
        };
        let fields = [
            (X_CONTENT_TYPE_OPTIONS, plan.nosniff.then_some("nosniff")),
            (X_FRAME_OPTIONS, frame_options),
            (REFERRER_POLICY, referrer_policy),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::from_static(value?))));
        let hsts = plan.hsts.map(|age| {
            let subdomains = match plan.hsts_subdomains {
                true => "; includeSubDomains",
                false => "",
            };
            format!("max-age={}{subdomains}", age.as_secs())
        });
        Self {
            fields: fields.collect(),
            hsts: hsts.and_then(|value| HeaderValue::try_from(value).ok()),
        }
    }
}

impl Act for SecurityHeaders {
    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        let hsts = self.hsts.as_ref();
        // RFC 6797 §7.2: not in the clear, where anyone on the way could have written it.
        let hsts = hsts.filter(|_| scope.connection.tls.is_some());
        let hsts = hsts.map(|value| (&STRICT_TRANSPORT_SECURITY, value));
        let fields = self.fields.iter().map(|(name, value)| (name, value));
        for (name, value) in fields.chain(hsts) {
            // A server's own value may be stricter.
            if !answer.headers.contains_key(name) {
                answer.headers.insert(name.clone(), value.clone());
            }
        }
        Ok(Flow::Continue)
    }
}
