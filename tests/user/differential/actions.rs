//! Actions of rules, one case each: HAProxy's lines, ours, and the requests.

use crate::case::{Case, case};

use super::{IPV4, Pair};

pub(crate) fn cases() -> Vec<Case> {
    vec![case!(actions_do_what_they_do_in_haproxy, HAPROXY)]
}

/// A rule in both languages.
struct Action {
    haproxy: &'static str,
    evenkeel: &'static str,
    /// Without the empty line.
    requests: &'static [&'static str],
    /// Fields that the client may see differ: HAProxy's pages and ours are not the same.
    client_fields: &'static [&'static str],
}

const ACTIONS: &[Action] = &[
    Action {
        haproxy: "http-request set-header x-new %[path]\nhttp-request del-header x-old\n\
                  http-request add-header x-more 2",
        evenkeel: "{ set_header = { x-new = '%[path]' } }, { del_header = 'x-old' }, { add_header = { x-more = '2' } }",
        requests: &[
            "GET /a HTTP/1.1\r\nhost: a\r\nx-old: 1\r\nx-more: 1",
            "GET /a HTTP/1.1\r\nhost: a\r\nx-new: 1\r\nx-new: 2",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request redirect scheme https code 301 if { path /s }\n\
                  http-request redirect prefix https://other.test code 308 if { path_beg /p }",
        evenkeel: "{ when = 'path == \"/s\"', redirect = { scheme = 'https', status = 301 } },\n\
                   { when = 'path starts_with \"/p\"', redirect = { prefix = 'https://other.test', status = 308 } }",
        requests: &[
            "GET /s?q HTTP/1.1\r\nhost: a.test",
            "GET /p/1?q=1 HTTP/1.1\r\nhost: a.test",
            "GET /other HTTP/1.1\r\nhost: a.test",
        ],
        client_fields: &["location"],
    },
    Action {
        haproxy: "http-request deny deny_status 429 if { path /no }",
        evenkeel: "{ when = 'path == \"/no\"', deny = 429 }",
        requests: &[
            "GET /no HTTP/1.1\r\nhost: a",
            "GET /yes HTTP/1.1\r\nhost: a",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-response set-header x-status %[status]\nhttp-response del-header server",
        evenkeel: "{ on = 'response', set_header = { x-status = '%[status]' } }, { on = 'response', del_header = 'server' }",
        requests: &["GET / HTTP/1.1\r\nhost: a"],
        client_fields: &["x-status", "server", "x-list", "set-cookie"],
    },
];

/// Fields that each proxy adds by its own defaults.
const OWN: [&str; 6] = [
    "connection",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
    "via",
];

fn actions_do_what_they_do_in_haproxy() {
    for action in ACTIONS {
        let pair = Pair::start(action.haproxy, &format!("rule = [{}]", action.evenkeel));
        for request in action.requests {
            let [theirs, ours] = pair.ask(IPV4, request);
            let what = format!("{}\n{request}", action.haproxy);
            assert_eq!(ours.client.status(), theirs.client.status(), "{what}");
            for field in action.client_fields {
                let (ours, theirs) = (ours.client.values(field), theirs.client.values(field));
                assert_eq!(ours, theirs, "{field} of {what}");
            }
            let request_seen = |seen: &super::Seen| {
                let origin = seen.origin.as_ref()?;
                let mut fields = origin.fields.clone();
                fields
                    .iter_mut()
                    .for_each(|(name, _)| name.make_ascii_lowercase());
                fields.retain(|(name, _)| !OWN.contains(&name.as_str()));
                fields.sort();
                Some((origin.start.clone(), fields))
            };
            assert_eq!(request_seen(&ours), request_seen(&theirs), "{what}");
        }
    }
}
