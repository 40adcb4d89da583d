//! Listening on Unix sockets: permissions, and the file's lifetime.
//!
//! A file outlives the process that made it. A file without a listening process is replaced, one in
//! use is left alone; ours is removed with the last of our sockets.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::SocketAddr as StdUnixAddr;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, SockAddr, Socket as RawSocket, Type};

use crate::base::address::{FileMode, UnixName};

use super::bind::BACKLOG;

/// The file of our socket. Removed when it is dropped, unless another file has its name by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: by the time we end, another process may have put another file there.
    identity: (u64, u64),
}

/// Listens on `name`.
pub(super) fn listen(
    name: &UnixName,
    mode: FileMode,
) -> io::Result<(StdUnixListener, Option<Arc<SocketFile>>)> {
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let file = match name {
        UnixName::Abstract(_) => {
            socket.bind(&sock_addr(name)?)?;
            None
        }
        UnixName::Path(path) => {
            clear_the_way(path)?;
            socket.bind(&sock_addr(name)?)?;
            // From here on it is removed if anything fails.
            let file = SocketFile::of(path)?;
            // A client cannot connect before `listen`, so none connects before the mode forbids it.
            set_mode(path, mode)?;
            Some(Arc::new(file))
        }
    };
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

/// Sets who may connect to the socket at `path`.
pub(super) fn set_mode(path: &Path, mode: FileMode) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode.0))
}

/// The name in the kernel's form.
pub(super) fn sock_addr(name: &UnixName) -> io::Result<SockAddr> {
    match name {
        UnixName::Path(path) => SockAddr::unix(path),
        // The zero in front makes it abstract.
        UnixName::Abstract(name) => SockAddr::unix(format!("\0{name}")),
    }
}

/// The name from the kernel's form.
pub(super) fn name_of(addr: &StdUnixAddr) -> Option<UnixName> {
    if let Some(path) = addr.as_pathname() {
        return Some(UnixName::Path(path.to_owned()));
    }
    let name = addr.as_abstract_name()?;
    Some(UnixName::Abstract(
        String::from_utf8_lossy(name).into_owned(),
    ))
}

/// Removes a socket's file without a listening process.
fn clear_the_way(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is not a socket has this path",
        ));
    }
    let probe = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    // A listener whose queue is full would block us.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity_of(path)?,
        })
    }
}

fn identity_of(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity_of(&self.path).is_ok_and(|there| there == self.identity) {
            // A file that stays does no harm: the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
