//! Checks of a whole plan: each of its values is valid by itself.
//!
//! The checks read the plan and its positions, not a text, so they hold for any format. Errors:
//! names that lead nowhere, addresses bound twice, fields that are overwritten. Warnings: routes
//! and rules that never run, conditions that never hold, backends that nothing uses.

mod backends;
mod binds;
mod certificates;
mod condition;
mod own_fields;
mod routes;
mod rules;
mod servers;

pub(super) use condition::{Impossible, impossible};

use crate::config::report::Report;
use crate::plan::Plan;

/// Whether all files of the configuration could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// All of it was read.
    Whole,
    /// Some could not be read, so a missing name proves nothing.
    Partial,
}

/// Reports everything that is wrong with `plan`. If the report has errors, parts of the plan may be
/// missing. Then no warning is given, because the error may be its cause.
pub(super) fn plan(plan: &Plan, reading: Reading, report: &mut Report<'_>) {
    report.ends();
    binds::refuse_bound_twice(plan, report);
    own_fields::refuse(plan, report);
    servers::refuse_nameless(plan, report);
    if reading == Reading::Whole {
        backends::refuse_unknown(plan, report);
    }
    // The meaning of a `tls` or `listen` with a mistake is not known.
    if report.errors() == 0 {
        binds::refuse_differing(plan, report);
        certificates::refuse_unasked(plan, report);
    }
    if report.errors() > 0 {
        return;
    }
    own_fields::warn(plan, report);
    for frontend in &plan.frontends {
        routes::warn(&frontend.routes, report);
        routes::warn_of_tcp_routes(&frontend.tcp_routes, report);
    }
    rules::warn_of_idle(plan, report);
    if reading == Reading::Whole {
        backends::warn_of_unused(plan, report);
        report.warn_of_keys_of_requests(&backends::in_tcp_mode_alone(plan));
        report.warn_of_unset_variables();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::{Name, Position};
    use crate::config::source::Sources;
    use crate::plan::{BackendReference, Bind};

    /// The messages of the checks for a valid plan after `change`; without any text.
    fn found(change: impl FnOnce(&mut Plan)) -> Vec<String> {
        let text = "[admin]\nlisten = 'off'\n[frontend.web]\nlisten = ':80'\nbackend = 'app'\n\
                    [frontend.more]\nlisten = ':81'\nbackend = 'app'\n\
                    [backend.app]\nservers = ['10.0.0.1:80']";
        let loaded = crate::config::load_text("evenkeel.toml", text);
        let mut plan = loaded.expect("it is valid").plan;
        change(&mut plan);
        let sources = Sources::default();
        let mut report = Report::new(&sources);
        super::plan(&plan, Reading::Whole, &mut report);
        let found = report.into_found();
        found.iter().map(|one| one.message().to_owned()).collect()
    }

    #[test]
    fn a_plan_of_any_format_is_checked_by_its_values_alone() {
        assert_eq!(found(|_| {}), [""; 0]);
        let name = Name::new("ap").expect("a name");
        let unknown = found(|plan| {
            plan.frontends[0].backend = Some(BackendReference::built_in(name));
        });
        assert_eq!(unknown, ["backend `ap` is not defined; defined are `app`"]);
        let unused = found(|plan| {
            let backend = plan.backends[0].clone();
            let name = Name::new("spare").expect("a name");
            plan.backends.push(crate::plan::Backend { name, ..backend });
        });
        assert_eq!(
            unused,
            ["no frontend and no route uses the backend `spare`"]
        );
        let twice = found(|plan| {
            let at = Position {
                file: Path::new("haproxy.cfg").into(),
                ..Position::built_in()
            };
            let first = &plan.frontends[0].binds[0];
            let again = Bind {
                at,
                ..first.clone()
            };
            plan.frontends[1].binds.push(again);
        });
        assert_eq!(
            twice,
            ["port 80 of `[frontend.more]` is also bound by `[frontend.web]`"]
        );
    }
}
