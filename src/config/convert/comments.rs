//! The comments of the original, each handed out once: at the first value that its line became.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::haproxy::Commented;
use crate::config::raw::{Kind, Table, Value};
use crate::config::source::{Sources, Span};

/// The comments that were not handed out yet.
pub(super) struct Comments<'a> {
    sources: &'a Sources,
    /// By the number of the line.
    lines: BTreeMap<u32, Vec<String>>,
    /// Where the first two words of each line begin.
    begins: BTreeSet<Span>,
    /// The numbers of the lines that one value stands for, as a server for its line: no part of the line that became
    /// something else gets their comments.
    owned: BTreeSet<u32>,
    /// The numbers of lines that begin sections.
    sections: Vec<u32>,
    /// Behind the last line with words.
    rest: Vec<String>,
}

impl<'a> Comments<'a> {
    pub(super) fn new(sources: &'a Sources, lines: Vec<Commented>, rest: Vec<String>) -> Self {
        let line = |span| sources.position(span).line;
        let sections = lines.iter().filter(|line| line.begins_section);
        let sections = sections.map(|begin| line(begin.span)).collect();
        let begins = lines
            .iter()
            .filter(|line| !line.begins_section)
            .flat_map(|line| [Some(line.span), line.second])
            .flatten()
            .map(|span| span.part(0, 0))
            .collect();
        let lines = lines.into_iter();
        Self {
            sources,
            lines: lines.map(|at| (line(at.span), at.comments)).collect(),
            begins,
            owned: BTreeSet::new(),
            sections,
            rest,
        }
    }

    /// Notes the lines that values of `table` stand for as a whole.
    pub(super) fn find_owners(&mut self, table: &Table) {
        for entry in &table.entries {
            self.find_owner(&entry.value);
        }
    }

    fn find_owner(&mut self, value: &Value) {
        if self.is_owner(value) {
            self.owned.insert(self.line(value.span));
        }
        match &value.kind {
            Kind::Array(items) => items.iter().for_each(|item| self.find_owner(item)),
            Kind::Table(table) => self.find_owners(table),
            _ => {}
        }
    }

    /// The comments of the line that `value` was made of, without those of its parts.
    pub(super) fn of_value(&mut self, value: &Value) -> Vec<String> {
        match self.is_owner(value) {
            true => self
                .lines
                .remove(&self.line(value.span))
                .unwrap_or_default(),
            false => self.of_words(value.span),
        }
    }

    /// The comments of the line with `span`, unless one value stands for all of it. What stands for no word has an
    /// empty span, and no comments.
    pub(super) fn of_words(&mut self, span: Span) -> Vec<String> {
        let line = self.line(span);
        match self.owned.contains(&line) || self.sources.text(span).is_empty() {
            true => Vec::new(),
            false => self.lines.remove(&line).unwrap_or_default(),
        }
    }

    /// What is left of the section whose first line has `header`: of lines that became a part of other values.
    pub(super) fn left_in_section(&mut self, header: Span) -> Vec<String> {
        let first = self.line(header);
        let next = self.sections.iter().find(|line| **line > first);
        self.take_lines(first, next.copied().unwrap_or(u32::MAX))
    }

    /// All that is left: of lines, and from the end of the file.
    pub(super) fn left(&mut self) -> (Vec<String>, Vec<String>) {
        let left = self.take_lines(0, u32::MAX);
        (left, std::mem::take(&mut self.rest))
    }

    fn line(&self, span: Span) -> u32 {
        self.sources.position(span).line
    }

    fn is_owner(&self, value: &Value) -> bool {
        matches!(value.kind, Kind::Table(_)) && self.begins.contains(&value.span.part(0, 0))
    }

    fn take_lines(&mut self, first: u32, end: u32) -> Vec<String> {
        let mut behind = self.lines.split_off(&first);
        let mut after = behind.split_off(&end);
        self.lines.append(&mut after);
        behind.into_values().flatten().collect()
    }
}
