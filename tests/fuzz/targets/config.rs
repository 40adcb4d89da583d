//! Any change of a configuration: a plan whose text loads back to itself, or diagnostics that can
//! be shown.

#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use evenkeel::config::{self, Color};
use libfuzzer_sys::fuzz_target;

/// Every key there is.
const FULL: &str = include_str!("../../../conf/full.toml");
const SMALL: &str = include_str!("../../../conf/minimal.toml");

#[derive(Arbitrary, Debug)]
struct Input {
    is_full: bool,
    edits: Vec<Edit>,
}

/// A range of the text that becomes another.
#[derive(Arbitrary, Debug)]
struct Edit {
    at: u16,
    length: u8,
    piece: Piece,
}

#[derive(Debug)]
struct Piece(String);

impl Arbitrary<'_> for Piece {
    fn arbitrary(source: &mut Unstructured<'_>) -> Result<Self> {
        const WORDS: &[&str] = &[
            "",
            "\n",
            "#",
            "\"",
            "'",
            "\"\"\"",
            "=",
            " = ",
            ".",
            ",",
            "[",
            "]",
            "[[",
            "]]",
            "{",
            "}",
            "${",
            "${X:-1}",
            "$",
            "\\",
            "\\u00e9",
            "é",
            "\u{0}",
            "0",
            "1",
            "-1",
            "1e9",
            "9223372036854775807",
            "true",
            "\"5s\"",
            "\"1KiB\"",
            "\"*\"",
            "\"*:80\"",
            "\"127.0.0.1:80\"",
            "\"[::1]:0\"",
            "\"a.b:80\"",
            "name",
            "[frontend.a]",
            "[backend.a]",
            "[[frontend.a.route]]",
            "backend = \"a\"",
            "listen",
            "host",
            "path",
            "weight",
            "timeout",
            "health",
            "servers",
        ];
        if source.ratio(1, 4)? {
            return Ok(Self(String::arbitrary(source)?));
        }
        Ok(Self((*source.choose(WORDS)?).to_owned()))
    }
}

impl Input {
    fn text(&self) -> String {
        let text = if self.is_full { FULL } else { SMALL };
        let mut text = text.replace("include = []", "");
        for Edit { at, length, piece } in self.edits.iter().take(16) {
            let begin = usize::from(*at) % (text.len() + 1);
            let end = text.len().min(begin + usize::from(*length));
            let (begin, end) = (
                text.floor_char_boundary(begin),
                text.floor_char_boundary(end),
            );
            text.replace_range(begin..end, &piece.0);
        }
        text
    }
}

fuzz_target!(|input: Input| {
    let text = input.text();
    // These read files, whose content is not known.
    if ["include", "${file:", "@file"]
        .iter()
        .any(|key| reads(&text, key))
    {
        return;
    }
    match config::load_text("fuzzed.toml", &text) {
        Ok(loaded) => {
            // Warnings are shown, too.
            let _ = loaded.warnings.render(Color::Never);
            let shown = config::show(&loaded.plan);
            let again = config::load_text("shown.toml", &shown);
            let again = again.unwrap_or_else(|why| panic!("{why}\nof:\n{shown}"));
            assert!(again.plan == loaded.plan, "{text}\nis not:\n{shown}");
        }
        Err(diagnostics) => {
            assert!(diagnostics.has_errors());
            assert!(!diagnostics.render(Color::Always).is_empty());
            assert!(diagnostics.to_json().is_array());
        }
    }
});

/// Whether a line that is not a comment has `key` in it.
fn reads(text: &str, key: &str) -> bool {
    let mut lines = text.lines();
    lines.any(|line| !line.trim_start().starts_with('#') && line.contains(key))
}
