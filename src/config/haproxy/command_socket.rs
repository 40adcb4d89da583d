//! `stats` lines of `global`: the sockets for commands (manual §3.1, management guide §9.3).

use crate::config::raw::Value;

use super::address::listen_address;
use super::args::Args;
use super::lexer::{self, Environment};
use super::quantity;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// What all `stats` lines of all `global` sections say.
#[derive(Debug, Default)]
pub(super) struct CommandSockets {
    sockets: Vec<(crate::config::source::Span, Keys)>,
    timeout: Option<Value>,
    max_connections: Option<Value>,
}

impl CommandSockets {
    /// Reads one line behind `stats`.
    pub(super) fn line(
        &mut self,
        mut args: Args<'_>,
        environment: Environment<'_>,
        verdicts: &mut Verdicts,
    ) {
        let Some(word) = args.need("keyword", verdicts) else {
            return;
        };
        match &*word.text {
            "socket" => {
                self.socket(args, environment, verdicts);
            }
            "timeout" => {
                if let Some(time) = args.need("time", verdicts)
                    && let Some(text) = quantity::time(time, verdicts)
                {
                    self.timeout = Some(write::text(time.span, text));
                }
            }
            "maxconn" => {
                if let Some(number) = args.need("number", verdicts)
                    && let Some(count) = quantity::count(number, verdicts)
                {
                    self.max_connections = Some(write::number(number.span, count));
                }
            }
            "bind-process" => verdicts.without_effect(word.span, "there is one process"),
            _ => verdicts.unknown(
                "keyword behind `stats` in `global`",
                word,
                ["socket", "timeout", "maxconn", "bind-process"],
            ),
        }
    }

    fn socket(
        &mut self,
        mut args: Args<'_>,
        environment: Environment<'_>,
        verdicts: &mut Verdicts,
    ) -> Option<()> {
        let address = args.need("address", verdicts)?;
        let mut keys = Keys::default();
        let written = lexer::address(address, environment);
        let written = listen_address(written.trim());
        keys.set("listen", write::text(address.span, written));
        while let Some(word) = args.next() {
            match &*word.text {
                "level" => {
                    let level = args.need("level", verdicts)?;
                    keys.set("level", write::text(level.span, level.text.clone()));
                }
                "mode" => {
                    let mode = args.need("mode", verdicts)?;
                    let text = format!("{:0>4}", mode.text);
                    keys.set("socket_mode", write::text(mode.span, text));
                }
                "user" | "group" | "uid" | "gid" => {
                    args.need("name", verdicts)?;
                    verdicts.approximated(
                        word.span,
                        "the file belongs to the user that Evenkeel runs as; `mode` says who may connect",
                    );
                }
                "expose-fd" => {
                    args.need("kind", verdicts)?;
                    verdicts.without_effect(
                        word.span,
                        "a new process takes the listening sockets over without asking for them",
                    );
                }
                "process" | "thread" | "backlog" | "nice" | "name" | "severity-output" => {
                    args.need("value", verdicts)?;
                    verdicts.without_effect(word.span, "tuning of the socket");
                }
                _ => verdicts.unknown(
                    "word of a `stats socket` line",
                    word,
                    [
                        "level",
                        "mode",
                        "user",
                        "group",
                        "uid",
                        "gid",
                        "expose-fd",
                        "process",
                        "backlog",
                    ],
                ),
            }
        }
        self.sockets.push((address.span, keys));
        Some(())
    }

    /// The tables of `haproxy_socket`; `None`: there is no socket.
    pub(super) fn written(self) -> Option<Value> {
        let span = self.sockets.first()?.0;
        let tables = self.sockets.into_iter().map(|(span, mut keys)| {
            for (key, value) in [
                ("timeout", &self.timeout),
                ("max_connections", &self.max_connections),
            ] {
                if let Some(value) = value {
                    keys.set(key, value.clone());
                }
            }
            keys.at(span)
        });
        Some(write::list(span, tables.collect()))
    }
}
