//! Converters for JSON.

/// How `json` reads its input.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input {
    /// Each byte is a character.
    Ascii,
    Utf8 {
        /// Whether characters in more bytes than they need are accepted.
        accepts_overlong: bool,
        /// Whether mistakes are left out; else one makes the value absent.
        skips_mistakes: bool,
    },
}

impl Input {
    pub(super) fn named(name: &str) -> Self {
        match name.strip_prefix("utf8") {
            None => Self::Ascii,
            Some(suffix) => Self::Utf8 {
                accepts_overlong: suffix.starts_with('p'),
                skips_mistakes: suffix.ends_with('s'),
            },
        }
    }
}

/// A character, or what is wrong where one should be.
enum Next {
    Is(u32),
    Mistake,
}

pub(super) fn escape(input: &Input, text: &[u8], into: &mut Vec<u8>) -> bool {
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let (next, after) = match *input {
            Input::Ascii => (Next::Is((*byte).into()), after),
            Input::Utf8 {
                accepts_overlong, ..
            } => utf8(rest, accepts_overlong),
        };
        rest = after;
        match (next, input) {
            // A string in JSON can name no character above that but by two escapes.
            (Next::Is(code @ 0..=0xffff), _) => escaped(code, into),
            (
                _,
                Input::Utf8 {
                    skips_mistakes: true,
                    ..
                },
            ) => {}
            _ => return false,
        }
    }
    true
}

fn escaped(code: u32, into: &mut Vec<u8>) {
    let short = match code {
        0x08 => b'b',
        0x0c => b'f',
        0x0a => b'n',
        0x0d => b'r',
        0x09 => b't',
        0x22 => b'"',
        0x2f => b'/',
        0x5c => b'\\',
        0x20..0x7f => {
            into.push(code as u8);
            return;
        }
        _ => {
            into.extend_from_slice(format!("\\u{code:04x}").as_bytes());
            return;
        }
    };
    into.extend_from_slice(&[b'\\', short]);
}

/// The character at the beginning of `text`, which is not empty, and the rest.
fn utf8(text: &[u8], accepts_overlong: bool) -> (Next, &[u8]) {
    let (first, after) = (text[0], &text[1..]);
    let (more, bits) = match first {
        0..0x80 => return (Next::Is(first.into()), after),
        0xc0..0xe0 => (1, first & 0x1f),
        0xe0..0xf0 => (2, first & 0x0f),
        0xf0..0xf8 => (3, first & 0x07),
        _ => return (Next::Mistake, after),
    };
    let continuation = after
        .iter()
        .take(more)
        .take_while(|byte| **byte & 0xc0 == 0x80);
    let (mut code, mut count) = (u32::from(bits), 0);
    for byte in continuation {
        code = code << 6 | u32::from(byte & 0x3f);
        count += 1;
    }
    let rest = &after[count..];
    let least = [0x80, 0x800, 0x1_0000][more - 1];
    let is_possible = !matches!(code, 0xd800..0xe000 | 0xfffe | 0xffff);
    let is_accepted = count == more && is_possible && (accepts_overlong || code >= least);
    match is_accepted {
        true => (Next::Is(code), rest),
        false => (Next::Mistake, rest),
    }
}
