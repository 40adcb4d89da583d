//! Files whose content is a value: the body of an answer.

use std::path::Path;

use crate::config::report::Report;
use crate::config::setting::Setting;
use crate::config::source;

/// The largest such file. It is kept in memory, and every answer is made of it at once.
const MOST_BYTES: u64 = 1 << 20;

/// The content of the file `path`, which `setting` names. The file is watched from now on.
pub(super) fn content(
    setting: Setting<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Vec<u8>> {
    let at = report.position(setting.span());
    let directory = at.file.parent().unwrap_or(Path::new(""));
    let path = source::resolve(Some(directory), path);
    let content = source::read_bytes(&path, MOST_BYTES);
    report.read(vec![path.clone()]);
    content
        .map_err(|error| {
            let message = format!("cannot read {}: {error}", path.display());
            report.error(
                setting.span(),
                message,
                "a relative path begins at the directory of this file",
            );
        })
        .ok()
}
