//! The checker as a whole: scripted servers, virtual time, seeded chance.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use proptest::prelude::*;

use crate::base::clock::Duration;
use crate::base::rng::Rng;
use crate::base::{Address, Position};
use crate::exchange::ServerMetrics;
use crate::observe::AttemptCounter;
use crate::plan::{self, Balance, HttpCheck, Initial, Probe, Retry, StatusSet};

use crate::proxy::backend::{Lease, Local, Tried, Wanted};

use super::schedule::MAX_RUNNING;
use super::scripted::{Script, Scripted, Step, Visit, answers, simulate};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const UNAVAILABLE: &str = "HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n";

/// A running checker, and its servers.
struct World {
    scripted: Scripted,
    checker: Checker,
    log: Rc<Log>,
    began: Instant,
}

#[derive(Default)]
struct Log {
    changes: RefCell<Vec<String>>,
    passed: Cell<usize>,
    failed: Cell<usize>,
    unclear: Cell<usize>,
}

impl Observer for Rc<Log> {
    fn checked(&self, check: &Checked<'_>) {
        let count = match check.verdict {
            Verdict::Passed => &self.passed,
            Verdict::Failed => &self.failed,
            Verdict::Unclear => &self.unclear,
        };
        count.set(count.get() + 1);
    }

    fn changed(&self, change: &Change<'_>) {
        let Change {
            backend,
            server,
            from,
            to,
            reason,
            checks,
            up,
            unchecked,
            total,
        } = change;
        let unchecked = match unchecked {
            0 => String::new(),
            count => format!(", {count} unchecked"),
        };
        self.changes.borrow_mut().push(format!(
            "{backend}/{server} {from:?} -> {to:?}: {reason}, after {checks}; \
             {up} of {total}{unchecked}"
        ));
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let scripted = Scripted::default();
        let log = Rc::new(Log::default());
        let observer = Box::new(Rc::clone(&log));
        let checker = Checker::new(scripted.network(), Rng::seeded(seed), observer);
        let running = checker.clone();
        tasks::spawn_local(async move { running.run().await });
        Self {
            scripted,
            checker,
            log,
            began: clock::now(),
        }
    }

    /// Lets virtual time pass until `seconds` after the beginning.
    async fn until(&self, seconds: f64) {
        clock::sleep_until(self.began + Duration::from_secs_f64(seconds)).await;
    }

    fn changes(&self) -> Vec<String> {
        self.log.changes.borrow_mut().drain(..).collect()
    }

    fn visits_of(&self, server: &Server) -> Vec<Visit> {
        self.scripted
            .visits_at(server.address.ip().expect("an IP address"))
    }
}

/// Lets virtual time pass until the first checks are over.
async fn first_round_over(checker: &Checker) {
    while checker.first_round() != FirstRound::Over {
        clock::sleep(Duration::from_millis(1)).await;
    }
}

fn health() -> plan::Health {
    plan::Health {
        probe: Probe::Http(HttpCheck {
            path: "/".to_owned(),
            host: None,
            headers: Vec::new(),
            status: StatusSet::default(),
            body: None,
        }),
        interval: 10 * SECOND,
        fast_interval: SECOND,
        timeout: 2 * SECOND,
        rise: 2,
        fall: 3,
        port: None,
        tls: plan::Own::Inherited,
        initial: Initial::Checked,
        at: Position::built_in(),
    }
}

fn address(number: u32) -> SocketAddr {
    let [_, _, high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 80))
}

fn wanted(address: Address) -> Wanted {
    Wanted {
        name: name(&address.to_string()),
        address,
        weight: 1,
        max_connections: None,
        backup: false,
        own: Default::default(),
    }
}

fn server(number: u32, health: Health) -> Arc<Server> {
    let metrics = Arc::new(ServerMetrics::new(1));
    let wanted = wanted(address(number).into());
    Arc::new(Server::new(&wanted, metrics, health, "new"))
}

fn servers(numbers: std::ops::Range<u32>) -> Vec<Arc<Server>> {
    numbers
        .map(|number| server(number, Health::Checking))
        .collect()
}

/// A backend `app` as in a snapshot.
fn backend(health: Option<plan::Health>, servers: &[Arc<Server>]) -> Arc<Backend> {
    let plan = plan::Backend {
        send_proxy: None,
        at: Position::built_in(),
        name: name("app"),
        balance: Balance::default(),
        servers: Vec::new(),
        timeout: plan::BackendTimeouts::default(),
        health,
        rules: Vec::new(),
        retry: Retry::default(),
        queue: plan::Queue::default(),
        pool: plan::Pool::default(),
        limits: plan::BackendLimits::default(),
        protocol: plan::Protocol::default(),
        tls: None,
        http2: plan::BackendHttp2::default(),
        header_case: plan::HeaderCase::default(),
        compression: plan::Compression::default(),
        error_pages: Vec::new(),
    };
    Arc::new(Backend::new(&plan, servers.to_vec(), None))
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn slow(answer: &str, wait: Duration) -> Script {
    Script::Accepts(vec![
        Step::ReadHead,
        Step::Wait(wait),
        Step::Write(answer.into()),
    ])
}

#[test]
fn new_servers_are_checked_at_once_and_the_first_check_decides() {
    simulate(async {
        let world = World::new(1);
        let servers = servers(1..4);
        world.scripted.set(address(1), answers(OK));
        world.scripted.set(address(2), answers(UNAVAILABLE));
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(0.1).await;
        assert!(
            world
                .scripted
                .visits()
                .iter()
                .all(|visit| visit.at == world.began)
        );
        assert_eq!(servers[0].health(), Health::Up);
        assert_eq!(servers[0].note().reason, "status 200");
        assert_eq!(servers[1].health(), Health::Down);
        assert_eq!(servers[2].health(), Health::Down);
        assert_eq!(servers[2].note().reason, "connection refused");
        let mut changes = world.changes();
        changes.sort();
        assert_eq!(
            changes,
            [
                "app/10.0.0.1:80 Checking -> Up: status 200, after 1; 1 of 3, 1 unchecked",
                "app/10.0.0.2:80 Checking -> Down: status 503, after 1; 1 of 3",
                "app/10.0.0.3:80 Checking -> Down: connection refused, after 1; 0 of 3, 2 unchecked",
            ]
        );
    });
}

#[test]
fn a_server_falls_and_rises_as_often_as_the_plan_says() {
    simulate(async {
        let world = World::new(2);
        let servers = servers(1..3);
        world.scripted.set(address(1), answers(OK));
        world.scripted.set(address(2), answers(OK));
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(1.0).await;
        world.changes();

        world.scripted.set(
            address(1),
            Script::Fails(std::io::ErrorKind::ConnectionRefused),
        );
        world.until(25.0).await;
        let failed = world.visits_of(&servers[0]);
        assert_eq!(
            world.changes(),
            ["app/10.0.0.1:80 Up -> Down: connection refused, after 3; 1 of 2"]
        );
        assert_eq!(servers[0].health(), Health::Down);
        assert_eq!(servers[1].health(), Health::Up);
        // The second and third failed check followed fast.
        assert_eq!(failed[2].at - failed[1].at, SECOND);
        assert_eq!(failed[3].at - failed[2].at, SECOND);
        assert!(failed[4].at - failed[3].at > SECOND);

        world.scripted.set(address(1), answers(OK));
        world.until(40.0).await;
        assert_eq!(
            world.changes(),
            ["app/10.0.0.1:80 Down -> Up: status 200, after 2; 2 of 2"]
        );
        assert_eq!(servers[0].health(), Health::Up);
    });
}

#[test]
fn a_server_that_comes_up_by_a_check_is_eased_into_its_share() {
    simulate(async {
        let world = World::new(2);
        let servers = servers(1..3);
        world.scripted.set(address(1), answers(OK));
        let plan = plan::Backend {
            balance: Balance::LeastConnections,
            ..backend(Some(health()), &servers).plan.clone()
        };
        let backend = Arc::new(Backend::new(&plan, servers.clone(), None));
        world.checker.reconcile(&[Arc::clone(&backend)]);
        world.until(0.1).await;
        let local = Rc::new(Local::new(
            backend,
            AttemptCounter::of_worker(0),
            false,
            None,
        ));
        let lease = |count| -> Vec<Lease> {
            let each = (0..count).map(|_| local.lease_now(&Tried::default()));
            each.filter_map(Result::ok).collect()
        };
        let in_flight = || [servers[0].in_flight(), servers[1].in_flight()];
        let held = lease(10);
        assert_eq!(in_flight(), [10, 0]);
        world.scripted.set(address(2), answers(OK));
        while servers[1].health() != Health::Up {
            clock::sleep(SECOND / 100).await;
        }
        // It counts as loaded like the other one, so it does not get all exchanges.
        let more = lease(4);
        assert_eq!(in_flight(), [12, 2]);
        drop((held, more));
    });
}

#[test]
fn a_server_that_starts_up_falls_with_its_first_check_or_stays() {
    simulate(async {
        let world = World::new(3);
        let servers = [server(1, Health::Up), server(2, Health::Up)];
        world.scripted.set(address(1), answers(OK));
        let health = plan::Health {
            initial: Initial::Up,
            ..health()
        };
        world.checker.reconcile(&[backend(Some(health), &servers)]);
        assert_eq!(servers[1].health(), Health::Up);
        world.until(0.1).await;
        assert_eq!(
            world.changes(),
            ["app/10.0.0.2:80 Up -> Down: connection refused, after 1; 1 of 2"]
        );
    });
}

#[test]
fn checks_spread_over_the_interval_after_the_first_round() {
    simulate(async {
        let world = World::new(4);
        let servers = servers(0..1000);
        for number in 0..1000 {
            world.scripted.set(address(number), answers(OK));
        }
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(60.5).await;
        let mut seconds = [0_usize; 60];
        for visit in world.scripted.visits() {
            let second = (visit.at - world.began).as_secs() as usize;
            seconds[second.min(59)] += 1;
        }
        assert!(seconds[0] >= 1000);
        assert!(
            seconds[1..59].iter().all(|count| (60..140).contains(count)),
            "{seconds:?}"
        );
    });
}

#[test]
fn each_server_keeps_its_ticks_however_slow_it_answers() {
    simulate(async {
        let world = World::new(5);
        let servers = servers(1..2);
        world
            .scripted
            .set(address(1), slow(OK, Duration::from_millis(1900)));
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(200.0).await;
        let visits = world.visits_of(&servers[0]);
        assert!(visits.len() >= 20);
        for pair in visits[1..].windows(2) {
            // The timer counts in milliseconds.
            let gap = (pair[1].at - pair[0].at).as_secs_f64();
            assert!((gap - 10.0).abs() < 0.003, "{gap}");
        }
    });
}

#[test]
fn a_server_is_never_checked_twice_at_once() {
    simulate(async {
        let world = World::new(6);
        let servers = servers(1..2);
        world.scripted.set(address(1), Script::Hangs);
        let health = plan::Health {
            interval: SECOND,
            timeout: 3 * SECOND + SECOND / 2,
            ..health()
        };
        world.checker.reconcile(&[backend(Some(health), &servers)]);
        world.until(100.0).await;
        assert_eq!(world.scripted.most_open(), 1);
        // Every fourth tick is used, and none in between.
        let visits = world.visits_of(&servers[0]);
        for pair in visits[1..].windows(2) {
            let gap = (pair[1].at - pair[0].at).as_secs_f64();
            assert!((gap - 4.0).abs() < 0.003, "{gap}");
        }
    });
}

#[test]
fn no_more_checks_run_than_the_bound_and_all_get_their_turn() {
    simulate(async {
        let world = World::new(7);
        let count = 4 * MAX_RUNNING as u32;
        let servers = servers(0..count);
        for number in 0..count {
            world.scripted.set(address(number), Script::Hangs);
        }
        let health = plan::Health {
            interval: 1000 * SECOND,
            ..health()
        };
        world.checker.reconcile(&[backend(Some(health), &servers)]);
        world.until(7.9).await;
        assert_eq!(world.scripted.most_open(), MAX_RUNNING);
        assert_eq!(world.log.failed.get(), 3 * MAX_RUNNING);
        world.until(8.1).await;
        assert_eq!(world.scripted.most_open(), MAX_RUNNING);
        assert_eq!(world.log.failed.get(), 4 * MAX_RUNNING);
    });
}

#[test]
fn a_rack_that_hangs_does_not_delay_the_checks_of_the_others() {
    simulate(async {
        let world = World::new(8);
        let rack = servers(0..4000);
        for number in 0..4000 {
            world.scripted.set(address(number), Script::Hangs);
        }
        world.scripted.set(address(5000), answers(OK));
        let health = plan::Health {
            interval: SECOND,
            ..health()
        };
        let all: Vec<_> = rack.into_iter().chain(servers(5000..5001)).collect();
        world.checker.reconcile(&[backend(Some(health), &all)]);
        world.until(40.0).await;
        let visits = world.visits_of(&all[4000]);
        let late = |visit: &&Visit| visit.at > world.began + 20 * SECOND;
        assert!((18..=21).contains(&visits.iter().filter(late).count()));
    });
}

#[test]
fn ten_thousand_servers_are_no_burden() {
    simulate(async {
        let world = World::new(9);
        let servers = servers(0..10_000);
        for number in 0..10_000 {
            world
                .scripted
                .set(address(number), Script::Accepts(vec![Step::Hold]));
        }
        let health = plan::Health {
            probe: Probe::Tcp,
            ..health()
        };
        // Ten backends: a transition looks at every server of its own.
        let backends: Vec<_> = servers
            .chunks(1000)
            .map(|servers| backend(Some(health.clone()), servers))
            .collect();
        world.checker.reconcile(&backends);
        first_round_over(&world.checker).await;
        assert!(clock::now() - world.began < SECOND);
        world.until(20.0).await;
        assert!(servers.iter().all(|server| server.health() == Health::Up));
        assert!((19_000..=30_000).contains(&world.log.passed.get()));
    });
}

#[test]
fn the_first_round_is_over_when_every_server_has_had_its_check() {
    simulate(async {
        let world = World::new(10);
        let servers = servers(1..4);
        world.scripted.set(address(1), answers(OK));
        world.scripted.set(address(2), slow(OK, SECOND));
        world.scripted.set(address(3), Script::Hangs);
        assert_eq!(world.checker.first_round(), FirstRound::NotBegun);
        let waiting = tasks::spawn_local({
            let checker = world.checker.clone();
            async move { first_round_over(&checker).await }
        });
        world.until(0.0).await;
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        assert_eq!(world.checker.first_round(), FirstRound::Waiting(3));
        world.until(0.5).await;
        assert_eq!(world.checker.first_round(), FirstRound::Waiting(2));
        world.until(1.5).await;
        assert_eq!(world.checker.first_round(), FirstRound::Waiting(1));
        waiting.await.expect("it ends");
        let waited = (clock::now() - world.began).as_secs_f64();
        assert!((waited - 2.0).abs() < 0.01, "{waited}");
        assert_eq!(world.checker.first_round(), FirstRound::Over);
    });
}

#[test]
fn the_first_round_waits_a_timeout_and_an_interval_at_most() {
    simulate(async {
        let world = World::new(11);
        // More than can be checked in that time.
        let count = 20 * MAX_RUNNING as u32;
        let servers = servers(0..count);
        for number in 0..count {
            world.scripted.set(address(number), Script::Hangs);
        }
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        first_round_over(&world.checker).await;
        let waited = (clock::now() - world.began).as_secs_f64();
        assert!((waited - 12.0).abs() < 0.01, "{waited}");
    });
}

#[test]
fn the_first_round_does_not_wait_for_servers_that_a_reload_adds_or_takes_away() {
    simulate(async {
        let world = World::new(12);
        let servers = servers(1..4);
        world.scripted.set(address(1), answers(OK));
        world.scripted.set(address(2), Script::Hangs);
        world.scripted.set(address(3), Script::Hangs);
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers[..2])]);
        world.until(0.5).await;
        assert_eq!(world.checker.first_round(), FirstRound::Waiting(1));
        let kept = [Arc::clone(&servers[0]), Arc::clone(&servers[2])];
        world.checker.reconcile(&[backend(Some(health()), &kept)]);
        assert_eq!(world.checker.first_round(), FirstRound::Over);
    });
    simulate(async {
        let world = World::new(12);
        world.checker.reconcile(&[]);
        first_round_over(&world.checker).await;
        assert_eq!(clock::now(), world.began);
    });
}

#[test]
fn a_check_that_could_not_be_made_changes_nothing() {
    simulate(async {
        let world = World::new(13);
        let servers = servers(1..2);
        let no_descriptor = Script::FailsWith(rustix::io::Errno::MFILE.raw_os_error());
        world.scripted.set(address(1), no_descriptor.clone());
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(1.0).await;
        assert_eq!(servers[0].health(), Health::Checking);
        assert_eq!(world.checker.first_round(), FirstRound::Waiting(1));

        world.scripted.set(address(1), answers(OK));
        world.until(20.0).await;
        assert_eq!(servers[0].health(), Health::Up);
        world.changes();
        world.scripted.set(address(1), no_descriptor);
        world.until(100.0).await;
        assert_eq!(servers[0].health(), Health::Up);
        assert!(world.changes().is_empty());
        assert!(world.log.unclear.get() >= 8);
    });
}

#[test]
fn a_server_that_is_gone_is_not_checked_any_more() {
    simulate(async {
        let world = World::new(14);
        let servers = servers(1..3);
        world.scripted.set(address(1), Script::Hangs);
        world.scripted.set(address(2), answers(OK));
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(1.0).await;
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers[1..])]);
        world.until(60.0).await;
        let visits = world.visits_of(&servers[0]);
        assert_eq!(visits.len(), 1);
        assert_eq!(visits[0].left, Some(world.began + SECOND));
        assert!(
            !world
                .changes()
                .iter()
                .any(|change| change.contains("10.0.0.1"))
        );
        assert_eq!(servers[0].health(), Health::Checking);
        assert!(world.visits_of(&servers[1]).len() >= 6);
    });
}

#[test]
fn checks_that_were_broken_off_give_their_slots_back() {
    simulate(async {
        let world = World::new(15);
        for round in 0..5 {
            let first = round * MAX_RUNNING as u32;
            let servers = servers(first..first + MAX_RUNNING as u32);
            for server in &servers {
                let address = server.address.ip().expect("an IP address");
                world.scripted.set(address, Script::Hangs);
            }
            world
                .checker
                .reconcile(&[backend(Some(health()), &servers)]);
            clock::sleep(SECOND / 10).await;
            let begun = world.scripted.visits().len();
            assert_eq!(begun, (round + 1) as usize * MAX_RUNNING);
        }
    });
}

#[test]
fn servers_whose_checks_are_taken_away_are_up() {
    simulate(async {
        let world = World::new(16);
        let servers = servers(1..4);
        world.scripted.set(address(1), answers(OK));
        world.scripted.set(address(3), Script::Hangs);
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(1.0).await;
        world.changes();
        world.checker.reconcile(&[backend(None, &servers)]);
        for server in &servers {
            assert_eq!(server.health(), Health::Up);
            assert_eq!(server.note().reason, "not checked");
        }
        assert_eq!(
            world.changes(),
            [
                "app/10.0.0.2:80 Down -> Up: not checked, after 0; 3 of 3",
                "app/10.0.0.3:80 Checking -> Up: not checked, after 0; 3 of 3",
            ]
        );
        let since = servers[0].note().since;
        let visits = world.scripted.visits().len();
        world.checker.reconcile(&[backend(None, &servers)]);
        world.until(60.0).await;
        assert_eq!(servers[0].note().since, since);
        assert_eq!(world.scripted.visits().len(), visits);
        assert!(world.changes().is_empty());
    });
}

#[test]
fn servers_that_get_checks_stay_up_until_fall_have_failed() {
    simulate(async {
        let world = World::new(17);
        let servers = [server(1, Health::Up)];
        world.checker.reconcile(&[backend(None, &servers)]);
        world.until(5.0).await;
        assert!(world.scripted.visits().is_empty());
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(6.9).await;
        assert_eq!(world.visits_of(&servers[0])[0].at, world.began + 5 * SECOND);
        assert_eq!(servers[0].health(), Health::Up);
        world.until(7.1).await;
        assert_eq!(
            world.changes(),
            ["app/10.0.0.1:80 Up -> Down: connection refused, after 3; 0 of 1"]
        );
    });
}

#[test]
fn checks_that_are_taken_away_and_given_back_start_anew() {
    simulate(async {
        let world = World::new(23);
        let servers = servers(1..3);
        world.scripted.set(address(1), answers(OK));
        world.scripted.set(address(2), Script::Hangs);
        let sharp = plan::Health {
            fall: 1,
            ..health()
        };
        let checked = backend(Some(sharp), &servers);
        world.checker.reconcile(&[Arc::clone(&checked)]);
        for turn in 1..8 {
            world.until(f64::from(turn) / 10.0).await;
            world.checker.reconcile(&[backend(None, &servers)]);
            world.checker.reconcile(&[Arc::clone(&checked)]);
        }
        // The hanging check was aborted each time; the last one counts.
        world.until(2.6).await;
        assert_eq!(servers[1].health(), Health::Up);
        world.until(2.8).await;
        assert_eq!(servers[1].health(), Health::Down);
        // No tick of an earlier watch is left.
        world.until(100.0).await;
        for server in &servers {
            let visits = world.visits_of(server);
            assert!((8 + 9..=8 + 11).contains(&visits.len()), "{}", visits.len());
        }
        assert_eq!(world.scripted.most_open(), 2);
    });
}

#[test]
fn the_end_of_a_run_that_was_broken_off_is_not_taken_for_that_of_the_next() {
    let now = clock::now();
    let servers = servers(1..2);
    let checked = [backend(Some(health()), &servers)];
    let mut table = Table::new(Rng::seeded(27));
    table.reconcile(&checked, now);
    let (first, ..) = table.start(now).expect("it is due");
    table.reconcile(&[backend(None, &servers)], now);
    table.reconcile(&checked, now);
    let (second, ..) = table.start(now).expect("it is due again");
    let passed = Outcome {
        verdict: Verdict::Passed,
        reason: "status 200".to_owned(),
    };
    assert!(table.ended(&first, Some(&passed), now).is_none());
    assert_eq!(table.next_start(), None);
    assert!(table.ended(&second, Some(&passed), now).is_some());
    assert!(table.next_start().is_some());
}

#[test]
fn settings_that_changed_hold_from_the_next_check_on() {
    simulate(async {
        let world = World::new(18);
        let servers = servers(1..2);
        let other_port = SocketAddr::from(([10, 0, 0, 1], 8080));
        world.scripted.set(address(1), slow(OK, SECOND));
        world.scripted.set(other_port, answers(UNAVAILABLE));
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(0.5).await;
        let changed = plan::Health {
            port: Some(8080),
            fall: 1,
            ..health()
        };
        world.checker.reconcile(&[backend(Some(changed), &servers)]);
        world.until(1.1).await;
        assert_eq!(servers[0].health(), Health::Up);
        world.until(12.0).await;
        assert_eq!(
            world.changes()[1],
            "app/10.0.0.1:80 Up -> Down: status 503, after 1; 0 of 1"
        );
        assert_eq!(world.visits_of(&servers[0]).len(), 1);
    });
}

#[test]
fn a_shorter_interval_does_not_wait_for_the_longer_one_to_end() {
    simulate(async {
        let world = World::new(19);
        let servers = servers(1..2);
        world.scripted.set(address(1), answers(OK));
        let hourly = plan::Health {
            interval: 3600 * SECOND,
            ..health()
        };
        world.checker.reconcile(&[backend(Some(hourly), &servers)]);
        world.until(1.0).await;
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(61.0).await;
        assert!((6..=8).contains(&world.visits_of(&servers[0]).len()));
    });
}

#[test]
fn a_longer_interval_spreads_its_checks_anew() {
    simulate(async {
        let world = World::new(20);
        let servers = servers(0..600);
        for number in 0..600 {
            world.scripted.set(address(number), answers(OK));
        }
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(30.0).await;
        let slower = plan::Health {
            interval: 60 * SECOND,
            ..health()
        };
        world.checker.reconcile(&[backend(Some(slower), &servers)]);
        world.until(160.0).await;
        let mut tens = [0_usize; 6];
        for visit in world.scripted.visits() {
            let since = (visit.at - world.began).as_secs() as usize;
            if (100..160).contains(&since) {
                tens[since / 10 - 10] += 1;
            }
        }
        assert!(
            tens.iter().all(|count| (60..140).contains(count)),
            "{tens:?}"
        );
    });
}

#[test]
fn a_server_that_fell_is_given_no_exchange_from_that_moment() {
    simulate(async {
        let world = World::new(24);
        let servers = servers(1..3);
        world.scripted.set(address(1), answers(OK));
        world.scripted.set(address(2), answers(OK));
        let backend = backend(Some(health()), &servers);
        world.checker.reconcile(&[Arc::clone(&backend)]);
        assert_eq!(backend.available(), 0);
        world.until(1.0).await;
        assert_eq!(backend.available(), 2);
        world.scripted.set(address(1), answers(UNAVAILABLE));
        world.until(25.0).await;
        assert_eq!(servers[0].health(), Health::Down);
        assert_eq!(backend.available(), 1);
        world.scripted.set(address(1), answers(OK));
        world.until(60.0).await;
        assert_eq!(backend.available(), 2);
    });
}

#[test]
fn servers_without_checks_are_given_exchanges_at_once() {
    simulate(async {
        let world = World::new(25);
        let servers = servers(1..3);
        let backend = backend(None, &servers);
        assert_eq!(backend.available(), 0);
        world.checker.reconcile(&[Arc::clone(&backend)]);
        assert_eq!(backend.available(), 2);
    });
}

#[test]
fn a_change_during_a_reload_reaches_the_backend_that_was_made_before_it() {
    simulate(async {
        let world = World::new(26);
        let servers = servers(1..2);
        world.scripted.set(address(1), answers(OK));
        let (before, after) = (
            backend(Some(health()), &servers),
            backend(Some(health()), &servers),
        );
        world.checker.reconcile(&[before]);
        world.until(1.0).await;
        assert_eq!(servers[0].health(), Health::Up);
        assert_eq!(after.available(), 0);
        world.checker.reconcile(&[Arc::clone(&after)]);
        assert_eq!(after.available(), 1);
    });
}

#[test]
fn a_change_is_reported_for_the_backend_of_the_last_call() {
    simulate(async {
        let world = World::new(21);
        let servers = servers(1..4);
        world.scripted.set(address(2), slow(OK, SECOND));
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers[1..2])]);
        world.until(0.5).await;
        // The running check was started for the only server of another object.
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        world.until(1.5).await;
        let changes = world.changes();
        let last = changes.last().expect("it came up");
        assert_eq!(
            last,
            "app/10.0.0.2:80 Checking -> Up: status 200, after 1; 1 of 3"
        );
        assert_eq!(world.visits_of(&servers[1]).len(), 1);
    });
}

/// When each server was checked and what changed, over five minutes in which servers fail and
/// recover, with a reload of an equal plan at each of `reloads`.
fn five_minutes(
    seed: u64,
    reloads: &[u64],
    is_reordered: bool,
) -> (Vec<(Duration, SocketAddr)>, Vec<String>) {
    simulate(async {
        let world = World::new(seed);
        let mut servers = servers(1..8);
        for number in 1..8 {
            world.scripted.set(
                address(number),
                slow(OK, Duration::from_millis(u64::from(number) * 200)),
            );
        }
        world
            .checker
            .reconcile(&[backend(Some(health()), &servers)]);
        let mut moments: Vec<(u64, bool)> = reloads.iter().map(|&at| (at, true)).collect();
        moments.extend((1..30).map(|turn| (turn * 10_000, false)));
        moments.sort_unstable();
        for (at_ms, is_reload) in moments {
            world.until(at_ms as f64 / 1000.0).await;
            if is_reload {
                if is_reordered {
                    servers.rotate_left(1);
                }
                world
                    .checker
                    .reconcile(&[backend(Some(health()), &servers)]);
            } else {
                let number = 1 + (at_ms / 10_000 % 3) as u32;
                let script = match at_ms / 30_000 % 3 {
                    0 => Script::Hangs,
                    1 => answers(UNAVAILABLE),
                    _ => slow(OK, SECOND),
                };
                world.scripted.set(address(number), script);
            }
        }
        world.until(300.0).await;
        let visits = world.scripted.visits();
        let times = visits
            .iter()
            .map(|visit| (visit.at - world.began, visit.address))
            .collect();
        (times, world.changes())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_reload_of_an_equal_plan_disturbs_no_check_and_no_count(
        seed in any::<u64>(),
        reloads in prop::collection::vec(0..300_000_u64, 1..40),
        is_reordered in any::<bool>(),
    ) {
        let undisturbed = five_minutes(seed, &[], false);
        prop_assert!(undisturbed.0.len() > 150 && undisturbed.1.len() > 7);
        prop_assert_eq!(five_minutes(seed, &reloads, is_reordered), undisturbed);
    }

    #[test]
    fn the_same_seed_gives_the_same_ticks(seed in any::<u64>()) {
        prop_assert_eq!(five_minutes(seed, &[], false), five_minutes(seed, &[], false));
    }
}

#[test]
fn adding_and_removing_servers_disturbs_no_other() {
    let times_of_first = |others: bool| {
        simulate(async {
            let world = World::new(22);
            let all = servers(1..20);
            for number in 1..20 {
                world.scripted.set(address(number), answers(OK));
            }
            world
                .checker
                .reconcile(&[backend(Some(health()), &all[..1])]);
            for turn in 1..15 {
                world.until(f64::from(turn) * 3.7).await;
                let count = if others {
                    1 + (turn * 7 % 19) as usize
                } else {
                    1
                };
                world
                    .checker
                    .reconcile(&[backend(Some(health()), &all[..count])]);
            }
            world.until(60.0).await;
            let visits = world.visits_of(&all[0]);
            let began = world.began;
            visits
                .iter()
                .map(|visit| visit.at - began)
                .collect::<Vec<_>>()
        })
    };
    let alone = times_of_first(false);
    assert!(alone.len() >= 6);
    assert_eq!(times_of_first(true), alone);
}
