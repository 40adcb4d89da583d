//! Chooses a server of a set.
//!
//! Pure: it reads the counts and bits of the servers, and changes nothing. Taking the slot is a
//! step of its own (`choose`); if another worker was faster, the choice is made again. No random
//! generator is passed in, because no balancing method needs one yet.

use std::sync::Arc;

use crate::base::clock::Instant;

use super::admission::HeldBy;
use super::balance::least_connections::{Load, handicap, least};
use super::balance::round_robin::Turns;
use super::server::{Health, Server};
use super::set::{Member, Selector, ServerSet};

/// The servers that one exchange has tried. Empty for most exchanges; `attempts` bounds it.
#[derive(Default)]
pub struct Tried(Vec<Arc<Server>>);

/// The input of a choice besides the set.
pub(super) struct Ask<'a> {
    /// Servers that are not chosen again.
    pub(super) tried: &'a Tried,
    /// The number of its turn.
    pub(super) turn: u64,
}

/// The server that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    /// Its index in the set's servers.
    pub(super) index: usize,
    /// Its exchanges in flight, if the choice depends on them.
    pub(super) seen: Option<u32>,
}

/// No slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// Every server that takes traffic is at its limit.
    Full,
    /// No server takes traffic, or all that do have been tried.
    NoServer,
}

/// Why a server is not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The exchange has tried it.
    Tried,
    /// It is held back: its checks fail, for example.
    Held,
    /// It is at its limit.
    Full,
}

/// Observes a choice. The implementation for `()` is compiled away.
pub(super) trait Trace {
    /// Whether `passed_over` does anything.
    const LISTENS: bool;

    /// The server was considered, and not chosen.
    fn passed_over(&mut self, server: &Server, why: Unfit);
}

impl Trace for () {
    const LISTENS: bool = false;

    fn passed_over(&mut self, _: &Server, _: Unfit) {}
}

impl Tried {
    /// Adds `server`.
    pub fn add(&mut self, server: &Arc<Server>) {
        self.0.push(Arc::clone(server));
    }

    /// Whether no server has been tried.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    fn has(&self, server: &Arc<Server>) -> bool {
        self.0.iter().any(|tried| Arc::ptr_eq(tried, server))
    }
}

/// The server of `set` for `ask`; `now` is called only where the time matters.
///
/// # Errors
///
/// [`NoSlot`].
#[inline]
pub(super) fn pick<T: Trace>(
    set: &ServerSet,
    ask: &Ask<'_>,
    now: impl FnOnce() -> Instant,
    trace: &mut T,
) -> Result<Pick, NoSlot> {
    let picked = match &set.selector {
        Selector::InTurn(turns) => in_turn(set, turns, ask, trace),
        Selector::LeastLoaded => least_loaded(set, ask, now(), trace),
    };
    picked.map_or_else(|| otherwise(set, ask), Ok)
}

/// The server whose turn it is; those that cannot take it are passed over.
#[inline]
fn in_turn(set: &ServerSet, turns: &Turns, ask: &Ask<'_>, trace: &mut impl Trace) -> Option<Pick> {
    for step in 0..turns.len() as u64 {
        let member = set.members.get(turns.at(ask.turn.wrapping_add(step))?)?;
        let server = &set.servers()[member.index];
        match unfit(server, ask) {
            None => {
                return Some(Pick {
                    index: member.index,
                    seen: None,
                });
            }
            Some(why) => trace.passed_over(server, why),
        }
    }
    None
}

/// The server with the fewest exchanges in flight for its weight.
fn least_loaded<T: Trace>(
    set: &ServerSet,
    ask: &Ask<'_>,
    now: Instant,
    trace: &mut T,
) -> Option<Pick> {
    if T::LISTENS {
        for member in &set.members {
            let server = &set.servers()[member.index];
            if let Some(why) = unfit(server, ask) {
                trace.passed_over(server, why);
            }
        }
    }
    let loads = set.members.iter().filter_map(|member| {
        let server = &set.servers()[member.index];
        let (at_first, age) = server.handicap(now);
        unfit(server, ask).is_none().then(|| Load {
            server: member.index,
            in_flight: server.in_flight().saturating_add(handicap(at_first, age)),
            weight: member.weight,
        })
    });
    let index = least(loads, ask.turn)?;
    let seen = Some(set.servers()[index].in_flight());
    Some(Pick { index, seen })
}

/// The choice when no member of the set is possible. An exchange that has tried all members gets a backup. The
/// backups are not members then, because the tried servers still count as up.
#[cold]
fn otherwise(set: &ServerSet, ask: &Ask<'_>) -> Result<Pick, NoSlot> {
    let servers = set.servers();
    let is_untried_member = |member: &Member| {
        let server = &servers[member.index];
        server.is_usable() && !ask.tried.has(server)
    };
    // A server before its first check may be up in a moment: the exchange waits, as for a full server.
    let may_come = |server: &Arc<Server>| {
        let is_unchecked = server.health() == Health::Checking
            && server.admission().is_held_by_only(HeldBy::Health);
        is_unchecked && server.weight() > 0 && !ask.tried.has(server)
    };
    if set.members.iter().any(is_untried_member) || servers.iter().any(may_come) {
        return Err(NoSlot::Full);
    }
    if ask.tried.is_empty() {
        return Err(NoSlot::NoServer);
    }
    let is_spare = |server: &Arc<Server>| {
        server.is_backup() && server.weight() > 0 && unfit(server, ask).is_none()
    };
    let index = servers.iter().position(is_spare).ok_or(NoSlot::NoServer)?;
    Ok(Pick { index, seen: None })
}

/// Why `server` cannot be chosen; `None`: it can.
#[inline]
fn unfit(server: &Arc<Server>, ask: &Ask<'_>) -> Option<Unfit> {
    if ask.tried.has(server) {
        Some(Unfit::Tried)
    } else if !server.is_usable() {
        Some(Unfit::Held)
    } else if !server.has_room() {
        Some(Unfit::Full)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::base::{Name, clock};
    use crate::exchange::ServerMetrics;
    use crate::plan::Balance;
    use crate::proxy::backend::Wanted;

    /// A trace that keeps its events.
    #[derive(Default)]
    struct Heard(Vec<(String, Unfit)>);

    impl Trace for Heard {
        const LISTENS: bool = true;

        fn passed_over(&mut self, server: &Server, why: Unfit) {
            self.0.push((server.name.to_string(), why));
        }
    }

    /// Servers of these weights that may have one exchange each.
    fn set(balance: Balance, weights: &[u16]) -> ServerSet {
        let servers = weights.iter().enumerate().map(|(index, weight)| {
            let wanted = Wanted {
                name: Name::new(&format!("s{index}")).expect("a name"),
                address: SocketAddr::from(([127, 0, 0, 1], index as u16 + 1)).into(),
                weight: *weight,
                max_connections: Some(1),
                backup: false,
                own: Default::default(),
            };
            let metrics = Arc::new(ServerMetrics::new(1));
            Arc::new(Server::new(&wanted, metrics, Health::Up, "test"))
        });
        ServerSet::new(1, servers.collect(), balance)
    }

    fn picked(set: &ServerSet, tried: &Tried, turn: u64) -> (Result<usize, NoSlot>, Heard) {
        let mut heard = Heard::default();
        let ask = Ask { tried, turn };
        let picked = pick(set, &ask, clock::now, &mut heard);
        assert_eq!(
            pick(set, &ask, clock::now, &mut ()),
            picked,
            "it changes nothing"
        );
        (picked.map(|pick| pick.index), heard)
    }

    const METHODS: [Balance; 2] = [Balance::RoundRobin, Balance::LeastConnections];

    #[test]
    fn a_trace_contains_why_a_server_is_passed_over() {
        for balance in METHODS {
            let set = set(balance, &[1, 1, 1, 1]);
            let servers = set.servers();
            let mut tried = Tried::default();
            tried.add(&servers[0]);
            servers[1].admission().hold(HeldBy::Operator);
            assert!(servers[2].try_acquire());
            let (index, heard) = picked(&set, &tried, 0);
            assert_eq!(index, Ok(3));
            let why = [Unfit::Tried, Unfit::Held, Unfit::Full];
            let names = ["s0", "s1", "s2"].map(str::to_owned);
            assert_eq!(heard.0, names.into_iter().zip(why).collect::<Vec<_>>());
        }
    }

    #[test]
    fn if_all_are_full_or_held_the_error_says_which() {
        for balance in METHODS {
            let set = set(balance, &[1, 1]);
            let servers = set.servers();
            assert!(servers.iter().all(|server| server.try_acquire()));
            let tried = Tried::default();
            assert_eq!(picked(&set, &tried, 0).0, Err(NoSlot::Full));
            for server in servers.iter() {
                server.admission().hold(HeldBy::Breaker);
            }
            assert_eq!(picked(&set, &tried, 0).0, Err(NoSlot::NoServer));
        }
    }

    #[test]
    fn a_server_held_by_an_operator_is_not_waited_for_before_its_first_check() {
        let set = set(Balance::RoundRobin, &[1]);
        let server = &set.servers()[0];
        server.set_health(Health::Checking, "test");
        let tried = Tried::default();
        assert_eq!(picked(&set, &tried, 0).0, Err(NoSlot::Full));
        server.admission().hold(HeldBy::Operator);
        assert_eq!(picked(&set, &tried, 0).0, Err(NoSlot::NoServer));
        server.set_health(Health::Up, "test");
        assert_eq!(picked(&set, &tried, 0).0, Err(NoSlot::NoServer));
        server.admission().release(HeldBy::Operator);
        assert_eq!(picked(&set, &tried, 0).0, Ok(0));
    }

    #[test]
    fn a_server_without_weight_is_not_waited_for_before_its_first_check() {
        let set = set(Balance::RoundRobin, &[0]);
        set.servers()[0].set_health(Health::Checking, "test");
        let picked = picked(&set, &Tried::default(), 0).0;
        assert_eq!(picked, Err(NoSlot::NoServer));
    }

    #[test]
    fn a_backup_without_weight_gets_no_exchange_that_has_tried_all_others() {
        for (weight, expected) in [(1, Ok(1)), (0, Err(NoSlot::NoServer))] {
            let before = set(Balance::RoundRobin, &[1, weight]);
            let servers = before.servers();
            servers[1].write(&Wanted {
                backup: true,
                ..servers[1].wanted()
            });
            let set = ServerSet::new(2, Arc::clone(servers), Balance::RoundRobin);
            let mut tried = Tried::default();
            tried.add(&servers[0]);
            assert_eq!(picked(&set, &tried, 0).0, expected);
        }
    }

    proptest! {
        #[test]
        fn a_picked_server_is_usable_and_none_is_picked_only_if_none_is_usable(
            weights in prop::collection::vec(0..4_u16, 1..8),
            states in prop::collection::vec(0..4_u8, 8),
            turn: u64,
            is_in_turn: bool,
        ) {
            let balance = METHODS[usize::from(is_in_turn)];
            let set = set(balance, &weights);
            let mut tried = Tried::default();
            for (server, state) in set.servers().iter().zip(&states) {
                match state {
                    0 => tried.add(server),
                    1 => server.admission().hold(HeldBy::Outlier),
                    2 => prop_assert!(server.try_acquire()),
                    _ => {}
                }
            }
            let is_fit = |index: usize| states[index] == 3 && weights[index] > 0;
            match picked(&set, &tried, turn).0 {
                Ok(index) => prop_assert!(is_fit(index)),
                Err(_) => prop_assert!(!(0..weights.len()).any(is_fit)),
            }
        }
    }
}
