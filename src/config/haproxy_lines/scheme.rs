//! Addresses that are written as URLs: `"https://10.0.0.2:443/"`.

use crate::config::page::string;

use super::Line;

/// Schemes that mean TLS.
const OVER_TLS: [&str; 7] = ["https", "wss", "tls", "ssl", "h2", "grpcs", "tcps"];

/// The scheme of a URL, and its address in our format; `None`: `text` is no URL.
pub(in crate::config) fn of_listen(text: &str) -> Option<(&str, Line)> {
    let (scheme, mut line, path) = parts(text)?;
    if OVER_TLS.contains(&scheme) {
        line.key("tls", string("/path/to/fullchain.pem"));
    }
    if !path.is_empty() {
        line.note("a `[[frontend.NAME.route]]` has the `path`");
    }
    if scheme == "tcp" {
        line.note("`mode = \"tcp\"` in the frontend passes bytes on as they are");
    }
    Some((scheme, line))
}

/// The same for a server.
pub(in crate::config) fn of_server(text: &str) -> Option<(&str, Line)> {
    let (scheme, mut line, path) = parts(text)?;
    if OVER_TLS.contains(&scheme) {
        line.key("tls", true.to_string());
    }
    if matches!(scheme, "h2" | "h2c" | "grpc" | "grpcs") {
        line.note("write `protocol = \"h2\"` in the backend");
    }
    if !path.is_empty() {
        line.note(format!(
            "a rule of the backend puts the path first: `rule = [{{ set_path = \"/{path}%[path]\" }}]`"
        ));
    }
    Some((scheme, line))
}

/// The scheme, the address, with a port if the scheme has one, and the path without its first slash.
fn parts(text: &str) -> Option<(&str, Line, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    if matches!(scheme, "unix" | "fd") {
        return None;
    }
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = match scheme {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => "",
    };
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'));
    let line = Line::new(&match has_port {
        true => address.to_owned(),
        false => format!("{address}{port}"),
    });
    Some((scheme, line, path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::super::WrittenAs;
    use super::*;

    #[test]
    fn a_url_with_tls_is_never_an_address_in_the_clear() {
        for (text, help) in [
            ("http://10.0.0.1:8080", r#"write `"10.0.0.1:8080"`"#),
            ("http://10.0.0.1/", r#"write `"10.0.0.1:80"`"#),
            ("tcp://[::1]:9", r#"write `"[::1]:9"`"#),
            (
                "https://10.0.0.2:443",
                r#"write `{ address = "10.0.0.2:443", tls = true }`"#,
            ),
            (
                "https://[::1]/",
                r#"write `{ address = "[::1]:443", tls = true }`"#,
            ),
            (
                "http://10.0.0.1/api/",
                r#"write `"10.0.0.1:80"`; a rule of the backend puts the path first: `rule = [{ set_path = "/api%[path]" }]`"#,
            ),
        ] {
            let (_, line) = of_server(text).expect("a URL");
            assert_eq!(line.help(WrittenAs::Item), help, "{text}");
        }
        let (_, line) = of_server("https://10.0.0.2:443").expect("a URL");
        assert_eq!(
            line.help(WrittenAs::Table),
            "write `address = \"10.0.0.2:443\"` and `tls = true`"
        );
    }

    #[test]
    fn a_url_to_listen_on_has_help() {
        for (text, help) in [
            ("http://:80", r#"write `":80"`"#),
            (
                "https://:443",
                r#"write `{ address = ":443", tls = "/path/to/fullchain.pem" }`"#,
            ),
            (
                "tcp://:80",
                r#"write `":80"`; `mode = "tcp"` in the frontend passes bytes on as they are"#,
            ),
        ] {
            let (_, line) = of_listen(text).expect("a URL");
            assert_eq!(line.help(WrittenAs::Item), help, "{text}");
        }
        assert_eq!(of_listen("fd://3"), None);
    }
}
