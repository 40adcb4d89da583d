//! The rows of all forms of statistics: HAProxy's columns, of which each row has those that are known here.

use crate::expr::{BackendFigures, Figures, FrontendFigures, ServerFigures, Statuses};

/// HAProxy's columns in their order (management guide §9.1).
pub(super) const COLUMNS: &[&str] = &[
    "pxname",
    "svname",
    "qcur",
    "qmax",
    "scur",
    "smax",
    "slim",
    "stot",
    "bin",
    "bout",
    "dreq",
    "dresp",
    "ereq",
    "econ",
    "eresp",
    "wretr",
    "wredis",
    "status",
    "weight",
    "act",
    "bck",
    "chkfail",
    "chkdown",
    "lastchg",
    "downtime",
    "qlimit",
    "pid",
    "iid",
    "sid",
    "throttle",
    "lbtot",
    "tracked",
    "type",
    "rate",
    "rate_lim",
    "rate_max",
    "check_status",
    "check_code",
    "check_duration",
    "hrsp_1xx",
    "hrsp_2xx",
    "hrsp_3xx",
    "hrsp_4xx",
    "hrsp_5xx",
    "hrsp_other",
    "hanafail",
    "req_rate",
    "req_rate_max",
    "req_tot",
    "cli_abrt",
    "srv_abrt",
    "comp_in",
    "comp_out",
    "comp_byp",
    "comp_rsp",
    "lastsess",
    "last_chk",
    "last_agt",
    "qtime",
    "ctime",
    "rtime",
    "ttime",
    "agent_status",
    "agent_code",
    "agent_duration",
    "check_desc",
    "agent_desc",
    "check_rise",
    "check_fall",
    "check_health",
    "agent_rise",
    "agent_fall",
    "agent_health",
    "addr",
    "cookie",
    "mode",
    "algo",
    "conn_rate",
    "conn_rate_max",
    "conn_tot",
    "intercepted",
    "dcon",
    "dses",
    "wrew",
    "connect",
    "reuse",
    "cache_lookups",
    "cache_hits",
    "srv_icur",
    "src_ilim",
    "qtime_max",
    "ctime_max",
    "rtime_max",
    "ttime_max",
    "eint",
    "idle_conn_cur",
    "safe_conn_cur",
    "used_conn_cur",
    "need_conn_est",
    "uweight",
    "agg_server_status",
    "agg_server_check_status",
    "agg_check_status",
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
    /// The index of its proxy, from 1 on.
    pub(crate) proxy_number: u64,
    values: Vec<(&'static str, Value)>,
}

impl Row {
    fn new(kind: Kind, proxy: &str, name: &str, proxy_number: u64) -> Self {
        let mut row = Self {
            kind,
            proxy: proxy.to_owned(),
            name: name.to_owned(),
            proxy_number,
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
    pub(super) fn shown(&self, column: &str) -> String {
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

/// The rows of the frontends, and of each backend its servers and then itself. `scope`: the names of those that are
/// shown; empty: all.
pub(crate) fn rows(figures: &Figures, scope: &[String]) -> Vec<Row> {
    let is_shown = |name: &String| scope.is_empty() || scope.contains(name);
    let mut rows = Vec::new();
    let mut number = 0;
    for frontend in &figures.frontends {
        number += 1;
        if is_shown(&frontend.name) {
            rows.push(of_frontend(frontend, number));
        }
    }
    for backend in &figures.backends {
        number += 1;
        if is_shown(&backend.name) {
            let servers = backend.servers.iter().zip(1..);
            rows.extend(servers.map(|(server, id)| of_server(backend, server, number, id)));
            rows.push(of_backend(backend, number));
        }
    }
    rows
}

fn of_frontend(figures: &FrontendFigures, number: u64) -> Row {
    let mut row = Row::new(Kind::Frontend, &figures.name, "FRONTEND", number);
    row.number("scur", figures.open);
    row.number("slim", figures.limit);
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
