//! The kernel's data about one TCP socket, of any process: sock_diag(7).
//!
//! `/proc/net/tcp` lists all sockets of the machine, which takes tens of milliseconds on a busy one.

use std::net::{IpAddr, SocketAddr};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// A socket with two ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpSocket {
    /// Bytes that its peer's system has not acknowledged.
    pub(super) send_queue_bytes: usize,
    /// Bytes that have arrived and that its process has not read.
    pub(super) unread_bytes: usize,
    /// Whether the kernel reports it as writable: a third of its buffer must be free.
    pub(super) has_room: bool,
}

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h.
const HEADER_BYTES: usize = 16;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_BYTES: usize = 56;
const ANSWER_BYTES: usize = 72;
const AF_INET: u8 = 2;
const IPPROTO_TCP: u8 = 6;
const TCP_LISTEN: u8 = 10;
const INET_DIAG_SKMEMINFO: u16 = 7;
const SK_MEMINFO_SNDBUF: usize = 3;
const SK_MEMINFO_WMEM_QUEUED: usize = 5;

/// The socket at `local` that is connected to `remote`; `None`: there is none any more.
#[track_caller]
pub(super) fn tcp_socket(local: SocketAddr, remote: SocketAddr) -> Option<TcpSocket> {
    let answer = answer_to(&request(local, remote));
    let kind = u16::from_ne_bytes([answer[4], answer[5]]);
    assert!(kind == SOCK_DIAG_BY_FAMILY || kind == NLMSG_ERROR, "{kind}");
    let body = &answer[HEADER_BYTES..];
    // If none is connected, the listening one is found.
    if kind == NLMSG_ERROR || body[1] == TCP_LISTEN {
        return None;
    }
    let memory = attribute(&body[ANSWER_BYTES..], INET_DIAG_SKMEMINFO);
    // A socket in TIME_WAIT has no buffers.
    let (buffer, queued) = memory.map_or((1, 0), |memory| {
        let number = |index| word(memory, 4 * index);
        (number(SK_MEMINFO_SNDBUF), number(SK_MEMINFO_WMEM_QUEUED))
    });
    Some(TcpSocket {
        send_queue_bytes: word(body, 60) as usize,
        unread_bytes: word(body, 56) as usize,
        // `sk_stream_is_writeable` of net/sock.h.
        has_room: buffer.saturating_sub(queued) >= queued / 2,
    })
}

fn request(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let mut request = Vec::with_capacity(HEADER_BYTES + REQUEST_BYTES);
    request.extend(((HEADER_BYTES + REQUEST_BYTES) as u32).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    // Sequence number and port: the kernel is asked one thing.
    request.extend([0; 8]);
    request.extend([AF_INET, IPPROTO_TCP, 1 << (INET_DIAG_SKMEMINFO - 1), 0]);
    // Any state.
    request.extend([0xff; 4]);
    request.extend(local.port().to_be_bytes());
    request.extend(remote.port().to_be_bytes());
    for end in [local, remote] {
        let IpAddr::V4(ip) = end.ip() else {
            unreachable!("the tests listen on 127.0.0.1")
        };
        request.extend(ip.octets());
        request.extend([0; 12]);
    }
    // Any interface, and no cookie.
    request.extend([0; 4]);
    request.extend([0xff; 8]);
    request
}

#[track_caller]
fn answer_to(request: &[u8]) -> Vec<u8> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    );
    let socket = socket.expect("a netlink socket");
    send(&socket, request, SendFlags::empty()).expect("the kernel takes it");
    let mut answer = vec![0; 4096];
    let (count, _) = recv(&socket, &mut answer[..], RecvFlags::empty()).expect("its answer");
    answer.truncate(count);
    answer
}

/// The value of the attribute of that kind: rtnetlink(7).
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [a, b, c, d, ..] = *attributes {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([c, d]) == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes[at..at + 4].try_into();
    u32::from_ne_bytes(word.expect("four bytes"))
}
