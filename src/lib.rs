//! Evenkeel: a Layer-7 load-balancing reverse proxy.
//!
//! This page is the map of the code: where things happen, which room may import which, and the
//! rules that every file keeps. For users there are `README.md`, `conf/full.toml` and
//! `conf/reference/`.
//!
//! Four promises, in this order of weight: correct, understandable, fast, flexible.
//!
//! 1. *Nothing forgets.* A reload changes what the file changed and nothing else. Health, counts in
//!    flight, cursors, counters and warm connections belong to an identity (the name of a frontend,
//!    of a backend and its server), never to an object of the configuration.
//! 2. *Every answer has a reason.* A response that is made here, and an attempt that failed, carries
//!    one stable code ([`exchange::Reason`]), the same in log, metric, status and documentation.
//! 3. *Cheap.* The cost of a request is measured (`benches/compare`), with logs and metrics on.
//! 4. *No surprise from the network.* No byte from a client or a server panics us, grows memory past
//!    its limit, or reaches the other side unparsed.
//!
//! # Words
//!
//! A **frontend** is a named set of **binds** with its **routes**; a bind is one listening address
//! with its own TLS and PROXY settings. A route has a **condition**, a set of tests that all must
//! hold, and a **target**: a **backend**, a named pool of **servers**; several backends by weight;
//! or a template with the backend's name. A **rule** is an action on an exchange, with a condition.
//! An **exchange** is one request and its response, from the first byte of the head to the last
//! byte of the body; its **record** has the facts of it, for the log and the metrics. An
//! **attempt** is one try of an exchange at one server. A **snapshot** is the compiled
//! configuration that an exchange runs under; the **server set** of a backend is not part of it:
//! servers come and go at run time. A **worker** is one thread with everything its connections
//! need. A **reason** is the stable code of a fault.
//!
//! # The life of a request
//!
//! 1. `proxy::listen` accepts the connection, counts it, and holds it back if it is over a limit.
//!    If the peer must send a PROXY header, it is read first.
//! 2. `proxy::tls` decides how a handshake is answered, where the bind has TLS; `listen` completes
//!    it under a deadline.
//! 3. `proxy::http` reads a request head. From here on a line in the access log is certain.
//!    Requests that must not be passed on are refused (RFC 9112 §6.3, §11.2).
//! 4. The `proxy::rules` of the frontend run; `proxy::route` finds the first route that matches,
//!    and with it the backend, or none; then the rules of the route and of the backend run.
//! 5. `proxy::http` rewrites the fields that belong to this hop alone (RFC 9110 §7.6.1).
//! 6. `proxy::forward` tries: `proxy::backend` chooses a server and leases a slot at it, waiting
//!    in a queue if all are full; `proxy::upstream` sends on a warm connection or opens one; the
//!    outcome is judged, and maybe another server is tried.
//! 7. The body streams through `proxy::io`, with back-pressure and under deadlines. At its last
//!    byte, or when it breaks, the slot and the connection go back, and [`observe`] counts and logs
//!    the exchange. Every ending is counted once.
//! 8. Rules for answers run: backend, route, frontend. Our own answers are written by
//!    `proxy::reply`, the only place where a fault becomes a status.
//!
//! An idle client connection releases its buffers and waits as a bare socket.
//!
//! # The life of a configuration change
//!
//! A file changes, a signal comes, or the admin listener is asked: [`config`] reads the text and
//! returns a [`plan`] or *all* mistakes; [`control`] compares it with the plan that runs, binds new
//! addresses, assembles the next `proxy::snapshot` with the live state of everything that stays,
//! swaps it in, and releases the rest. A failure before the swap changes nothing. Only `publish` in
//! [`control`] replaces the snapshot and changes the servers of a backend; besides, the health
//! checks refresh a backend's set when a server goes up or down.
//!
//! # Threads and state
//!
//! - Each worker is a thread with its own runtime, listening sockets, server connections and
//!   counters; on the path of a request, workers share only a few atomics. The control thread
//!   checks health, reloads and answers the admin listener. Tasks are local: they end on the thread
//!   on which they began.
//! - Shared state has one writer, named at its field, except counters of all workers; atomics say
//!   why their ordering is enough. No lock is held across an `await`.
//! - Decisions are pure functions of state, event, time and chance; sockets come through [`net`],
//!   time through [`base::clock`], chance through [`base::rng`]. So the whole program runs in a
//!   simulated network under a seed (`tests/sim`), and nothing is global: two proxies live in one
//!   process.
//!
//! # Which room imports which
//!
//! Imports follow the flow of a request, without cycles. A folder is a room; its `mod.rs` is the
//! door, and its other files are private to it. `tests/architecture.rs` reads this table and fails
//! on a path that no row allows. If a feature needs another row, the row changes here, with the
//! reason in the commit.
//!
//! ```text
//! base            -> nothing
//! net             -> base
//! wire            -> base
//! plan            -> base wire
//! exchange        -> base plan
//! credentials     -> base plan
//! expr            -> base plan exchange credentials
//! tables          -> base plan exchange expr
//! observe         -> base wire plan exchange expr net
//! config          -> base wire plan exchange
//!
//! proxy/*         -> base wire plan exchange expr tables credentials observe net proxy/io
//! proxy/worker    -> proxy/listen proxy/context proxy/connections proxy/snapshot proxy/frontend
//! proxy/listen    -> proxy/tls proxy/http proxy/tcp proxy/rules proxy/run proxy/context proxy/connections proxy/snapshot proxy/frontend
//! proxy/http      -> proxy/tls proxy/rules proxy/route proxy/forward proxy/backend proxy/reply proxy/tunnel proxy/run proxy/context proxy/connections proxy/snapshot proxy/frontend
//! proxy/tcp       -> proxy/forward proxy/backend proxy/tunnel proxy/rules proxy/context proxy/connections proxy/snapshot proxy/frontend
//! proxy/tunnel    -> proxy/backend proxy/context proxy/connections proxy/frontend
//! proxy/context   -> proxy/connections proxy/snapshot proxy/frontend
//! proxy/connections -> proxy/frontend
//! proxy/snapshot  -> proxy/tls proxy/rules proxy/route proxy/backend proxy/frontend
//! proxy/forward   -> proxy/backend proxy/upstream
//! proxy/backend   -> proxy/upstream
//! proxy/upstream  -> nothing
//! proxy/tls       -> nothing
//! proxy/rules     -> proxy/reply
//! proxy/route     -> nothing
//! proxy/run       -> nothing
//! proxy/frontend  -> nothing
//! proxy/reply     -> nothing
//! proxy/io        -> nothing
//!
//! control         -> base wire plan exchange expr tables credentials observe net config proxy/*
//! process         -> base net plan observe config control proxy/worker proxy/snapshot proxy/frontend
//! cli             -> base net plan exchange observe config control process
//! ```
//!
//! Rooms of the data plane take the part of a worker that they need, never the worker, and know
//! neither the text of the configuration nor the control plane.
//!
//! # House rules
//!
//! `tests/architecture.rs` checks these too; any path counts, not only `use` lines, and test code
//! is exempt:
//!
//! - Every file begins with `//!` and says what it is for.
//! - No name that could mean anything: `util`, `helpers`, `common`, `misc`, `manager`.
//! - Tasks and threads are started in [`base::tasks`] alone, clocks are read and slept on in
//!   [`base::clock`] alone, sockets are opened in [`net`] alone, metrics are written in [`observe`]
//!   alone, TOML is read in [`config`] alone.
//! - `unsafe` only where the kernel's interface needs it.
//!
//! And these are checked by review: every loop, queue, retry, buffer and table has a
//! bound; comments say why; nothing that comes from the network can panic.

pub mod base;
pub mod cli;
pub mod config;
pub mod control;
pub mod credentials;
pub mod exchange;
pub mod expr;
pub mod net;
pub mod observe;
pub mod plan;
pub mod process;
pub mod proxy;
pub mod tables;
pub mod wire;
