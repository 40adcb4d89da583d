//! Addresses to listen on, in our words.

use super::files;

/// An address of HAProxy as this configuration writes it.
pub(super) fn listen_address(text: &str) -> String {
    let text = text.strip_prefix("stream+").unwrap_or(text);
    let families = ["ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@"];
    let of_family = families.iter().find_map(|family| text.strip_prefix(family));
    let text = of_family.unwrap_or(text);
    if let Some(path) = text.strip_prefix("unix@") {
        return files::absolute(path, None);
    }
    if let Some(name) = text
        .strip_prefix("abns@")
        .or_else(|| text.strip_prefix("abnsz@"))
    {
        return format!("@{name}");
    }
    if let Some(number) = text.strip_prefix("fd@") {
        return format!("fd://{number}");
    }
    // `*:80` and `:80` are IPv4 alone in HAProxy.
    if let Some(port) = text.strip_prefix("*:").or_else(|| text.strip_prefix(':'))
        && !port.contains(':')
    {
        return format!("0.0.0.0:{port}");
    }
    // `:::80` is `[::]:80`, and `fe80::1:80` `[fe80::1]:80`.
    if !text.starts_with('[')
        && !text.starts_with('/')
        && text.matches(':').count() > 1
        && let Some((host, port)) = text.rsplit_once(':')
    {
        return format!("[{host}]:{port}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_in_our_words() {
        for (written, expected) in [
            ("*:80", "0.0.0.0:80"),
            (":80", "0.0.0.0:80"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("ipv4@127.0.0.1:80", "127.0.0.1:80"),
            (":::80", "[::]:80"),
            ("[::1]:80", "[::1]:80"),
            ("ipv6@:::80", "[::]:80"),
            ("fe80::1:80", "[fe80::1]:80"),
            ("/run/a.sock", "/run/a.sock"),
            ("unix@/run/a.sock", "/run/a.sock"),
            ("abns@name", "@name"),
            ("fd@3", "fd://3"),
            ("stream+fd@3", "fd://3"),
            ("stream+ipv4@127.0.0.1:80", "127.0.0.1:80"),
            ("app.example:80", "app.example:80"),
            (":8000-8010", "0.0.0.0:8000-8010"),
        ] {
            assert_eq!(listen_address(written), expected, "{written}");
        }
    }
}
