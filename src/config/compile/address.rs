//! Addresses as people write them: `"0.0.0.0:80"`, `"[::]:80"`, `"*:80"`, `":80"`, `"localhost:80"`.
//!
//! Pure text; names are not resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What is wrong with an address: why, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadAddress {
    pub(super) why: String,
    pub(super) help: String,
}

impl BadAddress {
    fn new(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            help: help.into(),
        }
    }
}

/// The addresses to listen on that `text` means: two for `"*:80"` and `":80"`, else one.
pub(super) fn to_listen(text: &str) -> Result<Vec<SocketAddr>, BadAddress> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadAddress::new(
            "has no address before the port",
            format!(
                "write `\":{text}\"` for all addresses, `\"127.0.0.1:{text}\"` for this machine alone"
            ),
        ));
    }
    let (host, port) = split(text, ":80")?;
    let port = port_of(port, 0)?;
    if host.is_empty() || host == "*" {
        return Ok(vec![
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        ]);
    }
    let addr = address(text, host, port).ok_or_else(|| {
        BadAddress::new(
            "is no IP address, and a name has none until it is looked up",
            format!(
                "write the IP address of this machine to listen on, or `\":{port}\"` for all of them"
            ),
        )
    })?;
    if let IpAddr::V6(ip) = addr.ip()
        && let Some(v4) = ip.to_ipv4_mapped()
    {
        return Err(BadAddress::new(
            "is an IPv4 address in IPv6 form, and IPv6 listeners take IPv6 alone",
            format!("write `\"{v4}:{port}\"`"),
        ));
    }
    Ok(vec![addr])
}

/// The address of a server.
pub(super) fn to_connect(text: &str) -> Result<SocketAddr, BadAddress> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.trim_end_matches('/');
        return Err(BadAddress::new(
            format!("has a scheme (`{scheme}://`)"),
            format!("write the address alone: `\"{rest}\"`"),
        ));
    }
    let (host, port) = split(text, ":80")?;
    let port = port_of(port, 1)?;
    if host.is_empty() || host == "*" {
        return Err(BadAddress::new(
            "names no server",
            format!("write an IP address before the port: `\"10.0.0.1:{port}\"`"),
        ));
    }
    let addr = address(text, host, port).ok_or_else(|| {
        BadAddress::new(
            "is a host name, and names are not resolved yet",
            format!("write the server's IP address: `\"10.0.0.1:{port}\"`"),
        )
    })?;
    if addr.ip().is_unspecified() {
        return Err(BadAddress::new(
            "stands for all addresses of this machine, which is nothing to connect to",
            format!("write one address: `\"127.0.0.1:{port}\"`"),
        ));
    }
    Ok(addr)
}

/// Host and port; `example` is a port to show.
fn split<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str), BadAddress> {
    if text.is_empty() {
        return Err(BadAddress::new(
            "is empty",
            format!("write an IP address and a port: `\"127.0.0.1{example}\"`"),
        ));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadAddress::new(
            "has characters that no address has",
            format!("write an IP address and a port: `\"127.0.0.1{example}\"`"),
        ));
    }
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Err(BadAddress::new(
            "has no port, or its brackets are missing",
            format!("write `\"[{ip}]{example}\"`"),
        ));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if bare.is_some() {
        return Err(BadAddress::new(
            "has no port",
            format!("write `\"{text}{example}\"`"),
        ));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(BadAddress::new(
            "has no port",
            format!("write `\"{text}{example}\"`"),
        ));
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err(BadAddress::new(
            "is an IPv6 address without brackets",
            format!("write `\"[{host}]:{port}\"`"),
        ));
    }
    Ok((host, port))
}

fn port_of(text: &str, least: u16) -> Result<u16, BadAddress> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if plain && port >= least => Ok(port),
        _ => Err(BadAddress::new(
            "has no valid port",
            format!("a port is a number from {least} to 65535"),
        )),
    }
}

fn address(text: &str, host: &str, port: u16) -> Option<SocketAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listens(text: &str) -> Vec<String> {
        let addresses = to_listen(text).expect("an address");
        addresses.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn an_address_without_a_host_is_both_ip_versions() {
        for text in ["*:80", ":80"] {
            assert_eq!(listens(text), ["0.0.0.0:80", "[::]:80"], "{text}");
        }
        assert_eq!(listens("[::]:80"), ["[::]:80"]);
        assert_eq!(listens("0.0.0.0:0"), ["0.0.0.0:0"]);
        assert_eq!(listens("localhost:8080"), ["127.0.0.1:8080"]);
    }

    #[test]
    fn a_bad_address_to_listen_on_says_what_to_write() {
        for (text, help) in [
            ("80", "`\":80\"`"),
            ("10.0.0.1", "`\"10.0.0.1:80\"`"),
            ("::1", "`\"[::1]:80\"`"),
            ("[::1]", "`\"[::1]:80\"`"),
            ("fe80::1:2:3:4:5:6:7:80", "`\"[fe80::1:2:3:4:5:6:7]:80\"`"),
            ("10.0.0.1:99999", "0 to 65535"),
            ("10.0.0.1:+1", "0 to 65535"),
            ("10.0.0.1:", "0 to 65535"),
            ("www.example.com:80", "IP address"),
            ("[::ffff:10.0.0.1]:80", "`\"10.0.0.1:80\"`"),
            ("", "127.0.0.1:80"),
        ] {
            let bad = to_listen(text).expect_err(text);
            assert!(bad.help.contains(help), "{text}: {bad:?}");
        }
    }

    #[test]
    fn a_server_has_an_ip_address_and_a_port() {
        assert_eq!(
            to_connect("10.0.0.1:80"),
            Ok(SocketAddr::from(([10, 0, 0, 1], 80)))
        );
        assert!(to_connect("[::1]:80").is_ok());
        assert!(to_connect("localhost:80").is_ok());
        for bad in [
            "app:80",
            "10.0.0.1",
            "10.0.0.1:0",
            ":80",
            "*:80",
            "0.0.0.0:80",
            "[::]:80",
            "http://10.0.0.1:80/",
        ] {
            assert!(to_connect(bad).is_err(), "{bad}");
        }
    }
}
