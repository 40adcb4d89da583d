//! `json_query` and the queries of JSON Web Tokens: one value of a JSON text.
//!
//! The text is read once, from its beginning to its end, and nothing is kept of what is not on the
//! path.

use std::fmt;

use base64::Engine as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};
use crate::plan::expr::{Argument, JsonStep};

use super::Convert;
use super::arguments::Arguments;
use super::encode::FOR_URLS;

/// A value of a JSON text.
#[derive(Debug)]
pub(super) struct JsonQuery {
    path: Box<[JsonStep]>,
    /// Whether a number becomes an integer.
    as_int: bool,
}

/// A value of a part of a token.
#[derive(Debug)]
pub(super) struct JwtQuery {
    /// 0: the header; 1: the payload.
    part: usize,
    /// `None`: the whole part.
    query: Option<JsonQuery>,
}

impl JsonQuery {
    pub(super) fn of(arguments: Arguments<'_>) -> Option<Self> {
        let Some(Argument::JsonPath(path)) = arguments.get(0) else {
            return None;
        };
        Some(Self {
            path: path.steps().into(),
            as_int: arguments.text(1) == "int",
        })
    }

    fn find<'a>(&self, value: Value<'a>, scratch: &mut Scratch) -> Value<'a> {
        let Some(text) = scratch
            .text(value)
            .and_then(|text| str::from_utf8(text).ok())
        else {
            return Value::Absent;
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let Ok(Some(found)) = Step(&self.path).deserialize(&mut json) else {
            return Value::Absent;
        };
        if json.end().is_err() {
            return Value::Absent;
        }
        let found = found.get();
        let start = found.as_ptr() as usize - text.as_ptr() as usize;
        let whole = (start, start + found.len());
        match found.as_bytes().first() {
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'"') => {
                let Ok(text) = serde_json::from_str::<String>(found) else {
                    return Value::Absent;
                };
                scratch.write(|bytes| bytes.extend_from_slice(text.as_bytes()))
            }
            Some(b'[') => scratch.part(value, whole.0, whole.1),
            Some(b'-' | b'0'..=b'9') => {
                // Digits alone are kept: a number of 64 bits has more of them than a float.
                let integer = found.parse::<i64>();
                let float = found.parse::<f64>();
                match (integer, float) {
                    (Ok(integer), _) if self.as_int => Value::Int(integer),
                    (Err(_), Ok(float)) if self.as_int => Value::Int(float as i64),
                    (Ok(_), _) => scratch.part(value, whole.0, whole.1),
                    (Err(_), Ok(float)) => {
                        let text = float.to_string();
                        scratch.write(|bytes| bytes.extend_from_slice(text.as_bytes()))
                    }
                    (Err(_), Err(_)) => Value::Absent,
                }
            }
            // `null`, and objects.
            _ => Value::Absent,
        }
    }
}

impl Convert for Option<JsonQuery> {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        self.as_ref()
            .map_or(Value::Absent, |query| query.find(value, scratch))
    }
}

impl JwtQuery {
    pub(super) fn of(part: usize, arguments: Arguments<'_>) -> Self {
        Self {
            part,
            query: JsonQuery::of(arguments),
        }
    }
}

impl Convert for JwtQuery {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let is_token = |text: &[u8]| text.iter().filter(|byte| **byte == b'.').count() == 2;
        if !scratch.text(value).is_some_and(is_token) {
            return Value::Absent;
        }
        let decoded = scratch.rewrite(value, |text, into| {
            let part = text.split(|byte| *byte == b'.').nth(self.part);
            part.is_some_and(|part| FOR_URLS.decode_vec(part, into).is_ok())
        });
        match &self.query {
            Some(query) => query.find(decoded, scratch),
            None => decoded,
        }
    }
}

/// The rest of the path, from here on.
struct Step<'p>(&'p [JsonStep]);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        match self.0.split_first() {
            None => <&RawValue as serde::Deserialize>::deserialize(from).map(Some),
            Some(_) => from.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// Of equal keys the first counts.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (wanted, rest) = match self.0.split_first() {
            Some((JsonStep::Key(wanted), rest)) => (Some(wanted), rest),
            _ => (None, self.0),
        };
        let mut found = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if found.is_none() && wanted.is_some_and(|wanted| *wanted == *key) {
                found = Some(map.next_value_seed(Step(rest))?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found.flatten())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let (wanted, rest) = match self.0.split_first() {
            Some((JsonStep::Index(wanted), rest)) => (Some(*wanted), rest),
            _ => (None, self.0),
        };
        let (mut found, mut index) = (None, 0);
        loop {
            if Some(index) == wanted {
                match list.next_element_seed(Step(rest))? {
                    Some(element) => found = element,
                    None => return Ok(None),
                }
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            index += 1;
        }
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}
