//! `show info`: the process, in HAProxy's fields. Those that have no counterpart here are left out,
//! or 0 where programs expect a number.

use std::fmt::Write as _;

use rustix::process::{Resource, getrlimit};
use serde_json::json;

use crate::base::clock;
use crate::expr::State as _;
use crate::observe::statistics::tags_of;
use crate::proxy::snapshot::Snapshot;

use super::{Answer, Asked, version};

/// A field: its position among all of HAProxy's, its name, the letters of the typed form for origin,
/// nature and scope, and its meaning.
struct Field(u32, &'static str, &'static str, &'static str, Value);

enum Value {
    Text(String),
    /// With the type of the typed form.
    U32(u64),
    U64(u64),
}

/// What the control thread knows.
struct Process {
    workers: usize,
    uptime: f64,
    started: i64,
    open: u64,
    limit: u64,
    descriptors: u64,
    listeners: u64,
    is_draining: bool,
}

pub(super) fn show(asked: &Asked<'_>) -> Answer {
    let state = asked.state;
    let uptime = clock::now().saturating_duration_since(state.started);
    let process = Process {
        workers: state.workers.len(),
        uptime: uptime.as_secs_f64(),
        started: clock::unix_seconds(clock::wall()) - i64::try_from(uptime.as_secs()).unwrap_or(0),
        open: state.process_gate.open(),
        limit: state.process_gate.limit(),
        descriptors: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        listeners: (state.listeners.borrow().held().len()
            + state.own_listeners.borrow().held().len()) as u64,
        is_draining: state.is_draining.get(),
    };
    let has = |word: &str| asked.arguments.iter().any(|argument| argument == word);
    let (is_json, is_typed) = (has("json"), has("typed"));
    let (is_described, is_float) = (has("desc"), has("float"));
    Answer::of(move |snapshot| {
        let fields = fields(&process, &snapshot, is_float);
        match (is_json, is_typed) {
            (true, _) => as_json(&fields),
            (false, true) => as_typed(&fields, is_described),
            (false, false) => as_lines(&fields, is_described),
        }
    })
}

fn fields(process: &Process, snapshot: &Snapshot, is_float: bool) -> Vec<Field> {
    let figures = snapshot.figures();
    let frontends = figures.frontends.iter();
    let connections = frontends.clone().map(|frontend| frontend.connections).sum();
    let requests = frontends
        .clone()
        .flat_map(|frontend| frontend.statuses)
        .sum();
    let rate = frontends
        .clone()
        .map(|frontend| frontend.request_rate)
        .sum();
    let bytes_out = frontends.map(|frontend| frontend.bytes_out).sum();
    let seconds = process.uptime as u64;
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let uptime = format!("{days}d {hours}h{minutes:02}m{:02}s", seconds % 60);
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        Field(0, "Name", "POS", "Product name", text("HAProxy")),
        Field(
            1,
            "Version",
            "POS",
            "Product version",
            Value::Text(version()),
        ),
        Field(
            3,
            "Nbthread",
            "CGS",
            "Number of started threads (global.nbthread)",
            Value::U32(process.workers as u64),
        ),
        Field(
            4,
            "Nbproc",
            "CGS",
            "Number of started worker processes (historical, always 1)",
            Value::U32(1),
        ),
        Field(
            5,
            "Process_num",
            "KGP",
            "Relative worker process number (1)",
            Value::U32(1),
        ),
        Field(
            6,
            "Pid",
            "SGP",
            "This worker process identifier for the system",
            Value::U32(std::process::id().into()),
        ),
        Field(
            7,
            "Uptime",
            "MDP",
            "How long ago this worker process was started (days+hours+minutes+seconds)",
            Value::Text(uptime),
        ),
        Field(
            8,
            "Uptime_sec",
            "MDP",
            "How long ago this worker process was started (seconds)",
            match is_float {
                true => Value::Text(format!("{:.6}", process.uptime)),
                false => Value::U32(seconds),
            },
        ),
        Field(
            9,
            "Memmax_MB",
            "CLP",
            "Worker process's hard limit on memory usage in MB (-m on command line)",
            Value::U32(0),
        ),
        Field(
            13,
            "Ulimit-n",
            "CLP",
            "Hard limit on the number of per-process file descriptors",
            Value::U32(process.descriptors),
        ),
        Field(
            14,
            "Maxsock",
            "CLP",
            "Hard limit on the number of per-process sockets",
            Value::U32(process.descriptors),
        ),
        Field(
            15,
            "Maxconn",
            "CLP",
            "Hard limit on the number of per-process connections (configured or imposed by Ulimit-n)",
            Value::U32(process.limit),
        ),
        Field(
            16,
            "Hard_maxconn",
            "CLP",
            "Hard limit on the number of per-process connections (imposed by Memmax_MB or Ulimit-n)",
            Value::U32(process.limit),
        ),
        Field(
            17,
            "CurrConns",
            "MGP",
            "Current number of connections on this worker process",
            Value::U32(process.open),
        ),
        Field(
            18,
            "CumConns",
            "MCP",
            "Total number of connections on this worker process since started",
            Value::U32(connections),
        ),
        Field(
            19,
            "CumReq",
            "MCP",
            "Total number of requests on this worker process since started",
            Value::U32(requests),
        ),
        Field(
            23,
            "Maxpipes",
            "CLP",
            "Hard limit on the number of pipes for splicing, 0=unlimited",
            Value::U32(0),
        ),
        Field(
            24,
            "PipesUsed",
            "MGP",
            "Current number of pipes in use in this worker process",
            Value::U32(0),
        ),
        Field(
            25,
            "PipesFree",
            "MGP",
            "Current number of allocated and available pipes in this worker process",
            Value::U32(0),
        ),
        Field(
            29,
            "SessRate",
            "MRP",
            "Number of sessions created on this worker process over the last second",
            Value::U32(rate),
        ),
        Field(
            47,
            "Tasks",
            "MGP",
            "Total number of tasks in the current worker process (active + sleeping)",
            Value::U32(0),
        ),
        Field(
            48,
            "Run_queue",
            "MGP",
            "Total number of active tasks+tasklets in the current worker process",
            Value::U32(0),
        ),
        Field(
            50,
            "node",
            "COS",
            "Node name (global.node)",
            Value::Text(
                rustix::system::uname()
                    .nodename()
                    .to_string_lossy()
                    .into_owned(),
            ),
        ),
        Field(
            52,
            "Stopping",
            "MGP",
            "1 if the worker process is currently stopping, otherwise zero",
            Value::U32(process.is_draining.into()),
        ),
        Field(
            53,
            "Jobs",
            "MGP",
            "Current number of active jobs on this worker process (frontend connections, master connections, listeners)",
            Value::U32(process.open + process.listeners),
        ),
        Field(
            55,
            "Listeners",
            "MGP",
            "Current number of active listeners on this worker process",
            Value::U32(process.listeners),
        ),
        Field(
            61,
            "TotalBytesOut",
            "MGP",
            "Total number of bytes emitted by the worker process over its lifetime",
            Value::U64(bytes_out),
        ),
        Field(
            70,
            "Start_time_sec",
            "MDP",
            "Start time in seconds",
            Value::U32(process.started.try_into().unwrap_or(0)),
        ),
    ]
}

impl Value {
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::U32(number) | Self::U64(number) => number.to_string(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "str",
            Self::U32(_) => "u32",
            Self::U64(_) => "u64",
        }
    }
}

fn as_lines(fields: &[Field], is_described: bool) -> String {
    let mut text = String::new();
    for Field(_, name, _, means, value) in fields {
        let _ = write!(text, "{name}: {}", value.shown());
        if is_described {
            let _ = write!(text, ":\"{means}\"");
        }
        text.push('\n');
    }
    text
}

fn as_typed(fields: &[Field], is_described: bool) -> String {
    let mut text = String::new();
    for Field(position, name, tags, means, value) in fields {
        let (kind, value) = (value.kind(), value.shown());
        let _ = write!(text, "{position}.{name}.1:{tags}:{kind}:{value}");
        if is_described {
            let _ = write!(text, ":\"{means}\"");
        }
        text.push('\n');
    }
    text
}

fn as_json(fields: &[Field]) -> String {
    let fields = fields.iter().map(|Field(position, name, tags, _, value)| {
        let shown = match value {
            Value::Text(text) => json!(text),
            Value::U32(number) | Value::U64(number) => json!(number),
        };
        json!({
            "field": { "pos": position, "name": name },
            "processNum": 1,
            "tags": tags_of(tags),
            "value": { "type": value.kind(), "value": shown },
        })
    });
    fields.collect::<serde_json::Value>().to_string()
}
