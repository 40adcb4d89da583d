//! A plan as text, with every default filled in: for `check --show`.
//!
//! The text loads back to an equal plan, except for secrets: they are not shown. The entry of a key
//! in `keys` has how it is shown.

use crate::config::keys;
use crate::config::page::Page;
use crate::plan::Plan;

/// `plan` as text with every default filled in.
///
/// It loads back to an equal plan, except for secret files, whose content is not shown.
pub fn show(plan: &Plan) -> String {
    let mut page = Page::default();
    keys::TOP.whole().show("", plan, &mut page);
    page.into_text()
}
