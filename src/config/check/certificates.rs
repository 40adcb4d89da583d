//! Certificates that a route requires and no handshake asks for.

use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{ClientAuth, ClientCertificate, Plan, Tls};

/// Reports each route that requires a certificate where no bind of its frontend asks for one: it
/// would refuse every request. One bind is enough: on the others, the answer says that the
/// certificate is missing.
pub(super) fn refuse_unasked(plan: &Plan, report: &mut Report<'_>) {
    let is_asked = |tls: &Tls| {
        tls.all_rules()
            .any(|rules| rules.client_auth != ClientAuth::Off)
    };
    for frontend in &plan.frontends {
        if frontend.tls.iter().any(is_asked) {
            continue;
        }
        let routes = frontend.routes.iter();
        for route in routes.filter(|route| route.client_certificate == ClientCertificate::Required)
        {
            let message = format!(
                "route `{}` requires a client certificate, and `[frontend.{}]` does not ask clients for one",
                route.name, frontend.name
            );
            let help =
                "write `tls = { certificates = …, client_auth = { mode = \"optional\", ca = … } }`";
            report.add(Diagnostic::at(&route.at, message, help));
        }
    }
}
