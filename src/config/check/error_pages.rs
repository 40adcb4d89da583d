//! Error pages whose fields cannot be sent, and pages that are never used.

use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{ErrorPage, On, Plan};

use super::rules::refuse_fields;

/// Reports fields of error pages that belong to the connection.
pub(super) fn refuse(plan: &Plan, report: &mut Report<'_>) {
    for page in all(plan).flatten() {
        refuse_fields(&page.headers, "headers", On::Response, report);
    }
}

/// Warns of error pages after one that is for every answer, or for the same ones.
pub(super) fn warn_of_unused(plan: &Plan, report: &mut Report<'_>) {
    for pages in all(plan) {
        for (index, page) in pages.iter().enumerate() {
            let mut before = pages[..index].iter();
            if let Some(first) = before.find(|before| covers(before, page)) {
                let help = "the first that fits is used: put it before, or leave it out";
                let message = "this error page is never used";
                let diagnostic = Diagnostic::warning_at(&page.at, message, help);
                report.add_related(diagnostic, &first.at, "this one is for the same answers");
            }
        }
    }
}

/// Whether `first` is for every answer that `later` is for.
fn covers(first: &ErrorPage, later: &ErrorPage) -> bool {
    first.is_for_all() || (first.statuses == later.statuses && first.reasons == later.reasons)
}

/// The error pages of each frontend, and of each backend.
pub(super) fn all(plan: &Plan) -> impl Iterator<Item = &Vec<ErrorPage>> {
    let of_frontends = plan.frontends.iter().map(|frontend| &frontend.error_pages);
    let of_backends = plan.backends.iter().map(|backend| &backend.error_pages);
    of_frontends.chain(of_backends)
}
