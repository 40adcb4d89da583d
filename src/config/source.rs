//! The text of all files of a configuration, and the line and column of each range.
//!
//! The reader fills it, `diagnostic` shows lines of it. Reading is bounded: a path that leads to an
//! endless device must not fill memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{InWords, Position, regular_file};

/// A range of one file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    file: u32,
    start: u32,
    end: u32,
}

impl Span {
    /// From the beginning of `first` to the end of `last`, which is in the same file.
    pub(super) fn from_to(first: Self, last: Self) -> Self {
        Self {
            end: last.end.max(first.end),
            ..first
        }
    }

    /// The part of this range from `start` to `end`, counted from its own beginning.
    pub(super) fn part(self, start: usize, end: usize) -> Self {
        let length = (self.end - self.start) as usize;
        let (start, end) = (start.min(length), end.min(length));
        Self {
            file: self.file,
            start: self.start + start as u32,
            end: self.start + end.max(start) as u32,
        }
    }

    /// Where this range ends, counted from the beginning of `whole`, which contains it.
    pub(super) fn end_in(self, whole: Self) -> usize {
        self.end.saturating_sub(whole.start) as usize
    }

    /// Whether all of `inner` is in this range.
    pub(super) fn contains(self, inner: Self) -> bool {
        self.file == inner.file && self.start <= inner.start && inner.end <= self.end
    }
}

/// One file's text.
#[derive(Debug)]
struct Source {
    path: Arc<Path>,
    text: String,
    /// The offset of each line.
    lines: Vec<u32>,
    /// The number of characters before each block of [`BLOCK`] bytes. A generator may write ten
    /// thousands of servers on one line, and the column of each is needed.
    characters: Vec<u32>,
}

/// Bytes of a text that are counted together.
const BLOCK: usize = 1024;

/// All files of one configuration, in the order in which they were read.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Source>);

/// Where values are not reliable: on each line with a syntax error, and everywhere after the broken
/// header of a table, because it is unknown which table the following lines belong to.
#[derive(Debug, Default)]
pub(super) struct Blur {
    /// File and line.
    lines: BTreeSet<(u32, usize)>,
    /// The first broken header of a file.
    headers: BTreeMap<u32, Span>,
}

/// Whole lines of a file.
pub(super) struct Excerpt<'a> {
    pub(super) path: &'a Path,
    /// The number of the first line, from 1.
    pub(super) line: usize,
    pub(super) text: &'a str,
    start: usize,
}

impl Excerpt<'_> {
    /// The part of `span` that is in these lines, in bytes of [`Excerpt::text`].
    pub(super) fn stretch(&self, span: Span) -> Range<usize> {
        let inside = |offset: u32| {
            (offset as usize)
                .saturating_sub(self.start)
                .min(self.text.len())
        };
        inside(span.start)..inside(span.end)
    }
}

impl Sources {
    /// The most lines that the last range of an excerpt is shown with.
    const MAX_LINES: usize = 3;

    /// The most lines between two ranges that are shown as one piece of the file.
    const NEAR_LINES: usize = 200;

    /// Adds `text` and returns the range of all of it.
    pub(super) fn add(&mut self, path: &Path, text: String) -> Span {
        let line_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0)
            .chain(line_breaks.map(|(index, _)| index as u32 + 1))
            .collect();
        let span = Span {
            file: self.0.len() as u32,
            start: 0,
            end: text.len() as u32,
        };
        let mut so_far = 0;
        let characters = text.as_bytes().chunks(BLOCK).map(|block| {
            let before = so_far;
            so_far += characters(block);
            before
        });
        let characters = characters.collect();
        self.0.push(Source {
            path: path.into(),
            text,
            lines,
            characters,
        });
        span
    }

    /// The text of a range.
    pub(super) fn text(&self, span: Span) -> &str {
        let text = &self.0[span.file as usize].text;
        text.get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// All of the first file.
    pub(super) fn first(&self) -> Span {
        let end = self.0.first().map_or(0, |source| source.text.len());
        Span {
            end: end as u32,
            ..self.start()
        }
    }

    /// The beginning of the first file.
    pub(super) fn start(&self) -> Span {
        Span {
            file: 0,
            start: 0,
            end: 0,
        }
    }

    /// The position of the beginning of a range.
    pub(super) fn position(&self, span: Span) -> Position {
        let source = &self.0[span.file as usize];
        let line = source.line_of(span.start);
        Position {
            file: Arc::clone(&source.path),
            line: line as u32 + 1,
            column: source.characters(source.lines[line], span.start) + 1,
        }
    }

    /// The unreliable ranges when the syntax is broken at each of `broken`.
    pub(super) fn blur(&self, broken: &[Span]) -> Blur {
        let mut blur = Blur::default();
        for &span in broken {
            let source = &self.0[span.file as usize];
            let line = source.line_of(span.start);
            blur.lines.insert((span.file, line));
            let text = &source.text[source.lines[line] as usize..];
            if text.trim_start_matches([' ', '\t']).starts_with('[') {
                let first = blur.headers.entry(span.file).or_insert(span);
                *first = span.min(*first);
            }
        }
        blur
    }

    /// Whether `span` is in `blur`.
    pub(super) fn is_blurred(&self, span: Span, blur: &Blur) -> bool {
        let last = self.0[span.file as usize].line_of(span.end);
        let mut lines = blur
            .lines
            .range((span.file, self.line(span))..=(span.file, last));
        let is_after_header = |header: &Span| span > *header;
        lines.next().is_some() || blur.headers.get(&span.file).is_some_and(is_after_header)
    }

    /// Whether two ranges are shown as one piece of a file.
    pub(super) fn are_near(&self, one: Span, other: Span) -> bool {
        one.file == other.file && self.line(one).abs_diff(self.line(other)) <= Self::NEAR_LINES
    }

    /// From 0.
    fn line(&self, span: Span) -> usize {
        self.0[span.file as usize].line_of(span.start)
    }

    /// The lines from `first` to `last`, which is in the same file and not before it.
    pub(super) fn excerpt(&self, first: Span, last: Span) -> Excerpt<'_> {
        let source = &self.0[first.file as usize];
        let first_line = source.line_of(first.start);
        let begin_of_last = source.line_of(last.start);
        let last_line = source
            .line_of(last.end.max(last.start + 1) - 1)
            .min(begin_of_last + Self::MAX_LINES - 1);
        let start = source.lines[first_line] as usize;
        let end = source.end_of_line(last_line);
        Excerpt {
            path: &source.path,
            line: first_line + 1,
            text: source.text.get(start..end).unwrap_or_default(),
            start,
        }
    }

    /// The range of the value at `position`, if its file is one of these.
    pub(super) fn span_at(&self, position: &Position) -> Option<Span> {
        let file = self
            .0
            .iter()
            .position(|source| source.path == position.file)?;
        let source = &self.0[file];
        let line = position.line.checked_sub(1)? as usize;
        let begin = *source.lines.get(line)? as usize;
        let text = source.text.get(begin..source.end_of_line(line))?;
        let (offset, _) = text
            .char_indices()
            .nth(position.column.checked_sub(1)? as usize)?;
        let length = value_length(&text[offset..]);
        Some(Span {
            file: file as u32,
            start: (begin + offset) as u32,
            end: (begin + offset + length) as u32,
        })
    }
}

impl Source {
    fn line_of(&self, offset: u32) -> usize {
        self.lines.partition_point(|start| *start <= offset) - 1
    }

    /// Characters from `start` to `end`, both offsets in bytes.
    fn characters(&self, start: u32, end: u32) -> u32 {
        let between = &self.text.as_bytes()[start as usize..end as usize];
        match between.len() <= BLOCK {
            true => characters(between),
            false => self.characters_before(end) - self.characters_before(start),
        }
    }

    fn characters_before(&self, offset: u32) -> u32 {
        let offset = offset as usize;
        let block = offset / BLOCK;
        let rest = &self.text.as_bytes()[(block * BLOCK).min(offset)..offset];
        match self.characters.get(block) {
            Some(before) => before + characters(rest),
            // The end of a text that ends with a block.
            None => characters(self.text.as_bytes()),
        }
    }

    /// The end of the line, without its line break.
    fn end_of_line(&self, line: usize) -> usize {
        let end = match self.lines.get(line + 1) {
            Some(next) => *next as usize - 1,
            None => self.text.len(),
        };
        if end > 0 && self.text.as_bytes()[..end].ends_with(b"\r") {
            return (end - 1).max(self.lines[line] as usize);
        }
        end
    }
}

/// The largest configuration file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The largest secret that is read.
const MAX_SECRET_BYTES: u64 = 1 << 20;

/// The text of a configuration file.
pub(super) fn read_file(path: &Path) -> Result<String, ReadError> {
    read_bounded(path, MAX_FILE_BYTES)
}

/// The content of a secret file, without the line break at its end.
pub(super) fn read_secret(path: &Path) -> Result<String, ReadError> {
    let mut text = read_bounded(path, MAX_SECRET_BYTES)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// `path`, relative to `directory`.
pub(super) fn resolve(directory: Option<&Path>, path: &str) -> PathBuf {
    match directory {
        Some(directory) => directory.join(path),
        None => PathBuf::from(path),
    }
}

/// Why a file's text cannot be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// A system error.
    Io(io::Error),
    /// More bytes than this.
    TooLarge(u64),
    /// The byte with this index is not UTF-8.
    NotText(usize),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                f.write_str("there is no such file")
            }
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                f.write_str("permission denied")
            }
            Self::Io(error) => InWords(error).fmt(f),
            Self::TooLarge(limit) => write!(f, "it has more than {limit} bytes"),
            Self::NotText(index) => write!(f, "it is not UTF-8 text (byte {index})"),
        }
    }
}

/// The content of a file of at most `limit` bytes.
pub(super) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let bytes = regular_file::read(path, limit + 1).map_err(ReadError::Io)?;
    match bytes.len() as u64 > limit {
        true => Err(ReadError::TooLarge(limit)),
        false => Ok(bytes),
    }
}

fn read_bounded(path: &Path, limit: u64) -> Result<String, ReadError> {
    let bytes = read_bytes(path, limit)?;
    String::from_utf8(bytes).map_err(|error| ReadError::NotText(error.utf8_error().valid_up_to()))
}

fn characters(text: &[u8]) -> u32 {
    // Every character has one byte that does not continue another.
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u32
}

/// The length of the value at the beginning of `text`, as far as it is on this line.
fn value_length(text: &str) -> usize {
    let Some(first) = text.chars().next() else {
        return 0;
    };
    if first == '"' || first == '\'' {
        return string_length(text, first);
    }
    if first == '[' && text.contains(']') {
        let closing = text.rfind(']').unwrap_or_default();
        return closing + 1;
    }
    if first == '{'
        && let Some(length) = table_length(text)
    {
        return length;
    }
    text.find([',', ']', '}', '#', '='])
        .map_or(text, |end| &text[..end])
        .trim_end()
        .len()
        .max(first.len_utf8())
}

/// The length of the string at the start of `text`, in `quote`s. Of a string over several lines, of which
/// `text` has the first, that is the line.
fn string_length(text: &str, quote: char) -> usize {
    let is_long = text.chars().take_while(|c| *c == quote).count() >= 3;
    let open = if is_long { 3 } else { 1 };
    let mut characters = text[open..].char_indices();
    while let Some((index, c)) = characters.next() {
        let rest = &text[open + index..];
        if c == '\\' && quote == '"' {
            characters.next();
        } else if c == quote && (!is_long || rest.chars().take_while(|c| *c == quote).count() >= 3)
        {
            return open + index + open;
        }
    }
    text.trim_end().len()
}

/// The length of the inline table at the beginning of `text`, if it ends on this line.
fn table_length(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (offset, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '{') => depth += 1,
            (None, '}') if depth == 1 => return Some(offset + 1),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, part: &str) -> (Sources, Span) {
        let mut sources = Sources::default();
        let all = sources.add(Path::new("x.toml"), text.to_owned());
        let start = text.find(part).expect("the part is in the text");
        (sources, all.part(start, start + part.len()))
    }

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        let (sources, span) = at("a = 1\r\nü = \"ö\", b", "b");
        assert_eq!(sources.position(span).to_string(), "x.toml:2:10");
    }

    #[test]
    fn a_column_on_a_long_line_is_the_number_of_characters_before_it() {
        // Three bytes and two characters each, so that blocks also end within a character.
        let text = format!("x = 1\n{}", "aü".repeat(BLOCK * 3));
        let (mut sources, mut ends) = (Sources::default(), Vec::new());
        let all = sources.add(Path::new("x.toml"), text.clone());
        ends.extend(text.char_indices().map(|(offset, _)| offset));
        ends.push(text.len());
        for (characters, offset) in ends.into_iter().enumerate().skip(6) {
            let position = sources.position(all.part(offset, offset));
            assert_eq!(
                (position.line, position.column as usize),
                (2, characters - 5)
            );
        }
        let (block, _) = text.split_at(BLOCK - 1);
        let all = sources.add(Path::new("y.toml"), format!("{}a", &block[..block.len()]));
        let end = sources.position(all.part(BLOCK, BLOCK));
        assert_eq!(end.line, 2);
    }

    #[test]
    fn an_excerpt_is_the_whole_line_without_its_break() {
        let (sources, span) = at("a = 1\r\nb = 2\r\nc = 3", "2");
        let excerpt = sources.excerpt(span, span);
        assert_eq!(excerpt.text, "b = 2");
        assert_eq!(&excerpt.text[excerpt.stretch(span)], "2");
    }

    #[test]
    fn the_end_of_the_text_has_an_excerpt_too() {
        let mut sources = Sources::default();
        let all = sources.add(Path::new("x.toml"), "a =".to_owned());
        let end = all.part(3, 3);
        let excerpt = sources.excerpt(end, end);
        assert_eq!((excerpt.text, excerpt.stretch(end)), ("a =", 3..3));
        let nothing = sources.add(Path::new("y.toml"), String::new());
        assert_eq!(sources.excerpt(nothing, nothing).text, "");
    }

    #[test]
    fn the_value_at_a_position_is_found_again() {
        let text = "listen = [\"[::]:80\", ':81'] # both\nname = value # why\n\
                    [a.key]\nrule = [{ deny = { '}' = 4 } }, { b = 1 }]\nsplit = { c=1 }\n\
                    quoted = [\"a \\\" b\", '\\', '\'\'c'd\'\'', \"\"]\nwhen = \"\"\"e\n f\"\"\"";
        let table = "{ deny = { '}' = 4 } }";
        for part in [
            "\"[::]:80\"",
            "':81'",
            "value",
            "key",
            table,
            "{ b = 1 }",
            "c",
            "\"a \\\" b\"",
            "'\\'",
            "'''c'd'''",
            "\"\"\"e",
        ] {
            let (sources, span) = at(text, part);
            let found = sources.span_at(&sources.position(span)).expect("a value");
            assert_eq!(sources.text(found), part);
        }
    }

    #[test]
    fn a_position_in_another_file_has_no_range() {
        let (sources, _) = at("a", "a");
        assert_eq!(sources.span_at(&Position::built_in()), None);
    }
}
