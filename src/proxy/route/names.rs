//! Values by host name: looked up exactly, and by each wildcard above the name.

use crate::base::FoldMap;
use crate::plan::HostPattern;

/// A value for each name, and for each name with `*.` before it.
#[derive(Debug)]
pub(super) struct Names<V> {
    exact: FoldMap<Box<str>, V>,
    wildcard: FoldMap<Box<str>, V>,
    /// Labels of the longest key of `wildcard`: bounds the look-ups for a long name.
    wildcard_labels: usize,
}

/// The indices of rules by name, and of rules for all names.
pub(super) type Indices<'a> = (FoldMap<&'a HostPattern, Vec<usize>>, Vec<usize>);

/// The indices in `rules`, each list in file order. `names_of`: the names of a rule; none: it is
/// for all.
pub(super) fn indices<'a, R>(
    rules: &'a [R],
    names_of: impl Fn(&'a R) -> &'a [HostPattern],
) -> Indices<'a> {
    let (mut named, mut nameless) = Indices::default();
    for (index, rule) in rules.iter().enumerate() {
        let names = names_of(rule);
        if names.is_empty() {
            nameless.push(index);
        }
        for name in names {
            named.entry(name).or_default().push(index);
        }
    }
    (named, nameless)
}

impl<V> Names<V> {
    /// The value of each pattern.
    pub(super) fn of<'a>(patterns: impl IntoIterator<Item = (&'a HostPattern, V)>) -> Self {
        let mut names = Self {
            exact: FoldMap::default(),
            wildcard: FoldMap::default(),
            wildcard_labels: 0,
        };
        for (pattern, value) in patterns {
            match pattern {
                HostPattern::Exact(name) => {
                    names.exact.insert(name.as_str().into(), value);
                }
                HostPattern::Wildcard(suffix) => {
                    let labels = suffix.split('.').count();
                    names.wildcard_labels = names.wildcard_labels.max(labels);
                    names.wildcard.insert(suffix.as_str().into(), value);
                }
            }
        }
        names
    }

    /// The values of all patterns that `name` matches, which is in lower case.
    #[inline]
    pub(super) fn matching(&self, name: &str) -> impl Iterator<Item = &V> {
        let above = suffixes(name).take(self.wildcard_labels);
        let wildcards = above.filter_map(|suffix| self.wildcard.get(suffix));
        self.exact.get(name).into_iter().chain(wildcards)
    }
}

/// The text after each dot of `name` that is not its first character: one label, two labels, …
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    let dots = name.bytes().enumerate().skip(1).rev();
    dots.filter(|&(_, byte)| byte == b'.')
        .map(|(dot, _)| &name[dot + 1..])
}
