//! Conditions of HAProxy and nginx, and how they are written here.

use super::Mistake;
use super::cursor::Cursor;

/// Fetches of HAProxy with their comparison in the name, and some others, each with what to write.
pub(super) const FETCHES: &[(&str, &str)] = &[
    ("path_beg", "path starts_with \"/api/\""),
    ("path_dir", "path matches \"/api/\""),
    ("path_dom", "path contains \"example.com\""),
    ("path_end", "path ends_with \".php\""),
    ("path_len", "path matches \"^.{1,100}$\""),
    ("path_reg", "path matches \"^/item/[0-9]+$\""),
    ("path_sub", "path contains \"/api/\""),
    ("url_beg", "pathq starts_with \"/api/\""),
    ("url_dir", "pathq matches \"/api/\""),
    ("url_end", "pathq ends_with \".php\""),
    ("url_reg", "pathq matches \"^/item/[0-9]+$\""),
    ("url_sub", "pathq contains \"/api/\""),
    ("hdr_beg", "req.hdr(host) starts_with \"www.\""),
    ("hdr_dir", "req.hdr(name) contains \"/part/\""),
    (
        "hdr_dom",
        "req.hdr(host) == \"example.com\" or req.hdr(host) ends_with \".example.com\"",
    ),
    ("hdr_end", "req.hdr(host) ends_with \".example.com\""),
    ("hdr_len", "req.hdr(name) matches \"^.{1,100}$\""),
    ("hdr_reg", "req.hdr(host) matches \"^www[.]\""),
    ("hdr_sub", "req.hdr(host) contains \"example\""),
    ("cook_beg", "req.cook(name) starts_with \"a\""),
    ("cook_reg", "req.cook(name) matches \"^a\""),
    ("cook_sub", "req.cook(name) contains \"a\""),
    ("req.ssl_sni", "ssl_fc_sni"),
    ("req_ssl_sni", "ssl_fc_sni"),
    ("req.path", "path"),
    ("req.method", "method"),
    ("meth", "method == \"GET\""),
    ("METH_GET", "method in [\"GET\", \"HEAD\"]"),
    ("METH_POST", "method == \"POST\""),
    ("LOCALHOST", "src in [\"127.0.0.0/8\"]"),
    ("TRUE", "bool(true)"),
    ("FALSE", "bool(false)"),
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
    (
        "-i",
        "== \"value\", with `,lower` after the expression if upper and lower case are the same",
    ),
    ("-m", "==, starts_with, ends_with, contains or matches"),
];

/// What to write in place of the fetch `name`.
pub(super) fn fetch(name: &str) -> Option<String> {
    let word = |known: &&(&str, &str)| known.0 == name;
    let (_, instead) = FETCHES.iter().find(word)?;
    Some(format!("write `{instead}`"))
}

/// The mistake that follows at `cursor`, if it is a variable of nginx or a flag of HAProxy.
pub(super) fn mistake(cursor: &Cursor<'_>) -> Option<Mistake> {
    let rest = cursor.rest();
    let start = cursor.at();
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
