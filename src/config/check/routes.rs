//! Routes that can never match, because an earlier one takes everything that they match.
//!
//! There may be thousands of routes. An earlier route can only take all of a later one if it covers
//! the later one's first host and first path. So those two are looked up, and only the hits are
//! compared.

use std::hash::Hash;

use crate::base::{FoldMap, FoldSet, Name, Position};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{HostPattern, PathPattern, Predicate, Route, TcpRoute, ValuePattern};

/// The most routes with the same first host and path that one route is compared with. If more
/// differ only in method and fields, a missing warning is better than a slow start.
const MOST_COMPARED: usize = 256;

/// Warns of each route that never matches.
pub(super) fn warn(routes: &[Route], report: &mut Report<'_>) {
    let mut earlier = Earlier::default();
    for (index, route) in routes.iter().enumerate() {
        match earlier.taker(route, routes) {
            None => earlier.add(index, route),
            Some(taker) => {
                let (taker, what) = (&routes[taker], "requests");
                never_matches(
                    (&route.name, &route.at),
                    (&taker.name, &taker.at),
                    what,
                    report,
                );
            }
        }
    }
}

/// The same for routes of TCP mode and of `passthrough`.
pub(super) fn warn_of_tcp_routes(tcp_routes: &[TcpRoute], report: &mut Report<'_>) {
    let mut by_name: FoldMap<Option<&HostPattern>, Vec<usize>> = FoldMap::default();
    for (index, tcp_route) in tcp_routes.iter().enumerate() {
        let covering = covering_hosts(tcp_route.sni.first());
        let candidates = covering
            .iter()
            .filter_map(|name| by_name.get(&name.as_ref()));
        let first_of = |same: &Vec<usize>| {
            let mut compared = same.iter().take(MOST_COMPARED).copied();
            compared.find(|earlier| {
                let earlier = &tcp_routes[*earlier];
                covers_hosts(&earlier.sni, &tcp_route.sni)
                    && covers(&earlier.alpn, &tcp_route.alpn, |name| vec![name.clone()])
                    && (earlier.when.is_none() || earlier.when == tcp_route.when)
            })
        };
        let Some(taker) = candidates.filter_map(first_of).min() else {
            for name in options(&tcp_route.sni) {
                by_name.entry(name).or_default().push(index);
            }
            continue;
        };
        let (taker, what) = (&tcp_routes[taker], "connections");
        let route = (&tcp_route.name, &tcp_route.at);
        never_matches(route, (&taker.name, &taker.at), what, report);
    }
}

/// Warns of a route, given by its name and position, because of an earlier one.
fn never_matches(
    (route, at): (&Name, &Position),
    (taker, taker_at): (&Name, &Position),
    what: &str,
    report: &mut Report<'_>,
) {
    let message = format!("route `{route}` never matches");
    let help = "the first match wins: put the narrower route first";
    let related = format!("route `{taker}` matches all its {what} first");
    let diagnostic = Diagnostic::warning_at(at, message, help);
    report.add_related(diagnostic, taker_at, related);
}

/// The routes so far, without those that never match: the earlier route that covers such a one is
/// here, and covers as much.
#[derive(Default)]
struct Earlier<'a> {
    by_host_and_path: FoldMap<(Option<&'a HostPattern>, Option<&'a PathPattern>), Vec<usize>>,
    hosts: FoldSet<&'a HostPattern>,
    paths: FoldSet<&'a PathPattern>,
}

impl<'a> Earlier<'a> {
    fn add(&mut self, index: usize, route: &'a Route) {
        for host in options(&route.hosts) {
            for path in options(&route.paths) {
                let same = self.by_host_and_path.entry((host, path)).or_default();
                same.push(index);
            }
        }
        self.hosts.extend(&route.hosts);
        self.paths.extend(&route.paths);
    }

    /// The first earlier route that takes everything that `route` matches.
    fn taker(&self, route: &Route, routes: &[Route]) -> Option<usize> {
        let hosts = covering_hosts(route.hosts.first());
        let paths = covering_paths(route.paths.first());
        let hosts = keep_known(&hosts, &self.hosts);
        let paths = keep_known(&paths, &self.paths);
        let candidates = hosts.iter().flat_map(|host| {
            let lists = paths.iter().map(|path| (*host, *path));
            lists.filter_map(|key| self.by_host_and_path.get(&key))
        });
        let first_of = |same: &Vec<usize>| {
            let mut compared = same.iter().take(MOST_COMPARED).copied();
            compared.find(|index| takes_all_of(&routes[*index], route))
        };
        candidates.filter_map(first_of).min()
    }
}

fn keep_known<'a, T: Eq + Hash>(
    options: &'a [Option<T>],
    known: &FoldSet<&T>,
) -> Vec<Option<&'a T>> {
    options
        .iter()
        .map(Option::as_ref)
        .filter(|option| option.is_none_or(|pattern| known.contains(pattern)))
        .collect()
}

fn options<T>(patterns: &[T]) -> Vec<Option<&T>> {
    if patterns.is_empty() {
        return vec![None];
    }
    patterns.iter().map(Some).collect()
}

/// Every pattern that matches all hosts that `host` matches; `None` is any host.
fn covering_hosts(host: Option<&HostPattern>) -> Vec<Option<HostPattern>> {
    let mut covering = vec![None];
    let Some(host) = host else {
        return covering;
    };
    covering.push(Some(host.clone()));
    let (HostPattern::Exact(name) | HostPattern::Wildcard(name)) = host;
    let parents = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
    covering.extend(parents.map(|parent| Some(HostPattern::Wildcard(parent.to_owned()))));
    covering
}

/// Every pattern that matches all paths that `path` matches; `None` is any path.
fn covering_paths(path: Option<&PathPattern>) -> Vec<Option<PathPattern>> {
    let mut covering = vec![None];
    let Some(path) = path else {
        return covering;
    };
    covering.push(Some(path.clone()));
    let (PathPattern::Exact(text) | PathPattern::Prefix(text)) = path;
    covering.push(Some(PathPattern::Prefix(text.clone())));
    let parents = text.match_indices('/').map(|(slash, _)| &text[..slash]);
    covering.extend(parents.map(|parent| Some(PathPattern::Prefix(parent.to_owned()))));
    covering
}

/// Whether each request that `later` matches is one that `earlier` matches.
fn takes_all_of(earlier: &Route, later: &Route) -> bool {
    covers_hosts(&earlier.hosts, &later.hosts)
        && covers(&earlier.paths, &later.paths, |path| {
            covering_paths(Some(path)).into_iter().flatten().collect()
        })
        && covers(&earlier.methods, &later.methods, |method| {
            vec![method.clone()]
        })
        && all_implied(&earlier.headers, &later.headers)
        && all_implied(&earlier.queries, &later.queries)
        && (earlier.when.is_none() || earlier.when == later.when)
}

fn covers_hosts(wide: &[HostPattern], narrow: &[HostPattern]) -> bool {
    covers(wide, narrow, |host| {
        covering_hosts(Some(host)).into_iter().flatten().collect()
    })
}

/// Whether each of `narrow` is covered by one of `wide`; an empty list means everything. `covering`
/// yields all patterns that cover one, itself included: these are few, while `wide` may have
/// thousands.
fn covers<T: Eq + Hash>(wide: &[T], narrow: &[T], covering: impl Fn(&T) -> Vec<T>) -> bool {
    if wide.is_empty() {
        return true;
    }
    if let [wide] = wide {
        let is_covered = |narrow| covering(narrow).contains(wide);
        return !narrow.is_empty() && narrow.iter().all(is_covered);
    }
    let known: FoldSet<&T> = wide.iter().collect();
    let is_covered = |narrow| covering(narrow).iter().any(|one| known.contains(one));
    !narrow.is_empty() && narrow.iter().all(is_covered)
}

/// Whether each condition of `wide` holds whenever those of `narrow` do.
fn all_implied<N: PartialEq>(wide: &[Predicate<N>], narrow: &[Predicate<N>]) -> bool {
    wide.iter().all(|wide| {
        narrow
            .iter()
            .any(|narrow| narrow.name == wide.name && implies(&narrow.value, &wide.value))
    })
}

fn implies(narrow: &ValuePattern, wide: &ValuePattern) -> bool {
    match (wide, narrow) {
        (ValuePattern::Present, _) => true,
        (ValuePattern::Exact(wide), ValuePattern::Exact(narrow)) => wide == narrow,
        (
            ValuePattern::Prefix(wide),
            ValuePattern::Exact(narrow) | ValuePattern::Prefix(narrow),
        ) => narrow.starts_with(wide),
        _ => false,
    }
}
