//! An address that cannot be listened on, and its remedy.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

use crate::base::{Address, InWords, ListenAddress, Position};
use crate::plan::Bind;

/// An address that cannot be listened on.
pub(super) struct CannotListen {
    at: Position,
    addr: ListenAddress,
    error: io::Error,
    /// A socket that was handed over to us and has the address.
    pub(super) handed_over: Option<ListenAddress>,
}

impl CannotListen {
    pub(super) fn new(bind: &Bind, error: io::Error) -> Self {
        Self {
            at: bind.at.clone(),
            addr: bind.addr.clone(),
            error,
            handed_over: None,
        }
    }

    pub(super) fn at(&self) -> &Position {
        &self.at
    }

    pub(super) fn message(&self) -> String {
        format!("cannot listen on {}: {}", self.addr, InWords(&self.error))
    }

    pub(super) fn help(&self) -> String {
        if let (Some(handed_over), ErrorKind::AddrInUse) = (&self.handed_over, self.error.kind()) {
            return format!(
                "the socket that was handed over as `{handed_over}` is there and stays open: write \
                 `{handed_over}`"
            );
        }
        self.usual_help().to_owned()
    }

    fn usual_help(&self) -> &'static str {
        let is_ip = matches!(
            self.addr,
            ListenAddress::At(Address::Ip(_) | Address::Zoned { .. })
        );
        match self.error.kind() {
            ErrorKind::AddrInUse if is_ip => {
                "another process listens on it: `ss -ltnp` shows which"
            }
            ErrorKind::AddrInUse => "another process listens on it: `ss -lxp` shows which",
            ErrorKind::PermissionDenied if is_ip => {
                "ports below 1024 need the capability CAP_NET_BIND_SERVICE"
            }
            ErrorKind::PermissionDenied => {
                "the user that evenkeel runs as must be able to write to the directory"
            }
            ErrorKind::NotFound => "create the directory first",
            ErrorKind::AddrNotAvailable => "no interface of this host has that address",
            _ if lacks_ipv6(&self.error) => {
                "this host has no IPv6: write an IPv4 address, or `\":PORT\"` for what there is"
            }
            _ => "",
        }
    }
}

impl std::fmt::Display for CannotListen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at.is_built_in() {
            false => write!(f, "{}: {}", self.at, self.message())?,
            // Only the admin listener has an address that is not in the file.
            true => write!(
                f,
                "{}; that is the default of `[admin] listen`",
                self.message()
            )?,
        }
        let help = self.help();
        if !help.is_empty() {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// Whether `error`, from binding an IPv6 address, means that the host has no IPv6.
pub(super) fn lacks_ipv6(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::Path;

    use super::*;

    fn told(at: Position) -> String {
        let addr = SocketAddr::from(([127, 0, 0, 1], 9900));
        let cannot_listen = CannotListen {
            at,
            addr: ListenAddress::At(addr.into()),
            error: ErrorKind::AddrInUse.into(),
            handed_over: None,
        };
        cannot_listen.to_string()
    }

    #[test]
    fn a_taken_address_that_is_not_in_the_file_is_said_to_be_the_default() {
        let default = told(Position::built_in());
        assert!(
            default.starts_with("cannot listen on 127.0.0.1:9900: "),
            "{default}"
        );
        assert!(default.contains("default of `[admin] listen`"), "{default}");
        let written = told(Position {
            file: Path::new("a.toml").into(),
            line: 3,
            column: 10,
        });
        assert!(
            written.starts_with("a.toml:3:10: cannot listen on "),
            "{written}"
        );
        assert!(!written.contains("default"), "{written}");
    }
}
