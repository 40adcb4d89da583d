//! `bind` lines of HAProxy and `listen` lines of nginx.

use crate::config::page::{list, string, table};

use super::{Line, Words, has_any, one_or_list};

/// Words that make a text a line, rather than a path with spaces.
const KNOWN: &[&str] = &[
    "accept-proxy",
    "alpn",
    "backlog",
    "ca-file",
    "ciphers",
    "crl-file",
    "crt",
    "crt-list",
    "default_server",
    "defer-accept",
    "http2",
    "interface",
    "maxconn",
    "mode",
    "name",
    "no-alpn",
    "proto",
    "proxy_protocol",
    "reuseport",
    "ssl",
    "ssl-min-ver",
    "strict-sni",
    "tfo",
    "transparent",
    "v4v6",
    "v6only",
    "verify",
];

/// Words without a key here that have a value.
const WITH_VALUE: &[&str] = &[
    "backlog",
    "ca-ignore-err",
    "ca-sign-file",
    "ciphers",
    "ciphersuites",
    "client-sigalgs",
    "crt-ignore-err",
    "curves",
    "ecdhe",
    "gid",
    "group",
    "id",
    "interface",
    "level",
    "mss",
    "name",
    "namespace",
    "nbconn",
    "nice",
    "npn",
    "process",
    "proto",
    "quic-cc-algo",
    "shards",
    "sigalgs",
    "ssl-max-ver",
    "tcp-ut",
    "thread",
    "tls-ticket-keys",
    "uid",
    "user",
];

/// The TLS words of a line.
#[derive(Default)]
struct Tls<'t> {
    is_on: bool,
    certificates: Vec<String>,
    min_version: Option<&'t str>,
    alpn: Option<String>,
    strict_sni: bool,
    verify: &'t str,
    ca: Option<String>,
    crl: Option<String>,
}

/// Translates the line `text`; `None`: it is no such line.
pub(in crate::config) fn bind(text: &str) -> Option<Line> {
    let mut words = Words::of(text, &["bind", "listen"])?;
    if words.name.is_some() || !has_any(text, KNOWN) {
        return None;
    }
    let mut line = Line::new(words.address);
    let mut tls = Tls::default();
    while let Some(word) = words.next() {
        match word {
            "ssl" => tls.is_on = true,
            "crt" => tls.certificates.push(words.string()),
            "crt-list" => {
                words.value();
                tls.certificates.push(string("/path/to/directory"));
                line.note(
                    "`crt-list`: such lists are not read; `tls` names the files or their directory",
                );
            }
            "alpn" => tls.alpn = Some(list(words.value().split(',').map(string))),
            "no-alpn" => tls.alpn = Some("[]".to_owned()),
            "ssl-min-ver" => tls.min_version = Some(words.value()),
            "strict-sni" => tls.strict_sni = true,
            "verify" => tls.verify = words.value(),
            "ca-file" | "ca-verify-file" => tls.ca = Some(words.string()),
            "crl-file" => tls.crl = Some(words.string()),
            "accept-proxy" | "proxy_protocol" => line.key("proxy_protocol", string("required")),
            "mode" => {
                let mode = words.string();
                line.note(format!("write `socket_mode = {mode}` in the frontend"));
            }
            "maxconn" => {
                let number = words.number();
                line.note(format!(
                    "write `max_connections = {number}` in the frontend"
                ));
            }
            "v4v6" if words.address.starts_with("[::]:") || words.address.starts_with(":::") => {
                let port = words.address.rsplit_once(':').map_or("", |(_, port)| port);
                line.address = string(&format!(":{port}"));
            }
            _ => line.take_other(word, WITH_VALUE, &mut words),
        }
    }
    if let Some(value) = tls.value(&mut line) {
        line.keys.insert(0, ("tls".to_owned(), value));
    }
    Some(line)
}

impl Tls<'_> {
    /// The value of `tls`; `None`: the line has no TLS.
    fn value(self, line: &mut Line) -> Option<String> {
        let asks = matches!(self.verify, "optional" | "required");
        if !asks && (self.ca.is_some() || self.crl.is_some()) {
            line.note("`ca-file` and `crl-file` have no effect without `verify required` or `verify optional`");
        }
        let mut keys = Vec::new();
        let mut put = |key: &str, value: Option<String>| {
            keys.extend(value.map(|value| (key.to_owned(), value)));
        };
        put("min_version", self.min_version.map(min_version));
        put("alpn", self.alpn);
        put("strict_sni", self.strict_sni.then(|| true.to_string()));
        if asks {
            let ca = self.ca.unwrap_or_else(|| string("/path/to/ca.pem"));
            let mode = ("mode".to_owned(), string(self.verify));
            let mut auth = vec![mode, ("ca".to_owned(), ca)];
            auth.extend(self.crl.map(|crl| ("crl".to_owned(), crl)));
            put("client_auth", Some(table(auth.into_iter())));
        }
        if !self.is_on && self.certificates.is_empty() && keys.is_empty() {
            return None;
        }
        let certificates = match self.certificates.is_empty() {
            true => string("/path/to/fullchain.pem"),
            false => one_or_list(self.certificates),
        };
        if keys.is_empty() {
            return Some(certificates);
        }
        keys.insert(0, ("certificates".to_owned(), certificates));
        Some(table(keys.into_iter()))
    }
}

/// `TLSv1.2` as it is written here; older versions do not exist.
fn min_version(word: &str) -> String {
    string(match word {
        "TLSv1.3" => "1.3",
        _ => "1.2",
    })
}

#[cfg(test)]
mod tests {
    use super::super::WrittenAs;
    use super::*;

    #[test]
    fn every_word_of_a_bind_line_has_its_place() {
        for (text, help) in [
            (
                ":443 ssl",
                r#"write `{ address = ":443", tls = "/path/to/fullchain.pem" }`"#,
            ),
            (
                ":443 ssl crt /etc/certs",
                r#"write `{ address = ":443", tls = "/etc/certs" }`"#,
            ),
            (
                "bind *:443 ssl crt a.pem crt b.pem accept-proxy",
                r#"write `{ address = "*:443", tls = ["a.pem", "b.pem"], proxy_protocol = "required" }`"#,
            ),
            (
                ":443 ssl crt a verify required ca-file b crl-file c",
                r#"write `{ address = ":443", tls = { certificates = "a", client_auth = { mode = "required", ca = "b", crl = "c" } } }`"#,
            ),
            (
                ":443 ssl crt a alpn h2,http/1.1 ssl-min-ver TLSv1.3 strict-sni",
                r#"write `{ address = ":443", tls = { certificates = "a", min_version = "1.3", alpn = ["h2", "http/1.1"], strict_sni = true } }`"#,
            ),
            (
                ":81 accept-proxy",
                r#"write `{ address = ":81", proxy_protocol = "required" }`"#,
            ),
            (
                "443 ssl http2 default_server",
                r#"write `{ address = ":443", tls = "/path/to/fullchain.pem" }`; leave out `http2`, `default_server`"#,
            ),
            (
                ":80 maxconn 100 ciphers X",
                r#"write `":80"`; write `max_connections = 100` in the frontend; leave out `ciphers`"#,
            ),
            (
                "/run/app.sock mode 660 level admin",
                r#"write `"/run/app.sock"`; write `socket_mode = "660"` in the frontend; leave out `level`"#,
            ),
            (
                ":80,:81 accept-proxy",
                r#"write `{ address = [":80", ":81"], proxy_protocol = "required" }`"#,
            ),
            ("[::]:443 v4v6", r#"write `":443"`"#),
        ] {
            let line = bind(text).expect("a line");
            assert_eq!(line.help(WrittenAs::Item), help, "{text}");
        }
        for text in [":80", "/run/my app.sock", "web :80", ":80 colour"] {
            assert_eq!(bind(text), None, "{text}");
        }
    }
}
