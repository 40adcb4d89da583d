//! `auth`: only requests with the password of a user pass (RFC 7617).

use std::collections::HashMap;
use std::sync::Arc;

use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request};

use crate::credentials::{Verifier, basic};
use crate::exchange::Reason;
use crate::plan::{self, User};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::{Flow, Question, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Auth {
    users: HashMap<String, Arc<User>>,
    /// The user whose hash is computed for a name that no user has: a wrong name takes as long as a wrong
    /// password.
    decoy: Option<Arc<User>>,
    challenge: HeaderValue,
    is_required: bool,
}

impl Auth {
    pub(super) fn compile(auth: &plan::Auth) -> Self {
        let users = &auth.users;
        let hashed = users.iter().find(|user| user.password.plain().is_none());
        let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", auth.realm);
        Self {
            users: users
                .iter()
                .map(|user| (user.name.clone(), Arc::clone(user)))
                .collect(),
            decoy: hashed.or(users.first()).cloned(),
            // The configuration has checked the realm.
            challenge: HeaderValue::try_from(challenge)
                .unwrap_or_else(|_| HeaderValue::from_static("Basic")),
            is_required: auth.required,
        }
    }

    fn refusal(&self) -> Box<LocalAnswer> {
        let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, self.challenge.clone())]);
        let refusal = LocalAnswer::refusal(Reason::RuleUnauthorized, None);
        Box::new(refusal.with_headers(headers))
    }

    /// What comes of a request without a right password.
    fn unknown(&self) -> Flow {
        match self.is_required {
            true => Flow::Answer(self.refusal()),
            false => Flow::Continue,
        }
    }

    /// Computes a hash; `user` is the one with the name in the request.
    fn ask(
        &self,
        verifier: &Arc<Verifier>,
        asked: Arc<User>,
        user: Option<Arc<User>>,
        given: Vec<u8>,
    ) -> Flow {
        let Some(place) = verifier.place() else {
            let second = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("1"))]);
            let busy = LocalAnswer::refusal(Reason::RuleAuthBusy, None).with_headers(second);
            return Flow::Answer(Box::new(busy));
        };
        let refusal = self.is_required.then(|| self.refusal());
        let verifier = Arc::clone(verifier);
        let answer = async move {
            let is_right = verifier.verify(place, asked, given).await;
            match (user.filter(|_| is_right), refusal) {
                (None, Some(refusal)) => Err(refusal),
                (user, _) => Ok(user),
            }
        };
        Flow::Ask(0, Question(Box::pin(answer)))
    }
}

impl Act for Auth {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let mut lines = request.headers().get_all(AUTHORIZATION).iter();
        let mut bytes = Vec::new();
        let colon = match (lines.next(), lines.next()) {
            (Some(line), None) => basic::decode(line.as_bytes(), &mut bytes),
            // The server might look at another line than we do.
            _ => None,
        };
        let Some(colon) = colon else {
            return Ok(self.unknown());
        };
        let given = bytes.split_off(colon + 1);
        let name = str::from_utf8(&bytes[..colon]).ok();
        let user = name.and_then(|name| self.users.get(name));
        let Some(asked) = user.or(self.decoy.as_ref()) else {
            return Ok(self.unknown());
        };
        let known = scope.verifier.knows(&asked.password, &given);
        Ok(match (known, user) {
            (Some(true), Some(user)) => {
                scope.variables.set_user(Arc::clone(user));
                Flow::Continue
            }
            (Some(_), _) => self.unknown(),
            (None, user) => self.ask(scope.verifier, Arc::clone(asked), user.cloned(), given),
        })
    }
}
