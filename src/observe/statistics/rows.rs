//! The rows of all forms of statistics: HAProxy's columns, of which each row has those that are known here.

use crate::expr::{BackendFigures, Figures, FrontendFigures, ServerFigures, Statuses};

/// One of HAProxy's columns: its name; three letters for the origin, the nature and the scope of its
/// values; and their type.
pub(super) struct Column(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
);

impl Column {
    /// The letters for a value in a row about `kind`.
    pub(super) fn tags(&self, kind: Kind) -> &'static str {
        match (kind, self.0) {
            // What is a state of a server is a number of servers here.
            (Kind::Backend, "act" | "bck" | "rate") => "MGP",
            _ => self.1,
        }
    }
}

/// HAProxy's columns in their order (management guide §9.1).
#[rustfmt::skip]
pub(super) const COLUMNS: &[Column] = &[
    Column("pxname", "KNS", "str"),
    Column("svname", "KNS", "str"),
    Column("qcur", "MGP", "u32"),
    Column("qmax", "MMP", "u32"),
    Column("scur", "MGP", "u32"),
    Column("smax", "MMP", "u32"),
    Column("slim", "CLP", "u32"),
    Column("stot", "MCP", "u64"),
    Column("bin", "MCP", "u64"),
    Column("bout", "MCP", "u64"),
    Column("dreq", "MCP", "u64"),
    Column("dresp", "MCP", "u64"),
    Column("ereq", "MCP", "u64"),
    Column("econ", "MCP", "u64"),
    Column("eresp", "MCP", "u64"),
    Column("wretr", "MCP", "u64"),
    Column("wredis", "MCP", "u64"),
    Column("status", "SGP", "str"),
    Column("weight", "MaP", "u32"),
    Column("act", "SGP", "u32"),
    Column("bck", "SGP", "u32"),
    Column("chkfail", "MCP", "u64"),
    Column("chkdown", "MCP", "u64"),
    Column("lastchg", "MAP", "u32"),
    Column("downtime", "MCP", "u32"),
    Column("qlimit", "CLP", "u32"),
    Column("pid", "KGP", "u32"),
    Column("iid", "KGS", "u32"),
    Column("sid", "KGS", "u32"),
    Column("throttle", "MaP", "u32"),
    Column("lbtot", "MCP", "u64"),
    Column("tracked", "CNP", "str"),
    Column("type", "CGS", "u32"),
    Column("rate", "MRP", "u32"),
    Column("rate_lim", "CLP", "u32"),
    Column("rate_max", "MMP", "u32"),
    Column("check_status", "MOP", "str"),
    Column("check_code", "MOP", "u32"),
    Column("check_duration", "MDP", "u64"),
    Column("hrsp_1xx", "MCP", "u64"),
    Column("hrsp_2xx", "MCP", "u64"),
    Column("hrsp_3xx", "MCP", "u64"),
    Column("hrsp_4xx", "MCP", "u64"),
    Column("hrsp_5xx", "MCP", "u64"),
    Column("hrsp_other", "MCP", "u64"),
    Column("hanafail", "MCP", "u64"),
    Column("req_rate", "MRP", "u32"),
    Column("req_rate_max", "MMP", "u32"),
    Column("req_tot", "MCP", "u64"),
    Column("cli_abrt", "MCP", "u64"),
    Column("srv_abrt", "MCP", "u64"),
    Column("comp_in", "MCP", "u64"),
    Column("comp_out", "MCP", "u64"),
    Column("comp_byp", "MCP", "u64"),
    Column("comp_rsp", "MCP", "u64"),
    Column("lastsess", "MAP", "s32"),
    Column("last_chk", "MOP", "str"),
    Column("last_agt", "MOP", "str"),
    Column("qtime", "MaP", "u32"),
    Column("ctime", "MaP", "u32"),
    Column("rtime", "MaP", "u32"),
    Column("ttime", "MaP", "u32"),
    Column("agent_status", "MOP", "str"),
    Column("agent_code", "MOP", "u32"),
    Column("agent_duration", "MDP", "u64"),
    Column("check_desc", "MOP", "str"),
    Column("agent_desc", "MOP", "str"),
    Column("check_rise", "CGS", "u32"),
    Column("check_fall", "CGS", "u32"),
    Column("check_health", "CGS", "u32"),
    Column("agent_rise", "CGS", "u32"),
    Column("agent_fall", "CGS", "u32"),
    Column("agent_health", "CGS", "u32"),
    Column("addr", "CGS", "str"),
    Column("cookie", "CNS", "str"),
    Column("mode", "CGS", "str"),
    Column("algo", "CGS", "str"),
    Column("conn_rate", "MRP", "u32"),
    Column("conn_rate_max", "MMP", "u32"),
    Column("conn_tot", "MCP", "u64"),
    Column("intercepted", "MCP", "u64"),
    Column("dcon", "MCP", "u64"),
    Column("dses", "MCP", "u64"),
    Column("wrew", "MCP", "u64"),
    Column("connect", "MCP", "u64"),
    Column("reuse", "MCP", "u64"),
    Column("cache_lookups", "MCP", "u64"),
    Column("cache_hits", "MCP", "u64"),
    Column("srv_icur", "MGP", "u32"),
    Column("src_ilim", "CLP", "u32"),
    Column("qtime_max", "MMP", "u32"),
    Column("ctime_max", "MMP", "u32"),
    Column("rtime_max", "MMP", "u32"),
    Column("ttime_max", "MMP", "u32"),
    Column("eint", "MCP", "u64"),
    Column("idle_conn_cur", "MGP", "u32"),
    Column("safe_conn_cur", "MGP", "u32"),
    Column("used_conn_cur", "MGP", "u32"),
    Column("need_conn_est", "MGP", "u32"),
    Column("uweight", "MaP", "u32"),
    Column("agg_server_status", "MGP", "u32"),
    Column("agg_server_check_status", "MGP", "u32"),
    Column("agg_check_status", "MGP", "u32"),
];

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Frontend,
    Backend,
    Server,
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Text(String),
}

/// One line.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) proxy: String,
    pub(crate) name: String,
    /// The number of its proxy.
    pub(crate) proxy_number: u64,
    /// The number of its server; 0: it is none.
    pub(crate) server_number: u64,
    values: Vec<(&'static str, Value)>,
}

impl Row {
    fn new(kind: Kind, proxy: &str, name: &str, proxy_number: u64) -> Self {
        let mut row = Self {
            kind,
            proxy: proxy.to_owned(),
            name: name.to_owned(),
            proxy_number,
            server_number: 0,
            values: Vec::new(),
        };
        row.text("pxname", proxy);
        row.text("svname", name);
        row.number("pid", 1);
        row.number("iid", proxy_number);
        row
    }

    fn number(&mut self, column: &'static str, number: u64) {
        self.values.push((column, Value::Number(number)));
    }

    fn text(&mut self, column: &'static str, text: &str) {
        self.values.push((column, Value::Text(text.to_owned())));
    }

    fn statuses(&mut self, statuses: &Statuses) {
        for (column, count) in STATUSES.iter().zip(statuses) {
            self.number(column, *count);
        }
    }

    /// The value of `column`; `None`: it is not known here.
    pub(super) fn value(&self, column: &str) -> Option<&Value> {
        let mut values = self.values.iter();
        values
            .find(|(known, _)| *known == column)
            .map(|(_, value)| value)
    }

    /// The value of `column` as text; empty if it is not known here.
    pub(crate) fn shown(&self, column: &str) -> String {
        match self.value(column) {
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Text(text)) => text.clone(),
            None => String::new(),
        }
    }
}

/// The columns of [`Statuses`].
pub(super) const STATUSES: [&str; 6] = [
    "hrsp_1xx",
    "hrsp_2xx",
    "hrsp_3xx",
    "hrsp_4xx",
    "hrsp_5xx",
    "hrsp_other",
];

/// The rows of each proxy in the order of their numbers: its frontend, its servers, its backend.
/// `scope`: the names of those that are shown; empty: all.
pub(crate) fn rows(figures: &Figures, scope: &[String]) -> Vec<Row> {
    let is_shown = |name: &String| scope.is_empty() || scope.contains(name);
    let mut rows = Vec::new();
    for frontend in figures.frontends.iter().filter(|one| is_shown(&one.name)) {
        rows.push(of_frontend(frontend, frontend.id));
    }
    for backend in figures.backends.iter().filter(|one| is_shown(&one.name)) {
        let servers = backend.servers.iter().zip(1..);
        rows.extend(servers.map(|(server, id)| of_server(backend, server, backend.id, id)));
        rows.push(of_backend(backend, backend.id));
    }
    // Stable: what is made from one `listen` has one number, and its frontend comes first.
    rows.sort_by_key(|row| row.proxy_number);
    rows
}

fn of_frontend(figures: &FrontendFigures, number: u64) -> Row {
    let mut row = Row::new(Kind::Frontend, &figures.name, "FRONTEND", number);
    row.number("scur", figures.open);
    if figures.limit < u64::MAX {
        row.number("slim", figures.limit);
    }
    row.number("stot", figures.connections);
    row.number("bin", figures.bytes_in);
    row.number("bout", figures.bytes_out);
    row.number("dreq", figures.denied);
    row.number("ereq", figures.request_errors);
    row.text("status", "OPEN");
    row.number("sid", 0);
    row.number("type", 0);
    row.text("mode", if figures.is_tcp { "tcp" } else { "http" });
    row.number("conn_tot", figures.connections);
    row.number("dcon", figures.refused_connections);
    if !figures.is_tcp {
        row.statuses(&figures.statuses);
        row.number("req_rate", figures.request_rate);
        row.number("req_tot", figures.statuses.iter().sum());
        row.number("comp_in", figures.compression_input);
        row.number("comp_out", figures.compression_output);
        row.number("intercepted", figures.intercepted);
    }
    row
}

fn of_server(backend: &BackendFigures, figures: &ServerFigures, number: u64, id: u64) -> Row {
    let mut row = Row::new(Kind::Server, &backend.name, &figures.name, number);
    let answered: u64 = figures.statuses.iter().sum();
    let attempts = answered + figures.connect_errors + figures.response_errors;
    row.number("qcur", figures.queued);
    row.number("scur", figures.in_flight);
    if let Some(limit) = figures.limit {
        row.number("slim", limit);
    }
    row.number("stot", attempts);
    row.number("econ", figures.connect_errors);
    row.number("eresp", figures.response_errors);
    row.text(
        "status",
        match (figures.is_checked, figures.is_up) {
            (false, _) => "no check",
            (true, true) => "UP",
            (true, false) => "DOWN",
        },
    );
    row.number("weight", figures.weight);
    row.number("act", u64::from(!figures.is_backup));
    row.number("bck", u64::from(figures.is_backup));
    if figures.is_checked {
        row.number("chkfail", figures.failed_checks);
        row.number("chkdown", figures.went_down);
        row.number("downtime", figures.down_seconds);
        row.text("last_chk", &figures.reason);
    }
    row.number("lastchg", figures.since_seconds);
    row.number("sid", id);
    row.server_number = id;
    row.number("lbtot", attempts);
    row.number("type", 2);
    row.statuses(&figures.statuses);
    row.number("connect", figures.opened);
    row.number("reuse", figures.reused);
    row.text("addr", &figures.address);
    row.number("uweight", figures.weight);
    row
}

fn of_backend(figures: &BackendFigures, number: u64) -> Row {
    let mut row = Row::new(Kind::Backend, &figures.name, "BACKEND", number);
    let servers = &figures.servers;
    let sum = |figure: &dyn Fn(&ServerFigures) -> u64| servers.iter().map(figure).sum::<u64>();
    let mut statuses = Statuses::default();
    for server in servers {
        for (sum, count) in statuses.iter_mut().zip(server.statuses) {
            *sum += count;
        }
    }
    let answered: u64 = statuses.iter().sum();
    let (connect_errors, response_errors) = (
        sum(&|server| server.connect_errors),
        sum(&|server| server.response_errors),
    );
    let is_used = |server: &ServerFigures, is_backup| server.is_up && server.is_backup == is_backup;
    row.number("qcur", figures.queued);
    row.number("scur", figures.in_flight);
    row.number("stot", answered + connect_errors + response_errors);
    row.number("econ", connect_errors);
    row.number("eresp", response_errors);
    let is_up = servers.is_empty() || servers.iter().any(|server| server.is_up);
    row.text("status", if is_up { "UP" } else { "DOWN" });
    row.number(
        "weight",
        sum(&|server| match is_used(server, false) {
            true => server.weight,
            false => 0,
        }),
    );
    row.number("act", sum(&|server| u64::from(is_used(server, false))));
    row.number("bck", sum(&|server| u64::from(is_used(server, true))));
    row.number("sid", 0);
    row.number("lbtot", answered + connect_errors + response_errors);
    row.number("type", 1);
    row.statuses(&statuses);
    row.number("req_tot", answered + connect_errors + response_errors);
    row.number("connect", sum(&|server| server.opened));
    row.number("reuse", sum(&|server| server.reused));
    row
}

#[cfg(test)]
pub(super) mod fixture {
    use super::*;

    /// A frontend and a backend with a server that is up, and one that is down.
    pub(in super::super) fn rows() -> Vec<Row> {
        let frontend = FrontendFigures {
            id: 1,
            name: "web<1>".to_owned(),
            open: 3,
            connections: 7,
            statuses: [0, 5, 0, 1, 0, 0],
            ..FrontendFigures::default()
        };
        let up = ServerFigures {
            name: "a,\"b\"".to_owned(),
            address: "10.0.0.1:80".to_owned(),
            statuses: [0, 4, 0, 0, 1, 0],
            is_up: true,
            is_checked: true,
            weight: 2,
            ..ServerFigures::default()
        };
        let down = ServerFigures {
            name: "c".to_owned(),
            is_checked: true,
            connect_errors: 2,
            reason: "connection refused".to_owned(),
            ..ServerFigures::default()
        };
        let backend = BackendFigures {
            id: 2,
            name: "app".to_owned(),
            queued: 1,
            servers: vec![up, down],
            ..BackendFigures::default()
        };
        let figures = Figures {
            frontends: vec![frontend],
            backends: vec![backend],
        };
        super::rows(&figures, &[])
    }
}
