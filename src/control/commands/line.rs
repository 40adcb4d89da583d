//! A line of commands: `;` between commands, spaces between words, `\` before a byte that is meant as
//! itself.

/// The commands of `line`, each as its words. An empty command has no words.
pub(super) fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ';' => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            ' ' | '\t' | '\r' => words.extend(word.take()),
            '\\' => {
                let meant = letters.next().unwrap_or('\\');
                word.get_or_insert_default().push(meant);
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word.take());
    commands.push(words);
    commands
}

/// Whether a browser, or a page in one, speaks HTTP to a socket for commands: it must not be
/// answered, because its next lines could be commands that the page's author chose.
pub(super) fn is_http(line: &str) -> bool {
    let mut words = line.trim_end_matches('\r').rsplit(' ');
    let version = words.next().unwrap_or_default();
    version.starts_with("HTTP/") && words.count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words_between_semicolons() {
        let cases: [(&str, &[&[&str]]); 8] = [
            ("show stat", &[&["show", "stat"]]),
            ("  show \t stat  ", &[&["show", "stat"]]),
            (
                "show info;show stat",
                &[&["show", "info"], &["show", "stat"]],
            ),
            ("show info ; ", &[&["show", "info"], &[]]),
            ("", &[&[]]),
            (r"add acl /x a\ b\;c", &[&["add", "acl", "/x", "a b;c"]]),
            (r"a\\b \", &[&[r"a\b", r"\"]]),
            ("show stat\r", &[&["show", "stat"]]),
        ];
        for (line, expected) in cases {
            assert_eq!(commands(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_request_line_of_http_is_not_a_line_of_commands() {
        assert!(is_http("POST /x HTTP/1.1\r"));
        assert!(is_http("GET / HTTP/1.0"));
        assert!(!is_http("show stat"));
        assert!(!is_http("show HTTP/1.1"));
    }
}
