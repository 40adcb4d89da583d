//! Conditions: comparisons of expressions, joined with `and`, `or` and `not`.

use std::ops::Range;

use crate::config::suggest;
use crate::plan::expr::{Comparison, Condition, Expr, Known, MapKeys, Matching, Type};

use super::cursor::Cursor;
use super::expr::expression;
use super::list::list;
use super::matching::{matching, only_text, pattern, take_flag};
use super::predefined::predefined;
use super::right_side::{RightSide, not_a_list, wrong_operator};
use super::{Files, Mistake, elsewhere};

/// The most parentheses and `not` within each other. The parser recurses for each, and the stack is bounded.
const MOST_DEPTH: usize = 64;

const SYMBOLS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

const WORDS: [(&str, Comparison); 3] = [
    ("starts_with", Comparison::StartsWith),
    ("ends_with", Comparison::EndsWith),
    ("contains", Comparison::Contains),
];

/// Words and symbols of other programs, and what to write here.
const HINTS: [(&str, &str); 14] = [
    ("&&", "and"),
    ("||", "or"),
    ("=~", "matches"),
    ("!~", "not … matches"),
    ("~*", "matches \"(?i)…\""),
    ("~", "matches"),
    ("!", "not"),
    ("=", "=="),
    ("eq", "=="),
    ("ne", "!="),
    ("lt", "<"),
    ("le", "<="),
    ("gt", ">"),
    ("ge", ">="),
];

/// A recursive descent parser: `any`, `all`, `not`, `one` and `comparison` each read one level of the grammar.
struct Reader<'a, 't> {
    cursor: &'a mut Cursor<'t>,
    known: Known,
    files: &'a mut dyn Files,
    /// How many parentheses and `not` are open.
    depth: usize,
}

/// Parses the whole text as one condition.
pub(super) fn whole(
    cursor: &mut Cursor<'_>,
    known: Known,
    files: &mut dyn Files,
) -> Result<Condition, Mistake> {
    let mut reader = Reader {
        cursor,
        known,
        files,
        depth: 0,
    };
    let condition = reader.any()?;
    if reader.cursor.is_at_end() {
        return Ok(condition);
    }
    Err(reader.unexpected())
}

impl Reader<'_, '_> {
    /// `A or B or …`
    fn any(&mut self) -> Result<Condition, Mistake> {
        let mut parts = vec![self.all()?];
        while self.take_keyword("or") {
            parts.push(self.all()?);
        }
        Ok(joined(parts, Condition::Any, |condition| match condition {
            Condition::Any(parts) => parts,
            other => vec![other],
        }))
    }

    /// `A and B and …`
    fn all(&mut self) -> Result<Condition, Mistake> {
        let mut parts = vec![self.not()?];
        while self.take_keyword("and") {
            parts.push(self.not()?);
        }
        Ok(joined(parts, Condition::All, |condition| match condition {
            Condition::All(parts) => parts,
            other => vec![other],
        }))
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        self.cursor.skip_space();
        self.cursor.take_word(keyword)
    }

    /// `not A`, or `A`.
    fn not(&mut self) -> Result<Condition, Mistake> {
        self.deeper(|reader| match reader.take_keyword("not") {
            true => reader.not().map(|inner| Condition::Not(Box::new(inner))),
            false => reader.one(),
        })
    }

    /// Runs `read` one level deeper, if [`MOST_DEPTH`] allows it.
    fn deeper(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Condition, Mistake>,
    ) -> Result<Condition, Mistake> {
        if self.depth == MOST_DEPTH {
            return Err(Mistake::new(
                self.cursor.next_part(),
                format!("more than {MOST_DEPTH} parentheses and `not` within each other"),
                "write several rules",
            ));
        }
        self.depth += 1;
        let condition = read(self);
        self.depth -= 1;
        condition
    }

    /// `( … )`, or a comparison.
    fn one(&mut self) -> Result<Condition, Mistake> {
        let open = self.cursor.at();
        if !self.cursor.take("(") {
            return self.comparison();
        }
        let condition = self.any()?;
        self.cursor.skip_space();
        if self.cursor.take(")") {
            return Ok(condition);
        }
        if self.cursor.is_at_end() {
            return Err(Mistake::new(
                open..open + 1,
                "the parenthesis is not closed",
                "write `)` where the group ends",
            ));
        }
        Err(self.unexpected())
    }

    /// The condition `text`, whose name comes next.
    fn predefined(&mut self, text: &str) -> Result<Condition, Mistake> {
        let part = self.cursor.next_part();
        self.cursor.skip(part.len());
        let mut cursor = Cursor::new(text, self.cursor.written_at());
        let parsed = whole(&mut cursor, self.known, self.files);
        // The range in the table's text is of no use to the reader.
        parsed.map_err(|mistake| Mistake { part, ..mistake })
    }

    /// An expression, alone or compared with a value.
    fn comparison(&mut self) -> Result<Condition, Mistake> {
        if let Some(text) = predefined(self.cursor.word()) {
            return self.predefined(text);
        }
        if let Some(mistake) = self.hint() {
            return Err(mistake);
        }
        let is_value = |c: char| c == '"' || c == '\'' || c.is_ascii_digit();
        if self.cursor.peek().is_some_and(is_value) {
            let start = self.cursor.at();
            let part = match self.cursor.string()? {
                Some((_, part)) => part,
                None => start..self.cursor.next_part().end,
            };
            return Err(Mistake::new(
                part,
                "a comparison begins with an expression, and this is a value",
                "write the expression first: `path == \"/login\"`",
            ));
        }
        let (left, left_part) = expression(self.cursor, self.known, self.files)?;
        self.cursor.skip_space();
        let operator = self.cursor.next_part();
        if self.cursor.word() == "not" {
            let before = self.cursor.at();
            self.cursor.take_word("not");
            self.cursor.skip_space();
            if self.cursor.word() == "in" {
                // One level deeper, as `not a in …` is: `check --show` writes that form, which must
                // parse again.
                return self.deeper(|reader| {
                    let inside = reader.comparison_with(left, &left_part, operator)?;
                    Ok(Condition::Not(Box::new(inside)))
                });
            }
            return Err(Mistake::new(
                before..before + 3,
                "`not` must be before its condition",
                format!("write `not {left} …`"),
            ));
        }
        self.comparison_with(left, &left_part, operator)
    }

    /// The rest of a comparison, from its operator on; `operator` is its range.
    fn comparison_with(
        &mut self,
        left: Expr,
        left_part: &Range<usize>,
        operator: Range<usize>,
    ) -> Result<Condition, Mistake> {
        if self.cursor.take_word("in") {
            if left.compares_as() == Type::Bool {
                return Err(wrong_operator(&left, "in", operator));
            }
            let ignores_case = take_flag(self.cursor, &left)?;
            let list = list(self.cursor, &left, self.files)?;
            let matching = Matching {
                keys: MapKeys::Whole,
                ignores_case,
            };
            return Ok(match ignores_case {
                true => Condition::MatchesOneOf(left, matching, list),
                false => Condition::In(left, list),
            });
        }
        if self.cursor.take_word("found") {
            return Ok(Condition::Found(left));
        }
        if let Some(condition) = matching(self.cursor, &left, &operator, self.files)? {
            return Ok(condition);
        }
        if self.cursor.take_word("matches") {
            return pattern(self.cursor, left);
        }
        let found = SYMBOLS
            .iter()
            .find(|(symbol, _)| self.cursor.take(symbol))
            .or_else(|| WORDS.iter().find(|(word, _)| self.cursor.take_word(word)));
        let Some((_, comparison)) = found else {
            let mistake = self
                .hint()
                .or_else(|| elsewhere::no_comparison(self.cursor, &left));
            return mistake.map_or(Ok(Condition::Holds(left)), Err);
        };
        if take_flag(self.cursor, &left)? {
            return self.ignoring_case(left, *comparison, operator);
        }
        self.cursor.skip_space();
        // `a =~ b`, `a === b`: only the beginning of the symbol is an operator here.
        if let Some('=' | '~') = self.cursor.peek() {
            return Err(self.unexpected());
        }
        let right = RightSide {
            cursor: self.cursor,
            known: self.known,
            files: self.files,
            left: &left,
            left_part,
        };
        let right = right.read(*comparison, operator)?;
        Ok(Condition::Compares(left, *comparison, right))
    }

    /// `==`, `!=` and `-i`.
    fn ignoring_case(
        &mut self,
        left: Expr,
        comparison: Comparison,
        operator: Range<usize>,
    ) -> Result<Condition, Mistake> {
        let is_not = match comparison {
            Comparison::Equal => false,
            Comparison::NotEqual => true,
            other => {
                let message = format!("`{}` compares numbers, which have no case", other.as_str());
                return Err(Mistake::new(operator, message, "leave `-i` out"));
            }
        };
        let matching = Matching {
            keys: MapKeys::Whole,
            ignores_case: true,
        };
        self.cursor.skip_space();
        if self.cursor.peek() == Some('[') {
            return Err(not_a_list(self.cursor, comparison.as_str()));
        }
        if !is_not {
            let list = only_text(self.cursor, "== -i", matching)?;
            return Ok(Condition::MatchesOneOf(left, matching, list));
        }
        // One level deeper, as `not a in -i …` is: `check --show` writes that form.
        self.deeper(|reader| {
            let list = only_text(reader.cursor, "!= -i", matching)?;
            let inside = Condition::MatchesOneOf(left, matching, list);
            Ok(Condition::Not(Box::new(inside)))
        })
    }

    /// The mistake of text that cannot follow here.
    fn unexpected(&mut self) -> Mistake {
        let hint = self.hint().or_else(|| elsewhere::mistake(self.cursor));
        if let Some(mistake) = hint {
            return mistake;
        }
        let part = self.cursor.next_part();
        let word = self.cursor.word();
        if self.cursor.peek() == Some(')') {
            return Mistake::new(
                part,
                "a parenthesis that was not opened",
                "leave it out, or write `(` where the group begins",
            );
        }
        let operators = WORDS.iter().map(|(word, _)| *word);
        let more = [
            "has_dir",
            "has_domain",
            "matches",
            "found",
            "in",
            "and",
            "or",
            "not",
        ];
        let known = operators.chain(more);
        let help = match suggest::nearest(word, known).filter(|_| !word.is_empty()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write `and` or `or` between two conditions".to_owned(),
        };
        Mistake::new(part, "the condition should have ended here", help)
    }

    /// The mistake of a word or symbol from another program's language, if one comes next.
    fn hint(&self) -> Option<Mistake> {
        let word = self.cursor.word();
        let rest = self.cursor.rest();
        let (written, meant) = HINTS.iter().find(|(hint, _)| match word.is_empty() {
            true => rest.starts_with(hint),
            false => *hint == word,
        })?;
        let start = self.cursor.at();
        Some(Mistake::new(
            start..start + written.len(),
            format!("`{written}` is not known here"),
            format!("write `{meant}`"),
        ))
    }
}

/// Joins `parts` to one condition. A part of the same kind is replaced by its own parts: `a or (b or c)` is one
/// `or` of three. A single part stays as it is.
fn joined(
    mut parts: Vec<Condition>,
    join: fn(Vec<Condition>) -> Condition,
    parts_of: fn(Condition) -> Vec<Condition>,
) -> Condition {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    join(parts.into_iter().flat_map(parts_of).collect())
}
