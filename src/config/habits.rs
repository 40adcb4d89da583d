//! What people bring from HAProxy and is nothing here, or stands elsewhere.
//!
//! Keys that are called otherwise are in `keys`, table by table. Here is what no table has, and what
//! is written behind an address there; each with what is said to whoever writes it.

/// Words for what there is not; `-` and `_` are one.
const ABSENT: &[(&str, &str)] = &[
    (
        "agent_check",
        "Evenkeel does not have this: a server says by its answer to a check how it is",
    ),
    (
        "cache",
        "Evenkeel does not have this: servers are always asked",
    ),
    (
        "compression",
        "Evenkeel does not have this: bodies pass as the servers write them",
    ),
    ("cookie", NO_STICKINESS),
    (
        "errorfile",
        "Evenkeel does not have this: its own answers say their reason and no more",
    ),
    (
        "errorfiles",
        "Evenkeel does not have this: its own answers say their reason and no more",
    ),
    (
        "filter",
        "Evenkeel does not have this: nothing else looks at what passes",
    ),
    ("hash_type", NO_STICKINESS),
    ("http_request", NO_POLICIES),
    ("http_response", NO_POLICIES),
    (
        "lua_load",
        "Evenkeel does not have this: there are no scripts",
    ),
    ("on_marked_down", AT_CHANGES),
    ("on_marked_up", AT_CHANGES),
    (
        "redirect",
        "Evenkeel does not have this: a server has to answer with the redirect",
    ),
    ("resolvers", NO_NAMES),
    ("server_template", NO_NAMES),
    (
        "source",
        "Evenkeel does not have this: the system chooses the address to connect from",
    ),
    ("stick", NO_STICKINESS),
    ("stick_table", NO_STICKINESS),
    ("tcp_request", NO_POLICIES),
    ("tcp_response", NO_POLICIES),
];

const NO_STICKINESS: &str =
    "Evenkeel does not have this: each request goes to the server whose turn it is, whoever asks";
const NO_POLICIES: &str = "Evenkeel does not have this: no rules change or refuse what passes";
const NO_NAMES: &str = "Evenkeel does not have this: servers are written by their IP addresses";
const AT_CHANGES: &str = "Evenkeel does not have this: a server that goes down gets nothing new, and \
                          what it has begun goes on until its own timeouts";

/// What stands behind the address in a `bind` line, and what to write instead.
pub(super) const AFTER_LISTEN: &[(&str, &str)] = &[
    ("ssl", OF_FRONTEND_TLS),
    ("crt", OF_FRONTEND_TLS),
    ("alpn", OF_FRONTEND_TLS),
    (
        "accept-proxy",
        "write the address alone, and `proxy_protocol = \"required\"` in the frontend",
    ),
    (
        "mode",
        "write the address alone, and `socket_mode = \"660\"` beside it",
    ),
    (
        "maxconn",
        "write the address alone, and `max_connections` in the frontend",
    ),
];

/// The same in a `server` line.
pub(super) const AFTER_SERVER: &[(&str, &str)] = &[
    (
        "check",
        "write the address alone, and `health = \"/path\"` or `health = \"tcp\"` in the backend",
    ),
    ("ssl", OF_BACKEND_TLS),
    ("verify", OF_BACKEND_TLS),
    (
        "send-proxy",
        "write the address alone, and `send_proxy = \"v1\"` in the backend",
    ),
    (
        "send-proxy-v2",
        "write the address alone, and `send_proxy = \"v2\"` in the backend",
    ),
    ("weight", "write `{ address = \"…\", weight = … }`"),
    (
        "maxconn",
        "write `{ address = \"…\", max_connections = … }`",
    ),
    ("backup", "write `{ address = \"…\", backup = true }`"),
    ("cookie", NO_STICKINESS),
];

const OF_FRONTEND_TLS: &str =
    "write the address alone, and `tls = \"/path/to/fullchain.pem\"` in the frontend";
const OF_BACKEND_TLS: &str = "write the address alone, and `tls = true` in the backend, or \
                              `[backend.NAME.tls]` with `ca`, `verify` and more";

/// What is said to whoever writes `word` as a key, when that is something that there is not.
pub(super) fn absent(word: &str) -> Option<&'static str> {
    answer(ABSENT, &word.replace('-', "_"))
}

/// What is said about the first word of `text`, behind the address, that `table` knows.
pub(super) fn after_address(table: &[(&str, &'static str)], text: &str) -> Option<&'static str> {
    let words = text.split_ascii_whitespace().skip(1);
    words.into_iter().find_map(|word| answer(table, word))
}

fn answer(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, answer)| *answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn what_there_is_not_is_no_key_and_said_in_both_spellings() {
        for (word, said) in ABSENT {
            assert!(said.starts_with("Evenkeel does not have this: "), "{word}");
            assert_eq!(absent(&word.replace('_', "-")), Some(*said), "{word}");
            assert_eq!(absent(word), Some(*said), "{word}");
            for (path, keys) in keys::ALL {
                assert!(!keys.known.contains(word), "[{path}] {word}");
            }
        }
        assert_eq!(absent("gzip"), None);
    }

    #[test]
    fn the_first_word_behind_an_address_that_is_known_counts() {
        let said = |text| after_address(AFTER_SERVER, text);
        assert_eq!(
            said("10.0.0.1:80 inter 2s check ssl"),
            Some(AFTER_SERVER[0].1)
        );
        assert_eq!(said("check"), None, "that stands where an address should");
        assert_eq!(said("10.0.0.1:80"), None);
    }
}
