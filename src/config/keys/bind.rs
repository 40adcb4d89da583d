//! The items of `listen` of a frontend: addresses, each with its own TLS and PROXY settings.
//!
//! `check --show` shows them as short as possible: settings that all addresses share are shown in
//! the frontend.

use std::slice;

use crate::base::FileMode;
use crate::config::page::{Page, list, string, table};
use crate::plan::{Bind, Frontend, ProxyProtocol, Tls};

use super::kind::Shape;
use super::peers::{self, PROXY_SHAPE};
use super::tls::{FRONTEND_TLS, TLS_HINTS};
use super::{Keys, key};

/// An item of `listen`.
pub(in crate::config) static BIND: Keys<Bind> = Keys {
    keys: &[
        key("address")
            .means("The address to listen on.")
            .also("addr listen bind")
            .not_shown(Shape::List(&Shape::Text)),
        key("tls")
            .means("`tls` for this address alone; `false`: none.")
            .not_shown(Shape::AnyOf(&[
                Shape::Switch,
                Shape::List(&Shape::Text),
                Shape::Table(&FRONTEND_TLS),
            ])),
        key("proxy_protocol")
            .means("`proxy_protocol` for this address alone.")
            .not_shown(PROXY_SHAPE),
    ],
    hints: r#"
        port: write `address = ":443"`
        ssl crt: write `tls = "/path/to/fullchain.pem"`
        socket_mode mode http2: write it in the frontend: it is for all its addresses
        accept_proxy: write `proxy_protocol = "required"`
    "#,
    more_hints: TLS_HINTS,
    tcp_hints: "socket_mode: write it in the frontend: it is for all its addresses",
    ..Keys::EMPTY
};

/// `listen` in one line; `None`: its addresses have different TLS, which needs tables.
pub(super) fn short(frontend: &Frontend) -> Option<String> {
    let item = |bind: &Bind| match &*keys_of(slice::from_ref(bind), frontend) {
        [(_, address)] => address.clone(),
        keys => table(keys.iter().cloned()),
    };
    has_one_tls(frontend).then(|| list(frontend.binds.iter().map(item)))
}

/// `listen` as tables, for addresses with different TLS. Neighbours with equal settings share one
/// table.
pub(super) fn long(frontend: &Frontend, path: &str, page: &mut Page) {
    if has_one_tls(frontend) {
        return;
    }
    let are_alike = |one: &Bind, next: &Bind| {
        (one.tls, &one.proxy_protocol) == (next.tls, &next.proxy_protocol)
    };
    for alike in frontend.binds.chunk_by(are_alike) {
        page.element(path);
        for (key, value) in keys_of(alike, frontend) {
            page.set(&key, value);
        }
        let index = alike.first().and_then(|bind| bind.tls);
        if let Some(tls) = index.and_then(|index| frontend.tls.get(index)) {
            let path = Page::inner(path, "tls");
            page.table(&path);
            FRONTEND_TLS.whole().show(&path, tls, page);
        }
    }
}

/// The `tls` that the frontend shows; `None`: there is none, or each address shows its own.
pub(super) fn tls_of_all(frontend: &Frontend) -> Option<&Tls> {
    frontend.tls.first().filter(|_| has_one_tls(frontend))
}

/// The `proxy_protocol` that the frontend shows; `None`: each address shows its own.
pub(super) fn proxy_protocol_of_all(frontend: &Frontend) -> Option<&ProxyProtocol> {
    let mut all = frontend.binds.iter().map(|bind| &bind.proxy_protocol);
    let first = all.next().unwrap_or(&ProxyProtocol::Off);
    all.all(|other| other == first).then_some(first)
}

/// Whether no two addresses have different TLS; some may have none.
fn has_one_tls(frontend: &Frontend) -> bool {
    frontend.tls.len() <= 1
}

/// The addresses of `alike`, whose settings are the same, and the settings that differ from those
/// shown in the frontend. Other TLS is shown as a table.
fn keys_of(alike: &[Bind], frontend: &Frontend) -> Vec<(String, String)> {
    let addresses = alike.iter().map(|bind| string(&bind.addr.to_string()));
    let mut keys = vec![("address", one_or_list(addresses))];
    let first = alike.first();
    if first.is_some_and(|bind| bind.tls.is_none()) && !frontend.tls.is_empty() {
        keys.push(("tls", false.to_string()));
    }
    if let Some(bind) = first.filter(|_| proxy_protocol_of_all(frontend).is_none()) {
        keys.push(("proxy_protocol", peers::shown(&bind.proxy_protocol)));
    }
    let keys = keys.into_iter();
    keys.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A list, without brackets where it has one item.
fn one_or_list(items: impl ExactSizeIterator<Item = String>) -> String {
    match items.len() {
        1 => items.collect(),
        _ => list(items),
    }
}

/// The permissions of the socket files among `binds`, which are the same for all; `None`: there is no file.
pub(super) fn socket_mode(binds: &[Bind]) -> Option<String> {
    let mut files = binds.iter().filter(|bind| bind.addr.path().is_some());
    let mode: Option<FileMode> = files.next().map(|bind| bind.mode);
    mode.map(|mode| string(&mode.to_string()))
}
