//! Which fields of a request pass, by their names alone.
//!
//! A client must not set fields that only we may set: neither by the name of such a field, which
//! `http` replaces, nor by another spelling of it that a server takes for the same
//! (`X_Forwarded_For`). Made with each view of a snapshot; `http::handle` uses it for heads, the
//! request's body for trailers.

use std::rc::Rc;

use http::header::{HeaderMap, HeaderName};

use crate::exchange::Reason;
use crate::plan::{self, NamePart, OddNames, Plan, RequestIds};
use crate::wire::field_names::{FieldNames, NameKinds, is_plain, plain_form};

/// Fields that are set, replaced or read on this hop, whatever is configured.
const OWN: [&str; 17] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// The rules of one frontend.
#[derive(Debug)]
pub struct FieldRules {
    /// Names that only we may set, in any frontend, because frontends may share a server; and names
    /// that rules replace or remove.
    reserved: Rc<FieldNames>,
    /// Names that only trusted peers may send.
    trusted_only: FieldNames,
    /// Whether peers that are not trusted may send `Forwarded` and `X-Forwarded-*`.
    passes_untrusted: bool,
    /// Parts of names by which rules remove fields; they remove them from heads themselves.
    removed_parts: Rc<[NamePart]>,
    /// The treatment of other names that are not plain.
    odd_names: OddNames,
    /// The kinds of the names above.
    kinds: NameKinds,
}

/// The class of a name in the rules of a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// No special one.
    Ordinary,
    /// It may have to be removed: [`FieldRules::clean`].
    Odd,
    /// Only trusted peers may send it.
    TrustedOnly,
}

impl FieldRules {
    /// The rules of the frontends of `plan`, in its order.
    pub fn of(plan: &Plan) -> Vec<Rc<Self>> {
        let own = OWN.map(HeaderName::from_static).into_iter();
        let certificate = plan.client_fields().into_iter();
        let ids = plan
            .frontends
            .iter()
            .filter_map(|frontend| match &frontend.request_id {
                RequestIds::Field(name) => Some(name.clone()),
                RequestIds::Off => None,
            });
        // A frontend may use any backend.
        let backends = plan.backends.iter().flat_map(|backend| &backend.rules);
        let of_backends = backends.flat_map(plan::Rule::replaced_fields).cloned();
        let everywhere: FieldNames = own
            .chain(certificate)
            .chain(ids)
            .chain(of_backends)
            .collect();
        let everywhere = Rc::new(everywhere);
        let backends = plan.backends.iter().flat_map(|backend| &backend.rules);
        let removed: Vec<NamePart> = removed_parts(backends).collect();
        let removed: Rc<[NamePart]> = removed.into();
        let rules = |frontend: &plan::Frontend| {
            let reserved = match own_names(frontend, &everywhere) {
                own if own.is_empty() => Rc::clone(&everywhere),
                own => Rc::new(everywhere.iter().chain(own).cloned().collect()),
            };
            let trusted_only = &frontend.forwarding.trusted_only;
            let mut rules = Self::new(reserved, trusted_only, frontend.field_names);
            rules.passes_untrusted = frontend.forwarding.pass_untrusted;
            let own = frontend.routes.iter().flat_map(|route| &route.rules);
            let own: Vec<NamePart> = removed_parts(own.chain(&frontend.rules)).collect();
            rules.removed_parts = match own.is_empty() {
                true => Rc::clone(&removed),
                false => removed.iter().cloned().chain(own).collect(),
            };
            Rc::new(rules)
        };
        plan.frontends.iter().map(rules).collect()
    }

    fn new(reserved: Rc<FieldNames>, trusted_only: &FieldNames, odd_names: OddNames) -> Self {
        let trusted_only = with_plain_forms(trusted_only.iter());
        let kinds = match odd_names {
            OddNames::Pass => {
                // A name without `-` has no other spelling.
                let has_others = |name: &&str| !name.bytes().all(|b| b.is_ascii_alphanumeric());
                let reserved = reserved.iter().map(HeaderName::as_str).filter(has_others);
                NameKinds::of(reserved.chain(trusted_only.iter().map(HeaderName::as_str)))
            }
            OddNames::Drop | OddNames::Reject => NameKinds::ALL,
        };
        Self {
            kinds,
            reserved,
            trusted_only,
            passes_untrusted: false,
            removed_parts: Rc::default(),
            odd_names,
        }
    }

    /// The class of `name`.
    #[inline]
    pub fn kind_of(&self, name: &str) -> NameKind {
        if !self.kinds.have(name) {
            return NameKind::Ordinary;
        }
        self.kind_of_suspect(name)
    }

    fn kind_of_suspect(&self, name: &str) -> NameKind {
        if !is_plain(name) {
            NameKind::Odd
        } else if self.trusted_only.have(name) {
            NameKind::TrustedOnly
        } else {
            NameKind::Ordinary
        }
    }

    /// Whether peers that are not trusted may send `Forwarded` and `X-Forwarded-*`.
    pub fn passes_untrusted(&self) -> bool {
        self.passes_untrusted
    }

    /// The names that only trusted peers may send.
    pub fn trusted_only(&self) -> &FieldNames {
        &self.trusted_only
    }

    /// Removes from a head every field whose name is not plain and that must not pass.
    ///
    /// # Errors
    ///
    /// `request.field.name` where such names are refused.
    pub fn clean(&self, headers: &mut HeaderMap) -> Result<(), Reason> {
        let odd = headers.keys().filter(|name| !is_plain(name.as_str()));
        let odd: Vec<HeaderName> = odd.cloned().collect();
        if self.odd_names == OddNames::Reject && !odd.is_empty() {
            return Err(Reason::RequestFieldName);
        }
        for name in odd {
            if self.odd_names == OddNames::Drop || self.is_kept(name.as_str()) {
                headers.remove(name);
            }
        }
        Ok(())
    }

    /// The same for trailers, from which fields that belong in a head are removed.
    ///
    /// # Errors
    ///
    /// `request.field.name` where such names are refused.
    pub fn clean_trailers(&self, trailers: &mut HeaderMap) -> Result<(), Reason> {
        self.clean(trailers)?;
        let is_kept = |name: &&HeaderName| {
            let name = name.as_str();
            self.is_kept(name) || self.removed_parts.iter().any(|part| part.is_in(name))
        };
        let kept = trailers.keys().filter(is_kept);
        let kept: Vec<HeaderName> = kept.cloned().collect();
        for name in kept {
            trailers.remove(name);
        }
        Ok(())
    }

    /// Whether a server may take `name` for a field that only some clients may set.
    fn is_kept(&self, name: &str) -> bool {
        self.reserved.have_like(name) || self.trusted_only.have_like(name)
    }
}

impl Default for FieldRules {
    /// The rules of a frontend with defaults.
    fn default() -> Self {
        let own = OWN.map(HeaderName::from_static).into_iter().collect();
        let trusted_only = plan::Forwarding::default_trusted_only();
        Self::new(Rc::new(own), &trusted_only, OddNames::default())
    }
}

/// The names that rules of `frontend` and its routes replace or remove and that `everywhere` lacks.
fn own_names<'a>(frontend: &'a plan::Frontend, everywhere: &FieldNames) -> Vec<&'a HeaderName> {
    let of_routes = frontend.routes.iter().flat_map(|route| &route.rules);
    let names = frontend
        .rules
        .iter()
        .chain(of_routes)
        .flat_map(plan::Rule::replaced_fields);
    names
        .filter(|name| !everywhere.have(name.as_str()))
        .collect()
}

fn removed_parts<'a>(
    rules: impl Iterator<Item = &'a plan::Rule>,
) -> impl Iterator<Item = NamePart> {
    rules.flat_map(|rule| rule.removed_parts().iter().cloned())
}

/// The fields of [`Plan::client_fields`], and the plain spelling of every configured field that is not
/// plain itself: to a server, `x-client-subject` is `x_client_subject` as much as the other way round.
pub fn never_from_clients(plan: &Plan) -> Vec<HeaderName> {
    let certificate = with_plain_forms(&plan.client_fields());
    let odd_ids = plan
        .frontends
        .iter()
        .filter_map(|frontend| match &frontend.request_id {
            RequestIds::Field(name) => plain_twin(name),
            RequestIds::Off => None,
        });
    let all: FieldNames = certificate.iter().cloned().chain(odd_ids).collect();
    all.iter().cloned().collect()
}

/// `names`, and the plain spelling of those that are not plain.
fn with_plain_forms<'a>(names: impl IntoIterator<Item = &'a HeaderName>) -> FieldNames {
    let both = |name: &HeaderName| [Some(name.clone()), plain_twin(name)];
    names.into_iter().flat_map(both).flatten().collect()
}

/// The plain spelling of a name that is not plain.
fn plain_twin(name: &HeaderName) -> Option<HeaderName> {
    let is_odd = !is_plain(name.as_str());
    is_odd.then(|| plain_form(name.as_str()).parse().ok())?
}
