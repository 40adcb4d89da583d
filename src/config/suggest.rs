//! "Did you mean": the known word that is nearest to a mistyped one.
//!
//! Pure text. Prior art: optimal string alignment, as rustc and git use it.

/// The word of `known` that was most likely meant by `written`.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // At most a third of the word may be wrong: with more, it is another word. Mistyped words are
    // short; for a long text the table below would be large, and the result would be none.
    const LONGEST: usize = 64;
    if written.len() > LONGEST {
        return None;
    }
    let fold = |text: &str| text.to_ascii_lowercase().replace(['-', ' '], "_");
    let folded = fold(written);
    known
        .into_iter()
        .filter(|word| word.len() <= LONGEST)
        .map(|word| (distance(&folded, &fold(word)), word))
        .filter(|(distance, word)| *distance <= (written.len().max(word.len()) / 3).max(1))
        .filter(|(distance, word)| *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// ``"`a`, `b`, `c`"``, shortened when there are many.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let words: Vec<&str> = words.into_iter().collect();
    let shown: Vec<String> = words
        .iter()
        .take(SHOWN)
        .map(|word| format!("`{word}`"))
        .collect();
    let list = shown.join(", ");
    match words.len().saturating_sub(SHOWN) {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that make `right` of `left`.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let replaced = last[j] + usize::from(l != r);
            let mut cost = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *l == right[j - 1] && left[i - 1] == *r {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["address", "weight", "max_connections", "name", "backup"];
        for (written, meant) in [
            ("adress", "address"),
            ("wieght", "weight"),
            ("max-connections", "max_connections"),
            ("Name", "name"),
            ("bakcup", "backup"),
        ] {
            assert_eq!(nearest(written, known), Some(meant), "{written}");
        }
    }

    #[test]
    fn another_word_is_not_a_slip() {
        let known = ["address", "weight", "via"];
        for written in ["tls", "check", "x", "", &"address".repeat(100)] {
            assert_eq!(nearest(written, known), None, "{written}");
        }
    }

    #[test]
    fn a_long_list_is_shortened() {
        assert_eq!(list(["a", "b"]), "`a`, `b`");
        let many: Vec<String> = (0..23).map(|number| number.to_string()).collect();
        assert!(list(many.iter().map(String::as_str)).ends_with("`19` and 3 more"));
    }
}
