//! Expressions, conditions and templates as they are written: plain data that can be compared.
//!
//! `config::expression` parses them and checks their types, [`crate::expr`] compiles and evaluates
//! them, and `Display` writes them as text. Names, types and meaning of fetches and converters are
//! HAProxy's: its configuration manual, sections 7.3 and 7.4.
//!
//! [`Fetch`] and [`Converter`] are the tables for the parser, the type checker, the reference page
//! and "did you mean".

mod condition;
mod converter;
mod fetch;
mod map;
mod parameter;
mod state;
mod template;
mod variable;
mod write;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::HeaderName;

use crate::base::Position;
use crate::plan::{BackendReference, FrontendReference, ServerReference, TableReference};

pub use condition::{Comparison, Condition, List, ListSource, Literal, Matching, Operand, Values};
pub use converter::Converter;
pub use fetch::Fetch;
pub use map::{Map, MapKeys, MapValues, network as map_network, range as map_range};
pub use parameter::{JsonPath, JsonStep, Key, Kind, Parameter, Pattern, SignatureKeys};
pub use state::{BackendReading, FrontendReading, ServerReading, StateReading};
pub use template::{Piece, Template};
pub use variable::{Scope, Variable};

/// The type of a value.
///
/// A value of one type is cast to another where HAProxy does it (`sample_casts` in its source);
/// [`Type::is_cast_to`] has the pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// 64 bits, signed.
    Int,
    /// An IPv4 or IPv6 address.
    Ip,
    /// Text: bytes of any encoding.
    Text,
    /// Bytes that are not meant to be read, such as a digest. As a text they end at the first NUL.
    Bytes,
    /// One of these, known only at evaluation. It is cast to the wanted type.
    Any,
}

impl Type {
    /// Whether a value of this type is cast to the type `to` without a converter.
    pub fn is_cast_to(self, to: Self) -> bool {
        if self == to {
            return true;
        }
        match self {
            Self::Any => true,
            Self::Bool => matches!(to, Self::Int | Self::Text | Self::Any),
            Self::Int | Self::Text => true,
            Self::Ip => matches!(to, Self::Int | Self::Text | Self::Bytes | Self::Any),
            Self::Bytes => matches!(to, Self::Text | Self::Any),
        }
    }
}

/// The phase of an exchange from which on a value is known, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The connection is there.
    Connection,
    /// The TLS handshake is over, if the client speaks TLS.
    Handshake,
    /// The request's head was read, and the request was not sent yet: its fields are not kept for
    /// the response.
    Request,
    /// The backend is chosen.
    Backend,
    /// The server's response head was read.
    Response,
    /// Not a part of an exchange: the first bytes of a connection, which rules for content look at.
    Content,
}

/// The facts that are known where an expression is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The connection, before TLS: in routes of connections.
    Connection,
    /// The same, before anything is read of the client: in rules for connections.
    Accept,
    /// The connection and its first bytes, which are passed on as they are: in rules for content and
    /// routes in TCP mode.
    Content,
    /// The connection, its TLS, and its first bytes: in rules for content in HTTP mode.
    Decrypted,
    /// The request, in the rules and routes of a frontend.
    Request,
    /// The request and the backend that it goes to.
    Backend,
    /// The response, and not the request any more.
    Response,
    /// The whole exchange, and neither of its heads any more: in access logs.
    Log,
    /// Everything.
    #[cfg(test)]
    Everything,
}

impl Known {
    /// Whether a value of the phase `since` is known here.
    pub fn has(self, since: Phase) -> bool {
        match self {
            Self::Connection | Self::Accept => since == Phase::Connection,
            Self::Content => matches!(since, Phase::Connection | Phase::Content),
            Self::Decrypted => since <= Phase::Handshake || since == Phase::Content,
            Self::Request => since <= Phase::Request,
            Self::Backend => since <= Phase::Backend,
            Self::Response | Self::Log => !matches!(since, Phase::Request | Phase::Content),
            #[cfg(test)]
            Self::Everything => true,
        }
    }

    /// Whether `fetch` has a value here.
    pub fn has_fetch(self, fetch: Fetch) -> bool {
        let is_of_content = matches!(self, Self::Content | Self::Decrypted);
        self.has(fetch.row().since) || (is_of_content && fetch == Fetch::ReqProtoHttp)
    }
}

/// A fetch with its arguments, and the converters that its value passes through, in order:
/// `req.hdr(host),lower`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Where the value comes from.
    pub fetch: Fetch,
    /// The arguments of the fetch, by position, without omitted ones at the end.
    pub arguments: Vec<Argument>,
    /// The converters, in order.
    pub converters: Vec<Conversion>,
    /// Where the condition, the template or the expression is written that it is in.
    pub at: Position,
}

/// One converter with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    /// The converter.
    pub converter: Converter,
    /// By position.
    pub arguments: Vec<Argument>,
}

/// An argument, of the kind that its [`Parameter`] has.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// Left out, with another one after it.
    Omitted,
    /// A text.
    Text(String),
    /// A number.
    Int(i64),
    /// `true` or `false`.
    Bool(bool),
    /// An address.
    Ip(IpAddr),
    /// Bytes, written in hexadecimal digits.
    Bytes(Vec<u8>),
    /// The name of a field.
    Field(HeaderName),
    /// The bits of an IPv4 address that are kept.
    Mask4(Ipv4Addr),
    /// The bits of an IPv6 address that are kept.
    Mask6(Ipv6Addr),
    /// A regular expression.
    Pattern(Pattern),
    /// The name of a variable.
    Variable(Variable),
    /// A key.
    Key(Key),
    /// A path in a JSON text.
    JsonPath(JsonPath),
    /// A file of keys and values.
    Map(Map),
    /// The name of a table.
    Table(TableReference),
    /// The name of a backend.
    Backend(BackendReference),
    /// The name of a frontend.
    Frontend(FrontendReference),
    /// The names of a backend and of one of its servers.
    Server(ServerReference),
    /// Keys of signatures.
    SignatureKeys(SignatureKeys),
}

impl Expr {
    /// The variables that it reads.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        let of_converters = self.converters.iter().flat_map(|each| &each.arguments);
        let arguments = self.arguments.iter().chain(of_converters);
        arguments.filter_map(|argument| match argument {
            Argument::Variable(variable) => Some(variable),
            _ => None,
        })
    }

    /// The type of its value.
    pub fn yields(&self) -> Type {
        self.converters
            .last()
            .map_or(self.fetch.row().yields, |last| last.converter.row().yields)
    }

    /// The type of its value for a comparison: bytes are compared as a text.
    pub fn compares_as(&self) -> Type {
        match self.yields() {
            Type::Bytes => Type::Text,
            other => other,
        }
    }

    /// Whether a condition looks at several values: those of a field with several lines or a list,
    /// if no single occurrence is wanted.
    pub fn has_many(&self) -> bool {
        let row = self.fetch.row();
        let has_occurrence = |index: usize| {
            let argument = self.arguments.get(index);
            matches!(argument, Some(Argument::Int(_)))
        };
        row.iterates
            && !row
                .parameters
                .iter()
                .position(|parameter| parameter.kind == Kind::Int)
                .is_some_and(has_occurrence)
    }
}
