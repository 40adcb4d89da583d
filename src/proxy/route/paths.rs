//! Routes by path, among the routes of a host.

use std::borrow::Cow;

use super::Search;
use crate::base::FoldMap;
use crate::plan::{PathPattern, Route};
use crate::wire::readings::without_last_slash;
use crate::wire::{path, readings};

/// Indices of routes in file order, without duplicates.
type Candidates = Vec<usize>;

/// The spelling of paths of patterns and requests for comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// In the form of RFC 3986.
    Exact,
    /// In the form of [`readings::folded`], with and without a slash at the end.
    Folded,
}

/// The kind of path that routes are searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathKind {
    /// The path of the request.
    Own,
    /// A server's reading of it.
    Reading,
    /// The reading of a server that ignores parts of its spelling: [`readings::any_folded`].
    Folded,
}

/// The routes of a set of hosts, by their path patterns.
#[derive(Debug, Default)]
pub(super) struct Paths {
    patterns: Patterns,
    /// The readings of patterns that have several; for readings of requests alone. Empty almost
    /// always: `/a;b` is such a pattern.
    readings: Patterns,
    /// Routes that take every path.
    any: Candidates,
}

/// Routes by the spelling of their patterns.
#[derive(Debug, Default)]
struct Patterns {
    exact: FoldMap<Box<str>, Candidates>,
    /// Without the slash that ends a prefix; never empty.
    prefix: FoldMap<Box<str>, Candidates>,
    /// Slashes in the deepest key of `prefix`: bounds the look-ups for a long path.
    prefix_depth: usize,
}

impl Paths {
    /// Those of `routes` with `indices`, in rising order.
    pub(super) fn compile(routes: &[Route], indices: &[usize], spelling: Spelling) -> Self {
        let mut paths = Self::default();
        for &index in indices {
            let patterns = &routes[index].paths;
            if patterns.is_empty() {
                push_once(&mut paths.any, index);
            }
            for pattern in patterns {
                match pattern {
                    PathPattern::Exact(path) => paths.add_exact(path, index, spelling),
                    PathPattern::Prefix(prefix) => paths.add_prefix(prefix, index, spelling),
                }
            }
        }
        paths
    }

    /// Offers all routes here that take the path.
    pub(super) fn search(&self, search: &mut Search<'_>) {
        self.patterns.search(search);
        if search.kind != PathKind::Own {
            self.readings.search(search);
        }
        search.consider(&self.any);
    }

    fn add_exact(&mut self, path: &str, index: usize, spelling: Spelling) {
        for spelled in [path::with_capital_escapes(path), path::normalise(path)] {
            self.patterns.add_exact(&spelled, index, spelling);
        }
        each_other_reading(path, |reading| {
            self.readings.add_exact(reading, index, spelling);
        });
    }

    fn add_prefix(&mut self, prefix: &str, index: usize, spelling: Spelling) {
        // The pattern's own meaning: `/a/../*` is `/*`.
        let folder = format!("{prefix}/");
        for spelled in [
            path::with_capital_escapes(&folder),
            path::normalise(&folder),
        ] {
            match spelling.of(spelled.strip_suffix('/').unwrap_or(&spelled)) {
                spelled if spelled.is_empty() => push_once(&mut self.any, index),
                spelled => self.patterns.add_prefix(&spelled, index),
            }
        }
        each_other_reading(&folder, |reading| {
            let spelled = spelling.of(reading.strip_suffix('/').unwrap_or(reading));
            // An empty reading of a pattern would match every request.
            if !spelled.is_empty() {
                self.readings.add_prefix(&spelled, index);
            }
        });
    }
}

impl Patterns {
    fn search(&self, search: &mut Search<'_>) {
        let path = search.path;
        if self.exact.is_empty() && self.prefix.is_empty() {
            return;
        }
        if let Some(candidates) = self.exact.get(path) {
            search.consider(candidates);
        }
        for prefix in prefixes(path).take(self.prefix_depth) {
            if let Some(candidates) = self.prefix.get(prefix) {
                search.consider(candidates);
            }
        }
    }

    fn add_exact(&mut self, path: &str, index: usize, spelling: Spelling) {
        let path = spelling.of(path);
        push_once(self.exact.entry((&*path).into()).or_default(), index);
        if spelling == Spelling::Folded
            && let Some(shorter) = without_last_slash(&path)
        {
            push_once(self.exact.entry(shorter.into()).or_default(), index);
        }
    }

    fn add_prefix(&mut self, prefix: &str, index: usize) {
        let depth = prefix.matches('/').count();
        self.prefix_depth = self.prefix_depth.max(depth);
        push_once(self.prefix.entry(prefix.into()).or_default(), index);
    }
}

impl Spelling {
    fn of(self, path: &str) -> Cow<'_, str> {
        match self {
            Self::Exact => Cow::Borrowed(path),
            // Nothing is left of the prefix for every path.
            Self::Folded if path.is_empty() => Cow::Borrowed(path),
            Self::Folded => readings::folded(path),
        }
    }
}

/// Visits the readings of a pattern's path besides the written one, up to the bound of readings.
fn each_other_reading(path: &str, mut visit: impl FnMut(&str)) {
    if readings::has_only_one(path) {
        return;
    }
    readings::all(path, |reading| {
        visit(reading);
        true
    });
}

/// Routes come in file order, so a duplicate always equals the last one.
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
        .map(|(index, _)| index)
        .chain([path.len()])
        .map(|end| &path[..end])
}
