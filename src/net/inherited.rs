//! Listening sockets that the process which started us has bound: `fd://3`, or by name from
//! systemd.
//!
//! The descriptor that was handed over stays open and is only copied, so that a later reload finds it
//! again. systemd's protocol is `sd_listen_fds(3)`: descriptors from 3 on, as many as `LISTEN_FDS`
//! says, with names in `LISTEN_FDNAMES`, for the process whose number is `LISTEN_PID`.

use std::env;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use rustix::io::fcntl_dupfd_cloexec;
use socket2::{Domain, Socket as RawSocket, Type};

use crate::base::address::Descriptor;

/// The first descriptor that is handed over; smaller ones are the standard streams.
const FIRST: RawFd = 3;

/// A copy of the socket that `descriptor` names.
///
/// # Errors
///
/// Nothing of that name was handed over, or it is not a listening stream socket.
pub(super) fn take(descriptor: &Descriptor) -> io::Result<RawSocket> {
    let number = match descriptor {
        Descriptor::Number(number) => RawFd::try_from(*number).map_err(io::Error::other)?,
        Descriptor::Name(name) => number_of(name, &Handed::from_environment()?)?,
    };
    let socket = RawSocket::from(copy(number)?);
    // A descriptor of another kind would fail at each accept.
    if !listens(&socket).unwrap_or(false) {
        let why = format!("descriptor {number} is not a listening socket");
        return Err(invalid(match Handed::from_environment() {
            // Then it is a file of our own that happens to have that number.
            Err(none) => format!("{why}: {none}"),
            Ok(_) => why,
        }));
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listens(socket: &RawSocket) -> io::Result<bool> {
    let is_of_ours = [Domain::IPV4, Domain::IPV6, Domain::UNIX].contains(&socket.domain()?);
    Ok(is_of_ours && socket.is_listener()? && socket.r#type()? == Type::STREAM)
}

fn copy(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only this one call uses the descriptor, and it fails if it is not open. Its owner
    // keeps it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_dupfd_cloexec(borrowed, FIRST)
        .map_err(|_| invalid(format!("descriptor {number} was not handed over")))
}

/// The descriptors that systemd handed over.
struct Handed {
    count: RawFd,
    names: String,
}

impl Handed {
    fn from_environment() -> io::Result<Self> {
        let variable = |name| env::var(name).unwrap_or_default();
        // For our parent if it is another number: variables are inherited, and descriptors may not
        // be.
        if variable("LISTEN_PID") != std::process::id().to_string() {
            return Err(invalid("no sockets were handed over (LISTEN_PID)"));
        }
        Ok(Self {
            count: variable("LISTEN_FDS").parse().unwrap_or(0),
            names: variable("LISTEN_FDNAMES"),
        })
    }
}

/// The only descriptor of that name.
fn number_of(name: &str, handed: &Handed) -> io::Result<RawFd> {
    let named = |(number, known): (RawFd, &str)| (known == name).then_some(number);
    let mut numbers = (FIRST..FIRST.saturating_add(handed.count))
        .zip(handed.names.split(':'))
        .filter_map(named);
    match (numbers.next(), numbers.next()) {
        (Some(number), None) => Ok(number),
        (Some(first), Some(second)) => Err(invalid(format!(
            "descriptors {first} and {second} both have this name; give each socket a \
             `FileDescriptorName=` of its own, or write its number"
        ))),
        (None, _) => Err(invalid(format!(
            "no socket with this name was handed over; the names are {:?} (LISTEN_FDNAMES)",
            handed.names
        ))),
    }
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    use super::*;

    fn handed(count: RawFd, names: &str) -> Handed {
        let names = names.to_owned();
        Handed { count, names }
    }

    fn by_number(number: RawFd) -> io::Result<RawSocket> {
        take(&Descriptor::Number(number.try_into().expect("open")))
    }

    #[test]
    fn names_stand_in_the_order_of_descriptors() {
        let handed = handed(3, "web:admin:other");
        assert_eq!(number_of("web", &handed).ok(), Some(3));
        assert_eq!(number_of("other", &handed).ok(), Some(5));
        assert!(number_of("more", &handed).is_err());
    }

    #[test]
    fn a_name_counts_only_for_descriptors_that_are_there() {
        assert!(number_of("b", &handed(1, "a:b")).is_err());
        assert!(number_of("a", &handed(0, "a")).is_err());
        assert!(number_of("a", &handed(-1, "a")).is_err());
        assert!(number_of("a", &handed(RawFd::MAX, "")).is_err());
    }

    #[test]
    fn a_name_that_two_have_is_refused() {
        assert!(number_of("a", &handed(2, "a:a")).is_err());
    }

    #[test]
    fn a_copy_listens_on_when_the_original_is_there() {
        let original = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let copy = by_number(original.as_raw_fd()).expect("it listens");
        let addr = copy.local_addr().expect("bound").as_socket();
        assert_eq!(addr, original.local_addr().ok());
        assert!(by_number(original.as_raw_fd()).is_ok(), "again");
    }

    #[test]
    fn a_descriptor_that_does_not_listen_is_refused() {
        let file = std::fs::File::open("/dev/null").expect("it is always there");
        let why = by_number(file.as_raw_fd()).map_err(|error| error.to_string());
        let expected = format!(
            "descriptor {} is not a listening socket: \
             no sockets were handed over (LISTEN_PID)",
            file.as_raw_fd()
        );
        assert_eq!(why.err(), Some(expected));
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        assert!(by_number(socket.as_raw_fd()).is_err());
        assert!(by_number(1_000_000).is_err());
    }
}
