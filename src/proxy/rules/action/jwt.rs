//! `jwt`: only requests with a token that is signed by a known key pass (RFC 6750).

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request};

use crate::base::clock;
use crate::credentials::{basic, jwt};
use crate::exchange::Reason;
use crate::plan;
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::encode::field_value;
use crate::proxy::rules::{Flow, Scope};
use crate::wire::field_names::FieldNames;

use super::fields::remove_alike;
use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Jwt {
    plan: plan::Jwt,
    /// The fields of claims.
    fields: FieldNames,
}

impl Jwt {
    pub(super) fn compile(plan: &plan::Jwt) -> Self {
        Self {
            fields: plan.claims.iter().map(|(name, _)| name.clone()).collect(),
            plan: plan.clone(),
        }
    }
}

impl Act for Jwt {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let headers = request.headers_mut();
        if !self.plan.claims.is_empty() {
            remove_alike(headers, &self.fields);
        }
        let Some(token) = token(headers) else {
            return Ok(refused("Bearer".to_owned()));
        };
        match jwt::claims(token, &self.plan, scope.verifier, clock::wall()) {
            Ok(claims) => {
                for (name, claim) in &self.plan.claims {
                    if let Some(text) = jwt::text_of(&claims, claim) {
                        headers.insert(name.clone(), field_value(text.into_bytes())?);
                    }
                }
                Ok(Flow::Continue)
            }
            Err(why) => Ok(refused(format!(
                "Bearer error=\"invalid_token\", error_description=\"{}\"",
                why.text()
            ))),
        }
    }
}

/// The token of a request that has exactly one.
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    // The server might look at another line than we do.
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let (scheme, token) = basic::scheme(line.as_bytes())?;
    scheme.eq_ignore_ascii_case(b"bearer").then_some(token)
}

fn refused(challenge: String) -> Flow {
    // Made of our own texts alone.
    let challenge =
        HeaderValue::try_from(challenge).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, challenge)]);
    let refusal = LocalAnswer::refusal(Reason::RuleUnauthorized, None);
    Flow::Answer(Box::new(refusal.with_headers(headers)))
}
