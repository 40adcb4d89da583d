//! `haproxy_socket` of `[admin]`.

use crate::config::compile::bind::{admin_binds, binds_alone};
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::CommandSocket;

/// The sockets that `section`, `[admin]`, names.
pub(super) fn command_sockets(
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Vec<CommandSocket> {
    let mut sockets = Vec::new();
    for item in section.list("haproxy_socket").unwrap_or_default() {
        let mut socket = CommandSocket::default();
        let mut has_mode = false;
        if let Kind::Table(_) = &item.value.kind {
            let keys = &keys::COMMAND_SOCKET;
            let title = "admin.haproxy_socket".to_owned();
            let Some(table) = section.inner(keys, title, "[[admin.haproxy_socket]]", item, report)
            else {
                continue;
            };
            has_mode = table.setting("socket_mode").is_some();
            keys.whole().read(&table, &mut socket, report);
            match table.setting("listen") {
                Some(listen) => socket.binds = admin_binds(&table, listen, report),
                None => report.error(
                    item.span(),
                    "this has no `listen`",
                    "write `{ listen = \"/run/evenkeel.sock\" }`",
                ),
            }
        } else {
            socket.binds = binds_alone(item, report);
        }
        let files = socket
            .binds
            .iter_mut()
            .filter(|bind| bind.addr.path().is_some());
        if !has_mode {
            files.for_each(|bind| bind.mode = CommandSocket::FILE_MODE);
        }
        sockets.push(socket);
    }
    sockets
}
