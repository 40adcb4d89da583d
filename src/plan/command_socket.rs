//! `haproxy_socket` of `[admin]`: sockets for HAProxy's commands.

use std::time::Duration;

use crate::base::FileMode;

use super::Bind;

/// A socket that understands the commands of HAProxy's `stats socket` (management guide §9.3).
#[derive(Clone, Debug, PartialEq)]
pub struct CommandSocket {
    /// Where it listens.
    pub binds: Vec<Bind>,
    /// Which commands its clients may give.
    pub level: CommandLevel,
    /// For the next command, and for a client to take the answer.
    pub timeout: Duration,
    /// How many clients at a time; more wait.
    pub max_connections: u32,
}

/// Which commands a client may give: each level includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandLevel {
    /// What contains no secrets and changes nothing.
    User,
    /// All that changes nothing.
    #[default]
    Operator,
    /// All.
    Admin,
}

impl CommandLevel {
    /// All, from the lowest.
    pub const ALL: [Self; 3] = [Self::User, Self::Operator, Self::Admin];

    /// HAProxy's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl CommandSocket {
    /// The same as HAProxy's `stats timeout`.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// The permissions of its file: for the user of the process alone.
    pub const FILE_MODE: FileMode = FileMode(0o600);
    /// The same as HAProxy's `stats maxconn`.
    pub const MAX_CONNECTIONS: u32 = 10;
}

impl Default for CommandSocket {
    fn default() -> Self {
        Self {
            binds: Vec::new(),
            level: CommandLevel::default(),
            timeout: Self::TIMEOUT,
            max_connections: Self::MAX_CONNECTIONS,
        }
    }
}
