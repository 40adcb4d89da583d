//! `use_backend`: the backend of the request, in place of that of the route.

use http::Request;

use crate::base::Name;
use crate::expr::Template;
use crate::plan::{self, Among};
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done, facts};

/// The name of the backend that rules have chosen for a request: an extension of it. The first
/// rule decides. If no backend has the name, or a template may not name it (`None`), the route chooses.
#[derive(Clone, Debug)]
pub(crate) struct UsedBackend(pub(crate) Option<Box<[u8]>>);

#[derive(Debug)]
pub(in crate::proxy::rules) enum UseBackend {
    Name(Name),
    /// `Some`: only these may be named. Sorted.
    Named(Template, Option<Box<[Name]>>),
    /// Cannot happen: `config` makes no other target.
    None,
}

impl UseBackend {
    pub(super) fn compile(target: &plan::Target) -> Self {
        match target {
            plan::Target::Backend(backend) => Self::Name(backend.name.clone()),
            plan::Target::Named(template, among) => {
                let among = match among {
                    Among::All => None,
                    Among::These(these) => Some(these.iter().map(|one| one.name.clone()).collect()),
                };
                Self::Named(Template::compile(template), among)
            }
            plan::Target::Split(_) | plan::Target::Answered => Self::None,
        }
    }
}

impl Act for UseBackend {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        if request.extensions().get::<UsedBackend>().is_some() {
            return Ok(Flow::Continue);
        }
        let name = match self {
            Self::Name(name) => Some(name.as_str().as_bytes().into()),
            Self::Named(template, among) => {
                let name = scope.text(template, &facts(request, scope));
                let is_among = |among: &[Name]| {
                    let search = among.binary_search_by(|one| one.as_str().as_bytes().cmp(&name));
                    search.is_ok()
                };
                let may_be = among.as_deref().is_none_or(is_among);
                may_be.then(|| name.into())
            }
            Self::None => None,
        };
        request.extensions_mut().insert(UsedBackend(name));
        Ok(Flow::Continue)
    }
}
