//! Conditions of HAProxy and nginx, and how they are written here.

use crate::base::quote::beginning;
use crate::config::suggest;
use crate::plan::expr::{Expr, Fetch, Type};

use super::Mistake;
use super::cursor::Cursor;

/// Fetches of HAProxy with their comparison in the name, and some others, each with what to write.
pub(super) const FETCHES: &[(&str, &str)] = &[
    ("path_beg", "path starts_with \"/api/\""),
    ("path_dir", "path has_dir \"api\""),
    ("path_dom", "path has_domain \"example.com\""),
    ("path_end", "path ends_with \".php\""),
    ("path_len", "path matches \"^.{1,100}$\""),
    ("path_reg", "path matches \"^/item/[0-9]+$\""),
    ("path_sub", "path contains \"/api/\""),
    ("url_beg", "pathq starts_with \"/api/\""),
    ("url_dir", "pathq has_dir \"api\""),
    ("url_end", "pathq ends_with \".php\""),
    ("url_reg", "pathq matches \"^/item/[0-9]+$\""),
    ("url_sub", "pathq contains \"/api/\""),
    ("hdr_beg", "req.hdr(host) starts_with \"www.\""),
    ("hdr_dir", "req.hdr(name) has_dir \"part\""),
    ("hdr_dom", "req.hdr(host) has_domain \"example.com\""),
    ("hdr_end", "req.hdr(host) ends_with \".example.com\""),
    ("hdr_len", "req.hdr(name) matches \"^.{1,100}$\""),
    ("hdr_reg", "req.hdr(host) matches \"^www[.]\""),
    ("hdr_sub", "req.hdr(host) contains \"example\""),
    ("cook_beg", "req.cook(name) starts_with \"a\""),
    ("cook_reg", "req.cook(name) matches \"^a\""),
    ("cook_sub", "req.cook(name) contains \"a\""),
    ("req.path", "path"),
    ("req.method", "method"),
    ("meth", "method == \"GET\""),
];

/// Converters by the names that other proxies and languages have for them.
const CONVERTERS: &[(&str, &str)] = &[
    ("b64", "base64"),
    ("b64enc", "base64"),
    ("base64enc", "base64"),
    ("base64_encode", "base64"),
    ("base64dec", "b64dec"),
    ("base64_decode", "b64dec"),
    ("b64url", "ub64enc"),
    ("base64url", "ub64enc"),
    ("tolower", "lower"),
    ("to_lower", "lower"),
    ("lowercase", "lower"),
    ("toupper", "upper"),
    ("to_upper", "upper"),
    ("uppercase", "upper"),
    ("strlen", "length"),
    ("sha224", "sha2(224)"),
    ("sha256", "sha2(256)"),
    ("sha384", "sha2(384)"),
    ("sha512", "sha2(512)"),
    ("url_encode", "url_enc"),
    ("urlencode", "url_enc"),
    ("escape_uri", "url_enc"),
    ("url_decode", "url_dec"),
    ("urldecode", "url_dec"),
    ("unescape_uri", "url_dec"),
    ("unhex", "hex2i"),
    ("replace", "regsub(regex,replacement)"),
    ("gsub", "regsub(regex,replacement,g)"),
    ("sed", "regsub(regex,replacement)"),
    ("substr", "bytes(offset,length)"),
    ("substring", "bytes(offset,length)"),
    ("trim", "ltrim(characters),rtrim(characters)"),
    ("split", "field(index,delimiters)"),
    ("strftime", "utime(format)"),
    ("mask", "ipmask(24,64)"),
    ("lookup", "map(file)"),
];

/// Variables of nginx.
const VARIABLES: &[(&str, &str)] = &[
    ("$remote_addr", "src"),
    ("$binary_remote_addr", "src"),
    ("$remote_port", "src_port"),
    ("$server_addr", "dst"),
    ("$server_port", "dst_port"),
    ("$host", "req.hdr(host)"),
    ("$http_host", "req.hdr(host)"),
    ("$request_method", "method"),
    ("$request_uri", "pathq"),
    ("$document_uri", "path"),
    ("$uri", "path"),
    ("$args", "query"),
    ("$query_string", "query"),
    ("$is_args", "query"),
    ("$ssl_server_name", "ssl_fc_sni"),
    ("$https", "ssl_fc"),
    ("$scheme", "ssl_fc"),
    ("$status", "status"),
];

/// Flags of HAProxy's ACLs, written between a fetch and its values.
const FLAGS: &[(&str, &str)] = &[
    ("-f", "in @file(\"list.txt\")"),
    ("-M", "in @map(\"file.map\")"),
    ("-i", "== -i \"value\"` or `in -i [\"a\", \"b\"]"),
    (
        "-m",
        "==, starts_with, ends_with, contains, has_dir, has_domain, matches or found",
    ),
    ("-n", "in @file(\"list.txt\")"),
];

/// Comparisons of other programs, and ours.
const COMPARISONS: &[(&str, &str)] = &[
    ("beg", "starts_with"),
    ("begins_with", "starts_with"),
    ("starts with", "starts_with"),
    ("begins with", "starts_with"),
    ("prefix", "starts_with"),
    ("end", "ends_with"),
    ("ends with", "ends_with"),
    ("suffix", "ends_with"),
    ("sub", "contains"),
    ("dir", "has_dir"),
    ("dom", "has_domain"),
    ("exists", "found"),
    ("has", "contains"),
    ("includes", "contains"),
    ("like", "contains"),
    ("reg", "matches"),
    ("regex", "matches"),
    ("match", "matches"),
    ("str", "=="),
    ("is", "=="),
    ("equals", "=="),
];

/// What to write in place of the fetch `name`.
pub(super) fn fetch(name: &str) -> Option<String> {
    let word = |known: &&(&str, &str)| known.0 == name;
    let (_, instead) = FETCHES.iter().find(word)?;
    Some(format!("write `{instead}`"))
}

/// The converter that another program calls `name`, as it is written here.
pub(super) fn converter(name: &str) -> Option<&'static str> {
    let found = CONVERTERS.iter().find(|(known, _)| *known == name);
    found.map(|(_, ours)| *ours)
}

/// Whether the fetch `name` of another program looks at more than the connection.
pub(super) fn looks_at_requests(name: &str) -> bool {
    fetch(name).is_some() || name.starts_with("req.ssl_")
}

/// The key of a route of connections in place of a condition on `name`; `cursor` is after the name.
pub(super) fn key_of_route(name: &str, mut cursor: Cursor<'_>) -> Option<String> {
    let key = match name {
        "req.ssl_sni" | "req_ssl_sni" | "ssl_fc_sni" => "sni",
        "req.ssl_alpn" | "ssl_fc_alpn" => "alpn",
        _ => return None,
    };
    cursor.skip_space();
    let is_end = match cursor.take("==") {
        true => Some(false),
        false => cursor.take_word("ends_with").then_some(true),
    };
    cursor.skip_space();
    let value = match (is_end, cursor.string()) {
        (Some(false), Ok(Some((text, _)))) => text,
        (Some(true), Ok(Some((text, _)))) if key == "sni" && text.starts_with('.') => {
            format!("*{text}")
        }
        _ => "…".to_owned(),
    };
    Some(format!(
        "write `{key} = {:?}` in the route",
        &*beginning(&value)
    ))
}

/// The mistake that follows at `cursor`, if it is a variable of nginx, or braces or a flag of HAProxy.
pub(super) fn mistake(cursor: &Cursor<'_>) -> Option<Mistake> {
    let rest = cursor.rest();
    let start = cursor.at();
    if let Some(inside) = rest.strip_prefix('{') {
        let name = inside.trim_start();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
        let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
        let help = match fetch(&name[..end]) {
            Some(help) => format!("leave `{{ }}` out, and {help}"),
            None => "leave `{ }` out".to_owned(),
        };
        return Some(Mistake::new(
            start..start + 1,
            "a condition has no braces",
            help,
        ));
    }
    if let Some(name) = rest.strip_prefix('$') {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
        let written = &rest[..=end];
        return Some(Mistake::new(
            start..start + written.len(),
            format!("`{written}` is a variable of nginx"),
            variable(written),
        ));
    }
    let written = cursor.word();
    let (_, instead) = FLAGS.iter().find(|(flag, _)| *flag == written)?;
    Some(Mistake::new(
        start..start + written.len(),
        format!("`{written}` is a flag of HAProxy's ACLs"),
        format!("write `{instead}`"),
    ))
}

/// The mistake of what follows `left` at `cursor`, if that is a value, or a word that is no comparison.
pub(super) fn no_comparison(cursor: &Cursor<'_>, left: &Expr) -> Option<Mistake> {
    if let Some(mistake) = mistake(cursor) {
        return Some(mistake);
    }
    let rest = cursor.rest();
    let word = cursor.word();
    let is_end = rest.is_empty() || rest.starts_with([')', '(', ']', ',']);
    if is_end || matches!(word, "and" | "or") || Fetch::named(word).is_some() {
        return None;
    }
    let start = cursor.at();
    let no_such = |written: &str, help: String| {
        let message = format!("there is no comparison `{written}`");
        Some(Mistake::new(start..start + written.len(), message, help))
    };
    let follows = |written: &str| {
        let after = rest.strip_prefix(written);
        after.is_some_and(|after| after.starts_with([' ', '"', '\'']))
    };
    if let Some((written, ours)) = COMPARISONS.iter().find(|(written, _)| follows(written)) {
        return no_such(written, format!("write `{ours}`"));
    }
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_word {
        let ours = [
            "starts_with",
            "ends_with",
            "contains",
            "has_dir",
            "has_domain",
            "matches",
            "found",
            "in",
            "and",
            "or",
            "not",
        ];
        match suggest::nearest(word, ours) {
            Some("and" | "or" | "not") => return None,
            Some(near) => return no_such(word, format!("did you mean `{near}`?")),
            None => {}
        }
    }
    let values = values(cursor.clone());
    let example = match (left.compares_as(), values.as_slice()) {
        (_, []) => return None,
        (Type::Bool, _) => format!("{left}` or `not {left}"),
        (Type::Int, [one]) => format!("{left} == {one}"),
        (Type::Int, values) => format!("{left} in [{}]", values.join(", ")),
        (Type::Ip, values) => format!("{left} in [{}]", quoted(values)),
        (_, [one]) => format!("{left} == {one:?}"),
        (_, values) => format!("{left} in [{}]", quoted(values)),
    };
    Some(Mistake::new(
        cursor.bare().1,
        format!("no comparison is between `{left}` and this value"),
        format!("write `{example}`"),
    ))
}

/// The values that follow at `cursor`, with or without quotes, up to the end of their condition.
fn values(mut cursor: Cursor<'_>) -> Vec<String> {
    const MOST_SHOWN: usize = 4;
    let mut values = Vec::new();
    while values.len() < MOST_SHOWN && !matches!(cursor.word(), "and" | "or") {
        let (bare, _) = cursor.bare();
        match cursor.string() {
            Ok(Some((text, _))) => values.push(beginning(&text).into_owned()),
            Ok(None) if !bare.is_empty() => {
                values.push(beginning(bare).into_owned());
                cursor.skip(bare.len());
            }
            _ => break,
        }
        cursor.skip_space();
    }
    values
}

fn quoted(values: &[String]) -> String {
    let values = values.iter().map(|value| format!("{value:?}"));
    values.collect::<Vec<String>>().join(", ")
}

fn variable(written: &str) -> String {
    let fields = [
        ("$http_", "req.hdr"),
        ("$arg_", "url_param"),
        ("$cookie_", "req.cook"),
        ("$sent_http_", "res.hdr"),
        ("$upstream_http_", "res.hdr"),
    ];
    if let Some((_, instead)) = VARIABLES.iter().find(|(name, _)| *name == written) {
        return format!("write `{instead}`");
    }
    let mut prefixed = fields.iter().filter_map(|(prefix, fetch)| {
        let name = written.strip_prefix(prefix)?;
        let name = match *fetch {
            "req.hdr" | "res.hdr" => name.replace('_', "-"),
            _ => name.to_owned(),
        };
        Some(format!("write `{fetch}({name})`"))
    });
    let known = "write a fetch, such as `src`, `path` or `req.hdr(host)`, or `var(txn.name)` for a variable \
                 that a rule sets";
    prefixed.next().unwrap_or_else(|| known.to_owned())
}
