//! What only shows when all tables are there: backends that do not exist or that nothing uses, and
//! ports bound twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

use http::HeaderName;

use crate::base::{ListenAddress, Name};
use crate::config::compile::Reading;
use crate::config::compile::rule::OwnFields;
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::config::source::Span;
use crate::config::suggest;
use crate::plan::Mode;

/// So many unknown names get a "did you mean", for which each is compared with all that there are:
/// more of them have one cause.
const MOST_COMPARED: usize = 20;

/// Names and addresses with the places where they are written, noted while tables are compiled.
#[derive(Default)]
pub(super) struct Written {
    listeners: Vec<Listener>,
    uses: Vec<Use>,
    /// Backends that are named and not sent anything by that: with what is shown of the name.
    needs: Vec<(Name, String, Span)>,
    /// Also backends that have mistakes: they are defined all the same.
    defined: Vec<(String, Span)>,
    /// Keys of backends that matter for requests alone.
    of_requests: Vec<(String, &'static str, Span)>,
    /// Whether a route takes the names of backends from requests.
    has_names_of_requests: bool,
    /// Fields that some frontend writes after all rules.
    own_fields: OwnFields,
    /// Fields that rules of backends write.
    rule_fields: Vec<(String, HeaderName, Span)>,
}

struct Listener {
    addr: ListenAddress,
    owner: String,
    /// `None`: not written, a default.
    span: Option<Span>,
}

struct Use {
    name: Name,
    shown: String,
    span: Span,
    mode: Mode,
}

impl Written {
    pub(super) fn listener(&mut self, addr: ListenAddress, owner: &str, span: Span) {
        self.listeners.push(Listener {
            addr,
            owner: owner.to_owned(),
            span: Some(span),
        });
    }

    /// The admin listener where the file says nothing of it.
    pub(super) fn default_listener(&mut self, addr: ListenAddress) {
        self.listeners.push(Listener {
            addr,
            owner: "[admin]".to_owned(),
            span: None,
        });
    }

    /// `mode` is what is sent there.
    pub(super) fn uses(&mut self, name: &Name, shown: &str, span: Span, mode: Mode) {
        self.uses.push(Use {
            name: name.clone(),
            shown: shown.to_owned(),
            span,
            mode,
        });
    }

    /// The backend is named where nothing is sent to it.
    pub(super) fn needs(&mut self, name: &Name, shown: &str, span: Span) {
        self.needs.push((name.clone(), shown.to_owned(), span));
    }

    /// The backend called `name` has `key`, which does nothing unless requests are sent there.
    pub(super) fn is_of_requests(&mut self, name: &str, key: &'static str, span: Span) {
        self.of_requests.push((name.to_owned(), key, span));
    }

    /// A route takes the name of its backend from requests: any may be meant.
    pub(super) fn names_backends(&mut self) {
        self.has_names_of_requests = true;
    }

    /// A frontend writes `fields` after all rules.
    pub(super) fn writes_itself(&mut self, fields: &OwnFields) {
        self.own_fields.extend(fields);
    }

    /// The rules of the backend called `backend` write these fields.
    pub(super) fn rules_write(&mut self, backend: &str, writes: Vec<(HeaderName, Span)>) {
        let writes = writes.into_iter();
        let fields = writes.map(|(name, span)| (backend.to_owned(), name, span));
        self.rule_fields.extend(fields);
    }

    pub(super) fn defines(&mut self, name: &str, span: Span) {
        self.defined.push((name.to_owned(), span));
    }
}

pub(super) fn check(written: &Written, reading: Reading, report: &mut Report<'_>) {
    ports_bound_twice(&written.listeners, report);
    names_bound_twice(&written.listeners, report);
    fields_written_over(written, report);
    // A file that could not be read may hold what seems to be missing.
    if reading == Reading::Whole {
        unknown_backends(written, report);
        unused_backends(written, report);
        keys_of_requests(written, report);
        // A rule with a mistake may be the one that sets it.
        if report.errors() == 0 {
            report.warn_of_unset_variables();
        }
    }
}

/// Which frontend a request comes in by is not known to a backend.
fn fields_written_over(written: &Written, report: &mut Report<'_>) {
    for (backend, name, span) in &written.rule_fields {
        if let Some(help) = written.own_fields.help(name) {
            let message =
                format!("a frontend writes `{name}` after the rules of the backend `{backend}`");
            report.add(Diagnostic::warning(*span, message).help(help));
        }
    }
}

fn unknown_backends(written: &Written, report: &mut Report<'_>) {
    let defined: HashSet<&str> = written
        .defined
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let names = || written.defined.iter().map(|(name, _)| name.as_str());
    let all = suggest::list(names());
    let uses = written.uses.iter();
    let uses = uses.map(|wanted| (&wanted.name, &wanted.shown, wanted.span));
    let needs = written.needs.iter();
    let needs = needs.map(|(name, shown, span)| (name, shown, *span));
    let named = uses.chain(needs);
    let unknown = named.filter(|(name, ..)| !defined.contains(name.as_str()));
    for (count, (name, shown, span)) in unknown.enumerate() {
        let message = match written.defined.is_empty() {
            true => format!("backend `{shown}` is not defined; no backend is"),
            false => format!("backend `{shown}` is not defined; defined are {all}"),
        };
        let near = match count < MOST_COMPARED {
            true => suggest::nearest(name, names()),
            false => None,
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write a `[backend.{shown}]` with its `servers`"),
        };
        report.error(span, message, help);
    }
}

fn unused_backends(written: &Written, report: &mut Report<'_>) {
    let used: HashSet<&str> = written
        .uses
        .iter()
        .map(|wanted| wanted.name.as_str())
        .collect();
    // A mistake elsewhere may be why nothing seems to use it.
    if report.errors() > 0 || written.has_names_of_requests {
        return;
    }
    for (name, span) in &written.defined {
        if !used.contains(name.as_str()) {
            report.add(
                Diagnostic::warning(
                    *span,
                    format!("no frontend and no route uses the backend `{name}`"),
                )
                .help("name it as the `backend` of a frontend or a route, or remove it"),
            );
        }
    }
}

fn keys_of_requests(written: &Written, report: &mut Report<'_>) {
    let in_mode = |mode: Mode| -> HashSet<&str> {
        let uses = written.uses.iter().filter(|wanted| wanted.mode == mode);
        uses.map(|wanted| wanted.name.as_str()).collect()
    };
    let (requests, bytes) = (in_mode(Mode::Http), in_mode(Mode::Tcp));
    for (name, key, span) in &written.of_requests {
        let is_idle = bytes.contains(name.as_str()) && !requests.contains(name.as_str());
        if is_idle && report.errors() == 0 {
            let message = format!(
                "`{key}` has no effect: only frontends in TCP mode use the backend `{name}`"
            );
            let help = "leave it out: in TCP mode client and server choose the protocol themselves";
            report.add(Diagnostic::warning(*span, message).help(help));
        }
    }
}

/// An address and the wildcard of its IP version take the same port; IPv4 and IPv6 never meet, for
/// IPv6 listeners take IPv6 alone. Port 0 is another one each time.
fn ports_bound_twice(listeners: &[Listener], report: &mut Report<'_>) {
    let mut by_port: BTreeMap<(u16, bool), Vec<&Listener>> = BTreeMap::new();
    for listener in listeners {
        if let Some(addr) = listener.addr.ip().filter(|addr| addr.port() != 0) {
            let key = (addr.port(), addr.is_ipv4());
            by_port.entry(key).or_default().push(listener);
        }
    }
    let mut told = HashSet::new();
    for ((port, _), mut group) in by_port {
        // The one that is not written last: the other is what to point at.
        group.sort_by_key(|listener| (listener.span.is_none(), listener.span));
        // With its scope, if it has one: the same address on two interfaces is two.
        let mut by_addr: HashMap<SocketAddr, &Listener> = HashMap::new();
        let mut wildcard: Option<&Listener> = None;
        let mut any: Option<&Listener> = None;
        for listener in group {
            let Some(addr) = listener.addr.ip() else {
                continue;
            };
            let earlier = match addr.ip().is_unspecified() {
                true => any,
                false => by_addr.get(&addr).copied().or(wildcard),
            };
            // `"*:80"` is two addresses: its twin conflicts at the same two places.
            if let Some(earlier) = earlier
                && told.insert((earlier.span, listener.span))
            {
                bound_twice(&format!("port {port}"), earlier, listener)
                    .into_iter()
                    .for_each(|diagnostic| report.add(diagnostic));
            }
            if addr.ip().is_unspecified() {
                wildcard.get_or_insert(listener);
            }
            by_addr.entry(addr).or_insert(listener);
            any.get_or_insert(listener);
        }
    }
}

/// Unix sockets, descriptors and addresses with a zone, which are the same when they are written the
/// same.
fn names_bound_twice(listeners: &[Listener], report: &mut Report<'_>) {
    let mut first_of: HashMap<&ListenAddress, &Listener> = HashMap::new();
    for listener in listeners {
        let addr = &listener.addr;
        if addr.ip().is_some() || addr.is_any_port() {
            continue;
        }
        match first_of.get(addr) {
            None => {
                first_of.insert(addr, listener);
            }
            Some(earlier) => bound_twice(&format!("`{addr}`"), earlier, listener)
                .into_iter()
                .for_each(|diagnostic| report.add(diagnostic)),
        }
    }
}

fn bound_twice(what: &str, earlier: &Listener, later: &Listener) -> Option<Diagnostic> {
    // A listener without a position is a default and sorted last.
    let first = earlier.span?;
    let Some(second) = later.span else {
        return Some(taken_by_default(what, earlier, first, later));
    };
    let help = match later.addr.ip() {
        Some(_) => {
            "write each address and port once; `0.0.0.0` and `[::]` take the port on every address"
        }
        None => "write each address once",
    };
    let message = match earlier.owner == later.owner {
        true => format!("{what} of `{}` is bound twice", later.owner),
        false => format!(
            "{what} of `{}` is also bound by `{}`",
            later.owner, earlier.owner
        ),
    };
    let diagnostic = Diagnostic::error(second, message)
        .related(first, "bound here first")
        .help(help);
    Some(diagnostic)
}

/// `written` takes the port of a listener that no file speaks of.
fn taken_by_default(what: &str, written: &Listener, span: Span, default: &Listener) -> Diagnostic {
    Diagnostic::error(
        span,
        format!(
            "{what} of `{}` is also bound by `{}`, whose default is {}",
            written.owner, default.owner, default.addr
        ),
    )
    .help("write another port here, or `listen` in `[admin]`: an address, or \"off\"")
}
