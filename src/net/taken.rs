//! Whether another process listens at an address, if sockets of our own prevent a test by binding
//! it.
//!
//! Before we bind an address, a bind without `SO_REUSEPORT` shows whether anything listens there.
//! If a socket of ours does, the kernel's own list shows whether anything else does. It is only
//! read at a reload that moves a socket.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `TCP_LISTEN` of `include/net/tcp_states.h`, as proc(5) writes it.
const LISTENS: &str = "0A";

/// Whether a socket whose inode is not one of `own` listens at an address that overlaps with
/// `addr`. An unreadable list counts as empty.
pub(super) fn by_another(addr: SocketAddr, own: &[u64]) -> bool {
    let path = match addr.is_ipv4() {
        true => "/proc/self/net/tcp",
        false => "/proc/self/net/tcp6",
    };
    let Ok(file) = File::open(path) else {
        return false;
    };
    let lines = BufReader::new(file).lines().skip(1);
    // Listening sockets come first; of others there may be a hundred thousand.
    let listening = lines.map_while(|line| Listening::of(&line.ok()?));
    let own: HashSet<u64> = own.iter().copied().collect();
    let mut others = listening.filter(|listening| !own.contains(&listening.inode));
    others.any(|listening| overlaps(listening.addr, addr))
}

/// A line of the list.
#[derive(Debug, PartialEq, Eq)]
struct Listening {
    addr: SocketAddr,
    inode: u64,
}

impl Listening {
    /// `None`: the socket of the line does not listen.
    fn of(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1)?;
        if fields.nth(1)? != LISTENS {
            return None;
        }
        let (ip, port) = local.split_once(':')?;
        let addr = SocketAddr::new(ip_of(ip)?, u16::from_str_radix(port, 16).ok()?);
        let inode = fields.nth(5)?.parse().ok()?;
        Some(Self { addr, inode })
    }
}

/// Four bytes, or four times four, each written as one number in the machine's byte order.
fn ip_of(hex: &str) -> Option<IpAddr> {
    let word = |index: usize| -> Option<[u8; 4]> {
        let digits = hex.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut octets = [0; 16];
            for (index, octets) in octets.chunks_exact_mut(4).enumerate() {
                octets.copy_from_slice(&word(index)?);
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

fn overlaps(one: SocketAddr, other: SocketAddr) -> bool {
    let is_all = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (is_all || one.ip() == other.ip())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn inode(listener: &TcpListener) -> u64 {
        rustix::fs::fstat(listener).expect("it is open").st_ino
    }

    #[test]
    fn another_socket_at_the_address_or_at_all_of_them_is_found_and_our_own_is_not() {
        // For IPv6, which some machines lack, see `tests/user/ipv6.rs`.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port()));
        let other = [0];
        for asked in [addr, all] {
            assert!(by_another(asked, &other), "{asked}");
            assert!(!by_another(asked, &[inode(&listener)]), "{asked}");
        }
    }

    #[test]
    fn an_ipv6_address_is_read_as_the_kernel_writes_it() {
        let octets = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets();
        let words = octets.chunks_exact(4);
        let word = |word: &[u8]| u32::from_ne_bytes(word.try_into().expect("four bytes"));
        let hex: String = words
            .map(|octets| format!("{:08X}", word(octets)))
            .collect();
        let line = format!("   0: {hex}:1F90 0:0 0A 0:0 00:0 0 0 0 4711 1 0 100 0 0 10 0");
        let found = Listening::of(&line).expect("it listens");
        let addr = "[2001:db8::1]:8080".parse().expect("an address");
        assert_eq!(found, Listening { addr, inode: 4711 });
    }

    #[test]
    fn sockets_that_do_not_listen_do_not_count() {
        let line = |state: &str| {
            format!(
                "   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0"
            )
        };
        let found = Listening::of(&line("0A")).expect("it listens");
        assert_eq!(found.inode, 4711);
        assert_eq!(found.addr.port(), 8080);
        assert_eq!(Listening::of(&line("01")), None);
        assert_eq!(Listening::of(""), None);
    }
}
