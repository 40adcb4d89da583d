//! `${VAR}`, `${VAR:-default}` and `${file:/run/secrets/x}` in strings.
//!
//! `$${` means `${`; any other `$` is itself. A string that is exactly one reference is read as the
//! type of its key: `"${WORKERS}"` can be a number, `"${WATCH}"` a switch.
//!
//! Messages show a string as it was written. The value of a variable is shown only if the key takes
//! a number, a switch, a quantity, a word or an address; the content of a secret file is never
//! shown.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::config::source;

/// The sources of variables.
pub(super) struct Variables<'a> {
    /// The environment.
    pub(super) environment: &'a dyn Fn(&str) -> Option<OsString>,
    /// The base of relative paths: the directory of the file that names them.
    pub(super) directory: Option<&'a Path>,
}

/// A string with its variables replaced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expanded {
    pub(super) text: String,
    /// Whether anything was replaced.
    pub(super) replaced: bool,
    /// Whether the whole string is one reference.
    pub(super) is_one_reference: bool,
    /// The secret files in it, also those that could not be read.
    pub(super) files: Vec<PathBuf>,
    /// All mistakes in it; if there are any, `text` is incomplete.
    pub(super) mistakes: Vec<Mistake>,
}

/// A mistake in one reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The reference in the string as written, in bytes.
    pub(super) part: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

impl Variables<'_> {
    /// `written` with every reference replaced.
    pub(super) fn expand(&self, written: &str) -> Expanded {
        let mut expanded = Expanded::default();
        let mut at = 0;
        while let Some(found) = written[at..].find('$') {
            expanded.text.push_str(&written[at..at + found]);
            at += found;
            let rest = &written[at..];
            if rest.starts_with("$${") {
                expanded.text.push_str("${");
                at += 3;
            } else if rest.starts_with("${") {
                let length = self.replace(rest, at, &mut expanded);
                expanded.is_one_reference = length == written.len();
                at += length;
            } else {
                expanded.text.push('$');
                at += 1;
            }
        }
        expanded.text.push_str(&written[at..]);
        expanded
    }

    /// Replaces the reference that `rest` begins with, and returns its length.
    fn replace(&self, rest: &str, at: usize, expanded: &mut Expanded) -> usize {
        let Some(end) = rest.find('}') else {
            expanded.mistakes.push(Mistake {
                part: at..at + rest.len(),
                message: "`${` has no closing `}`".to_owned(),
                help: "write `${NAME}`, or `$${` for the two characters `${` themselves".to_owned(),
            });
            return rest.len();
        };
        let reference = &rest[2..end];
        let value = match reference.strip_prefix("file:") {
            Some(path) => {
                let path = source::resolve(self.directory, path);
                let content = read_secret(&path, self.directory);
                expanded.files.push(path);
                content
            }
            None => self.variable(reference),
        };
        match value {
            Ok(value) => {
                expanded.replaced = true;
                expanded.text.push_str(&value);
            }
            Err((message, help)) => expanded.mistakes.push(Mistake {
                part: at..at + end + 1,
                message,
                help,
            }),
        }
        end + 1
    }

    fn variable(&self, reference: &str) -> Result<String, (String, String)> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_name(name) {
            return Err((
                format!("`${{{reference}}}` does not name a variable"),
                "a variable's name has letters, digits and `_`; write `${NAME}`, `${NAME:-default}` \
                 or `${file:/path}`, and `$${` for the two characters `${` themselves"
                    .to_owned(),
            ));
        }
        let value = (self.environment)(name);
        // As in a shell: `:-` replaces an empty value too.
        if let Some(default) = default {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                return Ok(default.to_owned());
            };
            return text(name, value);
        }
        match value {
            Some(value) => text(name, value),
            None => Err((
                format!("the environment variable `{name}` is not set"),
                format!("set it, or write a default: `${{{name}:-default}}`"),
            )),
        }
    }
}

fn text(name: &str, value: OsString) -> Result<String, (String, String)> {
    value.into_string().map_err(|_| {
        (
            format!("the environment variable `{name}` is not UTF-8 text"),
            "set it to UTF-8 text".to_owned(),
        )
    })
}

fn read_secret(path: &Path, directory: Option<&Path>) -> Result<String, (String, String)> {
    if directory.is_none() && path.is_relative() {
        return Err((
            format!(
                "the path `{}` is relative, and this text is in no directory",
                path.display()
            ),
            "write an absolute path".to_owned(),
        ));
    }
    source::read_secret(path).map_err(|error| {
        (
            format!("cannot read the file `{}`: {error}", path.display()),
            "`${file:PATH}` is replaced by the content of that file, without its last line break"
                .to_owned(),
        )
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.as_bytes()[0].is_ascii_digit()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `text`, escaped so that it reads back as itself.
pub(super) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn expand(written: &str) -> Expanded {
        let environment = |name: &str| match name {
            "HOST" => Some(OsString::from("10.0.0.1")),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        };
        Variables {
            environment: &environment,
            directory: None,
        }
        .expand(written)
    }

    #[test]
    fn variables_and_defaults_are_replaced() {
        for (written, text) in [
            ("${HOST}:80", "10.0.0.1:80"),
            ("a${HOST}b${HOST}c", "a10.0.0.1b10.0.0.1c"),
            ("${PORT:-8080}", "8080"),
            ("${HOST:-x}", "10.0.0.1"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY}", ""),
            ("${PORT:-}", ""),
        ] {
            let expanded = expand(written);
            assert_eq!(expanded.text, text, "{written}");
            assert!(expanded.replaced && expanded.mistakes.is_empty());
        }
    }

    #[test]
    fn a_string_that_is_one_reference_is_known_as_one() {
        for written in ["${HOST}", "${PORT:-8080}", "${PORT:-}"] {
            assert!(expand(written).is_one_reference, "{written}");
        }
        for written in [
            "",
            "8080",
            "$${HOST}",
            " ${HOST}",
            "${HOST} ",
            "${HOST}${HOST}",
        ] {
            assert!(!expand(written).is_one_reference, "{written}");
        }
    }

    #[test]
    fn a_dollar_that_is_no_reference_is_itself() {
        for (written, text) in [
            ("$", "$"),
            ("$5 $x $", "$5 $x $"),
            ("$${HOST}", "${HOST}"),
            ("$$${HOST}", "$${HOST}"),
        ] {
            let expanded = expand(written);
            assert_eq!(expanded.text, text, "{written}");
            assert!(!expanded.replaced);
        }
    }

    #[test]
    fn an_escaped_text_reads_back_as_itself() {
        for text in ["", "$", "${", "$${", "${HOST}", "a$${b}${"] {
            assert_eq!(expand(&escape(text)).text, text);
        }
    }

    #[test]
    fn every_bad_reference_is_named_at_its_place() {
        let expanded = expand("${PORT} ${} ${1x} ${");
        let parts: Vec<_> = expanded.mistakes.iter().map(|m| m.part.clone()).collect();
        assert_eq!(parts, [0..7, 8..11, 12..17, 18..20]);
    }

    #[test]
    fn a_secret_file_gives_its_content_and_is_watched() {
        let directory =
            std::env::temp_dir().join(format!("evenkeel-secret-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the test");
        fs::write(directory.join("token"), "s3cret\n").expect("a file for the test");
        let variables = Variables {
            environment: &|_| None,
            directory: Some(&directory),
        };
        let expanded = variables.expand("Bearer ${file:token}");
        assert_eq!(expanded.text, "Bearer s3cret");
        assert_eq!(expanded.files, [directory.join("token")]);
        let missing = variables.expand("${file:other}");
        assert_eq!(missing.mistakes.len(), 1);
        assert_eq!(missing.files, [directory.join("other")]);
        fs::remove_dir_all(&directory).expect("the test's directory");
    }

    #[test]
    fn a_relative_secret_needs_a_directory() {
        assert_eq!(expand("${file:token}").mistakes.len(), 1);
    }
}
