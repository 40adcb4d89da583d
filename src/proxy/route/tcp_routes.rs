//! The route of a TCP connection: the first that matches the client's ClientHello.
//!
//! `control::assemble` compiles a frontend's routes, `tcp` calls [`TcpRoutes::find`]. A search
//! costs a few look-ups in tables however many names there are.
//!
//! # Precedence
//!
//! 1. **The first in file order that matches wins**, as among routes of requests: an exact name does
//!    not come before a wildcard.
//! 2. A route matches if each kind of its conditions holds: one of its names is the client's SNI, the
//!    client offers one of its protocols (ALPN), and `when` is true of the connection.
//! 3. `*.example.com` is any number of labels before `example.com`, at least one. A client without
//!    SNI matches only routes without names.
//! 4. A client that does not begin with TLS matches only routes without names and protocols.

use crate::expr::Condition;
use crate::plan::TcpRoute;
use crate::wire::client_hello::ClientHello;

use super::names::{Names, indices};

/// The TCP routes of a frontend, compiled.
#[derive(Debug)]
pub struct TcpRoutes {
    /// The protocols of each route, one of which the client must offer; empty: any.
    protocols: Box<[Box<[String]>]>,
    /// The indices of the routes by name, in file order.
    named: Names<Vec<usize>>,
    /// The indices of the routes without names, in file order.
    nameless: Box<[usize]>,
    /// The indices of the routes without names and protocols, in file order.
    plain: Box<[usize]>,
    /// The other condition of each route.
    conditions: Box<[Option<Condition>]>,
}

impl TcpRoutes {
    /// The compiled form of `tcp_routes`, which are in file order.
    pub fn compile(tcp_routes: &[TcpRoute]) -> Self {
        let (by_name, nameless) = indices(tcp_routes, |tcp_route| &tcp_route.sni);
        let is_plain = |index: &usize| !tcp_routes[*index].asks_client_hello();
        let condition = |one: &TcpRoute| one.when.as_ref().map(Condition::compile);
        Self {
            protocols: tcp_routes
                .iter()
                .map(|one| one.alpn.as_slice().into())
                .collect(),
            named: Names::of(by_name),
            nameless: nameless.into(),
            plain: (0..tcp_routes.len()).filter(is_plain).collect(),
            conditions: tcp_routes.iter().map(condition).collect(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.protocols.is_empty()
    }

    /// Whether one of them has a condition on the ClientHello.
    pub fn ask_client_hello(&self) -> bool {
        self.plain.len() < self.protocols.len()
    }

    /// The index of the first route that matches a client with the ClientHello `hello`; `None`: the
    /// client does not begin with TLS. `holds` evaluates a condition for the connection.
    pub fn find(
        &self,
        hello: Option<&ClientHello>,
        mut holds: impl FnMut(&Condition) -> bool,
    ) -> Option<usize> {
        let mut is_true = |index: usize| self.conditions[index].as_ref().is_none_or(&mut holds);
        let Some(hello) = hello else {
            return self.plain.iter().copied().find(|index| is_true(*index));
        };
        let name = hello.server_name.as_deref();
        let named = name.into_iter().flat_map(|name| self.named.matching(name));
        let lists = named.map(Vec::as_slice).chain([&*self.nameless]);
        lists.fold(None, |found, indices| {
            let before = found.unwrap_or(usize::MAX);
            let mut earlier = indices.iter().copied().take_while(|&index| index < before);
            let takes = |&index: &usize| self.speaks(hello, index) && is_true(index);
            earlier.find(takes).or(found)
        })
    }

    fn speaks(&self, hello: &ClientHello, index: usize) -> bool {
        let wanted = &self.protocols[index];
        let is_spoken = |wanted: &String| hello.alpn.iter().any(|own| own == wanted.as_bytes());
        wanted.is_empty() || wanted.iter().any(is_spoken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;
    use crate::base::{Name, Position};
    use crate::config::written;
    use crate::plan::{BackendReference, HostPattern};

    fn tcp_route(sni: &[HostPattern], alpn: &[&str]) -> TcpRoute {
        TcpRoute {
            name: Name::new("a").expect("a name"),
            sni: sni.to_vec(),
            alpn: alpn.iter().map(|&name| name.to_owned()).collect(),
            when: None,
            backend: BackendReference::built_in(Name::new("b").expect("a name")),
            at: Position::built_in(),
            named_at: Position::built_in(),
        }
    }

    fn hello(name: Option<&str>, alpn: &[&str]) -> ClientHello {
        ClientHello {
            server_name: name.map(str::to_owned),
            alpn: alpn.iter().map(|name| name.as_bytes().to_vec()).collect(),
            version: 0x0303,
        }
    }

    fn find(tcp_routes: &[TcpRoute], hello: Option<&ClientHello>) -> Option<usize> {
        TcpRoutes::compile(tcp_routes).find(hello, |_| true)
    }

    /// The rules of the head as code, one route after the other.
    fn find_in_turn(tcp_routes: &[TcpRoute], hello: Option<&ClientHello>) -> Option<usize> {
        tcp_routes
            .iter()
            .position(|tcp_route| matches(tcp_route, hello))
    }

    fn matches(tcp_route: &TcpRoute, hello: Option<&ClientHello>) -> bool {
        let Some(hello) = hello else {
            return !tcp_route.asks_client_hello();
        };
        let name = hello.server_name.as_deref();
        let takes_name = |pattern: &HostPattern| name.is_some_and(|name| is_name(pattern, name));
        let speaks = |protocol: &String| hello.alpn.iter().any(|own| own == protocol.as_bytes());
        (tcp_route.sni.is_empty() || tcp_route.sni.iter().any(takes_name))
            && (tcp_route.alpn.is_empty() || tcp_route.alpn.iter().any(speaks))
    }

    fn is_name(pattern: &HostPattern, name: &str) -> bool {
        match pattern {
            HostPattern::Exact(exact) => exact == name,
            HostPattern::Wildcard(suffix) => name
                .strip_suffix(suffix.as_str())
                .is_some_and(|labels| labels.len() > 1 && labels.ends_with('.')),
        }
    }

    #[test]
    fn names_are_whole_and_a_wildcard_is_one_label_or_more() {
        let exact = HostPattern::Exact("db.example".to_owned());
        let below = HostPattern::Wildcard("db.example".to_owned());
        let takes = |pattern: &HostPattern, name: &str| {
            let hello = hello(Some(name), &[]);
            find(
                &[tcp_route(std::slice::from_ref(pattern), &[])],
                Some(&hello),
            )
            .is_some()
        };
        assert!(takes(&exact, "db.example"));
        assert!(!takes(&exact, "a.db.example"));
        for name in ["a.db.example", "a.b.db.example"] {
            assert!(takes(&below, name), "{name}");
        }
        for name in ["db.example", ".db.example", "xdb.example", "other"] {
            assert!(!takes(&below, name), "{name}");
        }
    }

    #[test]
    fn every_kind_of_condition_must_hold() {
        let name = HostPattern::Exact("a".to_owned());
        let both = [tcp_route(&[name], &["h2", "x"])];
        let found = |hello: &ClientHello| find(&both, Some(hello)).is_some();
        assert!(found(&hello(Some("a"), &["http/1.1", "x"])));
        assert!(!found(&hello(Some("a"), &["http/1.1"])));
        assert!(!found(&hello(Some("b"), &["h2"])));
        assert!(!found(&hello(None, &["h2"])));
        assert_eq!(find(&both, None), None);
        let none = [tcp_route(&[], &[])];
        assert_eq!(find(&none, None), Some(0));
        assert_eq!(find(&none, Some(&hello(None, &[]))), Some(0));
    }

    #[test]
    fn the_first_in_file_order_wins_whatever_is_more_specific() {
        let wildcard = HostPattern::Wildcard("x".to_owned());
        let exact = HostPattern::Exact("a.x".to_owned());
        let tcp_routes = [
            tcp_route(&[], &["h2"]),
            tcp_route(&[wildcard], &[]),
            tcp_route(&[exact], &[]),
            tcp_route(&[], &[]),
        ];
        let found = |name, alpn: &[&str]| find(&tcp_routes, Some(&hello(name, alpn)));
        assert_eq!(found(Some("a.x"), &["h2"]), Some(0));
        assert_eq!(found(Some("a.x"), &[]), Some(1));
        assert_eq!(found(Some("x"), &[]), Some(3));
        assert_eq!(found(None, &[]), Some(3));
    }

    #[test]
    fn a_route_whose_condition_does_not_hold_leaves_the_connection_to_later_ones() {
        let name = HostPattern::Exact("a".to_owned());
        let with_when = |route| TcpRoute {
            when: Some(written::condition("src == '10.0.0.1'")),
            ..route
        };
        let tcp_routes = [
            with_when(tcp_route(&[name], &[])),
            with_when(tcp_route(&[], &[])),
            tcp_route(&[], &[]),
        ];
        let compiled = TcpRoutes::compile(&tcp_routes);
        let hello = hello(Some("a"), &[]);
        assert_eq!(compiled.find(Some(&hello), |_| true), Some(0));
        assert_eq!(compiled.find(Some(&hello), |_| false), Some(2));
        assert_eq!(compiled.find(None, |_| true), Some(1));
        assert_eq!(compiled.find(None, |_| false), Some(2));
        assert!(compiled.ask_client_hello());
        assert!(!TcpRoutes::compile(&tcp_routes[1..]).ask_client_hello());
    }

    // Few words, so that routes and clients meet often.

    fn patterns() -> impl Strategy<Value = HostPattern> {
        let name = select(vec!["x", "a.x", "b.a.x", "c.b.a.x"]);
        (name, any::<bool>()).prop_map(|(name, is_exact)| match is_exact {
            true => HostPattern::Exact(name.to_owned()),
            false => HostPattern::Wildcard(name.to_owned()),
        })
    }

    fn tcp_routes() -> impl Strategy<Value = Vec<TcpRoute>> {
        let names = prop::collection::vec(patterns(), 0..3);
        let one = (names, subsequence(vec!["p", "q"], 0..=2));
        let one = one.prop_map(|(sni, alpn)| tcp_route(&sni, &alpn));
        prop::collection::vec(one, 0..12)
    }

    fn hellos() -> impl Strategy<Value = Option<ClientHello>> {
        let known = select(vec!["x", "a.x", "b.a.x", "c.b.a.x", "d.c.b.a.x"]);
        let name = prop_oneof![4 => known.prop_map(str::to_owned), 1 => "[abx.]{0,6}"];
        let alpn = subsequence(vec!["q", "p", "r"], 0..=3);
        let asked = (prop::option::weighted(0.8, name), alpn);
        let asked = asked.prop_map(|(name, alpn)| hello(name.as_deref(), &alpn));
        prop::option::weighted(0.9, asked)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn the_compiled_tcp_routes_agree_with_their_head(
            tcp_routes in tcp_routes(),
            hellos in prop::collection::vec(hellos(), 8),
        ) {
            let compiled = TcpRoutes::compile(&tcp_routes);
            for hello in &hellos {
                let hello = hello.as_ref();
                prop_assert_eq!(compiled.find(hello, |_| true), find_in_turn(&tcp_routes, hello), "{:?}", hello);
            }
        }
    }
}
