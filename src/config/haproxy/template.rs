//! Log-format strings of rules as templates of this configuration (manual §8.2.6).

use crate::config::source::Span;

use super::lexer::Word;
use super::verdict::Verdicts;

/// Aliases that stand for an expression.
const ALIASES: &[(&str, &str)] = &[
    ("ci", "src"),
    ("cp", "src_port"),
    ("fi", "dst"),
    ("fp", "dst_port"),
    ("f", "fe_name"),
    ("ft", "fe_name"),
    ("b", "be_name"),
    ("s", "srv_name"),
    ("HM", "method"),
    ("HP", "path"),
    ("HPO", "path"),
    ("HU", "url"),
    ("HQ", "query"),
    ("ID", "unique-id"),
    ("H", "hostname"),
    ("sslv", "ssl_fc_protocol"),
    ("sslc", "ssl_fc_cipher"),
    ("ST", "status"),
    ("pid", "pid"),
];

/// `word`, in which `%[…]` is an expression and `%x` a variable of the log, as a template.
pub(super) fn template(word: &Word, verdicts: &mut Verdicts) -> Option<String> {
    template_of(&word.text, word.span, verdicts)
}

/// The same for a text that the words at `span` name.
pub(super) fn template_of(text: &str, span: Span, verdicts: &mut Verdicts) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push_str("%%");
            rest = after;
            continue;
        }
        let flagged = rest.starts_with('{');
        if flagged {
            verdicts.refused(
                span,
                "flags of a format",
                "a rule's values have no flags: leave them out",
            );
            return None;
        }
        if rest.starts_with('[') {
            let Some(end) = end_of_expression(rest) else {
                verdicts.wrong(span, "this `%[` has no `]`", "");
                return None;
            };
            out.push('%');
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let name = &rest[..end];
        match ALIASES.iter().find(|(alias, _)| *alias == name) {
            Some((_, expression)) => {
                out.push_str("%[");
                out.push_str(expression);
                out.push(']');
            }
            None => {
                verdicts.refused(
                    span,
                    &format!("%{name}"),
                    "write an expression, `%[…]`, or `%%` for a percent sign",
                );
                return None;
            }
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    Some(out)
}

/// A plain text as a template.
pub(super) fn plain(text: &str) -> String {
    text.replace('%', "%%")
}

/// Where the expression ends that `text` begins with, its `]` included: brackets may be in quotes or after a backslash.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match (c, quote) {
            ('\\', _) => is_escaped = true,
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(c),
            ('[', None) => depth += 1,
            (']', None) => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
