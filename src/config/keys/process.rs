//! The top of a file, and the tables of the process: `[process]`, `[reload]`, `[shutdown]`, `[admin]`.

use crate::base::units::show_duration;
use crate::config::page::{Page, host, key as quoted_key, list, string};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::{Admin, Backend, Frontend, Plan, Process, Reload, Shutdown};

use super::backend::BACKEND;
use super::bind::socket_mode;
use super::command_socket::COMMAND_SOCKET;
use super::frontend::FRONTEND;
use super::kind::{Inner, Shape};
use super::log::LOG;
use super::table::TABLE;
use super::{Keys, Part, View, key};

/// More threads than any machine has cores.
const MAX_WORKERS: i64 = 1024;

pub(in crate::config) static TOP: Keys<Plan> = Keys {
    keys: &[
        key("include")
            .means("More files, read as if their text were at the end of this one.")
            .not_shown(Shape::List(&Shape::Text)),
        key("process")
            .means("Threads and limits of the process.")
            .table(&Inner(&PROCESS, |plan| &mut plan.process)),
        key("log")
            .means("Events and the access logs.")
            .table(&Inner(&LOG, |plan| &mut plan.log)),
        key("reload")
            .means("What starts a reload.")
            .table(&Inner(&RELOAD, |plan| &mut plan.reload)),
        key("shutdown")
            .means("How the process ends.")
            .table(&Inner(&SHUTDOWN, |plan| &mut plan.shutdown)),
        key("admin")
            .means("The listener for metrics, probes and the API.")
            .compiled_tables(Shape::Table(&ADMIN), |plan, path, page| {
                page.table(path);
                match &plan.admin {
                    None => page.set("listen", string("off")),
                    Some(admin) => ADMIN.whole().show(path, admin, page),
                }
                let path = Page::inner(path, "haproxy_socket");
                for socket in &plan.command_sockets {
                    page.element(&path);
                    COMMAND_SOCKET.whole().show(&path, socket, page);
                }
            }),
        key("defaults")
            .means("Values for all frontends and backends that do not write their own.")
            .not_shown(Shape::Table(&DEFAULTS)),
        key("frontend")
            .means("Addresses to listen on, and where their requests go; you choose the names.")
            .compiled_tables(
                Shape::Named(&Shape::Table(&FRONTEND)),
                |plan, path, page| {
                    for frontend in &plan.frontends {
                        let path = Page::inner(path, &quoted_key(&frontend.name));
                        page.table(&path);
                        FRONTEND
                            .part(Part::of(frontend.mode))
                            .show(&path, frontend, page);
                    }
                },
            ),
        key("backend")
            .means("Servers that can answer the same requests; you choose the names.")
            .compiled_tables(Shape::Named(&Shape::Table(&BACKEND)), |plan, path, page| {
                for backend in &plan.backends {
                    let path = Page::inner(path, &quoted_key(&backend.name));
                    page.table(&path);
                    BACKEND.whole().show(&path, backend, page);
                }
            }),
        key("table")
            .means("Counters for keys such as clients' addresses, which rules track; you choose the names.")
            .also("stick_table")
            .compiled_tables(Shape::Named(&Shape::Table(&TABLE)), |plan, path, page| {
                for table in &plan.tables {
                    let path = Page::inner(path, &quoted_key(&table.name));
                    page.table(&path);
                    TABLE.whole().show(&path, table, page);
                }
            }),
    ],
    hints: r#"
        global: settings of the process are `[process]`, `[log]`, `[reload]`, `[shutdown]` and `[admin]`
        listen: addresses are written `listen = "…"` in a `[frontend.NAME]`, servers in a `[backend.NAME]`
        server servers: servers are written `servers = ["…"]` in a `[backend.NAME]`
        upstream upstreams: a group of servers is a `[backend.NAME]`
        route: routes are written `[[frontend.NAME.route]]`
        stats: metrics and state are on the `[admin]` listener
        tables: write `[table.NAME]`
        frontends: write `[frontend.NAME]`
        backends: write `[backend.NAME]`
        http: a website is a `[frontend.NAME]` with `listen` and routes, servers are a `[backend.NAME]`
        events: settings of the process are `[process]`
        workers: write it in `[process]`
        timeout: timeouts are keys of each frontend and backend; for all of them write `[defaults.frontend.timeout]` and `[defaults.backend.timeout]`
        default: values for all frontends and backends are `[defaults.frontend]` and `[defaults.backend]`
        bind: addresses are written `listen = "…"` in a `[frontend.NAME]`
        tls: `tls` is a key of a `[frontend.NAME]` or a `[backend.NAME]`
    "#,
    ..Keys::EMPTY
};

static PROCESS: Keys<Process> = Keys {
    keys: &[
        key("workers")
            .means("Threads that carry traffic; \"auto\": one for each core.")
            .also("nbthread threads worker_processes worker_threads cpus")
            .number_or("auto", MAX_WORKERS, |process| &mut process.workers),
        key("max_connections")
            .means(
                "Client connections of all frontends together; \"auto\": by the open-file limit.",
            )
            .also("maxconn max_conns")
            .number_or("auto", i64::MAX, |process| &mut process.max_connections),
    ],
    hints: "worker_connections: write `max_connections`: it counts the connections of all workers together",
    default: Some(Process::default),
    ..Keys::EMPTY
};

static RELOAD: Keys<Reload> = Keys {
    keys: &[key("watch")
        .means("Reload when a file of the configuration changes.")
        .also("enabled auto")
        .switch(|reload| &mut reload.watch)],
    default: Some(Reload::default),
    ..Keys::EMPTY
};

static SHUTDOWN: Keys<Shutdown> = Keys {
    keys: &[
        // Each may be 0: close listeners at once, cut exchanges at once.
        key("grace")
            .means("From the failing readiness probe to closing the listeners.")
            .also("grace_period delay")
            .duration_from_0(|shutdown| &mut shutdown.grace),
        key("timeout")
            .means("From closing the listeners to aborting open requests.")
            .also("hard_stop_after drain drain_timeout")
            .duration_from_0(|shutdown| &mut shutdown.timeout),
        key("tunnels")
            .means("From closing the listeners to closing tunnels; nine tenths of `timeout`.")
            .duration_from_0(|shutdown| &mut shutdown.tunnels),
    ],
    default: Some(Shutdown::default),
    check: tunnels_within_timeout,
    ..Keys::EMPTY
};

pub(in crate::config) static ADMIN: Keys<Admin> = Keys {
    keys: &[
        key("listen")
            .means("Where metrics, probes and the API are; \"off\": nowhere.")
            .also("bind address")
            .compiled(Shape::List(&Shape::Text), |admin| {
                let binds = admin.binds.iter();
                Some(list(binds.map(|bind| string(&bind.addr.to_string()))))
            }),
        key("socket_mode")
            .means("The permissions of its file, when it is a Unix socket with a path.")
            .compiled(Shape::Text, |admin| socket_mode(&admin.binds)),
        key("hosts")
            .means("Names by which it is asked, beside IP addresses and localhost.")
            .also("host allowed_hosts")
            .compiled(Shape::List(&Shape::Text), |admin| {
                Some(list(admin.hosts.iter().map(host)))
            }),
        key("ready_needs")
            .means("Backends without which /ready is 503.")
            .compiled(Shape::List(&Shape::Text), |admin| {
                let names = admin.ready_needs.iter();
                Some(list(names.map(|backend| string(&backend.name))))
            }),
        key("haproxy_socket")
            .means("Sockets for HAProxy's commands, such as `show stat`; a path, or a table.")
            .also("stats_socket socket")
            .not_shown(Shape::List(&Shape::AnyOf(&[
                Shape::Text,
                Shape::Table(&COMMAND_SOCKET),
            ]))),
    ],
    hints: r#"
        port: write `listen = "127.0.0.1:9900"`
        enabled: write `listen = "off"` to switch it off
        user password token auth: the admin listener does not ask for a password or token yet: write an address in `listen` that only administrators can reach
        tls: the admin listener does not speak TLS yet: write a loopback address or a Unix socket in `listen`
    "#,
    default: Some(Admin::default),
    ..Keys::EMPTY
};

pub(in crate::config) static DEFAULTS: Keys<()> = Keys {
    keys: &[
        key("frontend")
            .means("Values for all frontends.")
            .not_shown(Shape::Table(&DEFAULT_FRONTEND)),
        key("backend")
            .means("Values for all backends.")
            .not_shown(Shape::Table(&DEFAULT_BACKEND)),
    ],
    hints: r#"
        timeout: write `[defaults.frontend.timeout]` for clients, `[defaults.backend.timeout]` for servers
        limits: write `[defaults.frontend.limits]` for requests, `[defaults.backend.limits]` for answers
        http2: write `[defaults.frontend.http2]` for clients, `[defaults.backend.http2]` for servers
        header_case: write it in `[defaults.frontend]` or `[defaults.backend]`
        mode max_connections forwarding trusted_proxies: write it in `[defaults.frontend]`
        maxconn: write `max_connections` in `[defaults.frontend]`
        balance health attempts pool queue: write it in `[defaults.backend]`
        retries: write `attempts` in `[defaults.backend]`: the first try counts too, so `retries 3` is `attempts = 4`
        option: write the keys of frontends in `[defaults.frontend]`, those of backends in `[defaults.backend]`
        log: the log is `[log]`, for the whole process
        server: what holds for all servers is in `[defaults.backend]`; servers are written `servers = ["…"]` in a `[backend.NAME]`
    "#,
    ..Keys::EMPTY
};

static DEFAULT_FRONTEND: View<'static, Frontend> = FRONTEND.part(Part::Defaults);
static DEFAULT_BACKEND: View<'static, Backend> = BACKEND.part(Part::Defaults);

fn tunnels_within_timeout(section: &Section<'_>, shutdown: &mut Shutdown, report: &mut Report<'_>) {
    let Some(setting) = section.setting("tunnels") else {
        shutdown.tunnels = Shutdown::tunnels_within(shutdown.timeout);
        return;
    };
    if shutdown.tunnels > shutdown.timeout {
        report.error(
            setting.span(),
            format!(
                "`tunnels` is longer than `timeout`, which closes all that is open after {}",
                show_duration(shutdown.timeout)
            ),
            "write a shorter `tunnels`, or a longer `timeout`",
        );
    }
}
