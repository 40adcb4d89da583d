//! The meaning of a system error, in words without its number.
//!
//! std writes `No such file or directory (os error 2)`: a capital letter within our sentence, and a
//! number that helps only people with the kernel's headers. All messages with such an error use
//! this.

use std::fmt;
use std::io;

/// Shows an error within a sentence: `no such file or directory`.
pub struct InWords<'a>(pub &'a io::Error);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.to_string();
        let number = self.0.raw_os_error();
        let number = number.map(|number| format!(" (os error {number})"));
        let words = number.and_then(|number| whole.strip_suffix(&number));
        let Some(words) = words else {
            return f.write_str(&whole);
        };
        let mut characters = words.chars();
        if let Some(first) = characters.next() {
            write!(f, "{}", first.to_ascii_lowercase())?;
        }
        f.write_str(characters.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_has_no_number() {
        let errors = [
            (io::Error::from_raw_os_error(2), "no such file or directory"),
            (io::Error::from_raw_os_error(24), "too many open files"),
            (io::ErrorKind::ConnectionReset.into(), "connection reset"),
            (io::Error::other("The Text"), "The Text"),
        ];
        for (error, words) in errors {
            assert_eq!(InWords(&error).to_string(), words);
        }
    }
}
