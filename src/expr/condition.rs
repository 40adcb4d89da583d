//! Conditions, compiled.

use ipnet::IpNet;
use regex::bytes::Regex;

use crate::plan::expr::{self, Comparison, Fetch, Literal, Matching, Operand, Type, Values};

use super::case::Case;
use super::content::Content;
use super::convert;
use super::facts::Facts;
use super::lookup::Lookup;
use super::program::Program;
use super::scratch::{Scratch, Value};

/// A compiled condition.
#[derive(Debug)]
pub struct Condition(Node);

#[derive(Debug)]
enum Node {
    Any(Box<[Node]>),
    All(Box<[Node]>),
    Not(Box<Node>),
    Test(Program, Test),
}

/// The test of each value of an expression.
#[derive(Debug)]
enum Test {
    Holds,
    Bool(bool),
    Int(Order, i64),
    Text(TextTest, Box<[u8]>),
    Network(IpNet),
    In(Lookup),
    /// A text is one of these, which are in lower case.
    InLowerCase(Lookup),
    Matches(Regex),
    Found,
    /// A comparison with another expression, both cast to this type.
    Other(Relation, Box<Program>, Type),
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug)]
enum TextTest {
    Equal,
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Clone, Copy, Debug)]
enum Relation {
    Order(Order),
    Text(TextTest),
}

impl Condition {
    /// The compiled form of `condition`.
    pub fn compile(condition: &expr::Condition) -> Self {
        Self(Node::compile(condition, Case::Counts))
    }

    /// The same for servers that ignore parts of a path's spelling: comparisons of the path ignore
    /// case, and one spelling of the path that matches is enough; see
    /// [`RequestFacts::also`](super::RequestFacts::also).
    pub fn compile_folded(condition: &expr::Condition) -> Self {
        Self(Node::compile(condition, Case::Ignored))
    }

    /// Whether the condition holds for an exchange.
    pub fn holds<'a>(&'a self, facts: &Facts<'a>, scratch: &mut Scratch) -> bool {
        scratch.clear();
        self.0.holds(facts, scratch)
    }

    /// Whether the condition holds for a connection whose bytes still arrive; `None`: more of them decide.
    ///
    /// As in HAProxy: a test that does not hold and whose value may change is neither true nor false, and
    /// "and", "or" and "not" are those of Kleene's logic.
    pub fn decide<'a>(&'a self, facts: &Facts<'a>, scratch: &mut Scratch) -> Option<bool> {
        scratch.clear();
        self.0.decide(facts, scratch)
    }
}

impl Node {
    /// `case` is for comparisons of the path; others are case-sensitive.
    fn compile(condition: &expr::Condition, case: Case) -> Self {
        let all = |parts: &[expr::Condition]| {
            let parts = parts.iter().map(|part| Self::compile(part, case));
            parts.collect()
        };
        let case_in = |condition: &expr::Condition| match condition.reads(Fetch::reads_path) {
            true => case,
            false => Case::Counts,
        };
        match condition {
            expr::Condition::Any(parts) => Self::Any(all(parts)),
            expr::Condition::All(parts) => Self::All(all(parts)),
            expr::Condition::Not(inner) => Self::Not(Box::new(Self::compile(inner, case))),
            expr::Condition::Holds(expr) => {
                let program = Program::compile_for(expr, case_in(condition));
                Self::Test(program, Test::Holds)
            }
            // `a != b` is `not (a == b)`, also for an absent value and for many values.
            expr::Condition::Compares(left, Comparison::NotEqual, right) => {
                let equal = (left, Comparison::Equal, right);
                Self::Not(Box::new(Self::comparison(equal, case_in(condition))))
            }
            expr::Condition::Compares(left, comparison, right) => {
                Self::comparison((left, *comparison, right), case_in(condition))
            }
            expr::Condition::In(expr, list) => {
                let case = case_in(condition);
                let test = Test::In(Lookup::of_list(&list.values, case));
                Self::Test(Program::compile_for(expr, case), test)
            }
            expr::Condition::MatchesOneOf(expr, matching, list) => {
                let case = case_in(condition);
                let test = Test::one_of(*matching, list, case);
                Self::Test(Program::compile_for(expr, case), test)
            }
            expr::Condition::Found(expr) => {
                let program = Program::compile_for(expr, case_in(condition));
                Self::Test(program, Test::Found)
            }
            expr::Condition::Matches(expr, pattern) => {
                let case = case_in(condition);
                let test = Test::Matches(case.regex(pattern));
                Self::Test(Program::compile_for(expr, case), test)
            }
        }
    }

    fn comparison(
        (left, comparison, right): (&expr::Expr, Comparison, &Operand),
        case: Case,
    ) -> Self {
        let test = Test::comparison(left.compares_as(), comparison, right, case);
        Self::Test(Program::compile_for(left, case), test)
    }

    fn decide<'a>(&'a self, facts: &Facts<'a>, scratch: &mut Scratch) -> Option<bool> {
        let (parts, decisive) = match self {
            Self::Any(parts) => (parts, true),
            Self::All(parts) => (parts, false),
            Self::Not(inner) => return inner.decide(facts, scratch).map(|holds| !holds),
            Self::Test(..) => {
                let holds = self.holds(facts, scratch);
                let content = facts.connection.content;
                let is_open = content.is_some_and(Content::awaits_more) && !holds;
                return (!is_open).then_some(holds);
            }
        };
        let mut outcome = Some(!decisive);
        for part in parts {
            match part.decide(facts, scratch) {
                Some(holds) if holds == decisive => return Some(decisive),
                Some(_) => {}
                None => outcome = None,
            }
        }
        outcome
    }

    fn holds<'a>(&'a self, facts: &Facts<'a>, scratch: &mut Scratch) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts, scratch)),
            Self::All(parts) => parts.iter().all(|part| part.holds(facts, scratch)),
            Self::Not(inner) => !inner.holds(facts, scratch),
            // The right side is evaluated once, however many values the left side has.
            Self::Test(left, Test::Other(relation, right, ty)) => {
                let compared = |value, scratch: &mut Scratch| scratch.cast(value, Type::Any, *ty);
                right.any(facts, scratch, |right, scratch| {
                    let right = compared(right, scratch);
                    left.any(facts, scratch, |left, scratch| {
                        let left = compared(left, scratch);
                        relation.holds(left, right, scratch)
                    })
                })
            }
            Self::Test(program, test) => {
                program.any(facts, scratch, |value, scratch| test.holds(value, scratch))
            }
        }
    }
}

impl Test {
    fn one_of(matching: Matching, list: &expr::List, case: Case) -> Self {
        let Values::Texts(texts) = &*list.values else {
            // The parser makes no other.
            return Self::In(Lookup::of_list(&list.values, case));
        };
        let folded = match matching.ignores_case {
            true => Case::Ignored,
            false => case,
        };
        let lookup = Lookup::of_texts(matching.keys, texts, folded);
        // The program has already made the value lower case where the case of paths is ignored.
        match (&lookup, case) {
            (Lookup::Patterns(_), _) | (_, Case::Ignored) => Self::In(lookup),
            _ if matching.ignores_case => Self::InLowerCase(lookup),
            _ => Self::In(lookup),
        }
    }

    fn comparison(left: Type, comparison: Comparison, right: &Operand, case: Case) -> Self {
        let left = compared_as(left, right);
        match (right, relation(left, comparison)) {
            (Operand::Literal(Literal::Bool(value)), _) => Self::Bool(*value),
            (Operand::Literal(Literal::Network(network)), _) => Self::Network(*network),
            (Operand::Literal(Literal::Int(number)), Relation::Order(order)) => {
                Self::Int(order, *number)
            }
            (Operand::Literal(Literal::Text(text)), Relation::Text(test)) => {
                Self::Text(test, case.text(text))
            }
            // The type checker allows no others: a number where texts are compared, and the
            // reverse.
            (Operand::Literal(Literal::Int(_) | Literal::Text(_)), _) => Self::Bool(false),
            (Operand::Expr(expr), relation) => {
                let ty = match comparison.is_by_order() {
                    true => Type::Int,
                    false => left,
                };
                let right = Program::compile_for(expr, case).with_one_value();
                Self::Other(relation, Box::new(right), ty)
            }
        }
    }

    fn holds<'a>(&'a self, value: Value<'a>, scratch: &mut Scratch) -> bool {
        match self {
            Self::Holds => match value {
                Value::Absent => false,
                Value::Bool(value) => value,
                Value::Int(number) => number != 0,
                Value::Ip(_) => true,
                text => scratch.text(text).is_some_and(|text| !text.is_empty()),
            },
            Self::Bool(wanted) => value == Value::Bool(*wanted),
            Self::Int(order, wanted) => match scratch.int_of(value) {
                Value::Int(number) => order.holds(number, *wanted),
                _ => false,
            },
            Self::Text(test, wanted) => {
                let text = scratch.text_of(value);
                scratch
                    .text(text)
                    .is_some_and(|text| test.holds(text, wanted))
            }
            Self::Network(network) => {
                matches!(scratch.ip_of(value), Value::Ip(addr) if network.contains(&addr))
            }
            Self::In(lookup) => {
                let value = match lookup.has_texts() {
                    true => scratch.text_of(value),
                    false => value,
                };
                lookup.find(value, scratch).is_some()
            }
            Self::InLowerCase(lookup) => {
                let value = scratch.text_of(value);
                let value = convert::lower(value, scratch);
                lookup.find(value, scratch).is_some()
            }
            // Not called for an absent value.
            Self::Found => true,
            Self::Matches(regex) => {
                let text = scratch.text_of(value);
                scratch.text(text).is_some_and(|text| regex.is_match(text))
            }
            // [`Node::holds`] handles it, because it has both sides.
            Self::Other(..) => false,
        }
    }
}

/// The type to which a value of the type `left` is cast for the comparison. A value of any type is
/// cast to the type of `right`.
fn compared_as(left: Type, right: &Operand) -> Type {
    match (left, right) {
        (Type::Any, Operand::Literal(Literal::Bool(_))) => Type::Bool,
        (Type::Any, Operand::Literal(Literal::Int(_))) => Type::Int,
        (Type::Any, Operand::Literal(Literal::Network(_))) => Type::Ip,
        (Type::Any, Operand::Literal(Literal::Text(_))) => Type::Text,
        (Type::Any, Operand::Expr(expr)) if expr.compares_as() != Type::Any => expr.compares_as(),
        (Type::Any, Operand::Expr(_)) => Type::Text,
        (left, _) => left,
    }
}

fn relation(left: Type, comparison: Comparison) -> Relation {
    let is_text = left == Type::Text;
    match comparison {
        Comparison::Equal | Comparison::NotEqual if is_text => Relation::Text(TextTest::Equal),
        Comparison::Equal | Comparison::NotEqual => Relation::Order(Order::Equal),
        Comparison::Less => Relation::Order(Order::Less),
        Comparison::LessOrEqual => Relation::Order(Order::LessOrEqual),
        Comparison::Greater => Relation::Order(Order::Greater),
        Comparison::GreaterOrEqual => Relation::Order(Order::GreaterOrEqual),
        Comparison::StartsWith => Relation::Text(TextTest::StartsWith),
        Comparison::EndsWith => Relation::Text(TextTest::EndsWith),
        Comparison::Contains => Relation::Text(TextTest::Contains),
    }
}

impl Order {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl TextTest {
    fn holds(self, text: &[u8], wanted: &[u8]) -> bool {
        match self {
            Self::Equal => text == wanted,
            Self::StartsWith => text.starts_with(wanted),
            Self::EndsWith => text.ends_with(wanted),
            Self::Contains => memchr::memmem::find(text, wanted).is_some(),
        }
    }
}

impl Relation {
    fn holds(self, left: Value<'_>, right: Value<'_>, scratch: &Scratch) -> bool {
        match (self, left, right) {
            (Self::Order(order), Value::Int(left), Value::Int(right)) => order.holds(left, right),
            (Self::Order(Order::Equal), Value::Bool(left), Value::Bool(right)) => left == right,
            (Self::Order(Order::Equal), Value::Ip(left), Value::Ip(right)) => left == right,
            (Self::Text(test), left, right) => match (scratch.text(left), scratch.text(right)) {
                (Some(left), Some(right)) => test.holds(left, right),
                _ => false,
            },
            _ => false,
        }
    }
}
