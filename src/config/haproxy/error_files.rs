//! Files with whole answers, and `http-errors` sections (manual §3.9).

use std::collections::BTreeMap;

use super::args::Args;
use super::global::Global;
use super::lexer::Word;
use super::verdict::Verdicts;
use super::{files, quantity};

/// What stands for an answer.
pub(super) enum File {
    /// The path of a file with head and body.
    Whole(String),
    /// `/dev/null`.
    Nothing,
}

impl File {
    pub(super) fn of(word: &Word, verdicts: &mut Verdicts) -> Self {
        match &*word.text {
            "/dev/null" => {
                verdicts.approximated(
                    word.span,
                    "the client gets the status with an empty body, and not a closed connection",
                );
                Self::Nothing
            }
            path => Self::Whole(files::absolute(path, None)),
        }
    }
}

/// The lines `errorfile STATUS FILE` of the `http-errors` section `name`, by status; `None`: there is no such section.
pub(super) fn section<'l>(
    name: &Word,
    global: &Global<'l>,
    verdicts: &mut Verdicts,
) -> Option<BTreeMap<i64, &'l Word>> {
    let Some(lines) = global.http_errors.get(&*name.text) else {
        let known = global.http_errors.keys().copied();
        verdicts.unknown("`http-errors` section", name, known);
        return None;
    };
    let mut found = BTreeMap::new();
    for line in *lines {
        let mut args = Args::after(line, 1);
        if line.keyword() != "errorfile" {
            verdicts.unknown("keyword of `http-errors`", &line.words[0], ["errorfile"]);
            continue;
        }
        let status = args.need("status", verdicts)?;
        let number = quantity::count(status, verdicts)?;
        found.insert(number, args.need("file", verdicts)?);
    }
    Some(found)
}

/// The file that `errorfile FILE` names, or `errorfiles NAME` for `status`. `None` in it: the section has none.
pub(super) fn file_of(
    word: &Word,
    is_section: bool,
    status: i64,
    global: &Global<'_>,
    verdicts: &mut Verdicts,
) -> Option<Option<File>> {
    if !is_section {
        return Some(Some(File::of(word, verdicts)));
    }
    let files = section(word, global, verdicts)?;
    let file = files.get(&status).copied();
    Some(file.map(|file| File::of(file, verdicts)))
}
