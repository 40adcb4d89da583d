//! The path of a PEM file. The plan has only the path; `control` reads the file.

use std::path::PathBuf;

use crate::config::report::Report;
use crate::config::setting::Setting;
use crate::config::source;
use crate::plan::FileAt;

/// Reads a path; a relative one begins at the directory of the file that it is written in.
pub(super) fn file(setting: Setting<'_>, report: &mut Report<'_>) -> Option<FileAt> {
    let text = setting.text(report)?;
    if text.value.is_empty() {
        report.error(
            setting.span(),
            format!("`{}` is an empty path", setting.key),
            "write the path of a PEM file",
        );
        return None;
    }
    let at = report.position(setting.span());
    let path: PathBuf = source::resolve(at.file.parent(), &text.value);
    Some(FileAt { path, at })
}
