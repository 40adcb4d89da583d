//! The source files, and which of their lines are the product and which are tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::tokens::{Token, tokens};

/// One file.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Without items under `#[cfg(test)]`; none at all when the file is a module of such an item.
    pub(crate) tokens: Vec<Token>,
    /// Modules that are declared here under `#[cfg(test)]` and have files of their own.
    test_modules: Vec<String>,
    lines_of_tests: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut source = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens: tokens(text),
            test_modules: Vec::new(),
            lines_of_tests: 0,
        };
        source.cut_tests();
        source
    }

    /// Whether it is part of the program.
    pub(crate) fn is_product(&self) -> bool {
        self.path.starts_with("src/") && !self.tokens.is_empty()
    }

    /// Its lines, without those of tests.
    pub(crate) fn product_lines(&self) -> usize {
        self.text.lines().count() - self.lines_of_tests
    }

    /// Its module path: `["proxy", "http", "serve"]`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inner = inner.strip_suffix(".rs").unwrap_or(inner);
        let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
        let is_door = |name: &String| ["mod", "lib", "main"].contains(&name.as_str());
        module.pop_if(|name| is_door(name));
        module
    }

    /// Removes items under `#[cfg(test)]`, and keeps the names of the modules among them.
    fn cut_tests(&mut self) {
        let mut kept = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let Some(item) = after_cfg_test(&self.tokens, at) else {
                kept.push(self.tokens[at].clone());
                at += 1;
                continue;
            };
            let end = end_of_item(&self.tokens, item);
            let declared = &self.tokens[item..end];
            if let Some(name) = module_in_its_own_file(declared) {
                self.test_modules.push(name);
            }
            let last = self.tokens[end - 1].line;
            self.lines_of_tests += last + 1 - self.tokens[at].line;
            at = end;
        }
        self.tokens = kept;
    }
}

/// All Rust files below `folders`, in order of their paths.
pub(crate) fn sources(root: &Path, folders: &[&str]) -> Vec<Source> {
    let mut paths = BTreeSet::new();
    for folder in folders {
        find(&root.join(folder), &mut paths);
    }
    let mut sources: Vec<Source> = paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a source file is text");
            let inner = path
                .strip_prefix(root)
                .expect("it was found below the root");
            Source::new(&inner.to_string_lossy().replace('\\', "/"), &text)
        })
        .collect();
    empty_test_modules(&mut sources);
    sources
}

fn find(folder: &Path, paths: &mut BTreeSet<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        // The build folder of a fuzzer has no source of ours.
        if path.is_dir() && name != "target" {
            find(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.insert(path);
        }
    }
}

/// Files that are modules under `#[cfg(test)]` hold no product code.
pub(crate) fn empty_test_modules(sources: &mut [Source]) {
    let test_modules: Vec<Vec<String>> = sources
        .iter()
        .filter(|source| source.path.starts_with("src/"))
        .flat_map(|source| {
            let names = source.test_modules.iter();
            names.map(|name| [source.module(), vec![name.clone()]].concat())
        })
        .collect();
    for source in sources.iter_mut().filter(|s| s.path.starts_with("src/")) {
        let module = source.module();
        if test_modules.iter().any(|test| module.starts_with(test)) {
            source.tokens.clear();
        }
    }
}

/// The beginning of the item of a `#[cfg(test)]` at `at`, after all its attributes.
fn after_cfg_test(tokens: &[Token], at: usize) -> Option<usize> {
    let inside = attribute(tokens, at)?;
    let words: Vec<&str> = tokens[inside.clone()]
        .iter()
        .filter_map(Token::word)
        .collect();
    if words != ["cfg", "test"] {
        return None;
    }
    let mut item = inside.end + 1;
    while let Some(inside) = attribute(tokens, item) {
        item = inside.end + 1;
    }
    Some(item)
}

/// The range within the brackets of the attribute at `at`.
fn attribute(tokens: &[Token], at: usize) -> Option<std::ops::Range<usize>> {
    if !tokens.get(at)?.is_sign('#') || !tokens.get(at + 1)?.is_sign('[') {
        return None;
    }
    let end = closing(tokens, at + 1);
    Some(at + 2..end)
}

/// One past the item that begins at `at`: past its `;`, or past its first `{…}`.
fn end_of_item(tokens: &[Token], at: usize) -> usize {
    let mut at = at;
    while at < tokens.len() {
        if tokens[at].is_sign(';') {
            return at + 1;
        }
        if tokens[at].is_sign('{') {
            return closing(tokens, at) + 1;
        }
        if tokens[at].is_sign('(') || tokens[at].is_sign('[') {
            at = closing(tokens, at);
        }
        at += 1;
    }
    tokens.len()
}

/// The bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if ['(', '[', '{'].iter().any(|&sign| token.is_sign(sign)) {
            depth += 1;
        } else if [')', ']', '}'].iter().any(|&sign| token.is_sign(sign)) {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len() - 1
}

/// The name of the module if `item` is `mod name;`, with any visibility.
fn module_in_its_own_file(item: &[Token]) -> Option<String> {
    if !item.last()?.is_sign(';') {
        return None;
    }
    let at = item.iter().position(|token| token.is_word("mod"))?;
    item.get(at + 1)?.word().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &Source) -> Vec<&str> {
        source.tokens.iter().filter_map(Token::word).collect()
    }

    #[test]
    fn items_under_cfg_test_are_not_the_product() {
        let text = "fn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests { fn b() {} }\nfn c() {}";
        let source = Source::new("src/x.rs", text);
        assert_eq!(words(&source), ["fn", "a", "fn", "c"]);
        assert_eq!(source.product_lines(), 2);
    }

    #[test]
    fn another_condition_is_the_product() {
        let source = Source::new("src/x.rs", "#[cfg(unix)]\nfn a() {}");
        assert!(words(&source).contains(&"a"));
    }

    #[test]
    fn a_file_that_is_a_test_module_is_not_the_product() {
        let mut sources = [
            Source::new(
                "src/a/mod.rs",
                "#[cfg(test)]\npub(crate) mod fixture;\nmod b;",
            ),
            Source::new("src/a/fixture.rs", "fn s() {}"),
            Source::new("src/a/fixture/deep.rs", "fn d() {}"),
            Source::new("src/a/b.rs", "fn b() {}"),
        ];
        empty_test_modules(&mut sources);
        let is_product: Vec<bool> = sources.iter().map(Source::is_product).collect();
        assert_eq!(is_product, [true, false, false, true]);
    }

    #[test]
    fn a_file_knows_which_module_it_is() {
        let module = |path: &str| Source::new(path, "").module().join("::");
        assert_eq!(module("src/proxy/http/mod.rs"), "proxy::http");
        assert_eq!(module("src/proxy/worker.rs"), "proxy::worker");
        assert_eq!(module("src/lib.rs"), "");
    }
}
