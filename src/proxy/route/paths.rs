//! Routes by path, among those that a host has.

use std::borrow::Cow;

use super::Search;
use super::hash::Table;
use crate::plan::{PathPattern, Route};
use crate::wire::path;

/// Places of routes in file order, each once.
type Candidates = Vec<usize>;

/// The routes of a set of hosts, by what they say of the path.
#[derive(Debug, Default)]
pub(super) struct Paths {
    exact: Table<Candidates>,
    /// Without the slash that ends a prefix; never empty.
    prefix: Table<Candidates>,
    /// Slashes in the deepest key of `prefix`: bounds how much of a long path is tried.
    prefix_depth: usize,
    /// Routes that take every path.
    any: Candidates,
}

impl Paths {
    /// Those of `routes` whose places are `indices`, in rising order.
    pub(super) fn compile(routes: &[Route], indices: &[usize]) -> Self {
        let mut paths = Self::default();
        for &index in indices {
            let patterns = &routes[index].paths;
            if patterns.is_empty() {
                push_once(&mut paths.any, index);
            }
            for pattern in patterns {
                match pattern {
                    PathPattern::Exact(path) => paths.add_exact(path, index),
                    PathPattern::Prefix(prefix) => paths.add_prefix(prefix, index),
                }
            }
        }
        paths
    }

    /// Offers all routes here that take the path.
    pub(super) fn search(&self, search: &mut Search<'_>) {
        let path = search.path;
        if let Some(candidates) = self.exact.get(path) {
            search.consider(candidates);
        }
        for prefix in prefixes(path).take(self.prefix_depth) {
            if let Some(candidates) = self.prefix.get(prefix) {
                search.consider(candidates);
            }
        }
        search.consider(&self.any);
    }

    fn add_exact(&mut self, path: &str, index: usize) {
        for spelling in [path::with_capital_escapes(path), path::normalise(path)] {
            push_once(self.exact.entry(spelling.into()).or_default(), index);
        }
    }

    fn add_prefix(&mut self, prefix: &str, index: usize) {
        // The normal form of what the pattern says: `/a/../*` is `/*`.
        let normal = path::normalise(&format!("{prefix}/")).into_owned();
        let normal = normal.strip_suffix('/').unwrap_or(&normal).to_owned();
        for spelling in [path::with_capital_escapes(prefix), Cow::Owned(normal)] {
            if spelling.is_empty() {
                push_once(&mut self.any, index);
                continue;
            }
            let depth = spelling.matches('/').count();
            self.prefix_depth = self.prefix_depth.max(depth);
            push_once(self.prefix.entry(spelling.into()).or_default(), index);
        }
    }
}

/// Routes come in file order, so a repetition is always of the last one.
fn push_once(candidates: &mut Candidates, index: usize) {
    if candidates.last() != Some(&index) {
        candidates.push(index);
    }
}

/// `path` up to each of its slashes but the first, and whole: one segment, two segments, …
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.bytes().enumerate().skip(1);
    slashes
        .filter(|&(_, byte)| byte == b'/')
        .map(|(place, _)| place)
        .chain([path.len()])
        .map(|end| &path[..end])
}
