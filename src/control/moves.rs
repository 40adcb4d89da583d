//! Decides which listening sockets stay, open and close when a reload changes the addresses.
//!
//! Pure: [`plan`] compares the open sockets with the addresses of the next plan; `listeners` and
//! `admin` carry it out, in this order: open, swap the snapshot, redirect the sockets that stay,
//! close. No address that is listened on before and after refuses a connection meanwhile, because
//! of two rules of Linux:
//!
//! - Sockets of one user that all set `SO_REUSEPORT` can be bound beside each other, even if their
//!   addresses overlap.
//! - A new connection goes to the socket that is bound to its very address, and only then to one that
//!   is bound to all addresses.
//!
//! So a socket for one address stays when all addresses are wanted ([`Fate::Covered`]): it serves
//! its part of them, and no connection is lost with it. A socket for all addresses, of which only
//! some are still wanted, gets no new connection for those: it stays until the handshakes that it
//! has begun are over ([`Fate::Retires`]).
//!
//! Frontends listen on the workers and the admin listener on the control thread, so no socket moves
//! from one to the other: the new one is opened beside the old one, and connections that the old
//! one has accepted are served. In this case the kernel loses handshakes in progress when the old
//! one closes, unless `net.ipv4.tcp_migrate_req` is set: such a client is reset.

use std::hash::Hash;
use std::net::SocketAddr;

use crate::base::address::UnixName;
use crate::base::{FoldMap, FoldSet, ListenAddress, Name};

/// Where a socket is bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Site {
    /// An address and a port; unspecified: all addresses of its IP version.
    Ip(SocketAddr),
    /// A file by its real path, or an abstract name.
    Unix(UnixName),
    /// A different one each time (port 0), or not known before it is used.
    Unknown,
}

/// The owner of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// A frontend of that name.
    Frontend(Name),
    /// The admin listener.
    Admin,
    /// A socket for HAProxy's commands.
    Commands,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Frontend,
    Admin,
    Commands,
}

/// An open socket.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// As it was configured.
    pub(super) listen: ListenAddress,
    pub(super) site: Site,
    /// Whether it takes IPv4 too; only a socket that was handed over can.
    pub(super) is_dual: bool,
    pub(super) owner: Owner,
}

/// An address of the next plan.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) listen: ListenAddress,
    pub(super) site: Site,
    pub(super) owner: Owner,
}

/// The work, by index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moves {
    /// For each open socket.
    pub(super) fates: Vec<Fate>,
    /// For each wanted address.
    pub(super) means: Vec<Means>,
}

/// The fate of an open socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is the socket of that wanted address.
    Serves(usize),
    /// It is a part of that wanted address, which has a socket of its own too.
    Covered(usize),
    /// It takes no new connection and closes when the handshakes that it has begun are over.
    Retires,
    /// It closes when its queue is empty.
    Closes,
}

/// How a wanted address gets its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// By an open socket.
    Held(usize),
    /// By a new one, which must be opened beside these open sockets: their addresses overlap.
    Opened(Vec<usize>),
}

/// IP version and port: only sockets that share both can conflict.
type FamilyPort = (bool, u16);

/// Plans the way from `held` to `wanted`. `wanted` names no address twice, and no address beside
/// all addresses of its port: `config` refuses both.
pub(super) fn plan(held: &[Held], wanted: &[Wanted]) -> Moves {
    let mut matching = Matching {
        fates: vec![None; held.len()],
        means: vec![None; wanted.len()],
    };
    // Port 0 is another port for each frontend: it stays only for the frontend that has it.
    matching.pair(
        held.iter().map(|held| Some((&held.listen, &held.owner))),
        wanted.iter().map(|want| Some((&want.listen, &want.owner))),
    );
    let fixed = |listen: &ListenAddress| !listen.is_any_port();
    matching.pair(
        held.iter()
            .map(|held| fixed(&held.listen).then(|| (&held.listen, kind(&held.owner)))),
        wanted
            .iter()
            .map(|want| fixed(&want.listen).then(|| (&want.listen, kind(&want.owner)))),
    );
    let known = |site: &Site| *site != Site::Unknown;
    matching.pair(
        held.iter()
            .map(|held| known(&held.site).then(|| (&held.site, kind(&held.owner)))),
        wanted
            .iter()
            .map(|want| known(&want.site).then(|| (&want.site, kind(&want.owner)))),
    );
    let Matching { fates, means } = matching;
    let wider = Wider::of(wanted);
    let fates = fates
        .into_iter()
        .zip(held)
        .map(|(fate, held)| fate.unwrap_or_else(|| wider.fate_of(held)))
        .collect();
    let neighbours = Neighbours::of(held);
    let means = means
        .into_iter()
        .zip(wanted)
        .map(|(means, want)| means.unwrap_or_else(|| Means::Opened(neighbours.beside(&want.site))))
        .collect();
    Moves { fates, means }
}

struct Matching {
    fates: Vec<Option<Fate>>,
    means: Vec<Option<Means>>,
}

impl Matching {
    /// Pairs items with the same key that have no partner yet.
    fn pair<K: Eq + Hash>(
        &mut self,
        held: impl Iterator<Item = Option<K>>,
        wanted: impl Iterator<Item = Option<K>>,
    ) {
        let mut known: FoldMap<K, Vec<usize>> = FoldMap::default();
        for (index, key) in held.enumerate() {
            if let Some(key) = key.filter(|_| self.fates[index].is_none()) {
                known.entry(key).or_default().push(index);
            }
        }
        for (index, key) in wanted.enumerate() {
            if self.means[index].is_none()
                && let Some(partner) = key.and_then(|key| known.get_mut(&key)?.pop())
            {
                self.fates[partner] = Some(Fate::Serves(index));
                self.means[index] = Some(Means::Held(partner));
            }
        }
    }
}

/// The wanted addresses, for sockets that they do not name.
struct Wider {
    /// The frontends' addresses that are all addresses of their IP version and port.
    all: FoldMap<FamilyPort, usize>,
    /// Families and ports of which single addresses are wanted.
    single: FoldSet<FamilyPort>,
}

impl Wider {
    fn of(wanted: &[Wanted]) -> Self {
        let mut wider = Self {
            all: FoldMap::default(),
            single: FoldSet::default(),
        };
        for (index, want) in wanted.iter().enumerate() {
            let Site::Ip(addr) = want.site else {
                continue;
            };
            if !addr.ip().is_unspecified() {
                wider.single.insert(family_port(addr));
            } else if matches!(want.owner, Owner::Frontend(_)) {
                wider.all.insert(family_port(addr), index);
            }
        }
        wider
    }

    fn fate_of(&self, held: &Held) -> Fate {
        let Site::Ip(addr) = held.site else {
            return Fate::Closes;
        };
        if !matches!(held.owner, Owner::Frontend(_)) {
            return Fate::Closes;
        }
        if !addr.ip().is_unspecified() {
            return match self.all.get(&family_port(addr)) {
                Some(index) => Fate::Covered(*index),
                None => Fate::Closes,
            };
        }
        match family_ports(addr, held.is_dual).any(|family_port| self.single.contains(&family_port))
        {
            true => Fate::Retires,
            false => Fate::Closes,
        }
    }
}

/// The open sockets, by IP version and port.
#[derive(Default)]
struct Neighbours {
    by_family_port: FoldMap<FamilyPort, Vec<usize>>,
    all: FoldMap<FamilyPort, Vec<usize>>,
    single: FoldMap<SocketAddr, Vec<usize>>,
}

impl Neighbours {
    fn of(held: &[Held]) -> Self {
        let mut neighbours = Self::default();
        for (index, held) in held.iter().enumerate() {
            let Site::Ip(addr) = held.site else {
                continue;
            };
            for family_port in family_ports(addr, held.is_dual) {
                neighbours
                    .by_family_port
                    .entry(family_port)
                    .or_default()
                    .push(index);
                if addr.ip().is_unspecified() {
                    neighbours.all.entry(family_port).or_default().push(index);
                }
            }
            if !addr.ip().is_unspecified() {
                neighbours.single.entry(addr).or_default().push(index);
            }
        }
        neighbours
    }

    /// The sockets whose addresses overlap with `site`.
    fn beside(&self, site: &Site) -> Vec<usize> {
        let Site::Ip(addr) = site else {
            return Vec::new();
        };
        let family_port = family_port(*addr);
        if addr.ip().is_unspecified() {
            return self
                .by_family_port
                .get(&family_port)
                .cloned()
                .unwrap_or_default();
        }
        let all = self.all.get(&family_port).into_iter().flatten();
        let single = self.single.get(addr).into_iter().flatten();
        all.chain(single).copied().collect()
    }
}

/// A socket stays with owners of one kind: they accept on the same threads, in the same way.
fn kind(owner: &Owner) -> Kind {
    match owner {
        Owner::Frontend(_) => Kind::Frontend,
        Owner::Admin => Kind::Admin,
        Owner::Commands => Kind::Commands,
    }
}

fn family_port(addr: SocketAddr) -> FamilyPort {
    (addr.is_ipv4(), addr.port())
}

fn family_ports(addr: SocketAddr, is_dual: bool) -> impl Iterator<Item = FamilyPort> {
    let other = is_dual.then(|| (!addr.is_ipv4(), addr.port()));
    std::iter::once(family_port(addr)).chain(other)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::IpAddr;

    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;

    /// A socket in the world of these tests.
    #[derive(Clone, Debug, PartialEq)]
    struct Socket {
        listen: ListenAddress,
        owner: Owner,
        /// Whether it still gets new connections.
        is_retired: bool,
    }

    /// Where a client connects to.
    type Target = SocketAddr;

    fn owner(number: u8) -> Owner {
        match number {
            0 => Owner::Admin,
            9 => Owner::Commands,
            number => Owner::Frontend(Name::new(&format!("f{number}")).expect("a name")),
        }
    }

    fn site(listen: &ListenAddress) -> Site {
        listen.ip().map_or(Site::Unknown, Site::Ip)
    }

    fn wanted_of(config: &[(SocketAddr, Owner)]) -> Vec<Wanted> {
        let wanted = config.iter().map(|(addr, owner)| Wanted {
            listen: (*addr).into(),
            site: Site::Ip(*addr),
            owner: owner.clone(),
        });
        wanted.collect()
    }

    fn held_of(sockets: &[Socket]) -> Vec<Held> {
        let held = sockets.iter().map(|socket| Held {
            listen: socket.listen.clone(),
            site: site(&socket.listen),
            is_dual: false,
            owner: socket.owner.clone(),
        });
        held.collect()
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    const SINGLE: [&str; 4] = ["127.0.0.1", "127.0.0.2", "::1", "::2"];

    fn single(port: u16) -> impl Iterator<Item = SocketAddr> {
        let ips = SINGLE.iter().map(|ip| ip.parse::<IpAddr>().expect("an IP"));
        ips.map(move |ip| SocketAddr::new(ip, port))
    }

    /// All that a client can connect to.
    fn targets() -> impl Iterator<Item = Target> {
        (1..=2).flat_map(single)
    }

    /// The sockets that the kernel gives a new connection for `target` to; several share it.
    fn takers<'a>(sockets: &'a [Socket], target: Target) -> Vec<&'a Socket> {
        let at = |wanted: SocketAddr| -> Vec<&'a Socket> {
            let there = sockets.iter();
            there
                .filter(|socket| socket.listen.ip() == Some(wanted))
                .collect()
        };
        let exact = at(target);
        if !exact.is_empty() {
            return exact;
        }
        at(all_of(target))
    }

    fn all_of(target: SocketAddr) -> SocketAddr {
        match target.is_ipv4() {
            true => SocketAddr::from(([0, 0, 0, 0], target.port())),
            false => SocketAddr::from(([0_u16; 8], target.port())),
        }
    }

    /// The owner that `config` has listen at `target`.
    fn owner_by(config: &[(SocketAddr, Owner)], target: Target) -> Option<&Owner> {
        let is_for = |addr: &SocketAddr| *addr == target || *addr == all_of(target);
        let mut found = config.iter().filter(|(addr, _)| is_for(addr));
        found.next().map(|(_, owner)| owner)
    }

    /// What one IP version and port is listened on for: nothing, all addresses, or some.
    fn family_port_config(
        is_v4: bool,
        port: u16,
    ) -> impl Strategy<Value = Vec<(SocketAddr, Owner)>> {
        let mine: Vec<_> = single(port)
            .filter(|addr| addr.is_ipv4() == is_v4)
            .collect();
        let all = all_of(mine[0]);
        let some = subsequence(mine, 0..=2).prop_flat_map(|some| {
            let owned = some
                .into_iter()
                .map(|addr| (Just(addr), select(vec![0, 1, 2, 9]).prop_map(owner)));
            owned.collect::<Vec<_>>()
        });
        prop_oneof![
            select(vec![0, 1, 2, 9]).prop_map(move |number| vec![(all, owner(number))]),
            some,
        ]
    }

    fn config() -> impl Strategy<Value = Vec<(SocketAddr, Owner)>> {
        let family_ports = [(true, 1), (true, 2), (false, 1), (false, 2)];
        let family_ports = family_ports.map(|(is_v4, port)| family_port_config(is_v4, port));
        family_ports.prop_map(|family_ports| family_ports.concat())
    }

    /// Carries the plan out, and checks at each step that no client is refused.
    fn reload(
        sockets: Vec<Socket>,
        before: &[(SocketAddr, Owner)],
        after: &[(SocketAddr, Owner)],
    ) -> Result<Vec<Socket>, TestCaseError> {
        let (held, wanted) = (held_of(&sockets), wanted_of(after));
        let Moves { fates, means } = plan(&held, &wanted);
        prop_assert_eq!((fates.len(), means.len()), (held.len(), wanted.len()));
        let is_served = |sockets: &[Socket], step: &str| {
            for target in targets() {
                let owners = [owner_by(before, target), owner_by(after, target)];
                if let [Some(old), Some(new)] = owners {
                    let takers = takers(sockets, target);
                    prop_assert!(!takers.is_empty(), "{} refuses {}", step, target);
                    for taker in takers {
                        prop_assert!(!taker.is_retired, "{} drops {}", step, target);
                        prop_assert!([old, new].contains(&&taker.owner), "{} {}", step, target);
                    }
                }
            }
            Ok(())
        };
        let mut now = sockets;
        for (means, want) in means.iter().zip(&wanted) {
            match means {
                Means::Held(index) => {
                    prop_assert_eq!(
                        &fates[*index],
                        &Fate::Serves(
                            wanted
                                .iter()
                                .position(|other| std::ptr::eq(other, want))
                                .expect("it is one of them"),
                        )
                    );
                }
                Means::Opened(beside) => {
                    let overlaps = |held: &Held| {
                        let (Site::Ip(one), Site::Ip(other)) = (&held.site, &want.site) else {
                            return false;
                        };
                        one == other || all_of(*one) == *other || *one == all_of(*other)
                    };
                    let overlapping: BTreeSet<usize> = (0..held.len())
                        .filter(|index| overlaps(&held[*index]))
                        .collect();
                    let beside: BTreeSet<usize> = beside.iter().copied().collect();
                    prop_assert_eq!(beside, overlapping);
                    now.push(Socket {
                        listen: want.listen.clone(),
                        owner: want.owner.clone(),
                        is_retired: false,
                    });
                }
            }
        }
        is_served(&now, "opened")?;
        for (index, fate) in fates.iter().enumerate() {
            match fate {
                Fate::Serves(index_of_wanted) | Fate::Covered(index_of_wanted) => {
                    let new = &wanted[*index_of_wanted].owner;
                    prop_assert_eq!(kind(new), kind(&now[index].owner), "threads are kept");
                    now[index].owner = new.clone();
                    now[index].is_retired = false;
                }
                Fate::Retires => now[index].is_retired = true,
                Fate::Closes => {}
            }
        }
        is_served(&now, "aimed")?;
        let closes = |index: usize| fates.get(index) == Some(&Fate::Closes);
        let now: Vec<Socket> = now
            .into_iter()
            .enumerate()
            .filter_map(|(index, socket)| (!closes(index)).then_some(socket))
            .collect();
        let open: Vec<Socket> = now.iter().filter(|one| !one.is_retired).cloned().collect();
        is_served(&now, "retiring")?;
        is_served(&open, "closed")?;
        for target in targets() {
            let takers = takers(&open, target);
            let wanted = owner_by(after, target);
            prop_assert_eq!(takers.is_empty(), wanted.is_none(), "{}", target);
            for taker in takers {
                prop_assert_eq!(Some(&taker.owner), wanted, "{}", target);
            }
        }
        Ok(now)
    }

    proptest! {
        #[test]
        fn no_address_that_is_wanted_before_and_after_refuses_a_client_meanwhile(
            configs in prop::collection::vec(config(), 2..5),
        ) {
            let mut sockets = Vec::new();
            let mut before: Vec<(SocketAddr, Owner)> = Vec::new();
            for after in configs {
                sockets = reload(sockets, &before, &after)?;
                // A second plan changes nothing.
                let moves = plan(&held_of(&sockets), &wanted_of(&after));
                let is_held = |means: &Means| matches!(means, Means::Held(_));
                prop_assert!(moves.means.iter().all(is_held), "{:?}", moves);
                for (fate, socket) in moves.fates.iter().zip(&sockets) {
                    let ends = matches!(fate, Fate::Retires | Fate::Closes);
                    prop_assert_eq!(ends, socket.is_retired, "{:?}", moves);
                }
                before = after;
            }
        }
    }

    fn held(text: &str, owner: Owner) -> Held {
        let addr = addr(text);
        Held {
            listen: addr.into(),
            site: Site::Ip(addr),
            is_dual: false,
            owner,
        }
    }

    fn want(text: &str, owner: Owner) -> Wanted {
        wanted_of(&[(addr(text), owner)]).remove(0)
    }

    #[test]
    fn one_address_stays_as_a_part_of_all_and_all_retire_for_one() {
        let web = || owner(1);
        let moves = plan(
            &[held("127.0.0.1:80", web())],
            &[want("0.0.0.0:80", web()), want("[::]:80", web())],
        );
        assert_eq!(moves.fates, [Fate::Covered(0)]);
        assert_eq!(moves.means, [Means::Opened(vec![0]), Means::Opened(vec![])]);
        let moves = plan(
            &[held("0.0.0.0:80", web()), held("[::]:80", web())],
            &[want("127.0.0.1:80", web())],
        );
        assert_eq!(moves.fates, [Fate::Retires, Fate::Closes]);
        assert_eq!(moves.means, [Means::Opened(vec![0])]);
    }

    #[test]
    fn port_0_stays_for_its_own_frontend_alone_and_with_its_real_port() {
        let any = Held {
            listen: addr("127.0.0.1:0").into(),
            ..held("127.0.0.1:4711", owner(1))
        };
        let wanted = |name| Wanted {
            site: Site::Unknown,
            ..want("127.0.0.1:0", owner(name))
        };
        let fate = |wanted: Wanted| plan(std::slice::from_ref(&any), &[wanted]).fates.remove(0);
        assert_eq!(fate(wanted(1)), Fate::Serves(0));
        assert_eq!(fate(wanted(2)), Fate::Closes);
        assert_eq!(fate(want("127.0.0.1:4711", owner(2))), Fate::Serves(0));
    }

    #[test]
    fn a_socket_for_both_ip_versions_is_beside_both() {
        let both = Held {
            is_dual: true,
            ..held("[::]:80", owner(1))
        };
        let moves = plan(&[both], &[want("127.0.0.1:80", owner(1))]);
        assert_eq!(moves.fates, [Fate::Retires]);
        assert_eq!(moves.means, [Means::Opened(vec![0])]);
    }

    #[test]
    fn the_admin_listener_and_a_frontend_have_sockets_of_their_own() {
        let moves = plan(
            &[
                held("127.0.0.1:80", owner(1)),
                held("127.0.0.1:81", owner(0)),
            ],
            &[
                want("127.0.0.1:80", owner(0)),
                want("127.0.0.1:81", owner(1)),
            ],
        );
        assert_eq!(moves.fates, [Fate::Closes, Fate::Closes]);
        let opened = |index| Means::Opened(vec![index]);
        assert_eq!(moves.means, [opened(0), opened(1)]);
    }
}
