//! The changes of a reload, in words: for the log and for the answer to the request.

use std::fmt;

use crate::base::{FoldMap, Name};
use crate::plan::{Backend, Frontend, Plan, Table};

/// The differences between two plans, one line each; empty if they are equal except for the order
/// of frontends and backends, which has no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub Vec<String>);

impl Changes {
    /// The changes from `before` to `after`.
    pub fn between(before: &Plan, after: &Plan) -> Self {
        let mut lines = Vec::new();
        // All fields by name, so that a new field that is not compared here does not compile.
        let Plan {
            process,
            log,
            reload,
            shutdown,
            admin,
            command_sockets,
            frontends,
            backends,
            tables,
        } = after;
        let sections = [
            ("process", before.process == *process),
            ("log", before.log == *log),
            ("reload", before.reload == *reload),
            ("shutdown", before.shutdown == *shutdown),
            (
                "admin",
                before.admin == *admin && before.command_sockets == *command_sockets,
            ),
        ];
        for (section, _) in sections.iter().filter(|(_, is_same)| !is_same) {
            lines.push(format!("{section} changed"));
        }
        if before.process.workers != process.workers {
            lines.push("process.workers takes effect at the next start".to_owned());
        }
        let of_frontend = |frontend: &Frontend| frontend.name.clone();
        compare(
            &mut lines,
            "frontend",
            &before.frontends,
            frontends,
            of_frontend,
            |_, _| None,
        );
        let of_backend = |backend: &Backend| backend.name.clone();
        compare(
            &mut lines,
            "backend",
            &before.backends,
            backends,
            of_backend,
            servers_changed,
        );
        let of_table = |table: &Table| table.name.clone();
        compare(
            &mut lines,
            "table",
            &before.tables,
            tables,
            of_table,
            |_, _| None,
        );
        Self(lines)
    }

    /// Adds the backends whose files have other content although the plan is the same.
    pub fn renewed(&mut self, backends: Vec<Name>) {
        let lines = backends
            .into_iter()
            .map(|name| format!("backend {name}: its TLS files were renewed"));
        self.0.extend(lines);
    }

    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changed");
        }
        f.write_str(&self.0.join(", "))
    }
}

/// Adds a line for each named thing that was added, removed or changed.
fn compare<T: PartialEq>(
    lines: &mut Vec<String>,
    kind: &str,
    before: &[T],
    after: &[T],
    name_of: impl Fn(&T) -> Name,
    detail: impl Fn(&T, &T) -> Option<String>,
) {
    let known: FoldMap<Name, &T> = before.iter().map(|thing| (name_of(thing), thing)).collect();
    let now: FoldMap<Name, &T> = after.iter().map(|thing| (name_of(thing), thing)).collect();
    for thing in before {
        let name = name_of(thing);
        if !now.contains_key(&name) {
            lines.push(format!("{kind} {name} removed"));
        }
    }
    for thing in after {
        let name = name_of(thing);
        match known.get(&name) {
            None => lines.push(format!("{kind} {name} added")),
            Some(before) if **before != *thing => {
                let detail = detail(before, thing).unwrap_or_else(|| "changed".to_owned());
                lines.push(format!("{kind} {name} {detail}"));
            }
            Some(_) => {}
        }
    }
}

fn servers_changed(before: &Backend, after: &Backend) -> Option<String> {
    let mut lines = Vec::new();
    let name_of = |server: &crate::plan::Server| server.name.clone();
    compare(
        &mut lines,
        "server",
        &before.servers,
        &after.servers,
        name_of,
        |_, _| None,
    );
    let rest_changed = Backend {
        servers: after.servers.clone(),
        ..before.clone()
    } != *after;
    if rest_changed || lines.is_empty() {
        lines.insert(0, "changed".to_owned());
    }
    Some(lines.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn plan(text: &str) -> Plan {
        match config::load_text("test.toml", text) {
            Ok(loaded) => loaded.plan,
            Err(diagnostics) => unreachable!("{diagnostics}"),
        }
    }

    fn app(servers: &str) -> Plan {
        plan(&format!(
            "[frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n[backend.app]\n{servers}"
        ))
    }

    #[test]
    fn servers_are_named() {
        let before = app("servers = [\"10.0.0.1:80\", \"10.0.0.2:80\"]");
        let after = app("servers = [\"10.0.0.2:80\", \"10.0.0.3:80\"]");
        assert_eq!(
            Changes::between(&before, &after).to_string(),
            "backend app server 10.0.0.1:80 removed, server 10.0.0.3:80 added"
        );
        assert!(Changes::between(&before, &before).is_empty());
    }

    #[test]
    fn tables_in_another_order_are_no_change() {
        let table = |name: &&str| {
            format!(
                "[frontend.{name}]\nlisten = \"127.0.0.1:0\"\nbackend = \"{name}\"\n\
                 [backend.{name}]\nservers = [\"10.0.0.1:80\"]\n"
            )
        };
        let in_order = |names: &[&str]| plan(&names.iter().map(table).collect::<String>());
        let before = in_order(&["a", "b", "c"]);
        let after = in_order(&["c", "a", "b"]);
        assert_eq!(Changes::between(&before, &after), Changes::default());
        assert_eq!(after.in_order_of(&before), before);
        // If the names differ, the order stays.
        let other = in_order(&["c", "b", "d"]);
        assert_eq!(other.clone().in_order_of(&before), other);
        assert!(!Changes::between(&before, &other).is_empty());
    }

    #[test]
    fn order_and_settings_of_a_backend_are_a_change_of_it() {
        let before = app("servers = [\"10.0.0.1:80\", \"10.0.0.2:80\"]");
        let swapped = app("servers = [\"10.0.0.2:80\", \"10.0.0.1:80\"]");
        let other =
            app("balance = \"least-connections\"\nservers = [\"10.0.0.1:80\", \"10.0.0.2:80\"]");
        for after in [swapped, other] {
            let changes = Changes::between(&before, &after);
            assert_eq!(changes.to_string(), "backend app changed");
        }
    }
}
