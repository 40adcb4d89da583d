//! The events, in order, with their simulated time.
//!
//! Servers, clients and stories write here, and every event that the proxy logs is added too. Two
//! runs under one seed must have the same trace.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// A trace that is being written; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<Entry>>>);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) actor: String,
    pub(crate) what: String,
}

impl Trace {
    pub(crate) fn add(&self, actor: &str, what: impl fmt::Display) {
        let entry = Entry {
            at: turmoil::sim_elapsed().unwrap_or_default(),
            actor: actor.to_owned(),
            what: what.to_string(),
        };
        self.lock().push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// When the first entry with `text` in it was written.
    pub(crate) fn first(&self, text: &str) -> Option<Duration> {
        let entries = self.lock();
        let entry = entries.iter().find(|entry| entry.what.contains(text));
        entry.map(|entry| entry.at)
    }

    /// A subscriber for the proxy's events.
    pub(crate) fn recorder(&self) -> Recorder {
        Recorder(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry { at, actor, what } in self.lock().iter() {
            writeln!(f, "{:>9.3}  {actor:<8} {what}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Writes the proxy's events down.
pub(crate) struct Recorder(Trace);

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("evenkeel") {
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.add("proxy", message.0);
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
