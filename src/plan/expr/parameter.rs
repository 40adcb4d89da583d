//! The parameters of fetches and converters.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::bytes::{Regex, RegexBuilder};

use crate::plan::JwtKey;

use super::map::{MapKeys, MapValues};

/// One parameter.
#[derive(Debug)]
pub struct Parameter {
    /// For messages and the reference.
    pub name: &'static str,
    /// The kind of its argument.
    pub kind: Kind,
    /// Whether it may be left out.
    pub is_optional: bool,
}

/// The kind of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is not empty.
    Characters,
    /// A whole number.
    Int,
    /// A whole number between these two, or one of them.
    IntIn(i64, i64),
    /// The position of a part: a whole number other than 0.
    Index,
    /// A whole number, or the name of a variable that has one.
    Number,
    /// The same, of which a number that is written is at least this.
    NumberFrom(i64),
    /// A key in base64, or the name of a variable that has one.
    Key,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// The name of a field.
    Field,
    /// The type of a field of a PROXY header: a number, or the name of one.
    TlvType,
    /// The mask of a network of IPv4: `24` or `255.255.255.0`.
    Mask4,
    /// The mask of a network of IPv6: `64`, or as an address.
    Mask6,
    /// A regular expression.
    Pattern,
    /// `i`: case does not matter.
    CaseFlag,
    /// `g`: every match; `i`: case does not matter; or both.
    SubstitutionFlags,
    /// Pairs of hexadecimal digits.
    Hexadecimal,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// The name of a variable, with its scope.
    Variable,
    /// An address.
    Ip,
    /// A path in a JSON text.
    JsonPath,
    /// A file of keys and values.
    Map(MapKeys, MapValues),
    /// The name of a table.
    Table,
    /// The name of a backend.
    Backend,
    /// The name of a frontend.
    Frontend,
    /// The names of a backend and of one of its servers: `app/s1`.
    Server,
    /// An algorithm of signatures, or the name of a variable that has one.
    Algorithm,
    /// By the algorithm before it: a secret, or a file of public keys.
    SignatureKeys,
}

/// Parameters in order: `! "name" Kind` must be given, `? "name" Kind` may be left out.
macro_rules! parameters {
    ($($mark:tt $name:literal $kind:ident $(($($words:expr),+))?),*) => {
        &[$($crate::plan::expr::Parameter {
            name: $name,
            kind: $crate::plan::expr::Kind::$kind $(($($words),+))?,
            is_optional: parameters!(@ $mark),
        }),*]
    };
    (@ !) => { false };
    (@ ?) => { true };
}
pub(super) use parameters;

/// A key, written in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    written: String,
    bytes: Vec<u8>,
}

impl Key {
    /// `None`: `written` is no base64.
    pub fn new(written: &str) -> Option<Self> {
        let bytes = STANDARD.decode(written).ok()?;
        Some(Self {
            written: written.to_owned(),
            bytes,
        })
    }

    /// As it is written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// What it stands for.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

// Debug output goes to logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Keys of signatures: a secret, or those of a file.
#[derive(Clone, PartialEq)]
pub struct SignatureKeys {
    /// The secret, or the path of the file.
    pub written: String,
    /// The keys.
    pub keys: Arc<[JwtKey]>,
}

// Debug output goes to logs.
impl fmt::Debug for SignatureKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureKeys(…)")
    }
}

/// A path in a JSON text: `$.a.b[0]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    written: String,
    steps: Vec<JsonStep>,
}

/// A step in a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonStep {
    /// To the value with this key.
    Key(String),
    /// To the element with this index, from 0.
    Index(usize),
}

impl JsonPath {
    /// `None`: `written` is no path.
    pub fn new(written: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = written.strip_prefix('$')?;
        while !rest.is_empty() {
            if let Some(key) = rest.strip_prefix('.') {
                let end = key.find(['.', '[']).unwrap_or(key.len());
                let (key, after) = key.split_at(end);
                if key.is_empty() {
                    return None;
                }
                steps.push(JsonStep::Key(key.to_owned()));
                rest = after;
            } else {
                let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(JsonStep::Index(index.parse().ok()?));
                rest = after;
            }
        }
        Some(Self {
            written: written.to_owned(),
            steps,
        })
    }

    /// As it is written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// From the whole text on.
    pub fn steps(&self) -> &[JsonStep] {
        &self.steps
    }
}

/// A regular expression that runs in linear time (the `regex` crate's syntax, no look-around and no
/// back-references), on bytes.
///
/// Patterns with equal texts are equal.
#[derive(Clone)]
pub struct Pattern(Regex);

/// The most memory of one compiled pattern. HAProxy leaves that to PCRE; here a pattern comes from
/// a file that may have thousands of them.
const MOST_PATTERN_BYTES: usize = 1 << 20;

/// How much more memory a pattern may use when case is ignored: each letter is then a class of two.
const IGNORING_CASE_TIMES: usize = 8;

impl Pattern {
    /// # Errors
    ///
    /// The reason that `text` is no pattern, as a sentence for the user.
    pub fn new(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text)
            .unicode(false)
            .size_limit(MOST_PATTERN_BYTES)
            .build();
        match built {
            Ok(regex) => Ok(Self(regex)),
            Err(regex::Error::CompiledTooBig(_)) => Err(format!(
                "the regular expression takes more than {} MiB when compiled",
                MOST_PATTERN_BYTES >> 20
            )),
            Err(error) => Err(reason(text, &error)),
        }
    }

    /// The expression, compiled.
    pub fn regex(&self) -> &Regex {
        &self.0
    }

    /// The same, ignoring case.
    pub fn ignoring_case(&self) -> Regex {
        let built = RegexBuilder::new(self.0.as_str())
            .unicode(false)
            .case_insensitive(true)
            .size_limit(IGNORING_CASE_TIMES * MOST_PATTERN_BYTES)
            .build();
        // The pattern itself was accepted, and this one may use more memory.
        built.unwrap_or_else(|_| self.0.clone())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.0.as_str()).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The last line of the library's message has the cause; the lines before it show the pattern.
fn reason(text: &str, error: &regex::Error) -> String {
    if ["(?=", "(?!", "(?<=", "(?<!"]
        .iter()
        .any(|look| text.contains(look))
    {
        return "look-around (`(?=`, `(?!`, `(?<=`, `(?<!`) is not supported, because it cannot run \
                in linear time; write two conditions and join them with `and` or `not`"
            .to_owned();
    }
    let message = error.to_string();
    let last = message.lines().last().unwrap_or_default();
    let cause = last.trim_start_matches("error: ");
    if cause.contains("backreferences") {
        return "a back-reference (`\\1`) within the pattern is not supported, because it cannot run \
                in linear time"
            .to_owned();
    }
    format!("not a regular expression: {cause}")
}
