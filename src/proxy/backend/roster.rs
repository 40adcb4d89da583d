//! Who of a backend's servers takes traffic now, with what choosing among them needs.
//!
//! A list and its selector are one value: when a server comes up or goes down, a new roster is made
//! on the control thread and swapped in whole. A choice never sees half of a change.

use std::sync::Arc;

use super::balance::round_robin::Turns;
use super::server::{Health, Server};

/// The servers that take traffic.
#[derive(Debug)]
pub(super) struct Roster {
    /// In the order of the backend's servers.
    pub(super) members: Vec<Member>,
    /// Whose turn it is, as indices of `members`.
    pub(super) turns: Turns,
}

/// One server that takes traffic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Its index in the backend's servers.
    pub(super) index: usize,
    /// Never 0.
    pub(super) weight: u16,
}

impl Roster {
    /// The servers that are up and have a weight; backups only when there is no other.
    pub(super) fn of(servers: &[Arc<Server>]) -> Self {
        let of_kind = |is_backup: bool| -> Vec<Member> {
            let each = servers.iter().enumerate();
            each.filter(|(_, server)| server.is_backup() == is_backup)
                .map(|(index, server)| Member {
                    index,
                    weight: server.weight(),
                })
                .filter(|member| member.weight > 0)
                .filter(|member| servers[member.index].health() == Health::Up)
                .collect()
        };
        let mut members = of_kind(false);
        if members.is_empty() {
            members = of_kind(true);
        }
        let weights: Vec<u16> = members.iter().map(|member| member.weight).collect();
        Self {
            turns: Turns::new(&weights),
            members,
        }
    }
}
