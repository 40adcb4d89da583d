//! Makes a snapshot from a plan; it continues the live state of the one before.
//!
//! Live state belongs to an identity: a frontend's to its name, a backend's to its name, a server's
//! to its name, its address and its own settings within its backend. The state of an identity that
//! still exists is carried over; the rest ends with the last exchange that holds it.

use std::cell::LazyCell;
use std::sync::Arc;

use crate::base::clock;
use crate::base::{FoldMap, FoldSet, ListenAddress, Name};
use crate::exchange::{RouteMetrics, ServerMetrics};
use crate::plan::{self, BackendReference, Initial, PageJson, Plan};
use crate::proxy::backend::{Backend, Health, Server, Wanted};
use crate::proxy::frontend::{self, Gate};
use crate::proxy::route::{Router, TcpRoutes};
use crate::proxy::rules::{ConnectionRules, ErrorPages, Pipeline};
use crate::proxy::snapshot::{Frontend, FrontendTls, Indices, Names, Snapshot, Target};
use crate::tables::{Limiter, Table, Tables};

use super::membership::Membership;

/// The first snapshot, of `plan`, for a process with `workers`.
pub fn assemble(plan: Plan, workers: usize) -> Snapshot {
    snapshot(plan, None, &Membership::default(), workers)
}

/// The snapshot of `plan` that follows `before`. A backend of which only the servers change is
/// kept: `publish` changes its set.
pub(super) fn assemble_next(
    plan: Plan,
    before: &Snapshot,
    membership: &Membership,
    workers: usize,
) -> Snapshot {
    snapshot(plan, Some(before), membership, workers)
}

fn snapshot(
    plan: Plan,
    before: Option<&Snapshot>,
    membership: &Membership,
    workers: usize,
) -> Snapshot {
    let plan = Arc::new(plan);
    let backends = backends(&plan, before, membership, workers);
    let backend_rules = backend_rules(&plan, before);
    let backend_indices: FoldMap<&Name, u32> = plan
        .backends
        .iter()
        .enumerate()
        .map(|(index, backend)| (&backend.name, index as u32))
        .collect();
    // Made when a route's backend name is known only with the request.
    let names = LazyCell::new(|| {
        let names = backend_indices.iter();
        let names = names.map(|(name, index)| (name.as_str().as_bytes().into(), *index));
        Arc::new(names.collect::<Names>())
    });
    let known: FoldMap<&Name, (&Frontend, &plan::Frontend)> = before
        .iter()
        .flat_map(|before| before.frontends.iter().zip(&before.plan.frontends))
        .map(|known| (&known.1.name, known))
        .collect();
    let frontends: Vec<Frontend> = plan
        .frontends
        .iter()
        .map(|frontend| {
            let known = known.get(&frontend.name).copied();
            self::frontend(frontend, &backend_indices, &names, known, workers)
        })
        .collect();
    let chooses = |rule: &plan::Rule| matches!(rule.action, plan::Action::UseBackend(_));
    let mut rules = plan.frontends.iter().flat_map(|frontend| &frontend.rules);
    let backend_names = rules.any(chooses).then(|| Arc::clone(&names));
    for (index, frontend) in frontends.iter().enumerate() {
        frontend.live.stands_at(index);
    }
    Snapshot {
        generation: before.map_or(1, |before| before.generation + 1),
        frontends,
        backends,
        tables: tables(&plan, before),
        verifier: before.map_or_else(Arc::default, |before| Arc::clone(&before.verifier)),
        backend_rules,
        backend_error_pages: plan
            .backends
            .iter()
            .map(|backend| ErrorPages::compile(&backend.error_pages))
            .collect(),
        has_json_pages: has_json_pages(&plan),
        backend_names,
        has_rules: has_rules(&plan),
        indices: Indices::default(),
        plan: Arc::clone(&plan),
    }
}

fn frontend(
    plan: &plan::Frontend,
    backend_indices: &FoldMap<&Name, u32>,
    names: &LazyCell<Arc<Names>, impl FnOnce() -> Arc<Names>>,
    known: Option<(&Frontend, &plan::Frontend)>,
    workers: usize,
) -> Frontend {
    // Cannot happen: in a plan from `config`, every name of a backend exists. Index 0 would answer
    // from a wrong backend; an index that does not exist answers 404.
    let index_of = |name: &Name| backend_indices.get(name).copied();
    let index_of_reference = |reference: &BackendReference| index_of(&reference.name);
    let routes_before = known.map(|(frontend, before)| {
        let names = before.routes.iter().map(|route| &route.name);
        (names.collect(), &frontend.route_metrics)
    });
    let routes = plan.routes.iter().map(|route| &route.name);
    let same_routes = known
        .filter(|(_, before)| before.routes == plan.routes)
        .map(|(frontend, _)| frontend);
    let tcp_routes_before = known.map(|(frontend, before)| {
        let names = before.tcp_routes.iter().map(|tcp_route| &tcp_route.name);
        (names.collect(), &frontend.tcp_route_metrics)
    });
    let tcp_routes = plan.tcp_routes.iter().map(|tcp_route| &tcp_route.name);
    Frontend {
        route_metrics: counters(routes.collect(), routes_before, workers),
        tcp_route_metrics: counters(tcp_routes.collect(), tcp_routes_before, workers),
        live: match known {
            Some((frontend, _)) => Arc::clone(&frontend.live),
            None => Arc::new(frontend::Frontend::new(plan.name.clone(), workers)),
        },
        tls: tls(plan, known),
        bind_at: match known {
            Some((frontend, before)) if before.binds == plan.binds => Arc::clone(&frontend.bind_at),
            _ => {
                let binds = plan.binds.iter().enumerate();
                Arc::new(
                    binds
                        .map(|(index, bind)| (bind.addr.clone(), index))
                        .collect(),
                )
            }
        },
        connection_rules: ConnectionRules::compile(&plan.connection_rules),
        content_rules: ConnectionRules::of_content(plan, &index_of),
        rules: match known {
            Some((frontend, before)) if before.rules == plan.rules => frontend.rules.clone(),
            _ => Pipeline::compile(&plan.rules),
        },
        error_pages: ErrorPages::compile(&plan.error_pages),
        route_rules: match same_routes {
            Some(frontend) => Arc::clone(&frontend.route_rules),
            None => route_rules(&plan.routes),
        },
        router: match same_routes {
            Some(frontend) => Arc::clone(&frontend.router),
            None => Arc::new(Router::compile(&plan.routes)),
        },
        tcp_routes: match known {
            Some((frontend, before)) if before.tcp_routes == plan.tcp_routes => {
                Arc::clone(&frontend.tcp_routes)
            }
            _ => Arc::new(TcpRoutes::compile(&plan.tcp_routes)),
        },
        route_targets: plan
            .routes
            .iter()
            .map(|route| Target::compile(&route.target, index_of, || Arc::clone(names)))
            .collect(),
        tcp_route_backends: plan
            .tcp_routes
            .iter()
            .filter_map(|tcp_route| index_of_reference(&tcp_route.backend))
            .collect(),
        default_backend: plan.backend.as_ref().and_then(index_of_reference),
    }
}

/// The TLS of `plan`, without acceptors yet: `certs::Prepared::equip` adds them.
///
/// The count of handshakes in progress is kept if a bind with this TLS stays: one at the same
/// address.
fn tls(plan: &plan::Frontend, known: Option<(&Frontend, &plan::Frontend)>) -> Vec<FrontendTls> {
    let mut tls_before: FoldMap<&ListenAddress, &FrontendTls> = FoldMap::default();
    if let Some((frontend, before)) = known {
        for bind in &before.binds {
            if let Some(index) = bind.tls {
                tls_before.entry(&bind.addr).or_insert(&frontend.tls[index]);
            }
        }
    }
    let mut handshakes: Vec<Option<Arc<Gate>>> = vec![None; plan.tls.len()];
    // If one TLS was split in two, only one of them keeps the count.
    let mut counted_on = FoldSet::default();
    for bind in &plan.binds {
        if let Some(index) = bind.tls
            && handshakes[index].is_none()
            && let Some(before) = tls_before.get(&bind.addr)
            && counted_on.insert(Arc::as_ptr(&before.handshakes))
        {
            handshakes[index] = Some(Arc::clone(&before.handshakes));
        }
    }
    let handshakes = handshakes.into_iter();
    handshakes
        .map(|handshakes| FrontendTls {
            acceptor: None,
            handshakes: handshakes.unwrap_or_else(|| Arc::new(Gate::new(u64::MAX))),
        })
        .collect()
}

/// The counters of one frontend's routes, in the order of the plan.
type Counters = Arc<[Arc<RouteMetrics>]>;

/// The counters of the routes with these names; known names keep those of `before`.
fn counters(
    names: Vec<&Name>,
    before: Option<(Vec<&Name>, &Counters)>,
    workers: usize,
) -> Counters {
    let mut known: FoldMap<&Name, &Arc<RouteMetrics>> = FoldMap::default();
    if let Some((names_before, counters)) = before {
        if names_before == names {
            return Arc::clone(counters);
        }
        known.extend(names_before.into_iter().zip(counters.iter()));
    }
    let counter_of = |name| match known.get(name) {
        Some(counter) => Arc::clone(counter),
        None => Arc::new(RouteMetrics::new(workers)),
    };
    names.into_iter().map(counter_of).collect()
}

/// Whether `plan` has any rule.
fn has_rules(plan: &Plan) -> bool {
    let of_frontend = |frontend: &plan::Frontend| {
        let mut routes = frontend.routes.iter();
        !frontend.rules.is_empty() || routes.any(|route| !route.rules.is_empty())
    };
    let mut backends = plan.backends.iter();
    plan.frontends.iter().any(of_frontend) || backends.any(|backend| !backend.rules.is_empty())
}

/// Whether an error page of `plan` has content for clients that ask for JSON.
fn has_json_pages(plan: &Plan) -> bool {
    let of_frontends = plan.frontends.iter().flat_map(|one| &one.error_pages);
    let of_backends = plan.backends.iter().flat_map(|one| &one.error_pages);
    let mut pages = of_frontends.chain(of_backends);
    pages.any(|page| page.json != PageJson::Off)
}

/// The rules of each route; empty when none has any.
fn route_rules(routes: &[plan::Route]) -> Arc<[Option<Arc<Pipeline>>]> {
    let rules: Vec<_> = routes.iter().map(Pipeline::of_route).collect();
    match rules.iter().all(Option::is_none) {
        true => Arc::default(),
        false => rules.into(),
    }
}

/// The tables and rate limits of `plan`. A rate limit with a known name keeps its keys; a table with a known name and the same type of keys keeps its entries; `publish`
/// adapts it.
fn tables(plan: &Plan, before: Option<&Snapshot>) -> Arc<Tables> {
    let tables = plan.tables.iter().map(|plan| {
        let known = before.and_then(|before| before.tables.get(&plan.name));
        let table = match known.filter(|known| known.suits(plan)) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Table::new(plan, clock::now())),
        };
        (plan.name.clone(), table)
    });
    let rules = plan.rules().filter_map(|rule| match &rule.action {
        plan::Action::RateLimit(limit) => Some(limit),
        _ => None,
    });
    let limits = rules.map(|plan| {
        let known = before.and_then(|before| before.tables.limit(&plan.name));
        let limit = match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(Limiter::new(plan, clock::now())),
        };
        (plan.name.clone(), limit)
    });
    Arc::new(Tables::of(tables, limits))
}

fn backend_rules(plan: &Plan, before: Option<&Snapshot>) -> Vec<Option<Arc<Pipeline>>> {
    let known: FoldMap<&Name, (&plan::Backend, &Option<Arc<Pipeline>>)> = before
        .iter()
        .flat_map(|before| before.plan.backends.iter().zip(&before.backend_rules))
        .map(|known| (&known.0.name, known))
        .collect();
    let backends = plan.backends.iter();
    backends
        .map(|backend| match known.get(&backend.name) {
            Some((before, rules)) if before.rules == backend.rules => (*rules).clone(),
            _ => Pipeline::compile(&backend.rules),
        })
        .collect()
}

fn backends(
    plan: &Plan,
    before: Option<&Snapshot>,
    membership: &Membership,
    workers: usize,
) -> Vec<Arc<Backend>> {
    let known: FoldMap<&Name, &Arc<Backend>> = before
        .iter()
        .flat_map(|before| &before.backends)
        .map(|backend| (&backend.plan.name, backend))
        .collect();
    plan.backends
        .iter()
        .map(|plan| match known.get(&plan.name) {
            Some(before) if before.is_like(plan) => Arc::clone(before),
            before => {
                let before = before.map(|before| &***before);
                let set = before.map(Backend::set);
                let known: &[Arc<Server>] = set.as_ref().map_or(&[], |set| set.servers());
                let servers = servers_of(plan, &membership.desired(plan), known, workers);
                Arc::new(Backend::new(plan, servers, before))
            }
        })
        .collect()
}

/// The servers of `backend` as `wanted`: those of `known` with the same name, address and own
/// settings, in their present state, and new ones.
pub(super) fn servers_of(
    backend: &plan::Backend,
    wanted: &[Wanted],
    known: &[Arc<Server>],
    workers: usize,
) -> Vec<Arc<Server>> {
    let known: FoldMap<&Name, &Arc<Server>> =
        known.iter().map(|server| (&server.name, server)).collect();
    wanted
        .iter()
        .map(|wanted| match known.get(&wanted.name) {
            Some(known) if known.is(wanted) => {
                known.write(wanted);
                Arc::clone(known)
            }
            moved => new_server(backend, wanted, moved.map(|moved| &***moved), workers),
        })
        .collect()
}

fn new_server(
    backend: &plan::Backend,
    wanted: &Wanted,
    moved: Option<&Server>,
    workers: usize,
) -> Arc<Server> {
    let (health, reason) = match &backend.health {
        Some(health) if health.initial == Initial::Checked => {
            (Health::Checking, "waits for its first check")
        }
        Some(_) => (Health::Up, "up until checks fail"),
        None => (Health::Up, "not checked"),
    };
    Arc::new(match moved {
        Some(before) => Server::moved(before, wanted, health, reason),
        None => {
            let metrics = Arc::new(ServerMetrics::new(workers));
            Server::new(wanted, metrics, health, reason)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::base::clock;
    use crate::config;
    use crate::control::publish::change_sets;
    use crate::observe::AttemptCounter;
    use crate::proxy::backend::ServerKey;
    use crate::proxy::snapshot::{Current, Views};

    fn plan(text: &str) -> Plan {
        let text = format!("[admin]\nlisten = \"off\"\n{text}");
        match config::load_text("test.toml", &text) {
            Ok(loaded) => loaded.plan,
            Err(diagnostics) => unreachable!("{diagnostics}"),
        }
    }

    fn with_servers(servers: &str) -> Plan {
        plan(&format!(
            "[frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
             [backend.app]\nservers = [{servers}]\n"
        ))
    }

    /// The snapshot of `plan` that follows `before`, with the sets that `publish` gives it.
    fn next(plan: Plan, before: &Snapshot) -> Snapshot {
        let membership = Membership::default();
        let snapshot = assemble_next(plan, before, &membership, 1);
        change_sets(&snapshot, &membership, 1);
        snapshot
    }

    fn servers(snapshot: &Snapshot) -> Arc<[Arc<Server>]> {
        Arc::clone(snapshot.backends[0].set().servers())
    }

    fn keys(snapshot: &Snapshot) -> Vec<ServerKey> {
        servers(snapshot).iter().map(ServerKey::of).collect()
    }

    const A: &str = "\"10.0.0.1:80\"";
    const B: &str = "\"10.0.0.2:80\"";
    const C: &str = "\"10.0.0.3:80\"";

    /// Checks that the next snapshot of a plan with many times as much of something is assembled at
    /// as many times the cost.
    #[track_caller]
    fn assert_linear(plan_of: impl Fn(usize, usize) -> String) {
        clock::assert_linear(|count| {
            let before = assemble(plan(&plan_of(count, 1)), 1);
            let after = plan(&plan_of(count, 2));
            move || next(after, &before)
        });
    }

    #[test]
    fn many_times_as_much_is_assembled_at_as_many_times_the_cost() {
        // Each variant has another last one and keeps the others. Each address has TLS of its own.
        let addresses = |count: usize, variant: usize| {
            let address = |index| {
                let (high, low) = (index / 250, index % 250);
                let tls = format!("tls = '/etc/certificates/of/{index}.pem'");
                format!("{{ address = '127.0.{high}.{low}:443', {tls} }},\n")
            };
            let stay: String = (1..count).map(address).collect();
            format!(
                "[frontend.web]\nlisten = [{stay}'127.0.250.{variant}:443']\nbackend = 'app'\n\
                 [backend.app]\nservers = [{A}]\n"
            )
        };
        let servers = |count: usize, variant: usize| {
            let server = |index| format!("'127.0.{}.{}:80', ", index / 250, index % 250);
            let stay: String = (1..count).map(server).collect();
            format!(
                "[frontend.web]\nlisten = '127.0.0.1:443'\nbackend = 'app'\n\
                 [backend.app]\nservers = [{stay}'127.1.1.{variant}:80']\n"
            )
        };
        let backends = |count: usize, variant: usize| {
            let backend = |index| format!("[backend.b{index}]\nservers = [{A}]\n");
            let stay: String = (1..count).map(backend).collect();
            format!(
                "[frontend.web]\nlisten = '127.0.0.1:443'\nbackend = 'app'\n{stay}\
                 [backend.app]\nservers = ['127.1.1.{variant}:80']\n"
            )
        };
        assert_linear(addresses);
        assert_linear(servers);
        assert_linear(backends);
    }

    /// A worker that was late still finds a frontend that existed for one generation only.
    #[test]
    fn a_frontend_of_a_skipped_generation_is_found() {
        let with = |frontend: &str| {
            plan(&format!(
                "[frontend.{frontend}]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
                 [backend.app]\nservers = [{A}]\n"
            ))
        };
        let current = Arc::new(Current::new(assemble(with("first"), 1)));
        let views = Views::new(Arc::clone(&current), AttemptCounter::of_worker(0));
        let swapped = ["second", "third"].map(|name| {
            current.swap(next(with(name), &current.load()));
            current.load()
        });
        let live = |snapshot: &Snapshot| Arc::clone(&snapshot.frontends[0].live);
        let [second, third] = swapped;
        let (seconds, thirds) = (live(&second), live(&third));
        // Its accept loop was started before the third one was known.
        views.pass(second);
        let (view, index) = views.with(&seconds).expect("it is known");
        assert!(Arc::ptr_eq(&view.snapshot.frontends[index].live, &seconds));
        views.pass(third);
        assert!(views.with(&seconds).is_some(), "its clients still ask");
        let (view, _) = views.with(&thirds).expect("it runs");
        assert_eq!(view.snapshot.generation, 3);
    }

    fn with_listen(listen: &str) -> Plan {
        plan(&format!(
            "[frontend.web]\nlisten = [{listen}]\nbackend = \"app\"\n\
             [backend.app]\nservers = [{A}]\n"
        ))
    }

    #[test]
    fn an_address_that_was_just_removed_is_found_as_it_was() {
        let secret = "{ address = \"10.0.0.1:443\", tls = \"/a.pem\" }";
        let both = format!("\"10.0.0.1:80\", {secret}");
        let current = Arc::new(Current::new(assemble(with_listen(&both), 1)));
        let views = Views::new(Arc::clone(&current), AttemptCounter::of_worker(0));
        let live = Arc::clone(&current.load().frontends[0].live);
        let address = current.load().plan.frontends[0].binds[1].addr.clone();
        let generation_of = |address: &ListenAddress| {
            let (view, index, bind) = views.at_bind(&live, address)?;
            let bind = &view.snapshot.plan.frontends[index].binds[bind];
            assert_eq!((&bind.addr, bind.tls), (address, Some(0)));
            Some(view.snapshot.generation)
        };
        current.swap(next(with_listen(secret), &current.load()));
        assert_eq!(generation_of(&address), Some(2), "it is still there");
        current.swap(next(with_listen("\"10.0.0.1:80\""), &current.load()));
        assert_eq!(generation_of(&address), Some(2));
        views.forget();
        assert_eq!(generation_of(&address), None);
    }

    #[test]
    fn handshakes_under_way_are_counted_on_where_an_address_stays() {
        let own = |port: u16, file: &str| {
            format!("{{ address = \"10.0.0.1:{port}\", tls = \"/{file}.pem\" }}")
        };
        let gates = |snapshot: &Snapshot| -> Vec<*const Gate> {
            let tls = snapshot.frontends[0].tls.iter();
            tls.map(|tls| Arc::as_ptr(&tls.handshakes)).collect()
        };
        let two =
            |one: &str, other: &str| with_listen(&format!("{}, {}", own(1, one), own(2, other)));
        let first = assemble(two("a", "b"), 1);
        let [one, other] = gates(&first)[..] else {
            unreachable!("two");
        };
        let swapped = with_listen(&format!("{}, {}", own(2, "c"), own(1, "a")));
        let second = next(swapped, &first);
        assert_eq!(gates(&second), [other, one]);
        let joined = next(two("d", "d"), &second);
        assert_eq!(gates(&joined), [one]);
        let split = next(two("d", "e"), &joined);
        let [kept, new] = gates(&split)[..] else {
            unreachable!("two");
        };
        assert!(kept == one && new != one);
        let moved = next(with_listen(&own(3, "d")), &split);
        assert!(!gates(&split).contains(&gates(&moved)[0]));
    }

    #[test]
    fn an_equal_plan_keeps_every_live_thing() {
        let first = assemble(with_servers(A), 1);
        let second = next(with_servers(A), &first);
        assert!(Arc::ptr_eq(&first.backends[0], &second.backends[0]));
        let (before, after) = (&first.frontends[0], &second.frontends[0]);
        assert!(Arc::ptr_eq(&before.live, &after.live));
        assert!(Arc::ptr_eq(&before.router, &after.router));
    }

    #[test]
    fn a_route_keeps_its_counter_by_its_name() {
        let with = |names: &[&str]| {
            let routes = names.iter().map(|name| {
                format!("[[frontend.web.route]]\nname = \"{name}\"\nhost = \"{name}\"\nbackend = \"app\"\n")
            });
            let routes: String = routes.collect();
            plan(&format!(
                "[frontend.web]\nlisten = \"127.0.0.1:0\"\n{routes}[backend.app]\nservers = [{A}]\n"
            ))
        };
        let first = assemble(with(&["a", "b"]), 1);
        let second = next(with(&["c", "b"]), &first);
        let third = next(with(&["c", "b"]), &second);
        let counters = |snapshot: &Snapshot| snapshot.frontends[0].route_metrics.clone();
        let (one, two) = (counters(&first), counters(&second));
        assert!(Arc::ptr_eq(&one[1], &two[1]));
        assert!(!one.iter().any(|counter| Arc::ptr_eq(counter, &two[0])));
        assert!(Arc::ptr_eq(&two, &counters(&third)));
    }

    /// There may be tens of thousands, and most reloads change none.
    #[test]
    fn a_worker_keeps_the_routes_that_a_reload_leaves_as_they_are() {
        let with = |route: &str, frontends: &[&str]| {
            let frontends = frontends.iter().map(|name| {
                format!(
                    "[frontend.{name}]\nlisten = \"127.0.0.1:0\"\n\
                     [[frontend.{name}.route]]\nname = \"{route}\"\nbackend = \"app\"\n"
                )
            });
            let frontends: String = frontends.collect();
            plan(&format!("{frontends}[backend.app]\nservers = [{A}]\n"))
        };
        let current = Arc::new(Current::new(assemble(with("a", &["web"]), 1)));
        let views = Views::new(Arc::clone(&current), AttemptCounter::of_worker(0));
        let reloaded = |plan: Plan| {
            current.swap(next(plan, &current.load()));
            views.current()
        };
        let first = views.current();
        // It has another index now.
        let second = reloaded(with("a", &["new", "web"]));
        let (before, after) = (&first.frontends[0], &second.frontends[1]);
        assert_eq!(&*after.name, "web");
        assert!(Rc::ptr_eq(&before.routes, &after.routes));
        assert!(!Rc::ptr_eq(&second.frontends[0].routes, &after.routes));
        let third = reloaded(with("b", &["new", "web"]));
        assert_eq!(third.frontends[1].routes[0].name.as_str(), "b");
        assert_eq!(after.routes[0].name.as_str(), "a", "of what ran before");
    }

    #[test]
    fn a_server_that_stays_has_the_weight_that_is_written_now() {
        let written = |rest: &str| {
            with_servers(&format!(
                "{{ name = \"a\", address = {A}{rest} }}, {{ name = \"b\", address = {B} }}"
            ))
        };
        let first = assemble(written(""), 1);
        let server = Arc::clone(&servers(&first)[0]);
        assert_eq!((server.weight(), server.is_backup()), (1, false));
        let second = next(written(", weight = 0, backup = true"), &first);
        assert!(Arc::ptr_eq(&server, &servers(&second)[0]));
        assert_eq!((server.weight(), server.is_backup()), (0, true));
        assert_eq!(second.backends[0].available(), 1);
    }

    #[test]
    fn adding_removing_and_reordering_disturb_no_other_server() {
        let first = assemble(with_servers(&format!("{A}, {B}")), 1);
        let before = keys(&first);
        let second = next(with_servers(&format!("{C}, {B}, {A}")), &first);
        assert_eq!(keys(&second)[2], before[0]);
        assert_eq!(keys(&second)[1], before[1]);
        let third = next(with_servers(B), &second);
        assert_eq!(keys(&third), [before[1].clone()]);
    }

    #[test]
    fn a_backend_of_which_the_servers_change_stays_and_has_others() {
        let first = assemble(with_servers(A), 1);
        let second = next(with_servers(B), &first);
        assert!(Arc::ptr_eq(&first.backends[0], &second.backends[0]));
        assert_eq!(servers(&first)[0].name.as_str(), "10.0.0.2:80");
    }

    #[test]
    fn a_backend_of_which_the_settings_change_too_leaves_its_servers_to_what_runs_under_the_old_ones()
     {
        let other = |servers: &str| {
            plan(&format!(
                "[frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
                 [backend.app]\nservers = [{servers}]\nattempts = 1\n"
            ))
        };
        let first = assemble(with_servers(&format!("{A}, {B}")), 1);
        let before = keys(&first);
        let second = next(other(B), &first);
        assert!(!Arc::ptr_eq(&first.backends[0], &second.backends[0]));
        assert_eq!(keys(&first), before);
        assert_eq!(keys(&second), before[1..]);
    }

    #[test]
    fn another_address_is_another_server_with_the_same_counters() {
        let named = |addr: &str| with_servers(&format!("{{ name = \"a\", address = {addr} }}"));
        let first = assemble(named(A), 1);
        let before = Arc::clone(&servers(&first)[0]);
        let second = next(named(B), &first);
        let after = Arc::clone(&servers(&second)[0]);
        assert!(!Arc::ptr_eq(&before, &after));
        assert!(Arc::ptr_eq(&before.metrics, &after.metrics));
        assert!(Arc::ptr_eq(&before.health_metrics, &after.health_metrics));
    }

    #[test]
    fn rules_are_found_wherever_they_are() {
        let rule = "rule = [{ on = 'after', del_header = 'x' }]\n";
        let with = |frontend: &str, route: &str, backend: &str| {
            let text = format!(
                "[frontend.web]\nlisten = \"127.0.0.1:0\"\n{frontend}\
                 [[frontend.web.route]]\nbackend = \"app\"\n{route}\
                 [backend.app]\nservers = [{A}]\n{backend}"
            );
            assemble(plan(&text), 1).has_rules
        };
        assert!(!with("", "", ""));
        assert!(with(rule, "", "") && with("", rule, "") && with("", "", rule));
    }

    #[test]
    fn generations_rise_by_one() {
        let first = assemble(with_servers(A), 1);
        let second = next(with_servers(B), &first);
        assert_eq!((first.generation, second.generation), (1, 2));
    }

    /// A server by the number of its name, of its address and of its weight.
    type Written = (u8, u8, u16);

    fn written(servers: &[Written]) -> Plan {
        let servers: Vec<String> = servers
            .iter()
            .map(|(name, address, weight)| {
                format!(
                    "{{ name = \"s{name}\", address = \"10.0.{name}.{address}:80\", weight = {weight} }}"
                )
            })
            .collect();
        with_servers(&servers.join(", "))
    }

    /// Some of eight servers, each at one of two addresses, in any order.
    fn some_servers() -> impl Strategy<Value = Vec<Written>> {
        let server = |name: u8| (Just(name), 0..2_u8, 1..4_u16);
        let all: Vec<_> = (0..8).map(server).collect();
        let shuffled = all.prop_shuffle();
        (shuffled, 0..8_usize).prop_map(|(all, count)| all.into_iter().take(count).collect())
    }

    proptest! {
        #[test]
        fn a_server_lives_on_exactly_as_long_as_its_name_and_address_stay(
            before in some_servers(),
            after in some_servers(),
        ) {
            let first = assemble(written(&before), 1);
            let old = servers(&first);
            let second = next(written(&after), &first);
            let new = servers(&second);
            prop_assert_eq!(new.len(), after.len());
            for ((name, address, _), server) in after.iter().zip(new.iter()) {
                let known = before.iter().position(|(known, ..)| known == name);
                let Some(index) = known else {
                    prop_assert!(old.iter().all(|old| !Arc::ptr_eq(old, server)));
                    continue;
                };
                prop_assert!(Arc::ptr_eq(&old[index].metrics, &server.metrics));
                let stays = before[index].1 == *address;
                prop_assert_eq!(Arc::ptr_eq(&old[index], server), stays);
            }
        }

        #[test]
        fn an_equal_configuration_changes_nothing(servers in some_servers()) {
            let first = assemble(written(&servers), 1);
            let second = next(written(&servers), &first);
            prop_assert!(Arc::ptr_eq(&first.backends[0], &second.backends[0]));
            prop_assert!(Arc::ptr_eq(&first.frontends[0].live, &second.frontends[0].live));
            prop_assert!(Arc::ptr_eq(&first.frontends[0].router, &second.frontends[0].router));
        }
    }
}
