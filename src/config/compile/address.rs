//! Addresses as people write them: `"0.0.0.0:80"`, `"[::]:80"`, `"*:80"`, `":80"`, `"localhost:80"`,
//! `"10.0.0.1:8000-8010"`, `"[fe80::1%eth0]:80"`, `"/run/app.sock"`, `"@app"`, `"fd://3"`, `"fd://web"`.
//!
//! Only the text is read: names are not resolved, and interfaces and descriptors are not looked up.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::RangeInclusive;

use crate::base::address::{Descriptor, LONGEST_UNIX_NAME, UnixName};
use crate::base::{Address, ListenAddress, Name};
use crate::config::diagnostic::Diagnostic;
use crate::config::haproxy_lines::{self, Line, WrittenAs};
use crate::config::raw::Text;
use crate::config::report::Report;
use crate::config::setting::Setting;

/// The most ports of one range: each becomes a socket for each worker.
const MOST_PORTS: u16 = 1024;

const MORE: &str = "has more than an address";

/// `IFNAMSIZ` without the zero at the end.
const LONGEST_INTERFACE: usize = 15;

/// The mistake in an address, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadAddress {
    pub(super) why: String,
    pub(super) help: Help,
}

/// What to write in place of a bad address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Help {
    Text(String),
    /// The text has more than an address: the help depends on where it is written.
    Line(Line),
}

impl BadAddress {
    fn new(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            help: Help::Text(help.into()),
        }
    }

    /// A text that has more than an address.
    fn line(why: impl Into<String>, line: Line) -> Self {
        Self {
            why: why.into(),
            help: Help::Line(line),
        }
    }

    /// Reports a bad address at `place`; the content of a secret file is not shown.
    pub(super) fn report(
        self,
        setting: Setting<'_>,
        text: &Text,
        written_as: WrittenAs,
        report: &mut Report<'_>,
    ) {
        let is_port = text.value.bytes().all(|byte| byte.is_ascii_digit());
        let (message, help) = if text.is_as_written() {
            let help = match self.help {
                Help::Text(help) => help,
                Help::Line(line) => line.help(written_as),
            };
            (format!("{:?} {}", text.value, self.why), help)
        } else if text.is_secret {
            (
                format!("{} is not an address", text.quoted()),
                "the file must contain an IP address and a port".to_owned(),
            )
        } else if is_port && text.one_reference().is_some() && setting.key == "listen" {
            let help = format!("write `\":{}\"` for all addresses", text.shown());
            (format!("{}, {}", text.quoted(), self.why), help)
        } else {
            (
                format!("{}, {}", text.quoted(), self.why),
                "with its variables replaced it must be an IP address and a port".to_owned(),
            )
        };
        report.add(Diagnostic::error(setting.span(), message).help(help));
    }
}

/// The addresses to listen on in `text`: two for `"*:80"` and `":80"`, one for each port of a
/// range, else one.
pub(super) fn to_listen(text: &str) -> Result<Vec<ListenAddress>, BadAddress> {
    refuse_several(text)?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadAddress::new(
            "has no address before the port",
            format!(
                "write `\":{text}\"` for all addresses, `\"127.0.0.1:{text}\"` for this machine alone"
            ),
        ));
    }
    if let Some(line) = haproxy_lines::bind(text) {
        return Err(BadAddress::line(MORE, line));
    }
    if let Some((scheme, line)) = haproxy_lines::of_listen(text) {
        return Err(BadAddress::line(has_scheme(scheme), line));
    }
    if let Some(descriptor) = text.strip_prefix("fd://") {
        return Ok(vec![ListenAddress::Inherited(parse_descriptor(
            descriptor,
        )?)]);
    }
    if let Some(name) = unix_name(text)? {
        return Ok(vec![ListenAddress::At(Address::Unix(name))]);
    }
    let (host, ports) = split(text, ":80")?;
    let ports = ports_of(ports)?;
    let mut addresses = Vec::new();
    for port in ports {
        addresses.extend(to_listen_on_port(host, port)?);
    }
    Ok(addresses.into_iter().map(ListenAddress::At).collect())
}

fn to_listen_on_port(host: &str, port: u16) -> Result<Vec<Address>, BadAddress> {
    if host.is_empty() || host == "*" {
        return Ok(vec![
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into(),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into(),
        ]);
    }
    let address = address(host, port)?.ok_or_else(|| {
        BadAddress::new(
            "is a host name, and Evenkeel listens on IP addresses only",
            format!("write one IP address of this machine, or `\":{port}\"` for all of them"),
        )
    })?;
    if let Address::Ip(SocketAddr::V6(addr)) = &address
        && let Some(v4) = addr.ip().to_ipv4_mapped()
    {
        return Err(BadAddress::new(
            "is an IPv4 address in IPv6 form, and an IPv6 listener accepts IPv6 only",
            format!("write `\"{v4}:{port}\"`"),
        ));
    }
    Ok(vec![address])
}

/// The address of a server.
pub(super) fn to_connect(text: &str) -> Result<Address, BadAddress> {
    refuse_several(text)?;
    if let Some(line) = haproxy_lines::server(text) {
        return Err(BadAddress::line(MORE, line));
    }
    if let Some((scheme, line)) = haproxy_lines::of_server(text) {
        return Err(BadAddress::line(has_scheme(scheme), line));
    }
    if let Some(name) = unix_name(text)? {
        return Ok(Address::Unix(name));
    }
    let (host, port) = split(text, ":80")?;
    let port = port_of(port, 1)?;
    if host.is_empty() || host == "*" {
        return Err(BadAddress::new(
            "has no address before the port",
            format!("write the server's IP address: `\"10.0.0.1:{port}\"`"),
        ));
    }
    let address = address(host, port)?.ok_or_else(|| {
        BadAddress::new(
            "is a host name, and names are not resolved yet",
            format!("write the server's IP address: `\"10.0.0.1:{port}\"`"),
        )
    })?;
    if address.ip().is_some_and(|addr| addr.ip().is_unspecified()) {
        return Err(BadAddress::new(
            "means all addresses of this machine, and a server needs one address",
            format!("write one address: `\"127.0.0.1:{port}\"`"),
        ));
    }
    Ok(address)
}

fn has_scheme(scheme: &str) -> String {
    format!("has a scheme (`{scheme}://`)")
}

/// `"10.0.0.1:80,10.0.0.2:80"`, or the same with spaces.
fn refuse_several(text: &str) -> Result<(), BadAddress> {
    let items: Vec<&str> = text
        .split([',', ' ', ';'])
        .filter(|item| !item.is_empty())
        .collect();
    let are_addresses = items.iter().all(|item| {
        item.rsplit_once(':')
            .is_some_and(|(_, port)| port_of(port, 0).is_ok())
    });
    if items.len() < 2 || !are_addresses {
        return Ok(());
    }
    let quoted: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    Err(BadAddress::new(
        "has more than one address",
        format!("write a list: `[{}]`", quoted.join(", ")),
    ))
}

/// Parses a Unix socket: `"/run/app.sock"`, or `"@app"` for an abstract one. `None`: `text` is
/// something else.
fn unix_name(text: &str) -> Result<Option<UnixName>, BadAddress> {
    for (hint, sign) in [
        ("unix@", ""),
        ("unix://", ""),
        ("unix:", ""),
        ("abns@", "@"),
    ] {
        if let Some(name) = text.strip_prefix(hint) {
            return Err(BadAddress::new(
                format!("begins with `{hint}`"),
                format!("write the socket alone: `\"{sign}{name}\"`"),
            ));
        }
    }
    let name = match text.as_bytes() {
        [b'/', ..] => UnixName::Path(text.into()),
        [b'@', ..] => UnixName::Abstract(text[1..].to_owned()),
        _ if is_relative_path(text) => {
            return Err(BadAddress::new(
                "is a relative path",
                "write the absolute path of the Unix socket: `\"/run/app.sock\"`",
            ));
        }
        _ => return Ok(None),
    };
    let length = text.len() - usize::from(text.starts_with('@'));
    if text.len() == 1 || text.ends_with('/') || text.contains('\0') {
        return Err(BadAddress::new(
            "cannot be the name of a Unix socket",
            "write the path of a file (`\"/run/app.sock\"`), or `\"@name\"` for an abstract one",
        ));
    }
    if length > LONGEST_UNIX_NAME {
        return Err(BadAddress::new(
            format!("has {length} bytes, and the system allows {LONGEST_UNIX_NAME}"),
            "write a shorter path for the Unix socket",
        ));
    }
    Ok(Some(name))
}

/// Whether `text` must be a path and does not begin with `/`. Not every text with a slash is one:
/// `10.0.0.0/8` is a network.
fn is_relative_path(text: &str) -> bool {
    text.ends_with(".sock") || text.starts_with('.') && text.contains('/')
}

/// Parses the text after `fd://`.
fn parse_descriptor(text: &str) -> Result<Descriptor, BadAddress> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        return match text.parse() {
            Ok(number @ 3..) => Ok(Descriptor::Number(number)),
            _ => Err(BadAddress::new(
                "is a descriptor on which no socket is handed over",
                "write a number from 3 on: 0, 1 and 2 are the standard streams",
            )),
        };
    }
    // systemd.socket(5): no colon, because it separates names.
    match Name::new(text) {
        Ok(name) if !text.contains(':') => Ok(Descriptor::Name(name)),
        _ => Err(BadAddress::new(
            "has no descriptor after `fd://`",
            "write its number (`\"fd://3\"`), or its name in systemd's unit (`\"fd://web\"`)",
        )),
    }
}

/// Splits host and port; `example` is the port in the help.
fn split<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str), BadAddress> {
    if text.is_empty() {
        return Err(BadAddress::new(
            "is empty",
            format!("write an IP address and a port: `\"127.0.0.1{example}\"`"),
        ));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadAddress::new(
            "has characters that are in no address",
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

/// One port, or the ports of a range.
fn ports_of(text: &str) -> Result<RangeInclusive<u16>, BadAddress> {
    let Some((first, last)) = text.split_once('-') else {
        let port = port_of(text, 0)?;
        return Ok(port..=port);
    };
    let (first, last) = (port_of(first, 1)?, port_of(last, 1)?);
    if first > last {
        return Err(BadAddress::new(
            format!("has a range of ports that goes down from {first} to {last}"),
            format!("write the lower port first: `{last}-{first}`"),
        ));
    }
    if last - first >= MOST_PORTS {
        return Err(BadAddress::new(
            format!("has a range of more than {MOST_PORTS} ports"),
            "write a smaller range: each port needs a socket in each worker",
        ));
    }
    Ok(first..=last)
}

/// `None`: `host` is no IP address.
fn address(host: &str, port: u16) -> Result<Option<Address>, BadAddress> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()));
    }
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Some((ip, zone)) = bracketed.and_then(|inner| inner.split_once('%'))
        && let Ok(ip) = ip.parse::<Ipv6Addr>()
    {
        return zoned(ip, zone, port).map(Some);
    }
    let addr = format!("{host}:{port}").parse::<SocketAddr>();
    Ok(addr.ok().map(Address::Ip))
}

/// Parses `[fe80::1%eth0]`. Only link-local addresses need an interface.
fn zoned(ip: Ipv6Addr, zone: &str, port: u16) -> Result<Address, BadAddress> {
    if !ip.is_unicast_link_local() {
        return Err(BadAddress::new(
            "has a zone, and only link-local addresses (`fe80::…`) can have one",
            format!("write `\"[{ip}]:{port}\"`"),
        ));
    }
    if let Ok(index) = zone.parse() {
        return Ok(SocketAddr::from(SocketAddrV6::new(ip, port, 0, index)).into());
    }
    match Name::new(zone) {
        Ok(name) if zone.len() <= LONGEST_INTERFACE && !zone.contains(['/', '%']) => {
            Ok(Address::Zoned {
                ip,
                zone: name,
                port,
            })
        }
        _ => Err(BadAddress::new(
            "has a zone that is not the name of an interface",
            format!("write the name of an interface: `\"[{ip}%eth0]:{port}\"`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listens(text: &str) -> Vec<String> {
        let addresses = to_listen(text).expect("an address");
        addresses.iter().map(ListenAddress::to_string).collect()
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
    fn a_bad_address_to_listen_on_has_help() {
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
            ("10.0.0.1:90-80", "`80-90`"),
            ("10.0.0.1:1-1025", "smaller range"),
            ("10.0.0.1:0-9", "1 to 65535"),
            ("10.0.0.1:80-", "1 to 65535"),
            ("[2001:db8::1%eth0]:80", "`\"[2001:db8::1]:80\"`"),
            ("[fe80::1%]:80", "`\"[fe80::1%eth0]:80\"`"),
            ("fd://2", "from 3 on"),
            ("fd://", "`\"fd://3\"`"),
            ("fd://a:b", "`\"fd://3\"`"),
            ("unix@/run/a", "`\"/run/a\"`"),
            ("unix:/run/a", "`\"/run/a\"`"),
            ("abns@a", "`\"@a\"`"),
            ("./a.sock", "/run/app.sock"),
            ("a.sock", "/run/app.sock"),
            ("../a", "/run/app.sock"),
            ("/", "/run/app.sock"),
            ("/run/", "/run/app.sock"),
            ("@", "/run/app.sock"),
        ] {
            let bad = to_listen(text).expect_err(text);
            let is_said = matches!(&bad.help, Help::Text(said) if said.contains(help));
            assert!(is_said, "{text}: {bad:?}");
        }
    }

    #[test]
    fn a_server_has_an_ip_address_and_a_port() {
        assert_eq!(
            to_connect("10.0.0.1:80"),
            Ok(SocketAddr::from(([10, 0, 0, 1], 80)).into())
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

    #[test]
    fn a_range_is_one_address_for_each_port() {
        assert_eq!(
            listens("10.0.0.1:80-82"),
            ["10.0.0.1:80", "10.0.0.1:81", "10.0.0.1:82"]
        );
        assert_eq!(listens(":80-80"), ["0.0.0.0:80", "[::]:80"]);
        assert_eq!(listens("[::1]:1-1024").len(), 1024);
    }

    #[test]
    fn sockets_of_this_host_have_paths_names_and_numbers() {
        for text in ["/run/app.sock", "@app", "fd://3", "fd://web"] {
            assert_eq!(listens(text), [text]);
        }
        let longest = format!("/{}", "a".repeat(LONGEST_UNIX_NAME - 1));
        assert_eq!(listens(&longest), [longest.as_str()]);
        assert!(to_listen(&format!("{longest}a")).is_err());
        let longest = format!("@{}", "a".repeat(LONGEST_UNIX_NAME));
        assert_eq!(listens(&longest), [longest.as_str()]);
        assert!(to_listen(&format!("{longest}a")).is_err());
    }

    #[test]
    fn a_link_local_address_has_its_interface() {
        assert_eq!(listens("[fe80::1%eth0]:80"), ["[fe80::1%eth0]:80"]);
        assert_eq!(listens("[fe80::1%3]:80"), ["[fe80::1%3]:80"]);
        let server = to_connect("[fe80::1%eth0]:80").expect("an address");
        assert!(matches!(server, Address::Zoned { port: 80, .. }));
        assert!(matches!(to_connect("/run/app.sock"), Ok(Address::Unix(_))));
        assert!(to_connect("fd://3").is_err());
    }
}
