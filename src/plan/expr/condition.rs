//! Conditions on an exchange.

use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use super::parameter::Pattern;
use super::{Expr, Fetch, MapKeys};

/// A condition on an exchange.
///
/// A value that is absent equals nothing: a comparison with it is false, and `a != b` is the same
/// as `not (a == b)`. An expression with many values (lines of a field) compares as true if one of
/// them does.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// One of these; at least two.
    Any(Vec<Condition>),
    /// All of these; at least two.
    All(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The value exists, and is not `false`, 0 or empty.
    Holds(Expr),
    /// The value compares to another.
    Compares(Expr, Comparison, Operand),
    /// The value is in a list: equal to one of its items, or an address within one of its networks.
    In(Expr, List),
    /// The value matches a regular expression somewhere.
    Matches(Expr, Pattern),
    /// The text matches one of a list of texts.
    MatchesOneOf(Expr, Matching, List),
    /// The value exists, whatever it is.
    Found(Expr),
}

/// How a text is compared with each text of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matching {
    /// The relation to the keys of the list: of texts, not of addresses and numbers.
    pub keys: MapKeys,
    /// Whether the letters A to Z equal a to z (`-i`).
    pub ignores_case: bool,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`; for addresses: within the network.
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `starts_with`
    StartsWith,
    /// `ends_with`
    EndsWith,
    /// `contains`
    Contains,
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A value in the configuration.
    Literal(Literal),
    /// A value of the exchange.
    Expr(Expr),
}

/// A value in the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `true`
    Bool(bool),
    /// `443`
    Int(i64),
    /// `"10.0.0.0/8"`; one address is a network of its own.
    Network(IpNet),
    /// `"text"`
    Text(String),
}

/// A list for look-ups.
#[derive(Clone, Debug)]
pub struct List {
    /// Where it is written.
    pub source: ListSource,
    /// Its values.
    pub values: Arc<Values>,
}

/// Where a list is written.
#[derive(Clone, Debug, PartialEq)]
pub enum ListSource {
    /// In the condition.
    Condition,
    /// In this file, one value a line.
    File(PathBuf),
    /// In this file of a map: its keys.
    Map(PathBuf),
}

/// The values of a list, all of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Texts.
    Texts(Vec<String>),
    /// Numbers from one to another, both included.
    Ranges(Vec<(i64, i64)>),
    /// Networks.
    Networks(Vec<IpNet>),
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
            && (Arc::ptr_eq(&self.values, &other.values) || self.values == other.values)
    }
}

impl Condition {
    /// Whether a fetch in it satisfies `is_meant`.
    pub fn reads(&self, is_meant: fn(Fetch) -> bool) -> bool {
        let mut found = false;
        self.each_expr(&mut |expr| found |= is_meant(expr.fetch));
        found
    }

    /// Calls `see` with every expression in it.
    pub fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        match self {
            Self::Any(parts) | Self::All(parts) => {
                parts.iter().for_each(|part| part.each_expr(see));
            }
            Self::Not(inner) => inner.each_expr(see),
            Self::Holds(expr)
            | Self::In(expr, _)
            | Self::Matches(expr, _)
            | Self::MatchesOneOf(expr, ..)
            | Self::Found(expr) => see(expr),
            Self::Compares(left, _, right) => {
                see(left);
                if let Operand::Expr(right) = right {
                    see(right);
                }
            }
        }
    }
}

impl Matching {
    /// The word of its relation.
    pub fn as_str(self) -> &'static str {
        match self.keys {
            MapKeys::Beginnings => "starts_with",
            MapKeys::Ends => "ends_with",
            MapKeys::Parts => "contains",
            MapKeys::Directories => "has_dir",
            MapKeys::Domains => "has_domain",
            MapKeys::Patterns | MapKeys::PatternsWithGroups => "matches",
            MapKeys::Whole | MapKeys::Addresses | MapKeys::Numbers => "in",
        }
    }
}

impl Comparison {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Contains => "contains",
        }
    }

    /// Whether it compares numbers by their order.
    pub fn is_by_order(self) -> bool {
        matches!(
            self,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }
}
