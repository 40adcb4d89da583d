//! A plan as text, with every default filled in: what `check --show` prints.
//!
//! What is shown loads back to an equal plan, except for secrets: they are not shown. How each key is
//! shown stands in its entry in `keys`.

use crate::config::keys;
use crate::config::page::Page;
use crate::plan::Plan;

/// `plan` as text with every default filled in.
///
/// It loads back to an equal plan, except for what came from secret files: that is not shown.
pub fn show(plan: &Plan) -> String {
    let mut page = Page::default();
    keys::TOP.whole().show("", plan, &mut page);
    page.into_text()
}
