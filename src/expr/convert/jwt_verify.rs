//! `jwt_verify`: whether a JSON Web Token is signed by a key.

use std::sync::Arc;

use crate::credentials::jwt;
use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};
use crate::plan::expr::{Argument, Variable};
use crate::plan::{JwtAlgorithm, JwtKey};

use super::Convert;
use super::arguments::Arguments;

/// HAProxy's numbers for what is neither right nor wrong.
const UNKNOWN_ALGORITHM: i64 = -1;
const NO_TOKEN: i64 = -3;

#[derive(Debug)]
pub(super) struct JwtVerify {
    algorithm: Algorithm,
    keys: Arc<[JwtKey]>,
}

#[derive(Debug)]
enum Algorithm {
    Is(Option<JwtAlgorithm>),
    In(Variable),
}

impl JwtVerify {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        Self {
            algorithm: match arguments.variable(0) {
                Some(variable) => Algorithm::In(variable),
                None => Algorithm::Is(JwtAlgorithm::named(arguments.text(0))),
            },
            keys: match arguments.get(1) {
                Some(Argument::SignatureKeys(keys)) => Arc::clone(&keys.keys),
                _ => Arc::default(),
            },
        }
    }
}

impl Convert for JwtVerify {
    fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let algorithm = match &self.algorithm {
            Algorithm::Is(algorithm) => *algorithm,
            Algorithm::In(variable) => {
                let name = facts.variable(variable, scratch);
                let name = scratch
                    .text(name)
                    .and_then(|name| str::from_utf8(name).ok());
                name.and_then(JwtAlgorithm::named)
            }
        };
        let Some(algorithm) = algorithm else {
            return Value::Int(UNKNOWN_ALGORITHM);
        };
        let token = scratch.text(value).unwrap_or_default();
        let is_signed = jwt::is_signed_by(token, algorithm, &self.keys);
        Value::Int(is_signed.map_or(NO_TOKEN, i64::from))
    }
}
