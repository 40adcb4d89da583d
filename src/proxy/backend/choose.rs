//! A slot at a server, at once or as soon as there is one.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Name, clock};
use crate::exchange::Reason;

use super::lease::Lease;
use super::local::LocalSet;
use super::pick::{Ask, NoSlot, Tried, pick};
use super::queue::{Full, Ticket, Woken};
use super::set::Selector;
use super::{Local, LocalServer};

/// How often a choice is made anew because another worker took the slot or changed the load in
/// between. The last try takes any slot.
const RACES: usize = 4;

impl Local {
    /// A slot for the first attempt of an exchange, without waiting: at the first of the servers
    /// `preferred` that is up, whatever its weight is, else at one that balancing chooses. Fails if other
    /// exchanges wait for it already.
    ///
    /// # Errors
    ///
    /// [`NoSlot`].
    pub fn lease_first(self: &Rc<Self>, preferred: &[Name]) -> Result<Lease, NoSlot> {
        let Some(server) = self.preferred(preferred) else {
            return self.lease_now(&Tried::default());
        };
        if self.shared.live.queue.len_at(&server.shared) > 0 {
            return Err(NoSlot::Full);
        }
        self.try_lease_at(&server)
    }

    /// The first of the servers `preferred` that the backend has and that is up. The others are
    /// passed over, as HAProxy does it: a rule that names a server that is down has no effect.
    fn preferred(&self, preferred: &[Name]) -> Option<Rc<LocalServer>> {
        if preferred.is_empty() {
            return None;
        }
        let set = self.set();
        let found = |name: &Name| {
            let server = set.named(name)?;
            server.shared.is_usable().then(|| Rc::clone(server))
        };
        preferred.iter().find_map(found)
    }

    /// How many exchanges wait for any server, and for the one that an exchange with the servers
    /// `preferred` would wait for.
    pub fn waiting(&self, preferred: &[Name]) -> (u32, u32) {
        let queue = &self.shared.live.queue;
        let at_server = self
            .preferred(preferred)
            .map_or(0, |server| queue.len_at(&server.shared));
        (queue.len_of_any() as u32, at_server as u32)
    }

    /// The exchanges that hold a slot at one of the servers.
    pub fn in_flight(&self) -> u32 {
        let set = self.set();
        let servers = set.servers.iter();
        servers.map(|server| server.shared.in_flight()).sum()
    }

    fn try_lease_at(self: &Rc<Self>, server: &Rc<LocalServer>) -> Result<Lease, NoSlot> {
        match server.shared.try_acquire() {
            true => Ok(Lease::of(self, server)),
            false => Err(NoSlot::Full),
        }
    }

    fn try_lease(self: &Rc<Self>, tried: &Tried) -> Result<Lease, NoSlot> {
        let set = self.set();
        let turn = self.turn(&set, tried);
        let ask = Ask { tried, turn };
        for race in 1..=RACES {
            let picked = pick(&set.shared, &ask, clock::now, &mut ())?;
            let server = &set.servers[picked.index];
            // The last try takes a slot even if the load has changed.
            let is_taken = match picked.seen.filter(|_| race < RACES) {
                Some(seen) => server.shared.try_acquire_at(seen),
                None => server.shared.try_acquire(),
            };
            if is_taken {
                return Ok(Lease::of(self, server));
            }
        }
        // Other workers were faster each time. There are servers, so the exchange waits.
        Err(NoSlot::Full)
    }

    /// The number of this exchange's turn.
    #[inline]
    fn turn(&self, set: &LocalSet, tried: &Tried) -> u64 {
        // Relaxed: only the count itself matters, no other memory depends on it.
        let cursor = &self.shared.live.cursor;
        match set.shared.selector {
            // A second try takes no turn of its own. Otherwise, with two servers of which one
            // hangs, the next exchange would begin at the hanging one each time.
            Selector::InTurn(_) if !tried.is_empty() => cursor.load(Ordering::Relaxed),
            // If load decides, turns only spread choices among equals.
            Selector::InTurn(_) | Selector::LeastLoaded => cursor.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// A slot at a server that was not tried, without waiting. Fails if other exchanges wait already, because a
    /// later exchange must not overtake them.
    ///
    /// # Errors
    ///
    /// [`NoSlot`].
    pub fn lease_now(self: &Rc<Self>, tried: &Tried) -> Result<Lease, NoSlot> {
        if self.shared.live.queue.len_of_any() > 0 {
            return Err(NoSlot::Full);
        }
        self.try_lease(tried)
    }

    /// A slot as for [`Local::lease_first`], as soon as it is this exchange's turn. The caller
    /// bounds the wait. Only for an exchange that has tried no server: one that cannot use every
    /// server of its line would delay those after it.
    ///
    /// If the server that it waits for goes down or is removed, the exchange waits for the next of
    /// `preferred`, or for any server, and keeps its turn.
    ///
    /// # Errors
    ///
    /// `backend.no_server` or `queue.full`.
    ///
    /// # Cancel safety
    ///
    /// The position in the queue is lost, and nothing else.
    pub async fn wait_for_slot(self: &Rc<Self>, preferred: &[Name]) -> Result<Lease, Reason> {
        let queue = &self.shared.live.queue;
        let server = self.preferred(preferred);
        let server = server.as_ref().map(|server| &server.shared);
        let mut ticket = match queue.join(server, self.shared.plan.queue.max, self.shared.number) {
            Ok(ticket) => ticket,
            Err(Full) => return Err(Reason::QueueFull),
        };
        // A slot may have become free between the check and the joining. Only the first in the line
        // may take it.
        let mut may_try = ticket.is_first();
        loop {
            if may_try {
                match self.try_lease_with(&mut ticket, preferred) {
                    Ok(lease) => return Ok(lease),
                    Err(NoSlot::NoServer) => return Err(Reason::BackendNoServer),
                    Err(NoSlot::Full) => {}
                }
            }
            may_try = true;
            if let Woken::Granted(server) = ticket.woken().await {
                let is_it = |ours: &&Rc<LocalServer>| Arc::ptr_eq(&ours.shared, &server);
                if let Some(ours) = self.set().servers.iter().find(is_it) {
                    return Ok(Lease::of(self, ours));
                }
                // It was just removed, or a reload has added it and this exchange runs under other
                // settings.
                ticket.refuse(&server);
            }
        }
    }

    /// A slot for the waiter with `ticket`, which changes to the line of the servers that it may use now.
    fn try_lease_with(
        self: &Rc<Self>,
        ticket: &mut Ticket<'_>,
        preferred: &[Name],
    ) -> Result<Lease, NoSlot> {
        let server = self.preferred(preferred);
        ticket.move_to(server.as_ref().map(|server| &server.shared));
        match server {
            Some(server) => self.try_lease_at(&server),
            None => self.try_lease(&Tried::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::net::SocketAddr;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;
    use crate::base::{Name, Position};
    use crate::exchange::{Outcome, Reason, ServerMetrics, Verdict};
    use crate::observe::AttemptCounter;
    use crate::plan::{self, Balance};
    use crate::proxy::backend::balance::least_connections::HANDICAP_WINDOW;
    use crate::proxy::backend::{Backend, Health, Held, Server, Wanted};

    struct Setup {
        servers: Vec<Wanted>,
        balance: Balance,
        health: Health,
    }

    /// Servers of these weights and limits, all up.
    fn servers(of: &[(u16, Option<u32>)]) -> Setup {
        let servers = of.iter().enumerate().map(|(index, (weight, max))| {
            let address = SocketAddr::from(([127, 0, 0, 1], index as u16 + 1));
            Wanted {
                name: Name::new(&address.to_string()).expect("a name"),
                address: address.into(),
                weight: *weight,
                max_connections: *max,
                backup: false,
                own: Default::default(),
            }
        });
        Setup {
            servers: servers.collect(),
            balance: Balance::RoundRobin,
            health: Health::Up,
        }
    }

    impl Setup {
        fn local(self) -> Rc<Local> {
            let live = self.servers.iter().map(|server| {
                let metrics = Arc::new(ServerMetrics::new(1));
                Arc::new(Server::new(server, metrics, self.health, "test"))
            });
            let live = live.collect();
            let plan = plan::Backend {
                send_proxy: None,
                at: Position::built_in(),
                name: Name::new("app").expect("a name"),
                balance: self.balance,
                servers: Vec::new(),
                timeout: plan::BackendTimeouts::default(),
                health: None,
                rules: Vec::new(),
                retry: plan::Retry::default(),
                queue: plan::Queue { max: 2 },
                pool: plan::Pool::default(),
                limits: plan::BackendLimits::default(),
                protocol: plan::Protocol::default(),
                tls: None,
                http2: plan::BackendHttp2::default(),
                header_case: plan::HeaderCase::Lower,
                compression: plan::Compression::default(),
                error_pages: Vec::new(),
            };
            let backend = Arc::new(Backend::new(&plan, live, None));
            Rc::new(Local::new(
                backend,
                AttemptCounter::of_worker(0),
                false,
                None,
            ))
        }
    }

    fn index_of(lease: &Lease) -> usize {
        let set = lease.backend().set();
        let mut servers = set.servers.iter();
        let is_it = |server: &Rc<LocalServer>| Rc::ptr_eq(server, lease.server());
        servers.position(is_it).expect("it is one of them")
    }

    fn chosen_index(local: &Rc<Local>) -> Result<usize, NoSlot> {
        local
            .lease_now(&Tried::default())
            .map(|lease| index_of(&lease))
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn weights_interleave() {
        let local = servers(&[(4, None), (2, None), (1, None)]).local();
        let row: Vec<usize> = (0..7).filter_map(|_| chosen_index(&local).ok()).collect();
        assert_eq!(row, [0, 1, 0, 2, 0, 1, 0]);
    }

    #[test]
    fn a_server_without_weight_gets_nothing() {
        let local = servers(&[(1, None), (0, None)]).local();
        assert!((0..4).all(|_| chosen_index(&local) == Ok(0)));
        let local = servers(&[(0, None)]).local();
        assert_eq!(chosen_index(&local), Err(NoSlot::NoServer));
    }

    #[test]
    fn the_turn_of_a_full_or_tried_or_failed_server_goes_to_the_next() {
        let local = servers(&[(1, Some(1)), (1, None)]).local();
        let held = local.lease_now(&Tried::default()).expect("a slot");
        assert_eq!(index_of(&held), 0);
        assert!((0..4).all(|_| chosen_index(&local) == Ok(1)));
        drop(held);
        local.shared.set().servers()[1].set_health(Health::Down, "test");
        assert!((0..4).all(|_| chosen_index(&local) == Ok(0)));
        let mut tried = Tried::default();
        tried.add(&local.shared.set().servers()[0]);
        assert_eq!(
            local.lease_now(&tried).map(|lease| index_of(&lease)),
            Err(NoSlot::NoServer)
        );
    }

    #[test]
    fn a_second_try_takes_no_turn_of_its_own() {
        let local = servers(&[(1, None), (1, None)]).local();
        let mut firsts = Vec::new();
        for _ in 0..4 {
            let mut tried = Tried::default();
            let first = index_of(&local.lease_now(&tried).expect("a slot"));
            firsts.push(first);
            if first == 0 {
                tried.add(&local.shared.set().servers()[0]);
                assert_eq!(index_of(&local.lease_now(&tried).expect("a slot")), 1);
            }
        }
        assert_eq!(firsts, [0, 1, 0, 1]);
    }

    #[test]
    fn a_slot_of_a_client_connection_is_counted_until_it_is_released() {
        let local = servers(&[(1, None)]).local();
        let held = Held::default();
        let lease = || {
            let mut lease = local.lease_now(&Tried::default()).expect("a slot");
            lease.hold(&held);
            lease
        };
        let (first, second) = (lease(), lease());
        assert_eq!(first.held(), 2);
        first.settle(&Outcome::without_answer(Verdict::Cancelled));
        assert_eq!(second.held(), 1);
        drop(second);
        assert_eq!(lease().held(), 1);
    }

    #[test]
    fn only_failures_of_the_server_count_against_it() {
        for (verdict, failures) in [
            (Verdict::Failed(Reason::ServerResponseEmpty), 1),
            (Verdict::Failed(Reason::ProxyDescriptors), 0),
            (Verdict::ClientLeft, 0),
            (Verdict::Cancelled, 0),
        ] {
            let local = servers(&[(1, None)]).local();
            let lease = local.lease_now(&Tried::default()).expect("a slot");
            lease.settle(&Outcome::without_answer(verdict));
            let set = local.shared.set();
            let counted = set.servers()[0].failures_in_a_row();
            assert_eq!(counted, failures, "{verdict:?}");
        }
    }

    #[test]
    fn an_exchange_that_has_tried_all_others_gets_a_backup_at_once() {
        let mut setup = servers(&[(1, None), (1, None)]);
        setup.servers[1].backup = true;
        let local = setup.local();
        let mut tried = Tried::default();
        tried.add(&local.shared.set().servers()[0]);
        let lease = local.lease_now(&tried).expect("the backup");
        assert_eq!(index_of(&lease), 1);
        tried.add(&local.shared.set().servers()[1]);
        let outcome = local.lease_now(&tried).map(|lease| index_of(&lease));
        assert_eq!(outcome, Err(NoSlot::NoServer));
    }

    #[test]
    fn a_released_slot_goes_to_a_waiter() {
        let local = servers(&[(1, Some(1))]).local();
        let held = local.lease_now(&Tried::default()).expect("a slot");
        let mut waiting = pin!(local.wait_for_slot(&[]));
        assert!(poll(waiting.as_mut()).is_pending());
        assert_eq!(chosen_index(&local), Err(NoSlot::Full));
        drop(held);
        assert_eq!(
            chosen_index(&local),
            Err(NoSlot::Full),
            "first come, first served"
        );
        let Poll::Ready(Ok(lease)) = poll(waiting.as_mut()) else {
            unreachable!("the slot was handed over");
        };
        assert_eq!(lease.server().shared.in_flight(), 1);
        drop(lease);
        assert_eq!(local.shared.set().servers()[0].in_flight(), 0);
    }

    #[test]
    fn a_slot_that_became_free_before_the_wait_goes_only_to_the_first_waiter() {
        let local = servers(&[(1, Some(1))]).local();
        let first = local.shared.live.queue.join(None, 2, 0).ok().expect("room");
        let mut second = pin!(local.wait_for_slot(&[]));
        assert!(poll(second.as_mut()).is_pending(), "behind the first");
        drop(first);
        assert!(matches!(poll(second.as_mut()), Poll::Ready(Ok(_))));
        // No slot is given back any more: without a check of its own it would wait for ever.
        let third = poll(pin!(local.wait_for_slot(&[])));
        assert!(matches!(third, Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_slot_of_a_removed_server_costs_no_waiter_its_turn() {
        let local = servers(&[(1, Some(1)), (1, Some(1))]).local();
        let gone = local.lease_now(&Tried::default()).expect("a slot");
        let stays = local.lease_now(&Tried::default()).expect("a slot");
        let mut first = pin!(local.wait_for_slot(&[]));
        let mut second = pin!(local.wait_for_slot(&[]));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        local
            .shared
            .change(vec![Arc::clone(&stays.server().shared)]);
        drop(gone);
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        drop(stays);
        assert!(poll(second.as_mut()).is_pending());
        assert!(matches!(poll(first.as_mut()), Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_slot_at_a_server_that_has_gone_down_is_not_handed_to_a_waiter() {
        let local = servers(&[(1, Some(1)), (1, Some(1))]).local();
        let down = local.lease_now(&Tried::default()).expect("a slot");
        let up = local.lease_now(&Tried::default()).expect("a slot");
        let mut waiting = pin!(local.wait_for_slot(&[]));
        assert!(poll(waiting.as_mut()).is_pending());
        down.server().shared.set_health(Health::Down, "test");
        local.shared.refresh();
        assert!(poll(waiting.as_mut()).is_pending());
        drop(down);
        assert!(poll(waiting.as_mut()).is_pending());
        let index = index_of(&up);
        drop(up);
        let granted = poll(waiting.as_mut()).map(|lease| lease.ok().map(|lease| index_of(&lease)));
        assert_eq!(granted, Poll::Ready(Some(index)));
    }

    #[test]
    fn an_added_server_is_used_a_removed_one_is_not_and_the_others_are_the_same() {
        let local = servers(&[(1, None), (1, None)]).local();
        let before = local.set();
        let kept = Arc::clone(&before.shared.servers()[1]);
        let metrics = Arc::new(ServerMetrics::new(1));
        let wanted = Wanted {
            weight: 2,
            ..before.shared.servers()[0].wanted()
        };
        let new = Arc::new(Server::new(&wanted, metrics, Health::Up, "test"));
        local.shared.change(vec![kept, new]);
        let after = local.set();
        assert!(Rc::ptr_eq(&before.servers[1], &after.servers[0]));
        assert!(!local.has(&before.servers[0]) && local.has(&before.servers[1]));
        let row: Vec<usize> = (0..3).filter_map(|_| chosen_index(&local).ok()).collect();
        assert_eq!(row, [1, 0, 1]);
        // A change of states alone keeps the list.
        local.shared.refresh();
        assert!(Rc::ptr_eq(&after.servers, &local.set().servers));
    }

    #[test]
    fn the_queue_ends_at_its_maximum() {
        let local = servers(&[(1, Some(1))]).local();
        let _held = local.lease_now(&Tried::default()).expect("a slot");
        let mut first = pin!(local.wait_for_slot(&[]));
        let mut second = pin!(local.wait_for_slot(&[]));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        let third = poll(pin!(local.wait_for_slot(&[])));
        assert!(matches!(third, Poll::Ready(Err(Reason::QueueFull))));
    }

    #[test]
    fn the_first_check_is_waited_for_and_decides() {
        let mut setup = servers(&[(1, None)]);
        setup.health = Health::Checking;
        let local = setup.local();
        assert_eq!(chosen_index(&local), Err(NoSlot::Full));
        let mut passed = pin!(local.wait_for_slot(&[]));
        assert!(poll(passed.as_mut()).is_pending());
        local.shared.set().servers()[0].set_health(Health::Up, "passed");
        local.shared.refresh();
        assert!(matches!(poll(passed.as_mut()), Poll::Ready(Ok(_))));
        local.shared.set().servers()[0].set_health(Health::Checking, "test");
        local.shared.refresh();
        let mut failed = pin!(local.wait_for_slot(&[]));
        assert!(poll(failed.as_mut()).is_pending());
        local.shared.set().servers()[0].set_health(Health::Down, "failed");
        local.shared.refresh();
        let outcome = poll(failed.as_mut());
        assert!(matches!(outcome, Poll::Ready(Err(Reason::BackendNoServer))));
    }

    #[test]
    fn least_connections_divides_exchanges_in_flight_by_the_weight() {
        let mut setup = servers(&[(1, None), (2, None)]);
        setup.balance = Balance::LeastConnections;
        let local = setup.local();
        let mut held = Vec::new();
        for _ in 0..9 {
            held.extend(local.lease_now(&Tried::default()).ok());
        }
        let set = local.shared.set();
        let in_flight: Vec<u32> = set.servers().iter().map(|s| s.in_flight()).collect();
        assert_eq!(in_flight, [3, 6]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_has_come_up_reaches_its_share_slowly() {
        let mut setup = servers(&[(1, None), (1, None)]);
        setup.balance = Balance::LeastConnections;
        let local = setup.local();
        let backend = &local.shared;
        let lease = |count| -> Vec<_> {
            let each = (0..count).map(|_| local.lease_now(&Tried::default()));
            each.filter_map(Result::ok).collect()
        };
        let in_flight = || -> Vec<u32> {
            let set = backend.set();
            let servers = set.servers().iter();
            servers.map(|server| server.in_flight()).collect()
        };
        backend.set().servers()[1].set_health(Health::Down, "test");
        backend.refresh();
        let held = lease(10);
        assert_eq!(in_flight(), [10, 0]);
        backend.set().servers()[1].set_health(Health::Up, "test");
        backend.came_up(&backend.set().servers()[1]);
        backend.refresh();
        // It counts as loaded like the other one, so it does not get all exchanges.
        let first = lease(4);
        assert_eq!(in_flight(), [12, 2]);
        clock::sleep(HANDICAP_WINDOW / 2).await;
        let second = lease(5);
        assert_eq!(in_flight(), [12, 7], "half of it is left");
        clock::sleep(HANDICAP_WINDOW / 2).await;
        let third = lease(5);
        assert_eq!(in_flight(), [12, 12]);
        drop((held, first, second, third));
    }

    #[test]
    fn backups_take_over_only_when_no_other_server_is_left() {
        let mut setup = servers(&[(1, None), (1, None), (1, None)]);
        setup.servers[1].backup = true;
        setup.servers[2].backup = true;
        let local = setup.local();
        assert!((0..4).all(|_| chosen_index(&local) == Ok(0)));
        local.shared.set().servers()[0].set_health(Health::Down, "test");
        local.shared.refresh();
        let row: Vec<usize> = (0..2).filter_map(|_| chosen_index(&local).ok()).collect();
        assert!(row.contains(&1) && row.contains(&2), "{row:?}");
    }

    fn name_of(local: &Rc<Local>, index: usize) -> Name {
        local.shared.set().servers()[index].name.clone()
    }

    /// The server that a new exchange gets for which rules name the server at `index`.
    fn preferred_index(local: &Rc<Local>, index: usize) -> Result<usize, NoSlot> {
        let name = name_of(local, index);
        let lease = local.lease_first(&[name])?;
        Ok(index_of(&lease))
    }

    fn granted_index(waited: Poll<Result<Lease, Reason>>) -> Option<usize> {
        match waited {
            Poll::Ready(outcome) => Some(index_of(&outcome.expect("a slot"))),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_preferred_server_gets_the_exchange_whatever_its_weight_is_while_it_is_up() {
        let mut setup = servers(&[(1, None), (0, None), (1, None)]);
        setup.servers[2].backup = true;
        let local = setup.local();
        for index in [1, 2] {
            let down = Arc::clone(&local.shared.set().servers()[index]);
            assert!((0..3).all(|_| preferred_index(&local, index) == Ok(index)));
            down.set_health(Health::Down, "test");
            local.shared.refresh();
            assert!((0..3).all(|_| preferred_index(&local, index) == Ok(0)));
            down.set_health(Health::Up, "test");
            local.shared.refresh();
            assert_eq!(preferred_index(&local, index), Ok(index));
        }
    }

    #[test]
    fn of_several_preferred_servers_the_first_that_is_up_gets_the_exchange() {
        let local = servers(&[(1, None), (1, None), (1, None)]).local();
        let unknown = Name::new("unknown").expect("a name");
        let names = [unknown, name_of(&local, 2), name_of(&local, 1)];
        let index = || local.lease_first(&names).map(|lease| index_of(&lease));
        assert_eq!(index(), Ok(2));
        local.shared.set().servers()[2].set_health(Health::Down, "test");
        local.shared.refresh();
        assert_eq!(index(), Ok(1));
    }

    #[test]
    fn an_exchange_waits_at_its_preferred_server_and_delays_no_other() {
        let local = servers(&[(1, Some(1)), (1, None)]).local();
        let names = [name_of(&local, 0)];
        let held = local.lease_first(&names).expect("a slot");
        assert_eq!(preferred_index(&local, 0), Err(NoSlot::Full));
        let mut waiting = pin!(local.wait_for_slot(&names));
        assert!(poll(waiting.as_mut()).is_pending());
        let server = Arc::clone(&held.server().shared);
        assert_eq!(local.shared.queued_at(&server), 1);
        assert!((0..3).all(|_| chosen_index(&local) == Ok(1)));
        drop(held);
        assert_eq!(granted_index(poll(waiting.as_mut())), Some(0));
        assert_eq!((local.shared.queued(), server.in_flight()), (0, 0));
    }

    #[test]
    fn no_exchange_overtakes_those_that_wait_at_its_preferred_server() {
        let local = servers(&[(1, Some(1)), (1, None)]).local();
        let server = Arc::clone(&local.shared.set().servers()[0]);
        let queue = &local.shared.live.queue;
        let waiting = queue.join(Some(&server), 2, 0).ok().expect("room");
        assert_eq!(preferred_index(&local, 0), Err(NoSlot::Full));
        assert_eq!(preferred_index(&local, 1), Ok(1));
        drop(waiting);
        assert_eq!(preferred_index(&local, 0), Ok(0));
    }

    #[test]
    fn a_slot_at_a_server_that_is_removed_before_its_waiter_runs_is_given_back() {
        let local = servers(&[(1, Some(1)), (1, None)]).local();
        let names = [name_of(&local, 0)];
        let held = local.lease_first(&names).expect("a slot");
        let removed = Arc::clone(&held.server().shared);
        let mut waiting = pin!(local.wait_for_slot(&names));
        assert!(poll(waiting.as_mut()).is_pending());
        drop(held);
        assert_eq!(removed.in_flight(), 1, "it was handed over");
        let other = Arc::clone(&local.shared.set().servers()[1]);
        local.shared.change(vec![other]);
        assert_eq!(granted_index(poll(waiting.as_mut())), Some(0));
        assert_eq!(removed.in_flight(), 0);
    }

    #[test]
    fn a_free_slot_goes_to_the_exchange_that_waits_longest_in_either_line() {
        for preferred_is_first in [true, false] {
            let local = servers(&[(1, Some(1))]).local();
            let names = [name_of(&local, 0)];
            let held = local.lease_first(&[]).expect("a slot");
            let (mut any, mut preferring) = (
                Box::pin(local.wait_for_slot(&[])),
                Box::pin(local.wait_for_slot(&names)),
            );
            let order = match preferred_is_first {
                true => [
                    &mut preferring as &mut (dyn Future<Output = _> + Unpin),
                    &mut any,
                ],
                false => [
                    &mut any as &mut (dyn Future<Output = _> + Unpin),
                    &mut preferring,
                ],
            };
            let [first, second] = order;
            assert!(poll(pin!(&mut *first)).is_pending());
            assert!(poll(pin!(&mut *second)).is_pending());
            drop(held);
            assert!(poll(pin!(&mut *second)).is_pending());
            let lease = poll(pin!(&mut *first));
            assert!(matches!(lease, Poll::Ready(Ok(_))));
            assert!(poll(pin!(&mut *second)).is_pending());
            drop(lease);
            assert!(matches!(poll(pin!(&mut *second)), Poll::Ready(Ok(_))));
        }
    }

    #[test]
    fn if_its_preferred_server_goes_down_or_is_removed_a_waiter_keeps_its_turn_at_the_others() {
        for is_removed in [true, false] {
            let local = servers(&[(1, Some(1)), (1, Some(1))]).local();
            let names = [name_of(&local, 0)];
            let (gone, other) = (
                local.lease_first(&names).expect("a slot"),
                local.lease_first(&[]).expect("a slot"),
            );
            let mut preferring = pin!(local.wait_for_slot(&names));
            assert!(poll(preferring.as_mut()).is_pending());
            let mut later = pin!(local.wait_for_slot(&[]));
            assert!(poll(later.as_mut()).is_pending());
            match is_removed {
                true => local
                    .shared
                    .change(vec![Arc::clone(&other.server().shared)]),
                false => {
                    gone.server().shared.set_health(Health::Down, "test");
                    local.shared.refresh();
                }
            }
            assert!(poll(preferring.as_mut()).is_pending());
            assert!(poll(later.as_mut()).is_pending());
            assert_eq!(local.shared.queued_at(&gone.server().shared), 0);
            drop(gone);
            assert!(poll(preferring.as_mut()).is_pending());
            drop(other);
            assert!(poll(later.as_mut()).is_pending(), "it came later");
            let index = granted_index(poll(preferring.as_mut()));
            assert_eq!(index, Some(usize::from(!is_removed)));
            assert!(granted_index(poll(later.as_mut())).is_some());
        }
    }

    #[test]
    fn a_waiter_returns_to_its_preferred_server_when_that_comes_up() {
        let local = servers(&[(1, None), (1, Some(1))]).local();
        let names = [name_of(&local, 0)];
        local.shared.set().servers()[0].set_health(Health::Down, "test");
        local.shared.refresh();
        let _held = local.lease_first(&names).expect("the other one");
        let mut waiting = pin!(local.wait_for_slot(&names));
        assert!(poll(waiting.as_mut()).is_pending());
        local.shared.set().servers()[0].set_health(Health::Up, "test");
        local.shared.refresh();
        assert_eq!(granted_index(poll(waiting.as_mut())), Some(0));
    }

    #[test]
    fn a_free_slot_at_a_server_without_weight_goes_to_no_exchange_that_balancing_sends() {
        let mut setup = servers(&[(1, Some(1)), (0, Some(1)), (1, Some(1))]);
        setup.servers[2].backup = true;
        let local = setup.local();
        let _full = local.lease_first(&[]).expect("a slot");
        let mut any = pin!(local.wait_for_slot(&[]));
        assert!(poll(any.as_mut()).is_pending());
        for index in [1, 2] {
            let names = [name_of(&local, index)];
            let held = local.lease_first(&names).expect("a slot");
            let mut preferring = pin!(local.wait_for_slot(&names));
            assert!(poll(preferring.as_mut()).is_pending());
            drop(held);
            assert!(poll(any.as_mut()).is_pending(), "it waited longer");
            assert_eq!(granted_index(poll(preferring.as_mut())), Some(index));
            assert!(poll(any.as_mut()).is_pending());
        }
    }

    #[test]
    fn each_server_has_a_queue_with_the_maximum_of_the_backend() {
        let local = servers(&[(1, Some(1)), (1, Some(1))]).local();
        let names = [[name_of(&local, 0)], [name_of(&local, 1)]];
        let _held = names.each_ref().map(|name| local.lease_first(name).ok());
        let mut waiting: Vec<_> = [&names[0][..], &names[0], &names[1], &names[1], &[], &[]]
            .map(|names| Box::pin(local.wait_for_slot(names)))
            .into();
        for waiter in &mut waiting {
            assert!(poll(waiter.as_mut()).is_pending());
        }
        for names in [&names[0][..], &names[1], &[]] {
            let one_more = poll(pin!(local.wait_for_slot(names)));
            assert!(matches!(one_more, Poll::Ready(Err(Reason::QueueFull))));
        }
        // A server that goes down costs no waiter its position.
        local.shared.set().servers()[0].set_health(Health::Down, "test");
        local.shared.refresh();
        for waiter in &mut waiting {
            assert!(poll(waiter.as_mut()).is_pending());
        }
        assert_eq!(local.shared.queued(), 6);
        drop(waiting);
        assert_eq!(local.shared.queued(), 0);
    }

    /// `local` after a reload that changes a setting of the backend and adds a server.
    fn with_one_more(local: &Rc<Local>) -> Rc<Local> {
        let mut all = local.shared.set().servers().to_vec();
        let added = servers(&[(1, Some(1)), (1, Some(1))]).local();
        all.push(Arc::clone(&added.shared.set().servers()[1]));
        let mut plan = local.shared.plan.clone();
        plan.queue.max += 1;
        let backend = Backend::new(&plan, all, Some(&local.shared));
        let attempts = AttemptCounter::of_worker(0);
        Rc::new(Local::new(Arc::new(backend), attempts, false, Some(local)))
    }

    #[test]
    fn a_slot_at_a_server_that_older_waiters_cannot_use_is_not_passed_around_among_them() {
        struct Wakes(AtomicUsize);
        impl Wake for Wakes {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let local = servers(&[(1, Some(1))]).local();
        let held = local.lease_first(&[]).expect("a slot");
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let mut older = [&[][..], &[]].map(|names| Box::pin(local.wait_for_slot(names)));
        let mut poll_older = || older.each_mut().map(|one| one.as_mut().poll(&mut cx));
        assert!(poll_older().iter().all(Poll::is_pending));

        let reloaded = with_one_more(&local);
        let Poll::Ready(Ok(at_added)) = poll(pin!(reloaded.wait_for_slot(&[]))) else {
            unreachable!("the added server is free, and the older ones cannot use it");
        };
        assert_eq!(index_of(&at_added), 1);
        drop(at_added);
        for round in 0.. {
            let before = wakes.0.load(Ordering::Relaxed);
            assert!(poll_older().iter().all(Poll::is_pending));
            if wakes.0.load(Ordering::Relaxed) == before {
                break;
            }
            assert!(round < 10, "they pass it around");
        }
        let newer = poll(pin!(reloaded.wait_for_slot(&[])));
        assert_eq!(granted_index(newer), Some(1), "the slot is free");
        drop(held);
        let [first, second] = poll_older();
        assert_eq!(granted_index(first), Some(0), "it has kept its turn");
        assert!(second.is_pending());
    }
}
