//! `haproxy_socket` of `[admin]`.

use crate::config::page::{list, string};
use crate::plan::{CommandLevel, CommandSocket};

use super::bind::socket_mode;
use super::kind::Shape;
use super::words::Words;
use super::{Keys, key};

impl Words for CommandLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("user", Self::User),
        ("operator", Self::Operator),
        ("admin", Self::Admin),
    ];
}

/// An item of `haproxy_socket`.
pub(in crate::config) static COMMAND_SOCKET: Keys<CommandSocket> = Keys {
    keys: &[
        key("listen")
            .means("The path of the socket, or an address.")
            .also("address bind path")
            .compiled(Shape::List(&Shape::Text), |socket| {
                let binds = socket.binds.iter();
                Some(list(binds.map(|bind| string(&bind.addr.to_string()))))
            }),
        key("socket_mode")
            .means("The permissions of its file.")
            .also("mode")
            .compiled(Shape::Text, |socket| socket_mode(&socket.binds)),
        key("level")
            .means("Which commands its clients may give: \"user\", \"operator\" (those that change nothing) or \"admin\" (all).")
            .word(CommandLevel::words, |socket| &mut socket.level),
        key("timeout")
            .means("For the next command, and for a client to take the answer.")
            .duration(|socket| &mut socket.timeout),
        key("max_connections")
            .means("Clients at a time; more wait.")
            .also("maxconn")
            .number(1, 1000, |socket| &mut socket.max_connections),
    ],
    default: Some(CommandSocket::default),
    ..Keys::EMPTY
};
