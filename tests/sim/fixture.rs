//! The fixture: a proxy, its servers and a host for clients, and a test between them.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evenkeel::base::{clock, tasks};
use evenkeel::config::{self, Color};
use evenkeel::control::{Command, Control, Source};
use evenkeel::net::Network;
use evenkeel::process::{Assembled, Start};
use tokio::sync::mpsc::UnboundedSender;
use tracing_subscriber::layer::SubscriberExt;

use crate::client::{Client, Outcome};
use crate::network::Simulated;
use crate::server;
use crate::trace::Trace;

pub(crate) const PROXY: &str = "10.0.0.1";
const CLIENTS: &str = "10.0.2.1";

/// Longer than any story takes.
const CURTAIN: Duration = Duration::from_secs(180);

/// How long a story waits for a condition.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often it looks.
const GLANCE: Duration = Duration::from_millis(5);

/// The parts of a story.
pub(crate) struct Fixture {
    seed: u64,
    servers: usize,
    backend: &'static str,
    shutdown: &'static str,
    rest: &'static str,
}

/// The controls of a story. Clones are the same.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) trace: Trace,
    is_next_defective: Arc<AtomicBool>,
    commands: Rc<RefCell<Option<UnboundedSender<Command>>>>,
}

impl Fixture {
    pub(crate) fn new(seed: u64, servers: usize) -> Self {
        Self {
            seed,
            servers,
            backend: "",
            shutdown: "",
            rest: "",
        }
    }

    /// Keys of `[backend.app]`.
    pub(crate) fn backend(mut self, keys: &'static str) -> Self {
        self.backend = keys;
        self
    }

    /// Keys of `[shutdown]`.
    pub(crate) fn shutdown(mut self, keys: &'static str) -> Self {
        self.shutdown = keys;
        self
    }

    /// Tables at the end.
    pub(crate) fn rest(mut self, tables: &'static str) -> Self {
        self.rest = tables;
        self
    }

    /// Runs `story` on the clients' host and returns its trace.
    pub(crate) fn play<F>(self, story: impl FnOnce(Stage) -> F) -> Trace
    where
        F: Future<Output = ()> + 'static,
    {
        let stage = Stage {
            trace: Trace::default(),
            is_next_defective: Arc::default(),
            commands: Rc::default(),
        };
        let trace = stage.trace.clone();
        let subscriber = tracing_subscriber::registry().with(trace.recorder());
        let outcome = tracing::subscriber::with_default(subscriber, || {
            let mut sim = turmoil::Builder::new()
                .rng_seed(self.seed)
                .simulation_duration(CURTAIN)
                .min_message_latency(Duration::from_millis(1))
                .max_message_latency(Duration::from_millis(10))
                .build();
            let config = self.config();
            for number in 1..=self.servers {
                let trace = trace.clone();
                sim.host(address_of(number), move || {
                    server::run(name_of(number), trace.clone())
                });
            }
            let proxy_stage = stage.clone();
            sim.host(PROXY, move || {
                proxy(config.clone(), self.seed, proxy_stage.clone())
            });
            let events = story(stage);
            sim.client(CLIENTS, async move {
                events.await;
                Ok(())
            });
            sim.run().map_err(|error| error.to_string())
        });
        assert!(outcome.is_ok(), "{outcome:?}, after:\n{trace}");
        trace
    }

    fn config(&self) -> String {
        let servers: Vec<String> = (1..=self.servers)
            .map(|number| {
                let (name, address) = (name_of(number), address_of(number));
                format!("{{ name = \"{name}\", address = \"{address}:80\" }}")
            })
            .collect();
        let Self {
            backend,
            shutdown,
            rest,
            ..
        } = self;
        let servers = servers.join(", ");
        format!(
            "[process]\nworkers = 1\n\
             [admin]\nlisten = \"0.0.0.0:9900\"\n\
             [log.access]\nto = \"off\"\n\
             [shutdown]\n{shutdown}\n\
             [frontend.web]\nlisten = \"0.0.0.0:80\"\nbackend = \"app\"\n\
             [backend.app]\nservers = [{servers}]\n{backend}\n{rest}"
        )
    }
}

/// Worker and control plane on one host.
async fn proxy(config: String, seed: u64, stage: Stage) -> turmoil::Result {
    let loaded = config::load_text("simulated.toml", &config)
        .map_err(|diagnostics| diagnostics.render(Color::Never))?;
    let watch = loaded.watch.clone();
    let network = Network::Other(Arc::new(Simulated {
        trace: stage.trace.clone(),
        is_next_defective: Arc::clone(&stage.is_next_defective),
    }));
    let start = Start {
        source: Source::Text {
            name: "simulated.toml".to_owned(),
            text: config,
        },
        loaded,
        logging: None,
        network,
    };
    let Assembled {
        worker,
        control,
        commands,
        ..
    } = Assembled::new(start, seed)?;
    *stage.commands.borrow_mut() = Some(commands);
    let control = Control::start(control, watch).await?;
    let control = tasks::spawn_local(control.run());
    let broken = worker.run().await?;
    stage
        .trace
        .add("proxy", format_args!("has ended and broken {broken}"));
    control.abort();
    // A host without software does not answer at all; one whose program has ended refuses.
    std::future::pending().await
}

impl Stage {
    pub(crate) fn client(&self, name: &str) -> Client {
        Client::new(name, &self.trace)
    }

    /// Clients that request `target` again and again, each with `pause` between, until `is_over`;
    /// and the outcome of all their requests.
    pub(crate) async fn load(
        &self,
        clients: usize,
        target: &'static str,
        pause: Duration,
        is_over: impl Fn(&Trace) -> bool + Copy + 'static,
    ) -> Vec<Outcome> {
        let tasks: Vec<_> = (1..=clients)
            .map(|number| {
                let mut client = self.client(&format!("client-{number}"));
                let trace = self.trace.clone();
                tasks::spawn_local(async move {
                    let mut outcomes = Vec::new();
                    while !is_over(&trace) {
                        let target = format!("{target}?{number}.{}", outcomes.len());
                        outcomes.push(client.get(&target).await);
                        clock::sleep(pause).await;
                    }
                    outcomes
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.extend(task.await.expect("a client does not panic"));
        }
        outcomes
    }

    /// Bytes between the proxy and that server are lost from now on.
    pub(crate) fn cut(&self, server: usize) {
        self.say("cut", server);
        turmoil::partition(PROXY, address_of(server));
    }

    /// The link carries bytes again from now on.
    pub(crate) fn mend(&self, server: usize) {
        self.say("mend", server);
        turmoil::repair(PROXY, address_of(server));
    }

    /// Bytes between the proxy and that server are delayed from now on.
    pub(crate) fn stall(&self, server: usize) {
        self.say("stall", server);
        turmoil::hold(PROXY, address_of(server));
    }

    /// They arrive.
    pub(crate) fn flow(&self, server: usize) {
        self.say("flow", server);
        turmoil::release(PROXY, address_of(server));
    }

    fn say(&self, what: &str, server: usize) {
        self.trace
            .add("story", format_args!("{what} {}", name_of(server)));
    }

    /// Accepting the next connection panics.
    pub(crate) fn break_next_accept(&self) {
        self.is_next_defective.store(true, Ordering::Relaxed);
    }

    pub(crate) fn command(&self, command: Command) {
        let commands = self.commands.borrow();
        let sent = commands
            .as_ref()
            .map(|commands| commands.send(command).is_ok());
        assert_eq!(sent, Some(true), "the proxy runs");
    }

    /// Waits until an entry with `text` in it is in the trace, and returns its time.
    pub(crate) async fn until(&self, text: &str) -> Duration {
        let trace = &self.trace;
        let seen = async {
            loop {
                if let Some(at) = trace.first(text) {
                    return at;
                }
                clock::sleep(GLANCE).await;
            }
        };
        let seen = clock::within(TIMEOUT, seen).await;
        assert!(seen.is_ok(), "`{text}` did not happen");
        seen.unwrap_or_default()
    }

    /// Waits until the proxy says that it is ready.
    pub(crate) async fn ready(&self) {
        let mut admin = Client::of_admin(&self.trace);
        let ready = async {
            while admin.get("/ready").await.status != Some(200) {
                clock::sleep(GLANCE).await;
            }
        };
        assert!(clock::within(TIMEOUT, ready).await.is_ok(), "not ready");
    }

    /// The value of a metric's series, as text; empty: there is none.
    pub(crate) async fn metric(&self, series: &str) -> String {
        let page = Client::of_admin(&self.trace).get("/metrics").await.body;
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or("").trim().to_owned()
    }

    /// The page `/status`.
    pub(crate) async fn status(&self) -> serde_json::Value {
        let page = Client::of_admin(&self.trace).get("/status").await.body;
        serde_json::from_str(&page).expect("the status is JSON")
    }
}

pub(crate) fn name_of(server: usize) -> String {
    format!("s{server}")
}

/// Where the servers listen.
pub(crate) fn socket_of(server: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, server as u8], 80))
}

fn address_of(server: usize) -> String {
    format!("10.0.1.{server}")
}
