//! The real proxy in this process, with everything that a user can see of it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use evenkeel::base::ListenAddress;
use evenkeel::config;
use evenkeel::control::{CannotChange, Command, ServersChange, Source};
use evenkeel::net::Network;
use evenkeel::process::{self, Ending, Start};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::addresses::RefusingAddress;
use super::client::Client;
use super::clock::{Clock, Paused};
use super::folder::Folder;
use super::message::Message;
use super::origin::Origin;
use super::wait::{TIMEOUT, until};

const FILE: &str = "evenkeel.toml";
const LOG: &str = "access.log";

/// The step of the clock between two looks at a proxy that is ending.
const TICK: Duration = Duration::from_millis(100);

/// The longest time of a step on a busy machine, if the test sets none: [`TIMEOUT`].
const LONG_TIMEOUTS: &str = "\
    [defaults.frontend]\n\
    timeout = { handshake = \"2m\", head = \"2m\", body = \"2m\" }\n\
    [defaults.backend]\n\
    timeout = { connect = \"2m\", queue = \"2m\", response = \"2m\", body = \"2m\" }\n";

/// A configuration in the making: one frontend `web`, and one backend `app` with the given servers.
/// Everything else is written in the words of the configuration; timeouts that are not written are
/// long.
#[derive(Clone)]
pub(crate) struct Setup {
    workers: usize,
    is_watched: bool,
    has_default: bool,
    log: Option<String>,
    access_logs: Option<String>,
    admin: SocketAddr,
    admin_lines: String,
    top: String,
    process: String,
    frontend: String,
    backend: String,
    servers: Vec<String>,
    rest: String,
}

/// A proxy that runs. Dropping it ends it.
pub(crate) struct Proxy {
    /// `None` only while it ends.
    running: Option<Running>,
    runtime: Runtime,
    folder: Folder,
    web: SocketAddr,
    admin: SocketAddr,
}

enum Running {
    /// With threads, as for users.
    Threads(Box<process::Proxy>),
    /// With a clock that the test moves.
    Paused(Paused),
}

/// A line of the access log.
#[derive(Clone, Debug)]
pub(crate) struct Line(pub(crate) Value);

impl Setup {
    /// Traffic for these servers.
    pub(crate) fn of(servers: &[&Origin]) -> Self {
        Self::at(servers.iter().map(|origin| origin.address()))
    }

    /// Traffic for the servers at these addresses.
    pub(crate) fn at(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let servers = addresses.into_iter();
        Self::servers(servers.map(|address| format!("\"{address}\"")))
    }

    /// Traffic for servers as they are written in the file.
    pub(crate) fn servers(servers: impl IntoIterator<Item = String>) -> Self {
        Self {
            workers: 2,
            is_watched: false,
            has_default: true,
            log: None,
            access_logs: None,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_lines: String::new(),
            top: String::new(),
            process: String::new(),
            frontend: String::new(),
            backend: String::new(),
            servers: servers.into_iter().collect(),
            rest: String::new(),
        }
    }

    /// With so many workers; else 2.
    pub(crate) fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// With a reload after changes of the file.
    pub(crate) fn watched(mut self) -> Self {
        self.is_watched = true;
        self
    }

    /// Without a backend for requests that no route matches.
    pub(crate) fn without_default(mut self) -> Self {
        self.has_default = false;
        self
    }

    /// With an access log that does not go to the test's file.
    pub(crate) fn log_to(mut self, target: &str) -> Self {
        self.log = Some(target.to_owned());
        self
    }

    /// With these tables in place of the one of the access log. `{log}` is the path of the test's
    /// file.
    pub(crate) fn access_logs(mut self, tables: &str) -> Self {
        self.access_logs = Some(tables.to_owned());
        self
    }

    /// With the admin listener at `address`; else at a free one.
    pub(crate) fn admin(mut self, address: SocketAddr) -> Self {
        self.admin = address;
        self
    }

    /// With these lines in `[admin]`.
    pub(crate) fn admin_lines(mut self, lines: &str) -> Self {
        self.admin_lines += &format!("{lines}\n");
        self
    }

    /// With these lines before the first table.
    pub(crate) fn top(mut self, lines: &str) -> Self {
        self.top += &format!("{lines}\n");
        self
    }

    /// With these lines in `[process]`.
    pub(crate) fn process(mut self, lines: &str) -> Self {
        self.process += &format!("{lines}\n");
        self
    }

    /// With these lines in `[frontend.web]`.
    pub(crate) fn frontend(mut self, lines: &str) -> Self {
        self.frontend += &format!("{lines}\n");
        self
    }

    /// With these lines in `[backend.app]`.
    pub(crate) fn backend(mut self, lines: &str) -> Self {
        self.backend += &format!("{lines}\n");
        self
    }

    /// With these tables at the end.
    pub(crate) fn rest(mut self, tables: &str) -> Self {
        self.rest += &format!("{tables}\n");
        self
    }

    /// With this route of `web`, after those before.
    pub(crate) fn route(self, lines: &str) -> Self {
        self.rest(&format!("[[frontend.web.route]]\n{lines}"))
    }

    /// With a backend `name` that has one server.
    pub(crate) fn also(self, name: &str, server: &Origin) -> Self {
        let address = server.address();
        self.rest(&format!("[backend.{name}]\nservers = [\"{address}\"]"))
    }

    /// As text; the access log goes to `log`.
    pub(crate) fn text(&self, log: &std::path::Path) -> String {
        let Self {
            workers,
            is_watched,
            has_default,
            log: other_log,
            access_logs,
            admin,
            admin_lines,
            top,
            process,
            frontend,
            backend,
            servers,
            rest,
        } = self;
        let log = other_log
            .clone()
            .unwrap_or_else(|| log.display().to_string());
        let access_logs = match access_logs {
            Some(tables) => tables.replace("{log}", &log),
            None => format!("[log.access]\nto = \"{log}\""),
        };
        let servers = servers.join(", ");
        let default = if *has_default {
            "backend = \"app\"\n"
        } else {
            ""
        };
        format!(
            "{top}{LONG_TIMEOUTS}\
             [process]\nworkers = {workers}\n{process}\
             {access_logs}\n\
             [reload]\nwatch = {is_watched}\n\
             [admin]\nlisten = \"{admin}\"\n{admin_lines}\
             [frontend.web]\nlisten = \"127.0.0.1:0\"\n{default}{frontend}\
             [backend.app]\nservers = [{servers}]\n{backend}\
             {rest}"
        )
    }

    /// Starts a proxy with it.
    #[track_caller]
    pub(crate) fn start(&self) -> Proxy {
        let folder = Folder::new();
        let path = folder.write(FILE, &self.text(&folder.path(LOG)));
        Proxy::start(folder, path)
    }

    /// Starts a proxy with it, one worker, and a clock that stands still until the test moves it: see
    /// [`Proxy::advance`].
    #[track_caller]
    pub(crate) fn start_paused(&self) -> Proxy {
        self.start_with_clock(&Clock::new())
    }

    /// The same with a clock that others also move.
    #[track_caller]
    pub(crate) fn start_with_clock(&self, clock: &Clock) -> Proxy {
        let folder = Folder::new();
        let path = folder.write(FILE, &self.text(&folder.path(LOG)));
        let start = Proxy::start_at(path);
        Proxy::of(Running::Paused(Paused::start(start, clock)), folder)
    }
}

impl Proxy {
    /// Starts one with the file at `path`, whose access log must go to `access.log` in `folder`.
    #[track_caller]
    pub(crate) fn start(folder: Folder, path: PathBuf) -> Self {
        let running = process::Proxy::start(Self::start_at(path));
        let running = running.expect("its addresses are free");
        Self::of(Running::Threads(Box::new(running)), folder)
    }

    /// The parameters of a start with the file at `path`.
    #[track_caller]
    fn start_at(path: PathBuf) -> Start {
        let loaded = config::load(&path);
        let loaded = loaded.map_err(|diagnostics| diagnostics.to_string());
        Start {
            network: Network::System,
            source: Source::File(path, config::Options::default()),
            loaded: loaded.expect("a valid configuration"),
            logging: None,
        }
    }

    #[track_caller]
    fn of(running: Running, folder: Folder) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let commands = running.commands();
        let web = runtime.block_on(addresses(&commands, "web"));
        let (answer, asked) = oneshot::channel();
        commands
            .send(Command::WhereIsAdmin(answer))
            .expect("it runs");
        let admin = runtime.block_on(asked).expect("it runs");
        let admin = admin.as_ref().and_then(ListenAddress::ip);
        Self {
            running: Some(running),
            runtime,
            folder,
            web: *web.first().expect("web listens"),
            admin: admin.expect("there is an admin listener"),
        }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    /// Lets `span` pass for a proxy that was started with a clock of its own. Bytes that were sent
    /// to it before have been read by then, and due timers have fired.
    #[track_caller]
    pub(crate) fn advance(&self, span: Duration) {
        match self.running() {
            Running::Threads(_) => unreachable!("the system's clock cannot be moved"),
            Running::Paused(paused) => paused.clock.advance(span),
        }
    }

    /// Where `web` listened at the start.
    pub(crate) fn address(&self) -> SocketAddr {
        self.web
    }

    /// Where the admin listener was at the start.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Where frontend `name` listens now.
    pub(crate) fn addresses(&self, name: &str) -> Vec<SocketAddr> {
        let commands = self.running().commands();
        self.runtime.block_on(addresses(&commands, name))
    }

    /// The folder with the configuration and the access log.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// A new client connection.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.web)
    }

    /// The answer to a new client.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Message {
        self.client().get(target)
    }

    /// The answer to a new client that sends these bytes.
    #[track_caller]
    pub(crate) fn ask(&self, bytes: impl AsRef<[u8]>) -> Message {
        self.client().ask(bytes)
    }

    /// A URL of `web`.
    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.web)
    }

    // The admin listener.

    /// The answer of the admin listener.
    #[track_caller]
    pub(crate) fn admin(&self, method: &str, target: &str) -> Message {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        Client::connect(self.admin).ask(request)
    }

    /// `/status`.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let text = self.admin("GET", "/status").text();
        serde_json::from_str(&text).expect("JSON")
    }

    /// The entry of the server at `address` of `app` in `/status`.
    #[track_caller]
    pub(crate) fn server(&self, address: SocketAddr) -> Value {
        self.status()["backends"]["app"]["servers"][address.to_string()].clone()
    }

    /// Waits until the server at `address` is in `state`.
    #[track_caller]
    pub(crate) fn wait_for_state(&self, address: SocketAddr, state: &str) {
        until(&format!("{address} is {state}"), || {
            (self.server(address)["state"] == state).then_some(())
        });
    }

    /// `/metrics`.
    #[track_caller]
    pub(crate) fn metrics(&self) -> String {
        self.admin("GET", "/metrics").text()
    }

    /// The series of a metric with all of these labels.
    #[track_caller]
    pub(crate) fn series(&self, name: &str, labels: &[(&str, &str)]) -> Vec<(String, f64)> {
        let wanted: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        let text = self.metrics();
        let series = text.lines().filter_map(|line| line.rsplit_once(' '));
        series
            .filter(|(series, _)| series.split('{').next() == Some(name))
            .filter(|(series, _)| wanted.iter().all(|label| series.contains(label)))
            .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
            .collect()
    }

    /// The sum of a metric's series with all of these labels; 0 when there is none.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let series = self.series(name, labels);
        // Without the zero, the sum of nothing is -0.
        series.into_iter().map(|(_, value)| value).sum::<f64>() + 0.0
    }

    /// Waits until a metric has that value.
    #[track_caller]
    pub(crate) fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let what = format!("{name} {labels:?} is {value}");
        until(&what, || (self.metric(name, labels) == value).then_some(()));
    }

    // The configuration.

    /// Writes the configuration anew, in place.
    pub(crate) fn write(&self, setup: &Setup) {
        let text = setup.text(&self.folder.path(LOG));
        self.folder.write(FILE, &text);
    }

    /// Writes the configuration as editors do.
    pub(crate) fn replace(&self, setup: &Setup) {
        let text = setup.text(&self.folder.path(LOG));
        self.folder.replace(FILE, &text);
    }

    /// Changes the servers of `app` without a reload.
    pub(crate) fn change_servers(&self, change: ServersChange) -> Result<(), CannotChange> {
        let (answer, asked) = oneshot::channel();
        let command = Command::ChangeServers("app".to_owned(), change, answer);
        self.running().commands().send(command).expect("it runs");
        self.runtime.block_on(asked).expect("it runs")
    }

    /// Has the configuration read again; returns the answer.
    #[track_caller]
    pub(crate) fn reload(&self) -> Message {
        self.admin("POST", "/reload")
    }

    /// Applies another configuration; returns the new generation.
    #[track_caller]
    pub(crate) fn apply(&self, setup: &Setup) -> u64 {
        self.write(setup);
        let answer = self.reload();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        self.generation()
    }

    /// The generation of the running configuration.
    #[track_caller]
    pub(crate) fn generation(&self) -> u64 {
        self.status()["generation"].as_u64().expect("a number")
    }

    // The access log.

    /// The lines so far.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Line> {
        lines_of(&self.folder)
    }

    /// A worker hands its log lines on regularly: a clock that stands still has to move for that.
    /// Not far at once: other parts may need a while to log.
    #[track_caller]
    fn let_log(&self) {
        if let Running::Paused(paused) = self.running() {
            paused.clock.advance(Duration::from_millis(2));
        }
    }

    /// The lines when there are at least `count`.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, count: usize) -> Vec<Line> {
        until(&format!("{count} lines of log"), || {
            self.let_log();
            Some(self.lines()).filter(|lines| lines.len() >= count)
        })
    }

    /// The only line.
    #[track_caller]
    pub(crate) fn line(&self) -> Line {
        let mut lines = self.wait_for_lines(1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    // The end.

    /// Begins the drain.
    pub(crate) fn drain(&self) {
        // One that has ended has drained.
        let _ = self
            .running()
            .commands()
            .send(Command::Drain("a test".to_owned()));
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> Ending {
        match self.running.as_mut().expect("it runs") {
            Running::Threads(running) => {
                let ended = async { tokio::time::timeout(TIMEOUT, running.ended()).await };
                self.runtime.block_on(ended).expect("it ends")
            }
            Running::Paused(paused) => until("its end", || {
                paused.clock.advance(TICK);
                paused.has_ended().then_some(Ending::Told)
            }),
        }
    }

    /// Ends it and returns all log lines.
    #[track_caller]
    pub(crate) fn end(mut self) -> Vec<Line> {
        self.drain();
        self.wait_for_end();
        self.running.take().expect("it runs").close();
        lines_of(&self.folder)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.close();
        }
    }
}

impl Running {
    fn commands(&self) -> UnboundedSender<Command> {
        match self {
            Self::Threads(running) => running.commands(),
            Self::Paused(paused) => paused.commands.clone(),
        }
    }

    fn close(self) {
        match self {
            Self::Threads(running) => running.close(),
            Self::Paused(paused) => drop(paused),
        }
    }
}

async fn addresses(commands: &UnboundedSender<Command>, frontend: &str) -> Vec<SocketAddr> {
    let (answer, asked) = oneshot::channel();
    // One that has ended listens nowhere.
    let _ = commands.send(Command::WhereIs(frontend.to_owned(), answer));
    let addresses = asked.await.unwrap_or_default();
    addresses.iter().filter_map(ListenAddress::ip).collect()
}

#[track_caller]
fn lines_of(folder: &Folder) -> Vec<Line> {
    let text = fs::read_to_string(folder.path(LOG)).unwrap_or_default();
    // The last line may be half written.
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    whole
        .map(|line| Line(serde_json::from_str(line).expect("a line of JSON")))
        .collect()
}

impl Line {
    /// A field that is text; `-` for null.
    #[track_caller]
    pub(crate) fn text(&self, key: &str) -> &str {
        let value = self.0.get(key).expect("every key is always there");
        value.as_str().unwrap_or("-")
    }

    /// A field that is a number.
    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.0[key].as_u64().expect("a number")
    }

    /// Status and reason.
    pub(crate) fn verdict(&self) -> (u64, &str) {
        (self.number("status"), self.text("reason"))
    }
}

/// A proxy after requests of every kind.
#[track_caller]
pub(crate) fn lively() -> (Origin, Proxy) {
    let origin = Origin::named("a");
    let refusing = RefusingAddress::new();
    let address = refusing.address();
    let proxy = Setup::at([origin.address(), address])
        .backend("health = { interval = \"50ms\", timeout = \"20s\", initial = \"up\", fall = 1 }")
        .frontend("max_connections = 1000")
        .route("path = \"/refused\"\nbackend = \"refusing\"")
        .rest(&format!("[backend.refusing]\nservers = [\"{address}\"]"))
        .start();
    proxy.get("/");
    proxy.get("/refused");
    proxy.ask("nonsense\r\n\r\n");
    proxy.wait_for_state(refusing.address(), "down");
    proxy.wait_for_state(origin.address(), "up");
    proxy.reload();
    (origin, proxy)
}
