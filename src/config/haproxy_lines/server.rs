//! `server` lines of HAProxy and nginx.

use crate::config::page::{string, table};

use super::{Line, Words, has_any};

/// Words that make a text a line, rather than a path with spaces.
const KNOWN: &[&str] = &[
    "addr",
    "alpn",
    "backup",
    "ca-file",
    "check",
    "check-send-proxy",
    "check-sni",
    "check-ssl",
    "cookie",
    "crt",
    "disabled",
    "down",
    "fail_timeout",
    "fall",
    "fastinter",
    "inter",
    "max_conns",
    "max_fails",
    "maxconn",
    "maxqueue",
    "minconn",
    "no-check",
    "no-check-ssl",
    "no-ssl",
    "port",
    "proto",
    "resolve",
    "resolvers",
    "rise",
    "send-proxy",
    "send-proxy-v2",
    "send-proxy-v2-ssl",
    "send-proxy-v2-ssl-cn",
    "slowstart",
    "sni",
    "ssl",
    "verify",
    "verifyhost",
    "weight",
];

/// Words without a key here that have a value.
const WITH_VALUE: &[&str] = &[
    "agent-addr",
    "agent-inter",
    "agent-port",
    "agent-send",
    "ciphers",
    "ciphersuites",
    "cookie",
    "crl-file",
    "curves",
    "downinter",
    "error-limit",
    "guid",
    "id",
    "init-addr",
    "log-proto",
    "minconn",
    "namespace",
    "npn",
    "observe",
    "on-error",
    "on-marked-down",
    "on-marked-up",
    "pool-low-conn",
    "pool-max-conn",
    "pool-purge-delay",
    "redir",
    "resolve-net",
    "resolve-opts",
    "resolve-prefer",
    "resolvers",
    "shard",
    "slowstart",
    "socks4",
    "source",
    "ssl-max-ver",
    "ssl-min-ver",
    "tcp-ut",
    "track",
    "usesrc",
    "ws",
];

type Pairs = Vec<(String, String)>;

/// The TLS words of a line.
#[derive(Default)]
struct Tls {
    /// TLS for requests.
    is_on: bool,
    is_off: bool,
    /// TLS for checks alone.
    of_checks: Option<bool>,
    check_sni: Option<String>,
    verifies_nothing: bool,
    has_words: bool,
    ca: Option<String>,
    name: Option<String>,
    sni: Option<String>,
    certificate: Option<String>,
}

/// Translates the line `text`; `None`: it is no such line.
pub(in crate::config) fn server(text: &str) -> Option<Line> {
    let mut words = Words::of(text, &["server", "default-server"])?;
    if words.name.is_none() && !has_any(text, KNOWN) {
        return None;
    }
    let mut line = Line::new(words.address);
    if let Some(name) = words.name {
        line.key("name", string(name));
    }
    let mut tls = Tls::default();
    let (mut check, mut own_check, mut send_proxy) = (Vec::new(), Vec::new(), None);
    let (mut is_checked, mut weight) = (false, None);
    while let Some(word) = words.next() {
        match word {
            "check" => is_checked = true,
            "inter" => put(&mut check, "interval", duration(words.value())),
            "fastinter" => put(&mut check, "fast_interval", duration(words.value())),
            "rise" | "fall" => put(&mut check, word, words.number()),
            "port" => put(&mut own_check, "port", words.number()),
            "addr" => put(&mut own_check, "address", words.string()),
            "no-check" => line.note(
                "`no-check`: one server cannot be left out of checks: put it into a backend without `health`",
            ),
            "weight" => {
                let number = words.number();
                weight = weight.or(Some(number));
            }
            "disabled" | "down" => weight = Some("0".to_owned()),
            "maxconn" | "max_conns" => line.key("max_connections", words.number()),
            "backup" => line.key("backup", true.to_string()),
            "maxqueue" => {
                let number = words.number();
                line.note(format!("write `queue = {{ max = {number} }}` in the backend"));
            }
            "proto" | "alpn" => {
                let protocol = match words.value().starts_with("h2") {
                    true => "h2",
                    false => "h1",
                };
                line.note(format!("write `protocol = \"{protocol}\"` in the backend"));
            }
            "send-proxy" => send_proxy = Some(string("v1")),
            "send-proxy-v2" => send_proxy = Some(string("v2")),
            "send-proxy-v2-ssl" | "send-proxy-v2-ssl-cn" => {
                send_proxy = Some("{ version = \"v2\", tls = true }".to_owned());
            }
            "proxy-v2-options" => send_proxy = Some(proxy_options(words.value())),
            "check-send-proxy" => {
                line.note("`check-send-proxy`: checks begin with a PROXY header if requests do");
            }
            "cookie" | "enabled" => line.take_other(word, WITH_VALUE, &mut words),
            _ if tls.take(word, &mut words) => {}
            _ => line.take_other(word, WITH_VALUE, &mut words),
        }
    }
    line.keys
        .extend(weight.map(|weight| ("weight".to_owned(), weight)));
    tls.write(&mut line, &mut own_check);
    line.keys
        .extend(send_proxy.map(|how| ("send_proxy".to_owned(), how)));
    if !own_check.is_empty() {
        line.key("health", table(own_check.clone().into_iter()));
    }
    if !check.is_empty() {
        put(&mut check, "path", string("/path"));
        check.rotate_right(1);
        let check = table(check.into_iter());
        line.note(format!("write `health = {check}` in the backend"));
    } else if is_checked || !own_check.is_empty() {
        line.note("write `health = \"/path\"` or `health = \"tcp\"` in the backend");
    }
    Some(line)
}

fn put(keys: &mut Pairs, key: &str, value: String) {
    keys.push((key.to_owned(), value));
}

impl Tls {
    /// Takes `word` if it is about TLS, and its value.
    fn take(&mut self, word: &str, words: &mut Words<'_>) -> bool {
        match word {
            "ssl" => self.is_on = true,
            "no-ssl" => self.is_off = true,
            "check-ssl" => self.of_checks = Some(true),
            "no-check-ssl" => self.of_checks = Some(false),
            "check-sni" => self.check_sni = Some(words.string()),
            "verify" => self.verifies_nothing = words.value() == "none",
            "ca-file" => {
                self.ca = Some(words.value().to_owned()).filter(|file| file != "@system-ca")
            }
            "verifyhost" => self.name = Some(words.string()),
            "sni" => self.sni = sni(words.value()),
            "crt" => self.certificate = Some(words.string()),
            _ => return false,
        }
        self.has_words |= matches!(word, "verify" | "ca-file" | "verifyhost" | "sni" | "crt");
        true
    }

    /// Writes the words taken so far into the server's keys and into `own_check`, its `health`.
    fn write(self, line: &mut Line, own_check: &mut Pairs) {
        let mut keys = Pairs::new();
        if self.verifies_nothing {
            put(&mut keys, "verify", string("none"));
        } else {
            keys.extend(self.ca.map(|ca| ("ca".to_owned(), string(&ca))));
            keys.extend(self.name.map(|name| ("verify_name".to_owned(), name)));
        }
        keys.extend(
            self.certificate
                .map(|file| ("certificate".to_owned(), file)),
        );
        let with_sni = |sni: Option<String>| {
            let mut keys = keys.clone();
            keys.extend(sni.map(|sni| ("sni".to_owned(), sni)));
            match keys.is_empty() {
                true => true.to_string(),
                false => table(keys.into_iter()),
            }
        };
        let is_on = self.is_on || self.has_words && self.of_checks != Some(true);
        if self.is_off {
            line.key("tls", false.to_string());
        } else if is_on {
            line.key("tls", with_sni(self.sni.clone()));
        }
        match self.of_checks {
            Some(false) => put(own_check, "tls", false.to_string()),
            _ if self.check_sni.is_some() => put(own_check, "tls", with_sni(self.check_sni)),
            // Checks use TLS if requests do.
            Some(true) if !is_on || self.is_off => put(own_check, "tls", with_sni(self.sni)),
            _ => {}
        }
    }
}

/// The value of `sni`; `None`: the default, which is the request's host.
fn sni(expression: &str) -> Option<String> {
    let name = expression
        .strip_prefix("str(")
        .and_then(|rest| rest.strip_suffix(')'));
    match name {
        Some(name) => Some(string(name.trim_matches(['"', '\'']))),
        None if expression.contains(['(', '_']) => None,
        None => Some(string(expression)),
    }
}

/// The value of `send_proxy` for `proxy-v2-options`.
fn proxy_options(options: &str) -> String {
    let mut keys = vec![("version".to_owned(), string("v2"))];
    for (option, key) in [
        ("ssl", "tls"),
        ("authority", "authority"),
        ("unique-id", "unique_id"),
    ] {
        if options.split(',').any(|word| word == option) {
            keys.push((key.to_owned(), true.to_string()));
        }
    }
    table(keys.into_iter())
}

/// A duration; a bare number of HAProxy is in milliseconds.
fn duration(text: &str) -> String {
    string(&match text.parse::<u64>() {
        Ok(ms) if ms % 1000 == 0 => format!("{}s", ms / 1000),
        Ok(ms) => format!("{ms}ms"),
        Err(_) => text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::WrittenAs;
    use super::*;

    #[test]
    fn every_word_of_a_server_line_has_its_place() {
        for (text, help) in [
            (
                "10.0.0.1:80 send-proxy",
                r#"write `{ address = "10.0.0.1:80", send_proxy = "v1" }`"#,
            ),
            (
                "10.0.0.1:80 send-proxy-v2",
                r#"write `{ address = "10.0.0.1:80", send_proxy = "v2" }`"#,
            ),
            (
                "10.0.0.1:443 check ssl verify none",
                r#"write `{ address = "10.0.0.1:443", tls = { verify = "none" } }`; write `health = "/path"` or `health = "tcp"` in the backend"#,
            ),
            (
                "server web1 10.0.0.1:443 ssl verify required ca-file /etc/ca.pem sni str(app.test)",
                r#"write `{ address = "10.0.0.1:443", name = "web1", tls = { ca = "/etc/ca.pem", sni = "app.test" } }`"#,
            ),
            (
                "10.0.0.1:80 weight 3 maxconn 200 check inter 2000 rise 2 fall 3",
                r#"write `{ address = "10.0.0.1:80", max_connections = 200, weight = 3 }`; write `health = { path = "/path", interval = "2s", rise = 2, fall = 3 }` in the backend"#,
            ),
            (
                "10.0.0.1:80 check port 8081 no-check-ssl backup",
                r#"write `{ address = "10.0.0.1:80", backup = true, health = { port = 8081, tls = false } }`; write `health = "/path"` or `health = "tcp"` in the backend"#,
            ),
            (
                "10.0.0.1:80 check-ssl ca-file a check-sni b",
                r#"write `{ address = "10.0.0.1:80", health = { tls = { ca = "a", sni = "b" } } }`; write `health = "/path"` or `health = "tcp"` in the backend"#,
            ),
            (
                "10.0.0.1:80 no-ssl disabled weight 5",
                r#"write `{ address = "10.0.0.1:80", weight = 0, tls = false }`"#,
            ),
            (
                "10.0.0.1:80 weight=5 max_conns=9",
                r#"write `{ address = "10.0.0.1:80", max_connections = 9, weight = 5 }`"#,
            ),
            (
                "10.0.0.1:80 minconn 5 backup",
                r#"write `{ address = "10.0.0.1:80", backup = true }`; leave out `minconn`"#,
            ),
            (
                "10.0.0.1:80 cookie a backup",
                r#"write `{ address = "10.0.0.1:80", backup = true }`; `cookie`: stickiness does not exist yet: each request goes to the server whose turn it is, for every client"#,
            ),
            (
                "10.0.0.1:80 proto h2",
                r#"write `"10.0.0.1:80"`; write `protocol = "h2"` in the backend"#,
            ),
        ] {
            let line = server(text).expect("a line");
            assert_eq!(line.help(WrittenAs::Item), help, "{text}");
        }
        for text in ["10.0.0.1:80", "/run/my app.sock", "10.0.0.1:80 colour"] {
            assert_eq!(server(text), None, "{text}");
        }
    }
}
