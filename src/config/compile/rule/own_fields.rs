//! Request fields that Evenkeel itself writes after all rules, so that a rule cannot set them.

use http::{HeaderName, header};

use crate::config::report::Report;
use crate::config::source::Span;
use crate::plan::{Forwarding, RequestIds};

/// Fields of requests that Evenkeel writes after all rules, with what to write so that rules can.
#[derive(Default)]
pub(in crate::config::compile) struct OwnFields(Vec<(HeaderName, &'static str)>);

impl OwnFields {
    /// The own fields of a frontend with these settings.
    pub(in crate::config::compile) fn of(forwarding: &Forwarding, request_id: &RequestIds) -> Self {
        let mut fields = Vec::new();
        if forwarding.x_forwarded {
            for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] {
                let help =
                    "write `forwarding = { x_forwarded = false }`, and set these fields by rules";
                fields.push((HeaderName::from_static(name), help));
            }
        }
        if forwarding.forwarded {
            let help = "write `forwarding = { forwarded = false }`, and set it by a rule";
            fields.push((header::FORWARDED, help));
        }
        if let RequestIds::Field(name) = request_id {
            let help = "write `request_id = \"off\"`, and set it by a rule";
            fields.push((name.clone(), help));
        }
        for name in forwarding.client_certificate.iter() {
            let help = "leave it out of `forwarding.client_certificate`, and set it by a rule";
            fields.push((name.clone(), help));
        }
        Self(fields)
    }

    /// What to write so that a rule can set `name`; `None`: a rule can set it.
    pub(in crate::config::compile) fn help(&self, name: &HeaderName) -> Option<&'static str> {
        let mut found = self.0.iter().filter(|(own, _)| own == name);
        found.next().map(|(_, help)| *help)
    }

    /// Reports each of `writes` that is an own field: the value of the rule would be overwritten.
    pub(in crate::config::compile) fn refuse(
        &self,
        writes: &[(HeaderName, Span)],
        report: &mut Report<'_>,
    ) {
        for (name, span) in writes {
            if let Some(help) = self.help(name) {
                let message = format!("Evenkeel itself writes `{name}`, after all rules");
                report.error(*span, message, help);
            }
        }
    }

    /// Adds the fields of `other`. A field that is already here keeps its help.
    pub(in crate::config::compile) fn extend(&mut self, other: &Self) {
        for (name, help) in &other.0 {
            if self.help(name).is_none() {
                self.0.push((name.clone(), help));
            }
        }
    }
}
