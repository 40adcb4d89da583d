//! Requests spread over healthy servers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fixture::Fixture;

#[test]
fn requests_of_one_client_go_round_the_servers_in_turn() {
    Fixture::new(1, 3).play(|stage| async move {
        let mut client = stage.client("client");
        let mut servers = Vec::new();
        for number in 0..9 {
            let outcome = client.get(&format!("/{number}")).await;
            assert!(outcome.is_served(), "{outcome:?}");
            servers.push(outcome.server);
        }
        let (first_round, rest) = servers.split_at(3);
        assert!(
            rest.chunks(3).all(|round| round == first_round),
            "{servers:?}"
        );
        let mut names = first_round.to_vec();
        names.sort();
        assert_eq!(names, ["s1", "s2", "s3"]);
    });
}

#[test]
fn requests_of_many_clients_are_spread_evenly_too() {
    Fixture::new(2, 3).play(|stage| async move {
        let is_over = |trace: &crate::trace::Trace| {
            let served = trace
                .entries()
                .iter()
                .filter(|e| e.actor.starts_with("s"))
                .count();
            served >= 60
        };
        let outcomes = stage.load(6, "/", Duration::from_millis(7), is_over).await;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for outcome in &outcomes {
            assert!(outcome.is_served(), "{outcome:?}");
            *counts.entry(&outcome.server).or_default() += 1;
        }
        let (least, most) = (counts.values().min(), counts.values().max());
        let gap = most.zip(least).map(|(most, least)| most - least);
        assert!(counts.len() == 3 && gap <= Some(1), "{counts:?}");
    });
}
