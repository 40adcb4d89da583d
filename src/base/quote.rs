//! Quotes foreign text in a message: only its beginning, and without control characters.
//!
//! A value in a file may have many megabytes, and an answer may contain escape codes. Messages are
//! read in terminals and logs.

use std::borrow::Cow;

/// The most characters that a message shows of one text.
pub(crate) const MOST_SHOWN: usize = 100;

/// The first [`MOST_SHOWN`] characters of `text`, and `…` where there are more.
pub(crate) fn beginning(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// `text` with its control characters, except line ends, in the form `\u{1b}`: a terminal would
/// obey them.
pub(crate) fn without_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() && c != '\n' => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_the_beginning_is_shown_up_to_a_character() {
        let longest = "ü".repeat(MOST_SHOWN);
        assert_eq!(beginning(&longest), longest);
        assert_eq!(beginning(&format!("{longest}ü")), format!("{longest}…"));
        assert_eq!(beginning(""), "");
    }

    #[test]
    fn no_control_character_is_shown_as_it_is() {
        let text = "\u{1b}[2Ja\r\nü\u{9b}31m\t\0";
        let shown = "\\u{1b}[2Ja\\u{d}\nü\\u{9b}31m\\u{9}\\u{0}";
        assert_eq!(without_controls(text), shown);
    }
}
