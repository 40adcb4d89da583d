//! Any text as a condition, and as the template of a rule: a mistake that can be shown, or a value
//! that is written back as itself and can be evaluated.

#![no_main]

use std::net::SocketAddr;

use evenkeel::base::Peer;
use evenkeel::config::{self, Color};
use evenkeel::exchange::RequestId;
use evenkeel::expr::{Condition, ConnectionFacts, Facts, RequestFacts, Scratch, Template};
use evenkeel::plan::{self, Action};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use libfuzzer_sys::fuzz_target;

fn configuration(condition: &str) -> String {
    let escaped: String = condition
        .chars()
        .map(|c| format!("\\U{:08X}", u32::from(c)))
        .collect();
    format!(
        "[frontend.web]\nlisten = \":80\"\nbackend = \"app\"\n[[frontend.web.route]]\nbackend = \"app\"\n\
         when = \"{escaped}\"\n[backend.app]\nservers = \"127.0.0.1:80\"\n"
    )
}

fn with_rule(template: &str) -> String {
    let escaped: String = template
        .chars()
        .map(|c| format!("\\U{:08X}", u32::from(c)))
        .collect();
    format!(
        "[frontend.web]\nlisten = \":80\"\nbackend = \"app\"\n\
         rule = [{{ add_header = {{ x-a = \"{escaped}\" }} }}]\n[backend.app]\nservers = \"127.0.0.1:80\"\n"
    )
}

/// The template of the only rule of `loaded`.
fn template_of(loaded: &config::Loaded) -> &plan::expr::Template {
    match &loaded.plan.frontends[0].rules[0].action {
        Action::AddHeader(fields) => &fields[0].value,
        other => panic!("{other:?}"),
    }
}

fuzz_target!(|text: &str| {
    // A list in a file: its content is not known. And `$` begins a variable.
    if text.contains("@file") || text.contains("map") || text.contains('$') {
        return;
    }
    condition(text);
    if let Ok(loaded) = config::load_text("fuzzed.toml", &with_rule(text)) {
        let template = template_of(&loaded);
        let again = config::load_text("shown.toml", &with_rule(&template.to_string()));
        let again = again.unwrap_or_else(|why| panic!("{why}\nof {template}"));
        assert!(again.plan == loaded.plan, "{text}\nis not\n{template}");
        with_facts(|facts| {
            Template::compile(template).render(facts, &mut Scratch::default());
        });
    }
});

fn condition(text: &str) {
    let loaded = match config::load_text("fuzzed.toml", &configuration(text)) {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            assert!(!diagnostics.render(Color::Never).is_empty());
            return;
        }
    };
    let when = loaded.plan.frontends[0].routes[0].when.as_ref();
    let when = when.expect("it is written");
    let again = config::load_text("shown.toml", &configuration(&when.to_string()));
    let again = again.unwrap_or_else(|why| panic!("{why}\nof {when}"));
    assert!(again.plan == loaded.plan, "{text}\nis not\n{when}");

    with_facts(|facts| {
        let mut scratch = Scratch::default();
        let condition = Condition::compile(when);
        let holds = condition.holds(facts, &mut scratch);
        assert_eq!(condition.holds(facts, &mut scratch), holds);
    });
}

fn with_facts(see: impl FnOnce(&Facts<'_>)) {
    let headers: HeaderMap = [
        ("host", "a.test:80"),
        ("cookie", "a=1; b"),
        ("x", "1, \"2,3\" ,"),
    ]
    .into_iter()
    .map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    })
    .collect();
    let target = Uri::from_static("/a/b;c?d=e&f");
    let id = RequestId::made(1);
    let facts = Facts {
        id: &id,
        connection: ConnectionFacts {
            client: Peer::Ip(SocketAddr::from(([192, 0, 2, 1], 4711))),
            local: None,
            tls: None,
            frontend: "web",
            variables: None,
            tables: None,
            state: None,
            proxy_fields: None,
            content: None,
            is_local: |_| false,
        },
        request: Some(RequestFacts {
            method: &Method::GET,
            version: Version::HTTP_11,
            target: &target,
            path: target.path(),
            also: &[],
            headers: &headers,
            body: None,
        }),
        backend: None,
        response: None,
        variables: None,
        tracked: None,
    };
    see(&facts);
}
