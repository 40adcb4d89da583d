//! Finds rules that never run, because an earlier rule answers every exchange.

use crate::plan::{Action, On, Rule};

/// For each value of `on`: the first rule that never runs, and the earlier one that answers every exchange,
/// as indices into `rules`.
pub(in crate::config) fn never_run(rules: &[Rule]) -> Vec<(usize, usize)> {
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
