//! `compression` of a frontend or a backend.

use crate::base::ByteSize;
use crate::config::page::{list, string};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{Coding, Compression, TypePattern};

use super::kind::Shape;
use super::words::Words;
use super::{Keys, key};

/// Above it, brotli and zstd take so long that one response holds up the others of its worker.
const HIGHEST_LEVEL: i64 = 9;

pub(super) static COMPRESSION: Keys<Compression> = Keys {
    keys: &[
        key("algorithms")
            .means("The codings, best first: \"zstd\", \"br\", \"gzip\"; empty: nothing is compressed.")
            .also("algo algorithm")
            .own(
                Shape::List(&Shape::Words(&["gzip", "br", "zstd"])),
                algorithms,
                |compression| {
                    let codings = compression.algorithms.iter();
                    Some(list(codings.map(|coding| string(coding.name()))))
                },
            ),
        key("types")
            .means("Types of content that are compressed: \"text/html\", \"text/*\", \"application/*+json\", \"*/*\".")
            .also("type gzip_types mime_types")
            .own(Shape::List(&Shape::Text), types, |compression| {
                let types = compression.types.iter();
                Some(list(types.map(|pattern| string(pattern.as_str()))))
            }),
        key("min_size")
            .means("A shorter body is not compressed.")
            .also("min_length gzip_min_length minsize_res")
            .size(ByteSize(0), ByteSize(1 << 30), |compression| {
                &mut compression.min_size
            }),
        key("offload")
            .means("true: servers get no Accept-Encoding, so that they do not compress.")
            .switch(|compression| &mut compression.offload),
        key("gzip_level")
            .means("From fast (1) to small (9).")
            .also("level gzip_comp_level")
            .number(1, HIGHEST_LEVEL, |compression| &mut compression.gzip_level),
        key("br_level")
            .means("From fast (0) to small (9).")
            .also("brotli_level brotli_comp_level")
            .number(0, HIGHEST_LEVEL, |compression| &mut compression.br_level),
        key("zstd_level")
            .means("From fast (1) to small (9).")
            .also("zstd_comp_level")
            .number(1, HIGHEST_LEVEL, |compression| &mut compression.zstd_level),
    ],
    hints: "
        direction: leave it out: responses are compressed, requests are not
        vary gzip_vary: leave it out: `Vary: Accept-Encoding` is always added
    ",
    default: Some(Compression::default),
    ..Keys::EMPTY
};

impl Words for Coding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("gzip", Self::Gzip), ("br", Self::Br), ("zstd", Self::Zstd)];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("brotli", "br"),
        ("zstandard", "zstd"),
        ("x-gzip", "gzip"),
        ("deflate", "gzip"),
        ("raw-deflate", "gzip"),
    ];
}

fn algorithms(
    _: &Section<'_>,
    setting: Setting<'_>,
    compression: &mut Compression,
    report: &mut Report<'_>,
) {
    let mut codings = Vec::new();
    for item in setting.list() {
        match Coding::of(item, report) {
            Some(coding) if codings.contains(&coding) => report.error(
                item.span(),
                format!("{:?} is in the list twice", coding.name()),
                "keep one of the two",
            ),
            Some(coding) => codings.push(coding),
            None => {}
        }
    }
    compression.algorithms = codings;
}

fn types(
    _: &Section<'_>,
    setting: Setting<'_>,
    compression: &mut Compression,
    report: &mut Report<'_>,
) {
    let mut types = Vec::new();
    for item in setting.list() {
        let Some(text) = item.text(report) else {
            continue;
        };
        match TypePattern::new(&text.value) {
            Some(pattern) => types.push(pattern),
            None => report.error(
                item.span(),
                format!("{:?} is not a type of content", text.shown()),
                "write \"text/html\", \"text/*\", \"application/*+json\" or, for all types, \"*/*\"",
            ),
        }
    }
    compression.types = types.into();
}
