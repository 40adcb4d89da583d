//! Every path that a file names, in full: through `use` groups, renames, `self` and `super`.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;
use crate::tokens::{Kind, Token};

/// A path as it would be written from the root: `crate::base::clock`, `tokio::spawn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// The paths and methods in a file.
#[derive(Default)]
pub(crate) struct References {
    pub(crate) paths: Vec<Reference>,
    /// `x.name(…)`: the names, which have no path.
    pub(crate) methods: Vec<Reference>,
}

/// The most renames of one name that are followed.
const MOST_RENAMES: usize = 8;

/// All paths and methods of the product code in `source`.
pub(crate) fn references(source: &Source) -> References {
    let mut reader = Reader {
        tokens: &source.tokens,
        at: 0,
        module: source.module(),
        inner: Vec::new(),
        depth: 0,
        names: BTreeMap::new(),
        children: BTreeSet::new(),
        found: Vec::new(),
        methods: Vec::new(),
    };
    reader.read();
    reader.resolve()
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// The file's own.
    module: Vec<String>,
    /// Modules inside of the file that are open here, and the depth of their braces.
    inner: Vec<(String, usize)>,
    depth: usize,
    /// Names that `use` introduces. One table for the whole file: a name that one function imports
    /// may mean something else in another, but here it means the same.
    names: BTreeMap<String, Vec<String>>,
    /// Modules that are declared here.
    children: BTreeSet<String>,
    /// As written, with the module that contains it.
    found: Vec<(Vec<String>, Reference)>,
    methods: Vec<Reference>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(token) = self.tokens.get(self.at) {
            let is_behind_dot = self.before().is_some_and(|before| before.is_sign('.'));
            match &token.kind {
                Kind::Sign('{') => self.depth += 1,
                Kind::Sign('}') => self.close(),
                Kind::Word(word) if is_behind_dot => self.method(word, token.line),
                Kind::Word(word) if word == "mod" => self.child(),
                Kind::Word(word) if word == "use" && !self.is_next('<') => {
                    self.at += 1;
                    self.tree(&[]);
                    continue;
                }
                Kind::Word(_) => {
                    self.path(token.line);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        let depth = self.depth;
        self.inner.pop_if(|(_, opened)| *opened == depth);
    }

    fn method(&mut self, word: &str, line: usize) {
        let is_range = self.at >= 2 && self.tokens[self.at - 2].is_sign('.');
        let is_call = self.is_next('(') || self.tokens.get(self.at + 1).is_some_and(is_colons);
        if is_call && !is_range {
            let path = vec![word.to_owned()];
            self.methods.push(Reference { path, line });
        }
    }

    fn child(&mut self) {
        let Some(name) = self.tokens.get(self.at + 1).and_then(Token::word) else {
            return;
        };
        let is_inline = self.tokens.get(self.at + 2).is_some_and(|t| t.is_sign('{'));
        self.children.insert(name.to_owned());
        if is_inline {
            self.inner.push((name.to_owned(), self.depth));
        }
    }

    /// A path in code, beginning with the word here.
    fn path(&mut self, line: usize) {
        let mut path = Vec::new();
        if self.before().is_some_and(is_colons) && !self.is_continued() {
            // `::name`: never one of our paths.
            path.push(String::new());
        }
        while let Some(word) = self.tokens.get(self.at).and_then(Token::word) {
            path.push(word.to_owned());
            self.at += 1;
            let leads_on = self.tokens.get(self.at).is_some_and(is_colons)
                && self.tokens.get(self.at + 1).and_then(Token::word).is_some();
            if !leads_on {
                break;
            }
            self.at += 1;
        }
        // A single word is a variable, a field, or an imported name that was found already.
        if path.len() > 1 {
            self.push(path, line);
        }
    }

    /// The tree after `use`, or inside of a group of it.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let mut line = 0;
        while let Some(token) = self.tokens.get(self.at) {
            match &token.kind {
                Kind::Word(word) if word == "as" => {
                    let name = self.tokens.get(self.at + 1).and_then(Token::word);
                    self.leaf(path, name.unwrap_or("_").to_owned(), line);
                    self.at += 2;
                    return;
                }
                Kind::Word(word) => {
                    path.push(word.clone());
                    line = token.line;
                }
                Kind::Sign('*') => {
                    path.push("*".to_owned());
                    line = token.line;
                }
                Kind::Sign('{') => return self.group(&path),
                Kind::Colons if path.is_empty() => path.push(String::new()),
                Kind::Colons => {}
                _ => break,
            }
            self.at += 1;
        }
        if path.len() > prefix.len() {
            path.pop_if(|last| last == "self" && !prefix.is_empty());
            let name = path.last().cloned().unwrap_or_default();
            self.leaf(path, name, line);
        }
    }

    fn group(&mut self, prefix: &[String]) {
        self.at += 1;
        while let Some(token) = self.tokens.get(self.at) {
            if token.is_sign('}') {
                self.at += 1;
                return;
            }
            if token.is_sign(',') {
                self.at += 1;
            } else {
                let before = self.at;
                self.tree(prefix);
                // Not Rust: the compiler will report it.
                self.at = self.at.max(before + 1);
            }
        }
    }

    fn leaf(&mut self, mut path: Vec<String>, name: String, line: usize) {
        path.pop_if(|last| last == "self");
        // A name that means itself has no use, and would never be resolved.
        if path.len() > 1 || path.first().is_some_and(|first| *first != name) {
            let full = self.rooted(&path, &self.here());
            self.names.insert(name, full);
        }
        self.push(path, line);
    }

    fn push(&mut self, path: Vec<String>, line: usize) {
        self.found.push((self.here(), Reference { path, line }));
    }

    fn here(&self) -> Vec<String> {
        let inner = self.inner.iter().map(|(name, _)| name.clone());
        self.module.iter().cloned().chain(inner).collect()
    }

    fn before(&self) -> Option<&Token> {
        self.at.checked_sub(1).map(|at| &self.tokens[at])
    }

    /// Whether the `::` before this word follows something: `<T as Trait>::name`, `vec::<T>::name`.
    fn is_continued(&self) -> bool {
        self.at >= 2
            && (self.tokens[self.at - 2].is_sign('>') || self.tokens[self.at - 2].word().is_some())
    }

    fn is_next(&self, sign: char) -> bool {
        self.tokens
            .get(self.at + 1)
            .is_some_and(|token| token.is_sign(sign))
    }

    /// `path`, as written in `module`, from the root, as far as that is known without renames.
    fn rooted(&self, path: &[String], module: &[String]) -> Vec<String> {
        let mut module = module.to_vec();
        let mut rest = path;
        match rest.first().map(String::as_str) {
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|first| first == "super") {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            Some(first) if self.children.contains(first) => {}
            _ => return path.to_vec(),
        }
        let root = std::iter::once("crate".to_owned());
        root.chain(module).chain(rest.iter().cloned()).collect()
    }

    fn resolve(mut self) -> References {
        let found = std::mem::take(&mut self.found);
        let paths = found
            .into_iter()
            .map(|(module, reference)| Reference {
                path: self.in_full(&reference.path, &module),
                line: reference.line,
            })
            .collect();
        References {
            paths,
            methods: self.methods,
        }
    }

    fn in_full(&self, path: &[String], module: &[String]) -> Vec<String> {
        let mut path = path.to_vec();
        for _ in 0..MOST_RENAMES {
            let Some(full) = path.first().and_then(|first| self.names.get(first)) else {
                break;
            };
            path = full.iter().chain(&path[1..]).cloned().collect();
        }
        path = self.rooted(&path, module);
        path.retain(|segment| !segment.is_empty());
        path
    }
}

fn is_colons(token: &Token) -> bool {
    token.kind == Kind::Colons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        let found = references(&Source::new(path, text));
        found.paths.iter().map(|r| r.path.join("::")).collect()
    }

    #[test]
    fn groups_and_renames_are_unfolded() {
        let found = paths(
            "src/a.rs",
            "use crate::b::{self, c::{D, e as f}}; fn g() { f::h(b::i) }",
        );
        for expected in [
            "crate::b",
            "crate::b::c::D",
            "crate::b::c::e",
            "crate::b::c::e::h",
            "crate::b::i",
        ] {
            assert!(
                found.iter().any(|path| path == expected),
                "{expected} in {found:?}"
            );
        }
    }

    #[test]
    fn paths_in_code_count_like_imports() {
        let found = paths(
            "src/a.rs",
            "fn f(x: crate::b::C) -> ::tokio::net::D { crate::e!() }",
        );
        assert!(found.contains(&"crate::b::C".to_owned()));
        assert!(found.contains(&"tokio::net::D".to_owned()));
        assert!(found.contains(&"crate::e".to_owned()));
    }

    #[test]
    fn super_leads_up_from_files_doors_and_modules_within() {
        assert!(paths("src/a/b.rs", "use super::c;").contains(&"crate::a::c".to_owned()));
        assert!(paths("src/a/b/mod.rs", "use super::super::c;").contains(&"crate::c".to_owned()));
        let inner = "mod d { use super::super::c; } use super::e;";
        let found = paths("src/a/b.rs", inner);
        assert!(found.contains(&"crate::a::c".to_owned()), "{found:?}");
        assert!(found.contains(&"crate::a::e".to_owned()), "{found:?}");
    }

    #[test]
    fn a_child_is_not_the_crate_of_the_same_name() {
        let found = paths(
            "src/a/mod.rs",
            "mod metrics; pub use metrics::B; use ::metrics::C;",
        );
        assert!(
            found.contains(&"crate::a::metrics::B".to_owned()),
            "{found:?}"
        );
        assert!(found.contains(&"metrics::C".to_owned()), "{found:?}");
    }

    #[test]
    fn methods_are_found_and_fields_and_ranges_are_not() {
        let found = references(&Source::new(
            "src/a.rs",
            "fn f() { a.spawn(b); a.x; 0..g(); }",
        ));
        let methods: Vec<&str> = found.methods.iter().map(|r| r.path[0].as_str()).collect();
        assert_eq!(methods, ["spawn"]);
    }
}
