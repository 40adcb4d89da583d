//! Times and sizes (configuration manual §2.5).

use super::lexer::Word;
use super::verdict::Verdicts;

/// A time as this configuration writes it, in the unit it was written in; `None`: 0, which is for ever, or no time.
///
/// Without a unit it is in milliseconds. What follows the unit is left out, as in HAProxy.
pub(super) fn time(word: &Word, verdicts: &mut Verdicts) -> Option<String> {
    let digits = word.text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = word.text.split_at(digits);
    let Ok(number) = number.parse::<u64>() else {
        verdicts.wrong(
            word.span,
            format!("`{}` is not a time", word.text),
            "write a number and one of the units us, ms, s, m, h and d",
        );
        return None;
    };
    let unit = ["us", "ms", "s", "m", "h", "d"];
    let unit = unit.into_iter().find(|unit| rest.starts_with(unit));
    let (unit, used) = match (unit, rest) {
        (_, "") => ("ms", 0),
        (Some(unit), _) => (unit, unit.len()),
        (None, _) => {
            verdicts.wrong(
                word.span,
                format!("`{rest}` is not a unit of time"),
                "write us, ms, s, m, h or d",
            );
            return None;
        }
    };
    if rest.len() > used {
        verdicts.approximated(
            word.span,
            format!("what follows `{number}{unit}` is left out, as in HAProxy"),
        );
    }
    (number > 0).then(|| format!("{number}{unit}"))
}

/// A count.
pub(super) fn count(word: &Word, verdicts: &mut Verdicts) -> Option<i64> {
    match word.text.parse() {
        Ok(number) if number >= 0 => Some(number),
        _ => {
            verdicts.wrong(
                word.span,
                format!("`{}` is not a whole number", word.text),
                "",
            );
            None
        }
    }
}

/// A number of things or bytes, with `k`, `m` or `g` for 1,024 of the smaller.
pub(super) fn size(word: &Word, verdicts: &mut Verdicts) -> Option<i64> {
    let text = word.text.as_str();
    let (digits, factor) = match text.as_bytes().last().map(u8::to_ascii_lowercase) {
        Some(b'k') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm') => (&text[..text.len() - 1], 1 << 20),
        Some(b'g') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number = digits.parse::<i64>().ok();
    let number = number.filter(|number| *number >= 0);
    let number = number.and_then(|number| number.checked_mul(factor));
    if number.is_none() {
        verdicts.wrong(
            word.span,
            format!("`{text}` is not a size"),
            "write a whole number, with k, m or g for 1,024 of the smaller",
        );
    }
    number
}
