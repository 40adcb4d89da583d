//! ACLs and conditions, as conditions of this configuration (manual §7.1, §7.2, §7.3).
//!
//! Several patterns of an ACL, and several ACLs of one name, are joined by "or"; terms of a condition by "and", unless
//! `or` or `||` is between them. What compares the whole text becomes `==` or `in`, the other ways to
//! match become the operators that have them, or a regular expression.

use std::collections::HashMap;

use crate::config::source::Span;
use crate::plan::expr::{Converter, Fetch, Type};

use super::args::Args;
use super::lexer::Word;
use super::verdict::Verdicts;

/// The named ACLs of a proxy: of each name its conditions, which are alternatives.
#[derive(Debug, Default)]
pub(super) struct Acls(HashMap<String, Vec<String>>);

/// A way to match (`-m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// As the value's type matches.
    ByType,
    Str,
    Bin,
    Beg,
    End,
    Sub,
    Dir,
    Dom,
    Reg,
    Len,
    Int,
    Ip,
    Bool,
    Found,
}

const MATCHES: &[(&str, Match)] = &[
    ("str", Match::Str),
    ("bin", Match::Bin),
    ("beg", Match::Beg),
    ("end", Match::End),
    ("sub", Match::Sub),
    ("dir", Match::Dir),
    ("dom", Match::Dom),
    ("reg", Match::Reg),
    ("len", Match::Len),
    ("int", Match::Int),
    ("ip", Match::Ip),
    ("bool", Match::Bool),
    ("found", Match::Found),
];

/// The predefined ACLs (manual §7.4).
const PREDEFINED: &[(&str, &str)] = &[
    ("TRUE", "always_true"),
    ("FALSE", "always_false"),
    ("HTTP", "req.proto_http"),
    ("HTTP_1.0", "req.ver == \"1.0\""),
    ("HTTP_1.1", "req.ver == \"1.1\""),
    ("HTTP_2.0", "req.ver == \"2.0\""),
    ("HTTP_CONTENT", "req.hdr_val(content-length) > 0"),
    ("HTTP_URL_ABS", "url matches \"^[^/:]*://\""),
    ("HTTP_URL_SLASH", "url starts_with \"/\""),
    ("HTTP_URL_STAR", "url == \"*\""),
    ("LOCALHOST", "src in [\"127.0.0.0/8\", \"::1\"]"),
    ("METH_CONNECT", "method == \"CONNECT\""),
    ("METH_DELETE", "method == \"DELETE\""),
    ("METH_GET", "method in [\"GET\", \"HEAD\"]"),
    ("METH_HEAD", "method == \"HEAD\""),
    ("METH_OPTIONS", "method == \"OPTIONS\""),
    ("METH_POST", "method == \"POST\""),
    ("METH_PUT", "method == \"PUT\""),
    ("METH_TRACE", "method == \"TRACE\""),
    ("RDP_COOKIE", "req.rdp_cookie_cnt > 0"),
    ("REQ_CONTENT", "req.len > 0"),
    ("WAIT_END", "wait_end"),
];

impl Acls {
    /// Reads an `acl` line.
    pub(super) fn declare(&mut self, mut args: Args<'_>, verdicts: &mut Verdicts) {
        let Some(name) = args.need("name", verdicts) else {
            return;
        };
        if matches!(&*name.text, "or" | "if" | "unless" | "||") {
            return verdicts.wrong(name.span, "an ACL cannot have this name", "");
        }
        if let Some(condition) = pattern_match(args, verdicts) {
            self.0.entry(name.text.clone()).or_default().push(condition);
        } else {
            // Its use is no second mistake.
            self.0.entry(name.text.clone()).or_default();
        }
    }

    /// Reads what follows `if` or `unless`, which comes first; `Ok(None)`: there is no condition.
    ///
    /// # Errors
    ///
    /// A mistake, which is reported.
    pub(super) fn condition(
        &self,
        mut args: Args<'_>,
        verdicts: &mut Verdicts,
    ) -> Result<Option<(String, Span)>, ()> {
        let span = args.span();
        let Some(word) = args.next() else {
            return Ok(None);
        };
        let is_unless = match &*word.text {
            "if" => false,
            "unless" => true,
            _ => {
                verdicts.wrong(
                    word.span,
                    format!("`{}` does not belong here", word.text),
                    "a condition begins with `if` or `unless`",
                );
                return Err(());
            }
        };
        let mut alternatives: Vec<String> = Vec::new();
        let mut terms: Vec<String> = Vec::new();
        while let Some(word) = args.next() {
            if matches!(&*word.text, "or" | "||") {
                alternatives.push(self.all(&mut terms, word.span, verdicts)?);
                continue;
            }
            let mut word = word;
            let mut is_negated = false;
            // `!` may stand alone or at the beginning of the name.
            let mut name = word.text.as_str();
            while let Some(rest) = name.strip_prefix('!') {
                is_negated = !is_negated;
                name = rest;
                if name.is_empty() {
                    word = args.need("term after `!`", verdicts).ok_or(())?;
                    name = &word.text;
                }
            }
            let term = match name {
                "{" => {
                    let inside = args.rest();
                    let end = inside.iter().position(|word| word.text == "}");
                    let Some(end) = end else {
                        verdicts.wrong(word.span, "this `{` has no `}`", "spaces surround both");
                        return Err(());
                    };
                    let line = args.line();
                    args = Args::of(&inside[end + 1..], line);
                    pattern_match(Args::of(&inside[..end], line), verdicts).ok_or(())?
                }
                name => self.named(name, word, verdicts)?,
            };
            terms.push(match is_negated {
                true => format!("not ({term})"),
                false => term,
            });
        }
        alternatives.push(self.all(&mut terms, span, verdicts)?);
        let condition = any(alternatives);
        Ok(Some(match is_unless {
            true => (format!("not ({condition})"), span),
            false => (condition, span),
        }))
    }

    fn named(&self, name: &str, word: &Word, verdicts: &mut Verdicts) -> Result<String, ()> {
        if let Some(conditions) = self.0.get(name) {
            return match conditions.as_slice() {
                [] => Err(()),
                conditions => Ok(any(conditions.to_vec())),
            };
        }
        let predefined = PREDEFINED.iter().find(|(known, _)| *known == name);
        if let Some((_, condition)) = predefined {
            return Ok((*condition).to_owned());
        }
        let known = self.0.keys().map(String::as_str);
        let known = known.chain(PREDEFINED.iter().map(|(name, _)| *name));
        verdicts.unknown("ACL", word, known);
        Err(())
    }

    /// One alternative of `terms`, which are then none.
    fn all(
        &self,
        terms: &mut Vec<String>,
        span: Span,
        verdicts: &mut Verdicts,
    ) -> Result<String, ()> {
        match terms.len() {
            0 => {
                verdicts.wrong(span, "a condition is missing here", "");
                Err(())
            }
            1 => Ok(terms.remove(0)),
            _ => {
                let all: Vec<String> = terms.drain(..).map(in_parentheses).collect();
                Ok(all.join(" and "))
            }
        }
    }
}

/// The conditions, of which one must hold.
fn any(mut conditions: Vec<String>) -> String {
    if conditions.len() == 1 {
        return conditions.remove(0);
    }
    let conditions: Vec<String> = conditions.into_iter().map(in_parentheses).collect();
    conditions.join(" or ")
}

fn in_parentheses(condition: String) -> String {
    match condition.contains(" or ") || condition.contains(" and ") {
        true => format!("({condition})"),
        false => condition,
    }
}

/// `text` as a string of a condition.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A fetch with its way to match: `path_beg -i /a /b`.
fn pattern_match(args: Args<'_>, verdicts: &mut Verdicts) -> Option<String> {
    // The name of a list of users is put back for `userlist`: no expression here has it.
    if let [first, rest @ ..] = args.rest()
        && let Some((fetch, list)) = first.text.split_once('(')
        && matches!(fetch, "http_auth" | "http_auth_group")
        && let Some(list) = list.strip_suffix(')')
    {
        let plain = Word {
            text: fetch.to_owned(),
            ..first.clone()
        };
        let words: Vec<Word> = [plain].into_iter().chain(rest.iter().cloned()).collect();
        let condition = match_of(Args::of(&words, args.line()), verdicts)?;
        return Some(condition.replacen(fetch, &format!("{fetch}({list})"), 1));
    }
    match_of(args, verdicts)
}

fn match_of(mut args: Args<'_>, verdicts: &mut Verdicts) -> Option<String> {
    let word = args.need("fetch", verdicts)?;
    let (mut expression, mut matching) = fetch_of(&word.text);
    let (mut ignores_case, mut file) = (false, None);
    while let Some(flag) = args.peek().filter(|word| word.starts_with('-')) {
        // A negative number is a pattern.
        if flag.len() > 1 && flag.as_bytes()[1].is_ascii_digit() {
            break;
        }
        let flag = args.next()?;
        match &*flag.text {
            "--" => break,
            "-i" => ignores_case = true,
            "-n" => verdicts.without_effect(flag.span, "addresses in patterns are never names"),
            "-f" => file = Some(args.need("file", verdicts)?),
            "-m" => {
                let how = args.need("way to match", verdicts)?;
                match MATCHES.iter().find(|(name, _)| *name == how.text) {
                    Some((_, found)) => matching = *found,
                    None => {
                        verdicts.unknown(
                            "way to match",
                            how,
                            MATCHES.iter().map(|(name, _)| *name),
                        );
                        return None;
                    }
                }
            }
            "-M" | "-u" => {
                let instead = match &*flag.text {
                    "-u" => {
                        args.next();
                        "leave it out: no program changes these patterns while Evenkeel runs"
                    }
                    _ => "write the keys of the map to a file of their own",
                };
                verdicts.refused(flag.span, &flag.text, instead);
                return None;
            }
            _ => {
                verdicts.unknown("flag", flag, ["-i", "-f", "-m", "-M", "-n", "-u", "--"]);
                return None;
            }
        }
    }
    let yields = type_of(&expression);
    if matching == Match::ByType {
        matching = match yields {
            Some(Type::Bool) => Match::Bool,
            Some(Type::Int) => Match::Int,
            Some(Type::Ip) => Match::Ip,
            _ => Match::Str,
        };
    }
    if matching == Match::Int && yields != Some(Type::Int) {
        // A text is compared as the number that it begins with.
        expression.push_str(",add(0)");
    }
    let patterns = args.rest();
    // Methods are compared as they are: `-i get` is another one than GET.
    let is_method = expression == "method";
    if ignores_case && !is_method && !matches!(matching, Match::Reg | Match::Int | Match::Ip) {
        expression.push_str(",lower");
    }
    if let Some(file) = file {
        let path = super::files::absolute(&file.text, None);
        if !patterns.is_empty() || !matches!(matching, Match::Str | Match::Ip | Match::Int) {
            verdicts.refused(
                file.span,
                "-f",
                "whole texts, addresses and numbers can be in a file; write other patterns on the line",
            );
            return None;
        }
        if ignores_case {
            verdicts.approximated(file.span, "the lines of the file must be in lower case");
        }
        return Some(format!("{expression} in @file({})", quoted(&path)));
    }
    if patterns.is_empty() {
        return match matching {
            Match::Bool => Some(expression),
            Match::Found => Some(format!("{expression},length >= 0")),
            _ => {
                verdicts.wrong(
                    word.span,
                    format!("`{}` has no value to compare with", word.text),
                    "write a value, or `-m found`",
                );
                None
            }
        };
    }
    compared(&expression, matching, ignores_case, patterns, verdicts)
}

fn compared(
    expression: &str,
    matching: Match,
    ignores_case: bool,
    patterns: &[Word],
    verdicts: &mut Verdicts,
) -> Option<String> {
    let folded = |word: &Word| match ignores_case {
        true if expression != "method" => word.text.to_ascii_lowercase(),
        _ => word.text.clone(),
    };
    let each = |operator: &str, text: &dyn Fn(&Word) -> String| {
        let each = patterns.iter();
        any(each
            .map(|word| format!("{expression} {operator} {}", quoted(&text(word))))
            .collect())
    };
    Some(match matching {
        Match::Str | Match::ByType => equal(
            expression,
            patterns.iter().map(|word| quoted(&folded(word))),
        ),
        // The digits as the converter writes them.
        Match::Bin => {
            let digits = patterns.iter().map(|word| word.text.to_ascii_uppercase());
            let digits: Vec<String> = digits.map(|digits| quoted(&digits)).collect();
            equal(&format!("{expression},hex"), digits.into_iter())
        }
        Match::Ip => equal(expression, patterns.iter().map(|word| quoted(&word.text))),
        Match::Beg => each("starts_with", &folded),
        Match::End => each("ends_with", &folded),
        Match::Sub => each("contains", &folded),
        Match::Reg => each("matches", &|word| match ignores_case {
            true => format!("(?i){}", word.text),
            false => word.text.clone(),
        }),
        Match::Dir => each("matches", &|word| {
            delimited(folded(word).trim_matches('/'), "/?")
        }),
        Match::Dom => each("matches", &|word| {
            delimited(folded(word).trim_matches(['/', '?', '.', ':']), "/?.:")
        }),
        Match::Len => integers(&format!("{expression},length"), patterns, verdicts)?,
        Match::Int => integers(expression, patterns, verdicts)?,
        // The value is ignored, as in HAProxy.
        Match::Bool => {
            let word = &patterns[0];
            verdicts.without_effect(
                word.span,
                "whether it is true is asked, and no value counts",
            );
            expression.to_owned()
        }
        Match::Found => {
            let word = &patterns[0];
            verdicts.wrong(word.span, "`-m found` takes no value", "");
            return None;
        }
    })
}

fn equal(expression: &str, values: impl ExactSizeIterator<Item = String>) -> String {
    let values: Vec<String> = values.collect();
    match values.as_slice() {
        [only] => format!("{expression} == {only}"),
        values => format!("{expression} in [{}]", values.join(", ")),
    }
}

/// A regular expression for `text` between two of `delimiters`, or at an end.
fn delimited(text: &str, delimiters: &str) -> String {
    let text = regex::escape(text);
    format!("(?:^|[{delimiters}]){text}(?:[{delimiters}]|$)")
}

/// Numbers, ranges and operators: `gt 3`, `200:299 304`.
fn integers(expression: &str, patterns: &[Word], verdicts: &mut Verdicts) -> Option<String> {
    let is_version = matches!(expression, "req.ssl_ver" | "req_ssl_ver");
    let mut operator = "==";
    let mut conditions = Vec::new();
    let mut set = Vec::new();
    for word in patterns {
        let is_operator = match &*word.text {
            "eq" => Some("=="),
            "gt" => Some(">"),
            "ge" => Some(">="),
            "lt" => Some("<"),
            "le" => Some("<="),
            _ => None,
        };
        if let Some(found) = is_operator {
            operator = found;
            continue;
        }
        // Versions of TLS have a dot: 3.1 is 65536 times 3 and 1.
        let numbers = match is_version {
            true => undotted(&word.text),
            false => word.text.clone(),
        };
        let (low, high) = numbers.split_once(':').unwrap_or((&numbers, &numbers));
        let number = |text: &str| text.is_empty() || text.parse::<i64>().is_ok();
        if !number(low) || !number(high) || word.text == ":" {
            verdicts.wrong(
                word.span,
                format!("`{}` is not a number or a range", word.text),
                "",
            );
            return None;
        }
        match (operator, low, high) {
            ("==", low, high) if low == high => set.push(low.to_owned()),
            ("==", "", high) => conditions.push(format!("{expression} <= {high}")),
            ("==", low, "") => conditions.push(format!("{expression} >= {low}")),
            ("==", low, high) => set.push(format!("{low}:{high}")),
            (operator, low, high) if low == high => {
                conditions.push(format!("{expression} {operator} {low}"));
            }
            _ => {
                verdicts.wrong(word.span, "an operator takes a number, and not a range", "");
                return None;
            }
        }
    }
    match set.as_slice() {
        [] => {}
        [only] if !only.contains(':') => conditions.insert(0, format!("{expression} == {only}")),
        set => conditions.insert(0, format!("{expression} in [{}]", set.join(", "))),
    }
    if conditions.is_empty() {
        verdicts.wrong(patterns[0].span, "a number is missing here", "");
        return None;
    }
    Some(any(conditions))
}

/// The versions of a range as numbers.
fn undotted(range: &str) -> String {
    let numbers = range.split(':').map(|version| {
        let (major, minor) = version.split_once('.')?;
        let (major, minor) = (major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?);
        Some((u32::from(major) << 16) + u32::from(minor)).map(|number| number.to_string())
    });
    let written = range.split(':').zip(numbers);
    let all: Vec<String> = written
        .map(|(written, number)| number.unwrap_or_else(|| written.to_owned()))
        .collect();
    all.join(":")
}

/// The expression without a way to match in its name (`hdr_beg(host)`), and that way.
fn fetch_of(text: &str) -> (String, Match) {
    const ENDINGS: &[(&str, Match)] = &[
        ("_str", Match::Str),
        ("_beg", Match::Beg),
        ("_end", Match::End),
        ("_sub", Match::Sub),
        ("_dir", Match::Dir),
        ("_dom", Match::Dom),
        ("_reg", Match::Reg),
        ("_len", Match::Len),
    ];
    let end = text.find(['(', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if Fetch::named(name).is_some() {
        return (text.to_owned(), Match::ByType);
    }
    for (ending, matching) in ENDINGS {
        if let Some(base) = name.strip_suffix(ending)
            && Fetch::named(base).is_some()
        {
            return (format!("{base}{rest}"), *matching);
        }
    }
    (text.to_owned(), Match::ByType)
}

/// The type that an expression yields, by its last part.
fn type_of(expression: &str) -> Option<Type> {
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for c in expression.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth == 0 && c != ')' {
            parts
                .last_mut()
                .expect("there is one from the start")
                .push(c);
        }
    }
    match parts.as_slice() {
        [fetch] => Fetch::named(fetch).map(|fetch| fetch.row().yields),
        [.., last] => Converter::named(last).map(|converter| converter.row().yields),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::haproxy::lexer;
    use crate::config::source::Sources;

    /// The condition of the last line, after the ACLs of those before it.
    #[track_caller]
    fn condition(text: &str) -> Result<String, String> {
        let whole = Sources::default().add("haproxy.cfg".as_ref(), text.to_owned());
        let (mut acls, mut verdicts) = (Acls::default(), Verdicts::default());
        let mut result = None;
        for (begin, line) in lexer::lines(text) {
            let line = lexer::words(line, begin, whole, &|_| None).expect("no mistake");
            let line = line.expect("a word");
            match line.keyword() {
                "acl" => acls.declare(Args::after(&line, 1), &mut verdicts),
                _ => result = Some(acls.condition(Args::after(&line, 0), &mut verdicts)),
            }
        }
        let said = || {
            verdicts
                .found
                .iter()
                .map(|found| found.message().to_owned())
        };
        match result.expect("a condition") {
            Ok(Some((condition, _))) if verdicts.found.is_empty() => Ok(condition),
            _ => Err(said().collect::<Vec<_>>().join("; ")),
        }
    }

    #[test]
    fn acls_become_conditions() {
        for (text, expected) in [
            ("if { path_beg /a }", r#"path starts_with "/a""#),
            (
                "if { path_beg -i /A /b }",
                r#"path,lower starts_with "/a" or path,lower starts_with "/b""#,
            ),
            ("if { path -m beg /a }", r#"path starts_with "/a""#),
            ("if { path /a /b }", r#"path in ["/a", "/b"]"#),
            ("if { path_reg ^/x\\.php$ }", r#"path matches "^/x\\.php$""#),
            ("if { path_reg -i ^/x }", r#"path matches "(?i)^/x""#),
            (
                "if { hdr(host) -i A.example }",
                r#"hdr(host),lower == "a.example""#,
            ),
            (
                "if { hdr_dom(host) -i www }",
                r#"hdr(host),lower matches "(?:^|[/?.:])www(?:[/?.:]|$)""#,
            ),
            (
                "if { path_dir /img/ }",
                r#"path matches "(?:^|[/?])img(?:[/?]|$)""#,
            ),
            ("if { req.hdr(x) -m found }", "req.hdr(x),length >= 0"),
            ("if { ssl_fc }", "ssl_fc"),
            ("unless { ssl_fc }", "not (ssl_fc)"),
            ("if !{ ssl_fc }", "not (ssl_fc)"),
            ("if { dst_port 80 443 }", "dst_port in [80, 443]"),
            ("if { dst_port 8000:8999 }", "dst_port in [8000:8999]"),
            ("if { hdr_cnt(host) gt 1 }", "hdr_cnt(host) > 1"),
            (
                "if { src 10.0.0.0/8 ::1 }",
                r#"src in ["10.0.0.0/8", "::1"]"#,
            ),
            ("if { hdr_len(x) ge 3 }", "hdr(x),length >= 3"),
            (
                "if METH_GET LOCALHOST",
                r#"method in ["GET", "HEAD"] and src in ["127.0.0.0/8", "::1"]"#,
            ),
            (
                "acl a path /a\nacl a path /b\nacl c ssl_fc\nif a c or !c",
                r#"((path == "/a" or path == "/b") and ssl_fc) or not (ssl_fc)"#,
            ),
            ("acl a path /a\nunless a", r#"not (path == "/a")"#),
        ] {
            assert_eq!(condition(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn alternatives_of_terms_keep_their_groups() {
        let text = "acl a path /a\nacl b path /b\nacl c ssl_fc\nif a c or b c";
        let expected = r#"(path == "/a" and ssl_fc) or (path == "/b" and ssl_fc)"#;
        assert_eq!(condition(text).as_deref(), Ok(expected));
    }

    #[test]
    fn mistakes_in_acls_are_named() {
        for (text, expected) in [
            ("if nothing", "unknown ACL `nothing`"),
            ("if { path }", "`path` has no value to compare with"),
            ("if { path /a", "this `{` has no `}`"),
            ("if { path -m bag /a }", "unknown way to match `bag`"),
            ("if { dst_port http }", "`http` is not a number or a range"),
            ("acl a path /a\nif a or", "a condition is missing here"),
        ] {
            assert_eq!(condition(text), Err(expected.to_owned()), "{text}");
        }
    }
}
