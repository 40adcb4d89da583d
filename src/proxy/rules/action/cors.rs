//! `cors`: answers preflights, and says which pages of other origins may read answers (Fetch standard, §3.2).
//!
//! A rule is two parts: [`Cors`] sees the request, [`CorsFields`] writes the fields of every answer to it,
//! Evenkeel's own included: a page that may not read a 503 cannot tell it from a network error. The origin goes
//! from one to the other in a variable with a name that no configuration can write.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};

use crate::exchange::Reason;
use crate::plan::expr::{self, Variable};
use crate::plan::{self, AllowedFields, Origins};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done};

/// The part for requests.
#[derive(Debug)]
pub(in crate::proxy::rules) struct Cors {
    origins: Origins,
    origin: Variable,
    methods: HeaderValue,
    /// `None`: those that the preflight asks for.
    headers: Option<HeaderValue>,
    max_age: HeaderValue,
}

/// The part for answers.
#[derive(Debug)]
pub(in crate::proxy::rules) struct CorsFields {
    origin: Variable,
    /// Whether the value of `Access-Control-Allow-Origin` is `*`, whoever asks.
    is_same_for_all: bool,
    may_have_credentials: bool,
    /// `None`: the field is not written.
    expose: Option<HeaderValue>,
}

impl Cors {
    pub(super) fn compile(cors: &plan::Cors) -> Self {
        let methods = cors.methods.iter().map(Method::as_str);
        Self {
            origins: cors.origins.clone(),
            origin: variable(cors),
            methods: list(methods),
            headers: match &cors.headers {
                AllowedFields::Any => None,
                AllowedFields::Listed(names) => Some(list(names.iter().map(HeaderName::as_str))),
            },
            max_age: cors.max_age.as_secs().into(),
        }
    }

    /// The answer to the preflight `request`. The part for answers adds the origin.
    fn preflight<B>(&self, request: &Request<B>) -> LocalAnswer {
        let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS);
        let mut fields = HeaderMap::with_capacity(6);
        fields.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let headers = self.headers.as_ref().or(asked);
        if let Some(headers) = headers.filter(|headers| !headers.is_empty()) {
            fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
        fields.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        let varies = "access-control-request-method, access-control-request-headers";
        fields.insert(VARY, HeaderValue::from_static(varies));
        LocalAnswer::own(
            Reason::RuleReturned,
            StatusCode::NO_CONTENT,
            fields,
            Bytes::new(),
        )
    }
}

impl Act for Cors {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let origin = request.headers().get(ORIGIN);
        let allowed = origin.filter(|origin| self.origins.contain(origin.as_bytes()));
        let allowed = allowed.map_or(&b""[..], HeaderValue::as_bytes);
        scope.variables.keep(&self.origin, allowed);
        let is_preflight = request.method() == Method::OPTIONS
            && origin.is_some()
            && request
                .headers()
                .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        match is_preflight {
            true => Ok(Flow::Answer(Box::new(self.preflight(request)))),
            false => Ok(Flow::Continue),
        }
    }
}

impl CorsFields {
    pub(super) fn compile(cors: &plan::Cors) -> Self {
        Self {
            origin: variable(cors),
            is_same_for_all: cors.origins == Origins::Any && !cors.credentials,
            may_have_credentials: cors.credentials,
            expose: (!cors.expose.is_empty())
                .then(|| list(cors.expose.iter().map(HeaderName::as_str))),
        }
    }
}

impl Act for CorsFields {
    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        // Without a value the part for requests did not run: its condition did not hold.
        let Some(origin) = scope.variables.kept(&self.origin) else {
            return Ok(Flow::Continue);
        };
        let fields = &mut *answer.headers;
        // Two answers to one question are none: a browser refuses two values.
        fields.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        fields.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        fields.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        if !self.is_same_for_all {
            vary_by_origin(fields);
        }
        let value = match self.is_same_for_all {
            true => Ok(HeaderValue::from_static("*")),
            false => HeaderValue::from_bytes(&origin),
        };
        // Empty: there was no origin, or not one of ours.
        let Some(value) = value.ok().filter(|_| !origin.is_empty()) else {
            return Ok(Flow::Continue);
        };
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if self.may_have_credentials {
            let yes = HeaderValue::from_static("true");
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(expose) = &self.expose {
            fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        Ok(Flow::Continue)
    }
}

/// Says that the answer depends on `Origin`: without it, a cache would give one site the answer for another.
fn vary_by_origin(fields: &mut HeaderMap) {
    let is_there = fields.get_all(VARY).iter().any(|line| {
        let mut names = line.as_bytes().split(|&byte| byte == b',');
        names.any(|name| {
            let name = name.trim_ascii();
            name == b"*" || name.eq_ignore_ascii_case(b"origin")
        })
    });
    if !is_there {
        fields.append(VARY, HeaderValue::from_static("origin"));
    }
}

/// The variable with the origin of the request. No two rules are written in the same place, and no name in a
/// file has a space.
fn variable(cors: &plan::Cors) -> Variable {
    Variable {
        scope: expr::Scope::Transaction,
        name: format!("cors {}", cors.at),
    }
}

/// `names`, separated by commas.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> HeaderValue {
    let names: Vec<&str> = names.collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}
