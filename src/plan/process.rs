//! Settings of the whole process.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::base::{ListenAddress, Position};
use crate::plan::{BackendReference, Bind, HostPattern};

/// `[process]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Threads that carry traffic; `None`: as many as the affinity mask and the cgroup quota allow.
    pub workers: Option<NonZeroUsize>,
    /// Client connections of all frontends together; `None`: what the open-file limit allows.
    pub max_connections: Option<u64>,
}

/// `[reload]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reload {
    /// Whether a change of the configuration files starts a reload.
    pub watch: bool,
}

impl Default for Reload {
    fn default() -> Self {
        Self { watch: true }
    }
}

/// `[shutdown]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Shutdown {
    /// From failing readiness to closing the listeners: the time that a load balancer in front
    /// needs to notice it.
    pub grace: Duration,
    /// From closing the listeners to cutting open exchanges.
    pub timeout: Duration,
    /// From closing the listeners, or from the removal of their frontend, to closing tunnels. Never
    /// longer than `timeout`.
    pub tunnels: Duration,
}

impl Shutdown {
    /// `tunnels` if only `timeout` is given: early enough for a WebSocket close frame.
    pub fn tunnels_within(timeout: Duration) -> Duration {
        let millis = timeout.as_millis() * 9 / 10;
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            grace: Duration::ZERO,
            timeout: Duration::from_secs(30),
            tunnels: Self::tunnels_within(Duration::from_secs(30)),
        }
    }
}

/// `[admin]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// Loopback by default, because clients are not authenticated.
    pub binds: Vec<Bind>,
    /// Names that are allowed in `Host`, beside `localhost` and IP addresses.
    pub hosts: Vec<HostPattern>,
    /// Backends without which the process is not ready: each needs a server that takes traffic.
    pub ready_needs: Vec<BackendReference>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            binds: vec![Bind::new(
                ListenAddress::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 9900))),
                Position::built_in(),
            )],
            hosts: Vec::new(),
            ready_needs: Vec::new(),
        }
    }
}
