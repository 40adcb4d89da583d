//! Least connections: the server with the fewest exchanges in flight for its weight.
//!
//! Load is the number of exchanges in flight divided by the weight. HAProxy's `leastconn` also
//! counts the exchange that is being placed, but not on an idle server; without that special case
//! the heaviest server would get everything under little traffic, and with it a light server at
//! load 1 would get another exchange only when a heavy one is at twice its load. Counting only what
//! is in flight avoids both: idle servers are equal and take turns, so that all of them are used
//! and stay warm.
//!
//! A server that has just come up has nothing in flight and would get every new exchange until it
//! has caught up: with cold caches, it would most likely fail again. So it has a [`handicap`] at
//! first. Prior art: HAProxy `slowstart`, Envoy "slow start mode"; those lower the weight for a
//! while, but below a weight of 1 there is no step left, and a load always has one.

use std::time::Duration;

/// How long a server that has come up is held back. Long enough for connections to open and the
/// first caches to fill at any usual rate; short enough that a server takes its share while an
/// operator still watches its return.
pub const HANDICAP_WINDOW: Duration = Duration::from_secs(10);

/// A server that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its index in the set.
    pub server: usize,
    /// Its exchanges in flight on all workers, its handicap included.
    pub in_flight: u32,
    /// 0: never chosen.
    pub weight: u16,
}

impl Load {
    /// Whether it has fewer exchanges in flight for its weight than `other`. Exact: the cross
    /// multiplication of a `u32` and a `u16` fits into a `u64`. Both weights must be positive.
    fn is_less_than(&self, other: &Self) -> bool {
        u64::from(self.in_flight) * u64::from(other.weight)
            < u64::from(other.in_flight) * u64::from(self.weight)
    }
}

/// The server with the least load; among equals they take turns by `turn`, a number that rises by
/// one with each choice. `None` when no server has a weight.
///
/// `loads` is iterated a second time if there are equals. Other workers may have changed it by
/// then: the choice was the best at some moment of the call.
pub fn least(loads: impl Iterator<Item = Load> + Clone, turn: u64) -> Option<usize> {
    let mut candidates = loads.clone().filter(|load| load.weight > 0);
    let mut best = candidates.next()?;
    let mut equals: u64 = 1;
    for load in candidates {
        if load.is_less_than(&best) {
            best = load;
            equals = 1;
        } else if !best.is_less_than(&load) {
            equals += 1;
        }
    }
    let skipped = turn % equals;
    if skipped == 0 {
        return Some(best.server);
    }
    loads
        .filter(|load| load.weight > 0 && !best.is_less_than(load))
        .take(skipped as usize + 1)
        .last()
        .map_or(Some(best.server), |load| Some(load.server))
}

/// The handicap of a server of `weight` when it comes up: as many exchanges as give it the load of
/// the least loaded of `others`, rounded up. 0 if one of them is idle or there are none: then it
/// does not get all new exchanges anyway.
pub fn handicap_on_coming_up(others: impl Iterator<Item = Load>, weight: u16) -> u32 {
    let least = others
        .filter(|load| load.weight > 0)
        .reduce(|best, load| if load.is_less_than(&best) { load } else { best });
    let Some(least) = least else {
        return 0;
    };
    let exchanges =
        (u64::from(least.in_flight) * u64::from(weight)).div_ceil(u64::from(least.weight));
    u32::try_from(exchanges).unwrap_or(u32::MAX)
}

/// The rest, at `age` after coming up, of the handicap that was `at_first`: to be added to the
/// exchanges in flight. Shrinks evenly, is rounded up, and is 0 from [`HANDICAP_WINDOW`] on.
///
/// It never excludes a server: it only adds to the load, and a single server always has the least.
pub fn handicap(at_first: u32, age: Duration) -> u32 {
    let window = HANDICAP_WINDOW.as_millis() as u64;
    let left = HANDICAP_WINDOW.saturating_sub(age).as_millis() as u64;
    // At most `at_first`, because `left` is at most the window.
    (u64::from(at_first) * left).div_ceil(window) as u32
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// In flight and weight of each server.
    fn loads(servers: &[(u32, u16)]) -> impl Iterator<Item = Load> + Clone {
        servers
            .iter()
            .enumerate()
            .map(|(server, &(in_flight, weight))| Load {
                server,
                in_flight,
                weight,
            })
    }

    fn choose(servers: &[(u32, u16)], turn: u64) -> Option<usize> {
        least(loads(servers), turn)
    }

    #[test]
    fn the_fewest_in_flight_is_chosen() {
        assert_eq!(choose(&[(3, 1), (1, 1), (2, 1)], 0), Some(1));
        assert_eq!(choose(&[(u32::MAX, 256), (u32::MAX, 255)], 0), Some(0));
    }

    #[test]
    fn a_heavier_server_carries_more() {
        assert_eq!(choose(&[(1, 1), (2, 3)], 0), Some(1));
        assert_eq!(choose(&[(1, 1), (4, 3)], 0), Some(0));
        let mut servers = [(0, 4), (0, 2), (0, 1)];
        for turn in 0..70 {
            let chosen = choose(&servers, turn).expect("a server");
            servers[chosen].0 += 1;
        }
        assert_eq!(servers, [(40, 4), (20, 2), (10, 1)]);
    }

    #[test]
    fn equals_take_turns() {
        let servers = [(1, 1), (0, 1), (0, 5), (1, 1), (0, 1)];
        let row: Vec<_> = (0..6).filter_map(|turn| choose(&servers, turn)).collect();
        assert_eq!(row, [1, 2, 4, 1, 2, 4]);
        let servers = [(2, 1), (4, 2), (7, 3)];
        let row: Vec<_> = (0..4).filter_map(|turn| choose(&servers, turn)).collect();
        assert_eq!(row, [0, 1, 0, 1]);
    }

    #[test]
    fn a_weight_of_zero_is_never_chosen() {
        assert_eq!(choose(&[(0, 0), (9, 1)], 0), Some(1));
        assert_eq!(choose(&[(0, 0), (9, 1)], 1), Some(1));
        assert_eq!(choose(&[(0, 0)], 0), None);
        assert_eq!(choose(&[], 0), None);
    }

    #[test]
    fn loads_that_rise_during_the_choice_still_give_a_server() {
        let looks = Cell::new(0);
        let rising = (0..3).map(|server| {
            looks.set(looks.get() + 1);
            Load {
                server,
                in_flight: if looks.get() > 3 { 9 } else { 0 },
                weight: 1,
            }
        });
        assert_eq!(least(rising, 2), Some(0));
    }

    #[test]
    fn a_handicap_starts_at_the_least_load_of_the_others() {
        assert_eq!(handicap_on_coming_up(loads(&[(10, 1), (12, 2)]), 1), 6);
        assert_eq!(handicap_on_coming_up(loads(&[(10, 1), (12, 2)]), 3), 18);
        assert_eq!(handicap_on_coming_up(loads(&[(1, 3)]), 1), 1);
        assert_eq!(handicap_on_coming_up(loads(&[(10, 1), (0, 1)]), 1), 0);
        assert_eq!(handicap_on_coming_up(loads(&[(10, 0)]), 1), 0);
        assert_eq!(handicap_on_coming_up(loads(&[]), 1), 0);
        assert_eq!(
            handicap_on_coming_up(loads(&[(u32::MAX, 1)]), 256),
            u32::MAX
        );
    }

    #[test]
    fn a_handicap_fades_to_nothing() {
        assert_eq!(handicap(100, Duration::ZERO), 100);
        assert_eq!(handicap(100, HANDICAP_WINDOW / 2), 50);
        assert_eq!(handicap(100, HANDICAP_WINDOW * 9 / 10), 10);
        assert_eq!(handicap(1, HANDICAP_WINDOW - Duration::from_millis(1)), 1);
        assert_eq!(handicap(u32::MAX, HANDICAP_WINDOW), 0);
        assert_eq!(handicap(u32::MAX, Duration::MAX), 0);
        assert_eq!(handicap(u32::MAX, Duration::ZERO), u32::MAX);
    }

    /// How many of each hundred exchanges go to a server that comes up beside ten servers with a
    /// hundred in flight each. One exchange arrives each millisecond and takes one second.
    fn shares_of_a_new_server(at_first: u32) -> Vec<u32> {
        let mut in_flight = [100_u32; 11];
        in_flight[10] = 0;
        let mut ends: VecDeque<usize> = (0..1_000).map(|n| n % 10).collect();
        let mut shares = Vec::new();
        for ms in 0..15_000 {
            if ms % 100 == 0 {
                shares.push(0);
            }
            let ended = ends.pop_front().expect("a thousand are in flight");
            in_flight[ended] -= 1;
            let handicap = handicap(at_first, Duration::from_millis(ms));
            let loads = in_flight
                .iter()
                .enumerate()
                .map(|(server, &in_flight)| Load {
                    server,
                    in_flight: in_flight + if server == 10 { handicap } else { 0 },
                    weight: 1,
                });
            let chosen = least(loads, ms).expect("a server");
            in_flight[chosen] += 1;
            ends.push_back(chosen);
            if chosen == 10
                && let Some(share) = shares.last_mut()
            {
                *share += 1;
            }
        }
        shares
    }

    #[test]
    fn a_server_that_has_just_come_up_is_not_stampeded() {
        assert!(shares_of_a_new_server(0)[0] > 80);
        let at_first = handicap_on_coming_up(loads(&[(100, 1); 10]), 1);
        let shares = shares_of_a_new_server(at_first);
        assert!(shares.iter().all(|&share| share <= 15), "{shares:?}");
        // Nor does it get too few, and in the end it has its share: a hundred in eleven.
        let settled: u32 = shares[120..].iter().sum();
        assert!((250..=300).contains(&settled), "{shares:?}");
    }

    fn servers() -> impl Strategy<Value = Vec<(u32, u16)>> {
        prop::collection::vec((0..6_u32, 0..4_u16), 0..10)
    }

    proptest! {
        #[test]
        fn no_other_server_has_less_load(servers in servers(), turn: u64) {
            let weighted = |&&(_, weight): &&(u32, u16)| weight > 0;
            match choose(&servers, turn) {
                None => prop_assert!(!servers.iter().any(|server| weighted(&server))),
                Some(chosen) => {
                    let (in_flight, weight) = servers[chosen];
                    prop_assert!(weight > 0);
                    for &(other, its_weight) in servers.iter().filter(weighted) {
                        let (other, its_weight) = (u64::from(other), u64::from(its_weight));
                        prop_assert!(
                            u64::from(in_flight) * its_weight <= other * u64::from(weight)
                        );
                    }
                }
            }
        }

        #[test]
        fn each_of_the_equals_has_as_many_turns(servers in servers(), start in 0..1_000_u64) {
            // The least common multiple of the possible numbers of equals, 1 to 10.
            let mut counts = vec![0_u64; servers.len()];
            for turn in start..start + 2_520 {
                if let Some(chosen) = choose(&servers, turn) {
                    counts[chosen] += 1;
                }
            }
            let most = counts.iter().max().copied().unwrap_or(0);
            prop_assert!(counts.iter().all(|&count| count == 0 || count == most));
        }

        #[test]
        fn a_handicap_never_grows(at_first: u32, ms in 0..12_000_u64, step in 0..1_000_u64) {
            let before = handicap(at_first, Duration::from_millis(ms));
            let after = handicap(at_first, Duration::from_millis(ms + step));
            prop_assert!(after <= before);
            prop_assert!(before <= at_first);
        }
    }
}
