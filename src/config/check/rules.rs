//! Finds rules that never run, because an earlier rule answers every exchange.

use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{Action, On, Plan, Rule};

/// Warns of rules that never run.
pub(super) fn warn_of_idle(plan: &Plan, report: &mut Report<'_>) {
    let of_frontends = plan.frontends.iter().flat_map(|frontend| {
        let of_routes = frontend.routes.iter().map(|route| &route.rules);
        of_routes.chain([&frontend.rules])
    });
    let of_backends = plan.backends.iter().map(|backend| &backend.rules);
    for rules in of_frontends.chain(of_backends) {
        for (idle, answers) in never_run(rules) {
            let help = "rules run in the order of the file: put it before, or leave it out";
            let diagnostic = Diagnostic::warning_at(&rules[idle].at, "this rule never runs", help);
            let related = "this one has no `when`, and answers all that come to it";
            report.add_related(diagnostic, &rules[answers].at, related);
        }
    }
}

/// For each value of `on`: the first rule that never runs, and the earlier one that answers every exchange,
/// as indices into `rules`.
fn never_run(rules: &[Rule]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for part in [On::Request, On::Response, On::After] {
        let of_part = || (0..rules.len()).filter(|index| rules[*index].on == part);
        let Some(answers) = of_part().find(|index| answers_all(&rules[*index])) else {
            continue;
        };
        let next = of_part().find(|index| *index > answers);
        found.extend(next.map(|next| (next, answers)));
    }
    found
}

fn answers_all(rule: &Rule) -> bool {
    let answers = match rule.action {
        Action::Deny(_) | Action::Return(_) | Action::Redirect(_) => true,
        Action::SetHeader(_)
        | Action::AddHeader(_)
        | Action::DelHeader(_)
        | Action::SetPath(_)
        | Action::SetVar(_)
        | Action::Pause(_) => false,
    };
    answers && rule.when.is_none()
}
