//! The servers that each backend shall have: those of the file, those that discovery finds, and the
//! operator's changes.
//!
//! [`desired`] decides, purely. [`Membership`] keeps what is not in the file: it holds across
//! reloads as long as the backend exists. `publish` makes sets of it.

use std::collections::BTreeMap;
use std::fmt;

use crate::base::{FoldMap, FoldSet, Name};
use crate::plan::{self, Plan};
use crate::proxy::backend::Wanted;

/// The highest weight of a server, as in the file.
const MOST_WEIGHT: u16 = 256;

/// A change of a backend's servers without a reload.
#[derive(Clone, Debug)]
pub enum ServersChange {
    /// Discovery finds these servers now, and no others.
    Found(Vec<Wanted>),
    /// The operator adds a server.
    Add(Wanted),
    /// The operator removes the server of this name, wherever it comes from.
    Remove(Name),
    /// The operator changes the weight of the server of this name.
    Weigh(Name, u16),
    /// The operator's changes to the server of this name end.
    Restore(Name),
}

/// Why a change of servers is refused. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotChange {
    /// There is no backend of that name.
    NoBackend,
    /// The backend has no server of that name.
    NoServer,
    /// The backend has a server of that name.
    Exists,
    /// The weight is too high.
    Weight,
}

/// The operator's changes to one backend's servers.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides {
    added: Vec<Wanted>,
    /// Names of servers of the file and of found ones.
    removed: FoldSet<Name>,
    weights: BTreeMap<Name, u16>,
}

/// The servers and changes of one backend that are not in the file.
#[derive(Clone, Debug, Default)]
struct Unwritten {
    found: Vec<Wanted>,
    overrides: Overrides,
}

/// The servers and changes of all backends that are not in the file. Written by `publish`.
#[derive(Debug, Default)]
pub(super) struct Membership {
    backends: FoldMap<Name, Unwritten>,
}

/// The servers that a backend shall have.
///
/// Servers of the file come first, in its order; then found ones, by name, so that the order in
/// which discovery answers does not matter; then those that the operator added. The first of a name
/// counts. The operator's removals and weights hold for every server with the name.
pub(super) fn desired(
    written: &[plan::Server],
    found: &[Wanted],
    overrides: &Overrides,
) -> Vec<Wanted> {
    let mut found: Vec<&Wanted> = found.iter().collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let written = written.iter().map(Wanted::from);
    let from_elsewhere = written.chain(found.into_iter().cloned());
    let stay = from_elsewhere.filter(|server| !overrides.removed.contains(&server.name));
    let mut names = FoldSet::default();
    let mut servers: Vec<Wanted> = stay
        .chain(overrides.added.iter().cloned())
        .filter(|server| names.insert(server.name.clone()))
        .collect();
    for server in &mut servers {
        if let Some(weight) = overrides.weights.get(&server.name) {
            server.weight = *weight;
        }
    }
    servers
}

impl Membership {
    /// The servers that `backend` shall have.
    pub(super) fn desired(&self, backend: &plan::Backend) -> Vec<Wanted> {
        match self.backends.get(&backend.name) {
            None => backend.servers.iter().map(Wanted::from).collect(),
            Some(own) => desired(&backend.servers, &own.found, &own.overrides),
        }
    }

    /// Keeps `change` for the servers of `backend`.
    ///
    /// # Errors
    ///
    /// [`CannotChange`].
    pub(super) fn change(
        &mut self,
        backend: &plan::Backend,
        change: ServersChange,
    ) -> Result<(), CannotChange> {
        let servers = self.desired(backend);
        let has = |name: &Name| servers.iter().any(|server| server.name == *name);
        let weight = match &change {
            ServersChange::Add(server) if has(&server.name) => return Err(CannotChange::Exists),
            ServersChange::Remove(name) | ServersChange::Weigh(name, _) if !has(name) => {
                return Err(CannotChange::NoServer);
            }
            ServersChange::Add(Wanted { weight, .. }) | ServersChange::Weigh(_, weight) => *weight,
            _ => 0,
        };
        if weight > MOST_WEIGHT {
            return Err(CannotChange::Weight);
        }
        let own = self.backends.entry(backend.name.clone()).or_default();
        let overrides = &mut own.overrides;
        match change {
            ServersChange::Found(found) => own.found = found,
            ServersChange::Add(server) => overrides.added.push(server),
            ServersChange::Remove(name) => overrides.remove(name),
            ServersChange::Weigh(name, weight) => {
                overrides.weights.insert(name, weight);
            }
            ServersChange::Restore(name) => overrides.restore(&name),
        }
        Ok(())
    }

    /// Forgets backends that `plan` does not have.
    pub(super) fn retain(&mut self, plan: &Plan) {
        let names: FoldSet<&Name> = plan.backends.iter().map(|backend| &backend.name).collect();
        self.backends.retain(|name, _| names.contains(name));
    }
}

impl Overrides {
    fn remove(&mut self, name: Name) {
        let before = self.added.len();
        self.added.retain(|server| server.name != name);
        // A server that is added under the name of a removed one does not bring that one back when
        // it is removed.
        if self.added.len() == before {
            self.removed.insert(name.clone());
        }
        self.weights.remove(&name);
    }

    fn restore(&mut self, name: &Name) {
        self.added.retain(|server| server.name != *name);
        self.removed.remove(name);
        self.weights.remove(name);
    }
}

impl fmt::Display for CannotChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoBackend => "there is no backend of that name",
            Self::NoServer => "the backend has no server of that name",
            Self::Exists => "the backend has a server of that name",
            Self::Weight => "a weight is at most 256",
        })
    }
}

impl std::error::Error for CannotChange {}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::base::Position;

    fn name(number: u8) -> Name {
        Name::new(&format!("s{number}")).expect("a name")
    }

    /// A server by the number of its name, the last number of its address and its weight.
    fn wanted((number, host, weight): (u8, u8, u16)) -> Wanted {
        Wanted {
            name: name(number),
            address: SocketAddr::from(([10, 0, number, host], 80)).into(),
            weight,
            max_connections: None,
            backup: false,
            own: Default::default(),
        }
    }

    fn written(server: (u8, u8, u16)) -> plan::Server {
        let Wanted {
            name,
            address,
            weight,
            max_connections,
            backup,
            own,
        } = wanted(server);
        plan::Server {
            name,
            address,
            weight,
            max_connections,
            backup,
            own,
            at: Position::built_in(),
            named_at: Position::built_in(),
        }
    }

    fn names(servers: &[Wanted]) -> Vec<&str> {
        servers.iter().map(|server| server.name.as_str()).collect()
    }

    #[test]
    fn the_file_comes_first_then_what_is_found_then_what_was_added() {
        let overrides = Overrides {
            added: vec![wanted((9, 0, 1)), wanted((1, 7, 1))],
            ..Overrides::default()
        };
        let found = [wanted((5, 0, 1)), wanted((4, 0, 1)), wanted((2, 7, 1))];
        let servers = desired(
            &[written((2, 0, 1)), written((1, 0, 1))],
            &found,
            &overrides,
        );
        assert_eq!(names(&servers), ["s2", "s1", "s4", "s5", "s9"]);
        assert_eq!(servers[0], wanted((2, 0, 1)), "the first of a name counts");
    }

    fn change(
        membership: &mut Membership,
        backend: &plan::Backend,
        change: ServersChange,
    ) -> Result<Vec<String>, CannotChange> {
        membership.change(backend, change)?;
        let servers = membership.desired(backend).into_iter();
        Ok(servers
            .map(|server| format!("{}={}", server.name, server.weight))
            .collect())
    }

    fn backend(servers: &[(u8, u8, u16)]) -> plan::Backend {
        let text = "[frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\n\
                    [backend.app]\nservers = []";
        let loaded = crate::config::load_text("test.toml", text);
        let mut plan = loaded.expect("it is valid").plan;
        let backend = plan.backends.remove(0);
        plan::Backend {
            servers: servers.iter().copied().map(written).collect(),
            ..backend
        }
    }

    #[test]
    fn changes_of_the_operator_hold_until_they_are_undone() {
        use ServersChange::{Add, Found, Remove, Restore, Weigh};
        let app = backend(&[(1, 0, 1), (2, 0, 1)]);
        let mut membership = Membership::default();
        let mut change = |servers: &plan::Backend, what| change(&mut membership, servers, what);
        let added = change(&app, Add(wanted((3, 0, 5))));
        assert_eq!(added, Ok(vec!["s1=1".into(), "s2=1".into(), "s3=5".into()]));
        let removed = change(&app, Remove(name(1)));
        assert_eq!(removed, Ok(vec!["s2=1".into(), "s3=5".into()]));
        let weighed = change(&app, Weigh(name(3), 0));
        assert_eq!(weighed, Ok(vec!["s2=1".into(), "s3=0".into()]));
        // A reload that changes other things does not change it.
        let reloaded = backend(&[(1, 0, 1), (2, 0, 7)]);
        let found = change(&reloaded, Found(vec![wanted((4, 0, 1))]));
        assert_eq!(found, Ok(vec!["s2=7".into(), "s4=1".into(), "s3=0".into()]));
        let again = change(&reloaded, Add(wanted((1, 9, 3))));
        assert!(again.is_ok_and(|servers| servers.contains(&"s1=3".to_owned())));
        let gone = change(&reloaded, Remove(name(1)));
        assert!(gone.is_ok_and(|servers| !servers.iter().any(|server| server.starts_with("s1"))));
        let restored = change(&reloaded, Restore(name(1)));
        assert!(restored.is_ok_and(|servers| servers[0] == "s1=1"));
        let restored = change(&reloaded, Restore(name(3)));
        assert_eq!(
            restored,
            Ok(vec!["s1=1".into(), "s2=7".into(), "s4=1".into()])
        );
    }

    #[test]
    fn a_weight_of_the_operator_ends_when_it_is_taken_back_and_when_its_server_is_removed() {
        use ServersChange::{Add, Remove, Restore, Weigh};
        let app = backend(&[(1, 0, 1)]);
        let mut membership = Membership::default();
        let mut change = |what| change(&mut membership, &app, what);
        assert_eq!(change(Weigh(name(1), 7)), Ok(vec!["s1=7".into()]));
        assert_eq!(change(Restore(name(1))), Ok(vec!["s1=1".into()]));
        assert_eq!(change(Weigh(name(1), 7)), Ok(vec!["s1=7".into()]));
        assert_eq!(change(Remove(name(1))), Ok(vec![]));
        assert_eq!(change(Add(wanted((1, 9, 3)))), Ok(vec!["s1=3".into()]));
    }

    #[test]
    fn a_change_that_cannot_be_changes_nothing() {
        use ServersChange::{Add, Remove, Weigh};
        let app = backend(&[(1, 0, 1)]);
        let mut membership = Membership::default();
        let cases = [
            (Add(wanted((1, 5, 1))), CannotChange::Exists),
            (Add(wanted((2, 5, 257))), CannotChange::Weight),
            (Remove(name(2)), CannotChange::NoServer),
            (Weigh(name(2), 1), CannotChange::NoServer),
            (Weigh(name(1), 257), CannotChange::Weight),
        ];
        for (change, why) in cases {
            assert_eq!(
                membership.change(&app, change.clone()),
                Err(why),
                "{change:?}"
            );
            assert_eq!(membership.desired(&app), [wanted((1, 0, 1))]);
        }
        assert_eq!(membership.change(&app, Weigh(name(1), 256)), Ok(()));
    }

    fn some() -> impl Strategy<Value = Vec<(u8, u8, u16)>> {
        prop::collection::vec((0..6_u8, 0..3_u8, 0..4_u16), 0..6)
    }

    fn some_overrides() -> impl Strategy<Value = Overrides> {
        let removed = prop::collection::hash_set(0..6_u8, 0..3);
        let weights = prop::collection::btree_map(0..6_u8, 0..9_u16, 0..4);
        (some(), removed, weights).prop_map(|(added, removed, weights)| Overrides {
            added: added.into_iter().map(wanted).collect(),
            removed: removed.into_iter().map(name).collect(),
            weights: weights
                .into_iter()
                .map(|(number, weight)| (name(number), weight))
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn no_name_comes_twice_and_each_comes_from_where_it_is_said(
            in_file in some(), found in some(), overrides in some_overrides(),
        ) {
            let in_file: Vec<plan::Server> = in_file.into_iter().map(written).collect();
            let found: Vec<Wanted> = found.into_iter().map(wanted).collect();
            let servers = desired(&in_file, &found, &overrides);
            let unique: FoldSet<&str> = names(&servers).into_iter().collect();
            prop_assert_eq!(unique.len(), servers.len());
            for number in 0..6 {
                let name = name(number);
                let is_it = |server: &&Wanted| server.name == name;
                let file: Vec<Wanted> = in_file.iter().map(Wanted::from).collect();
                let from_elsewhere = file.iter().find(is_it).or_else(|| found.iter().find(is_it));
                let stays = from_elsewhere.filter(|_| !overrides.removed.contains(&name));
                let expected = stays.or_else(|| overrides.added.iter().find(is_it));
                let expected = expected.map(|server| Wanted {
                    weight: overrides.weights.get(&name).copied().unwrap_or(server.weight),
                    ..server.clone()
                });
                prop_assert_eq!(servers.iter().find(is_it).cloned(), expected);
            }
        }

        #[test]
        fn the_order_of_what_is_found_does_not_matter(
            in_file in some(),
            found in some().prop_map(|found| {
                // One of each name: of two, the first counts.
                let by_name: BTreeMap<u8, (u8, u8, u16)> =
                    found.into_iter().map(|server| (server.0, server)).collect();
                by_name.into_values().collect::<Vec<_>>()
            }),
            overrides in some_overrides(),
        ) {
            let in_file: Vec<plan::Server> = in_file.into_iter().map(written).collect();
            let mut found: Vec<Wanted> = found.into_iter().map(wanted).collect();
            let one = desired(&in_file, &found, &overrides);
            found.reverse();
            prop_assert_eq!(one, desired(&in_file, &found, &overrides));
        }

        #[test]
        fn the_file_alone_yields_its_servers(in_file in some()) {
            let mut numbers = FoldSet::default();
            let in_file: Vec<(u8, u8, u16)> = in_file
                .into_iter()
                .filter(|server| numbers.insert(server.0))
                .collect();
            let plain: Vec<plan::Server> = in_file.iter().copied().map(written).collect();
            let servers = desired(&plain, &[], &Overrides::default());
            prop_assert_eq!(servers, in_file.into_iter().map(wanted).collect::<Vec<_>>());
        }
    }
}
