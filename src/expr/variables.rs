//! Variables: values that rules have set, kept with the exchange or the client's connection; among
//! them are what rules have captured for the log.

use std::cell::{OnceCell, RefCell};
use std::net::IpAddr;
use std::sync::Arc;

use crate::plan::User;
use crate::plan::expr::{Scope, Variable};

use super::scratch::{Scratch, Value};

/// The variables of one exchange, or of one client connection.
///
/// At most as many as the configuration has names; a text in one is no longer than a scratch.
/// Almost always there are none: then this is an empty vector.
#[derive(Debug, Default)]
pub struct Variables {
    all: RefCell<Vec<(Variable, Owned)>>,
    /// The user whose password a rule has verified.
    user: OnceCell<Arc<User>>,
}

/// A value that outlives its evaluation.
#[derive(Debug)]
enum Owned {
    Bool(bool),
    Int(i64),
    Ip(IpAddr),
    Text(Box<[u8]>),
    /// What was captured, by its place.
    Captures(Vec<Option<Box<[u8]>>>),
}

/// Whose values were captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// Those of the request.
    Request,
    /// Those of the response.
    Response,
}

impl Captured {
    /// The name under which they are kept, which no configuration can write.
    fn name(self) -> &'static str {
        match self {
            Self::Request => "/captured/req",
            Self::Response => "/captured/res",
        }
    }
}

impl Variables {
    /// Sets `variable` to `value`; an absent value removes the variable.
    pub fn set(&self, variable: &Variable, value: Value<'_>, scratch: &Scratch) {
        let mut all = self.all.borrow_mut();
        let index = all.iter().position(|(known, _)| known == variable);
        let owned = match value {
            Value::Absent => None,
            Value::Bool(value) => Some(Owned::Bool(value)),
            Value::Int(number) => Some(Owned::Int(number)),
            Value::Ip(addr) => Some(Owned::Ip(addr)),
            text => scratch.text(text).map(|text| Owned::Text(text.into())),
        };
        match (index, owned) {
            (Some(index), Some(owned)) => all[index].1 = owned,
            (Some(index), None) => drop(all.swap_remove(index)),
            (None, Some(owned)) => all.push((variable.clone(), owned)),
            (None, None) => {}
        }
    }

    /// Keeps `text` for a later rule, under a name that no configuration can write.
    pub fn keep(&self, variable: &Variable, text: &[u8]) {
        let mut all = self.all.borrow_mut();
        all.retain(|(known, _)| known != variable);
        all.push((variable.clone(), Owned::Text(text.into())));
    }

    /// A rule has verified the password of `user`. Of several rules the first one counts.
    pub fn set_user(&self, user: Arc<User>) {
        let _ = self.user.set(user);
    }

    /// The user whose password a rule has verified.
    pub fn user(&self) -> Option<&User> {
        self.user.get().map(|user| &**user)
    }

    /// What was kept as `variable`.
    pub fn kept(&self, variable: &Variable) -> Option<Box<[u8]>> {
        let all = self.all.borrow();
        let (_, owned) = all.iter().find(|(known, _)| known == variable)?;
        match owned {
            Owned::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Captures `text` of a message at the place `index` of so many; `None`: there is none, and the
    /// place stays empty.
    pub fn capture(&self, of: Captured, index: u8, places: u8, text: Option<&[u8]>) {
        let mut all = self.all.borrow_mut();
        let index = usize::from(index);
        let captures = all.iter_mut().find_map(|(known, owned)| match owned {
            Owned::Captures(captures) if known.name == of.name() => Some(captures),
            _ => None,
        });
        let captures = match captures {
            Some(captures) => captures,
            None => {
                let variable = Variable {
                    scope: Scope::Transaction,
                    name: of.name().to_owned(),
                };
                all.push((variable, Owned::Captures(Vec::new())));
                match all.last_mut() {
                    Some((_, Owned::Captures(captures))) => captures,
                    _ => return,
                }
            }
        };
        let places = usize::from(places).max(index + 1);
        if captures.len() < places {
            captures.resize_with(places, || None);
        }
        captures[index] = text.map(Box::from);
    }

    /// The result of `see` on what was captured of a message; `None`: nothing.
    pub fn captured<T>(
        &self,
        of: Captured,
        see: impl FnOnce(&[Option<Box<[u8]>>]) -> T,
    ) -> Option<T> {
        let all = self.all.borrow();
        let mut all = all.iter();
        all.find_map(|(known, owned)| match owned {
            Owned::Captures(captures) if known.name == of.name() => Some(captures),
            _ => None,
        })
        .map(|captures| see(captures))
    }

    /// The value of `variable`. A text is copied: a rule may set the variable while it is read.
    pub(super) fn get<'a>(&self, variable: &Variable, scratch: &mut Scratch) -> Value<'a> {
        let all = self.all.borrow();
        let Some((_, owned)) = all.iter().find(|(known, _)| known == variable) else {
            return Value::Absent;
        };
        match owned {
            Owned::Bool(value) => Value::Bool(*value),
            Owned::Int(number) => Value::Int(*number),
            Owned::Ip(addr) => Value::Ip(*addr),
            Owned::Text(text) => scratch.write(|bytes| bytes.extend_from_slice(text)),
            Owned::Captures(_) => Value::Absent,
        }
    }
}
