//! Values that are one of a few words, with the words of other programs that mean the same.

use crate::base::TlsVersion;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::log::{Facility, LogAs, Severity, SyslogFormat};
use crate::plan::{
    Balance, ClientCertificate, ClientField, FrameOptions, HeaderCase, Initial, LogFormat,
    LogLevel, Mode, Normalizer, OddNames, On, OnExceed, Protocol, ProxyVersion, ReferrerPolicy,
    SameSite,
};

/// A value that is written as a word.
pub(in crate::config) trait Words: Copy + PartialEq + 'static {
    /// Each word with its value.
    const WORDS: &'static [(&'static str, Self)];
    /// Words of other programs, each with the word to write here.
    const ALSO: &'static [(&'static str, &'static str)] = &[];

    /// All words.
    fn words() -> Vec<&'static str> {
        Self::WORDS.iter().map(|(word, _)| *word).collect()
    }

    /// Reads the word at `key` of `section`.
    fn at(section: &Section<'_>, key: &'static str, report: &mut Report<'_>) -> Option<Self> {
        Self::of(section.setting(key)?, report)
    }

    /// Reads `setting` as a word.
    fn of(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Self> {
        setting.choice(Self::WORDS, Self::ALSO, report)
    }
}

/// A value of the plan that is written as a word, of any type.
pub(in crate::config) trait Word {
    fn read(&mut self, setting: Setting<'_>, report: &mut Report<'_>);
    fn word(&self) -> &'static str;
}

impl<W: Words> Word for W {
    fn read(&mut self, setting: Setting<'_>, report: &mut Report<'_>) {
        if let Some(value) = W::of(setting, report) {
            *self = value;
        }
    }

    fn word(&self) -> &'static str {
        let mut words = Self::WORDS.iter().filter(|(_, value)| value == self);
        words.next().map_or("", |(word, _)| word)
    }
}

impl Words for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("err", "error"),
        ("warning", "warn"),
        ("notice", "info"),
        ("trace", "debug"),
    ];
}

/// In rules; HAProxy's words.
impl Words for LogAs {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("emerg", Self::Severity(Severity::Emergency)),
        ("alert", Self::Severity(Severity::Alert)),
        ("crit", Self::Severity(Severity::Critical)),
        ("err", Self::Severity(Severity::Error)),
        ("warning", Self::Severity(Severity::Warning)),
        ("notice", Self::Severity(Severity::Notice)),
        ("info", Self::Severity(Severity::Info)),
        ("debug", Self::Severity(Severity::Debug)),
        ("silent", Self::Silent),
    ];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("emergency", "emerg"),
        ("critical", "crit"),
        ("error", "err"),
        ("warn", "warning"),
        ("off", "silent"),
        ("none", "silent"),
    ];
}

impl Words for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("human", Self::Human), ("json", Self::Json)];
    const ALSO: &'static [(&'static str, &'static str)] =
        &[("text", "human"), ("plain", "human"), ("console", "human")];
}

impl Words for SyslogFormat {
    const WORDS: &'static [(&'static str, Self)] =
        &[("rfc3164", Self::Rfc3164), ("rfc5424", Self::Rfc5424)];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("local", "rfc3164"),
        ("bsd", "rfc3164"),
        ("ietf", "rfc5424"),
    ];
}

impl Words for Facility {
    const WORDS: &'static [(&'static str, Self)] = Self::WORDS;
}

impl Words for Mode {
    const WORDS: &'static [(&'static str, Self)] = &[("http", Self::Http), ("tcp", Self::Tcp)];
}

impl Words for ClientField {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("x-forwarded-for", Self::XForwardedFor),
        ("forwarded", Self::Forwarded),
    ];
}

impl Words for OddNames {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("pass", Self::Pass),
        ("drop", Self::Drop),
        ("reject", Self::Reject),
    ];
}

impl Words for HeaderCase {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("lower", Self::Lower),
        ("title", Self::Title),
        ("preserve", Self::Preserve),
    ];
}

impl Words for ClientCertificate {
    const WORDS: &'static [(&'static str, Self)] =
        &[("any", Self::Any), ("required", Self::Required)];
}

impl Words for On {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("request", Self::Request),
        ("response", Self::Response),
        ("after", Self::After),
    ];
    const ALSO: &'static [(&'static str, &'static str)] = &[("log", "after")];
}

impl Words for FrameOptions {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("deny", Self::Deny),
        ("same-origin", Self::SameOrigin),
        ("off", Self::Off),
    ];
    const ALSO: &'static [(&'static str, &'static str)] = &[("sameorigin", "same-origin")];
}

impl Words for ReferrerPolicy {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("no-referrer", Self::NoReferrer),
        ("same-origin", Self::SameOrigin),
        ("strict-origin", Self::StrictOrigin),
        (
            "strict-origin-when-cross-origin",
            Self::StrictOriginWhenCrossOrigin,
        ),
        ("off", Self::Off),
    ];
}

impl Words for OnExceed {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("deny", Self::Deny),
        ("delay", Self::Delay),
        ("dry_run", Self::DryRun),
    ];
}

impl Words for TlsVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("1.2", Self::V1_2), ("1.3", Self::V1_3)];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("TLSv1.2", "1.2"),
        ("TLSv1.3", "1.3"),
        ("tls1.2", "1.2"),
        ("tls1.3", "1.3"),
        ("TLSv1.0", "1.2"),
        ("TLSv1.1", "1.2"),
    ];
}

impl Words for Balance {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("round-robin", Self::RoundRobin),
        ("least-connections", Self::LeastConnections),
    ];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("rr", "round-robin"),
        ("static-rr", "round-robin"),
        ("leastconn", "least-connections"),
        ("least_conn", "least-connections"),
        ("least-conn", "least-connections"),
        ("least-request", "least-connections"),
    ];
}

impl Words for Protocol {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("h1", Self::Http1),
        ("h2", Self::Http2),
    ];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("http/1.1", "h1"),
        ("http1", "h1"),
        ("http/2", "h2"),
        ("http2", "h2"),
        ("h2c", "h2"),
        ("grpc", "h2"),
    ];
}

impl Words for ProxyVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("v1", Self::V1), ("v2", Self::V2)];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("on", "v2"),
        ("true", "v2"),
        ("1", "v1"),
        ("2", "v2"),
        ("v3", "v2"),
        ("3", "v2"),
        ("send-proxy", "v1"),
        ("send-proxy-v2", "v2"),
    ];
}

impl Words for Initial {
    const WORDS: &'static [(&'static str, Self)] = &[("checked", Self::Checked), ("up", Self::Up)];
    const ALSO: &'static [(&'static str, &'static str)] = &[("down", "checked")];
}

impl Words for SameSite {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("strict", Self::Strict),
        ("lax", Self::Lax),
        ("none", Self::None),
    ];
    const ALSO: &'static [(&'static str, &'static str)] =
        &[("Strict", "strict"), ("Lax", "lax"), ("None", "none")];
}

impl Words for Normalizer {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("path-strip-dot", Self::PathStripDot),
        ("path-strip-dotdot", Self::PathStripDotdot),
        ("path-strip-dotdot-full", Self::PathStripDotdotFull),
        ("path-merge-slashes", Self::PathMergeSlashes),
        ("percent-decode-unreserved", Self::PercentDecodeUnreserved),
        (
            "percent-decode-unreserved-strict",
            Self::PercentDecodeUnreservedStrict,
        ),
        ("percent-to-uppercase", Self::PercentToUppercase),
        (
            "percent-to-uppercase-strict",
            Self::PercentToUppercaseStrict,
        ),
        ("query-sort-by-name", Self::QuerySortByName),
    ];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("path-strip-dotdot full", "path-strip-dotdot-full"),
        (
            "percent-decode-unreserved strict",
            "percent-decode-unreserved-strict",
        ),
        ("percent-to-uppercase strict", "percent-to-uppercase-strict"),
    ];
}
