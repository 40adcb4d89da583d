//! Choosing a server and taking a slot at it, or waiting for one.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::clock;
use crate::exchange::Reason;
use crate::plan::Balance;

use super::Local;
use super::balance::least_connections::{Load, handicap, least};
use super::balance::round_robin::Turns;
use super::lease::Lease;
use super::queue::{Full, Woken};
use super::roster::{Member, Roster};
use super::server::{Health, Server};

/// How often a choice by load is made anew because another worker changed the load in between. The
/// last one takes what it can get.
const RACES: usize = 4;

/// The servers that one exchange has tried, by their places.
#[derive(Debug, Default)]
pub struct Tried {
    places: [Option<usize>; 10],
    count: usize,
}

/// No slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// Every server that takes traffic is at its limit.
    Full,
    /// No server takes traffic, or all that do have been tried.
    NoServer,
}

impl Tried {
    /// Remembers `place`.
    pub fn add(&mut self, place: usize) {
        // `attempts` is at most 10: there is room for each.
        if let Some(free) = self.places.get_mut(self.count) {
            *free = Some(place);
            self.count += 1;
        }
    }

    fn has(&self, place: usize) -> bool {
        self.places[..self.count].contains(&Some(place))
    }
}

impl Local {
    fn try_lease(self: &Rc<Self>, tried: &Tried) -> Result<Lease, NoSlot> {
        let roster = self.shared.roster.load();
        let place = match self.shared.plan.balance {
            Balance::RoundRobin => self.in_turn(&roster, tried),
            Balance::LeastConnections => self.least_loaded(&roster, tried),
        };
        place.map(|place| Lease::of(self, place))
    }

    /// A slot at a server that was not tried, at once, unless others wait already: who comes later
    /// must not overtake them.
    ///
    /// # Errors
    ///
    /// [`NoSlot`].
    pub fn lease_now(self: &Rc<Self>, tried: &Tried) -> Result<Lease, NoSlot> {
        if self.shared.live.queue.len() > 0 {
            return Err(NoSlot::Full);
        }
        self.try_lease(tried)
    }

    /// A slot at a server that was not tried, as soon as it is this one's turn. How long to wait is
    /// the caller's business.
    ///
    /// # Errors
    ///
    /// `backend.no_server` or `queue.full`.
    ///
    /// # Cancel safety
    ///
    /// The place in line is lost, and nothing else.
    pub async fn wait_for_slot(self: &Rc<Self>, tried: &Tried) -> Result<Lease, Reason> {
        let queue = &self.shared.live.queue;
        let place = match queue.join(self.shared.plan.queue.max) {
            Ok(place) => place,
            Err(Full) => return Err(Reason::QueueFull),
        };
        // A slot may have become free between the look and the joining. Only the first in line may
        // take it.
        let mut may_try = queue.len() == 1;
        loop {
            if may_try {
                match self.try_lease(tried) {
                    Ok(lease) => return Ok(lease),
                    Err(NoSlot::NoServer) => return Err(Reason::BackendNoServer),
                    Err(NoSlot::Full) => {}
                }
            }
            match place.woken().await {
                Woken::LookAgain => may_try = true,
                Woken::Granted(server) => return self.take_grant(&server, tried),
            }
        }
    }

    /// The slot that was handed over, unless this exchange cannot use it: it tried that server, or
    /// runs under a snapshot that does not have it.
    fn take_grant(self: &Rc<Self>, server: &Arc<Server>, tried: &Tried) -> Result<Lease, Reason> {
        let servers = &self.shared.servers;
        let place = servers.iter().position(|ours| ours.id == server.id);
        if let Some(place) = place.filter(|&place| !tried.has(place)) {
            return Ok(Lease::of(self, place));
        }
        self.shared.live.queue.give_back(server);
        self.try_lease(tried).map_err(|no_slot| match no_slot {
            NoSlot::Full => Reason::QueueFull,
            NoSlot::NoServer => Reason::BackendNoServer,
        })
    }

    /// The server whose turn it is; those that cannot take it are passed over.
    fn in_turn(&self, roster: &Roster, tried: &Tried) -> Result<usize, NoSlot> {
        let Roster { members, turns } = roster;
        if turns.is_empty() {
            return Err(self.why_none(false, tried));
        }
        // Relaxed: a ticket counter; nothing else hangs on it.
        let ticket = self.shared.live.cursor.fetch_add(1, Ordering::Relaxed);
        if let Some(place) = self.take_turn(members, turns, ticket, tried) {
            return Ok(place);
        }
        let mut is_full = false;
        for step in 1..turns.len() as u64 {
            let Some(member) = member_at(members, turns, ticket.wrapping_add(step)) else {
                continue;
            };
            if tried.has(member.server) || !self.shared.servers[member.server].is_up() {
                continue;
            }
            if self.acquire(member.server) {
                return Ok(member.server);
            }
            is_full = true;
        }
        Err(self.why_none(is_full, tried))
    }

    #[inline]
    fn take_turn(
        &self,
        members: &[Member],
        turns: &Turns,
        ticket: u64,
        tried: &Tried,
    ) -> Option<usize> {
        let member = member_at(members, turns, ticket)?;
        let may = !tried.has(member.server) && self.shared.servers[member.server].is_up();
        (may && self.acquire(member.server)).then_some(member.server)
    }

    /// The server with the fewest exchanges in flight for its weight.
    fn least_loaded(&self, roster: &Roster, tried: &Tried) -> Result<usize, NoSlot> {
        let members = &roster.members;
        // Relaxed: it only spreads choices among equals.
        let turn = self.shared.live.cursor.fetch_add(1, Ordering::Relaxed);
        let now = clock::now();
        for race in 0..RACES {
            let loads = members.iter().filter_map(|member| {
                let server = &self.shared.servers[member.server];
                let in_flight = server.in_flight();
                let limit = self.shared.plan.servers[member.server].max_connections;
                let is_free = limit.is_none_or(|max| in_flight < max);
                let may = is_free && server.is_up() && !tried.has(member.server);
                let (at_first, age) = server.handicap(now);
                may.then_some(Load {
                    server: member.server,
                    in_flight: in_flight.saturating_add(handicap(at_first, age)),
                    weight: member.weight,
                })
            });
            let Some(place) = least(loads, turn) else {
                break;
            };
            let server = &self.shared.servers[place];
            let seen = server.in_flight();
            let is_last = race + 1 == RACES;
            if (is_last && self.acquire(place)) || self.acquire_at(place, seen) {
                return Ok(place);
            }
        }
        Err(self.why_none(false, tried))
    }

    fn acquire(&self, place: usize) -> bool {
        let limit = self.shared.plan.servers[place].max_connections;
        self.shared.servers[place].try_acquire(limit)
    }

    fn acquire_at(&self, place: usize, seen: u32) -> bool {
        let limit = self.shared.plan.servers[place].max_connections;
        limit.is_none_or(|max| seen < max) && self.shared.servers[place].try_acquire_at(seen)
    }

    /// Nobody could take it: because all are full, or because there is nobody. A server that waits
    /// for its first check may be somebody in a moment, and is waited for like a full one.
    fn why_none(&self, is_full: bool, tried: &Tried) -> NoSlot {
        let plan = &self.shared.plan.servers;
        let may_come = |(place, server): (usize, &Arc<Server>)| {
            server.health() != Health::Down && plan[place].weight > 0 && !tried.has(place)
        };
        if is_full || self.shared.servers.iter().enumerate().any(may_come) {
            NoSlot::Full
        } else {
            NoSlot::NoServer
        }
    }
}

fn member_at<'a>(members: &'a [Member], turns: &Turns, ticket: u64) -> Option<&'a Member> {
    members.get(turns.at(ticket)?)
}
