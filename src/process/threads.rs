//! The threads of workers and of the control plane, and reports of a worker's end.

use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::base::InWords;
use crate::base::clock::{self, Duration};
use crate::base::tasks;
use crate::config;
use crate::control::{CannotStart, Control, Parts};
use crate::proxy::worker::Worker;

/// How a worker ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WorkerEnd {
    /// By a command, after cutting this many connections.
    Told { aborted: usize },
    /// By itself.
    Died { worker: usize, why: String },
}

/// Starts the thread of `worker`, which reports its end to `ended`.
pub(super) fn start_worker(
    worker: Worker,
    ended: mpsc::UnboundedSender<WorkerEnd>,
) -> Result<(), CannotStart> {
    let index = worker.index;
    let run = move || {
        let runtime = tasks::local_runtime().map_err(|error| no_runtime(&error))?;
        let aborted = runtime.block_on(worker.run());
        aborted.map_err(|died| died.to_string())
    };
    let name = format!("worker-{index}");
    tasks::spawn_thread(&name, move || reporting(index, ended, run)).map_err(no_thread)?;
    Ok(())
}

/// Runs a worker, which returns how many connections it had to cut or why it died, and reports it
/// to `ended`.
fn reporting(
    worker: usize,
    ended: mpsc::UnboundedSender<WorkerEnd>,
    run: impl FnOnce() -> Result<usize, String>,
) {
    let mut report = Report {
        worker,
        ended,
        end: None,
    };
    report.end = Some(match run() {
        Ok(aborted) => WorkerEnd::Told { aborted },
        Err(why) => WorkerEnd::Died { worker, why },
    });
}

/// Reports how a worker ended, also after a panic.
struct Report {
    worker: usize,
    ended: mpsc::UnboundedSender<WorkerEnd>,
    end: Option<WorkerEnd>,
}

impl Drop for Report {
    fn drop(&mut self) {
        let died = WorkerEnd::Died {
            worker: self.worker,
            why: "it panicked".to_owned(),
        };
        // The receiver does not exist any more when the process ends.
        let _ = self.ended.send(self.end.take().unwrap_or(died));
    }
}

/// Starts the control thread and waits until its addresses are bound.
pub(super) fn start_control(
    parts: Parts,
    watch: config::Watch,
    mut stopped: oneshot::Receiver<()>,
) -> Result<thread::JoinHandle<()>, CannotStart> {
    let (started, has_started) = std::sync::mpsc::channel();
    let run = move || {
        let runtime = match tasks::local_runtime() {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(CannotStart(no_runtime(&error))))),
        };
        runtime.block_on(async move {
            let control = match Control::start(parts, watch).await {
                Ok(control) => control,
                Err(error) => return drop(started.send(Err(error))),
            };
            // The thread that starts this one waits for it.
            let _ = started.send(Ok(()));
            tokio::select! {
                () = control.run() => {}
                _ = &mut stopped => {}
            }
            // Workers receive the last commands before the end of this thread drops them.
            clock::sleep(Duration::ZERO).await;
        });
    };
    let thread = tasks::spawn_thread("control", run).map_err(no_thread)?;
    match has_started.recv() {
        Ok(outcome) => outcome.map(|()| thread),
        Err(_) => Err(CannotStart("the control thread died".to_owned())),
    }
}

fn no_runtime(error: &std::io::Error) -> String {
    format!("cannot start a thread: {}", InWords(error))
}

pub(super) fn no_thread(error: std::io::Error) -> CannotStart {
    CannotStart(no_runtime(&error))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;

    fn end_of(run: impl FnOnce() -> Result<usize, String>) -> WorkerEnd {
        let (sender, mut ended) = mpsc::unbounded_channel();
        // Catches the panic in place of its thread.
        let _ = catch_unwind(AssertUnwindSafe(|| reporting(1, sender, run)));
        ended
            .try_recv()
            .expect("the watcher sends how a worker ended")
    }

    #[test]
    fn a_worker_that_panics_is_reported_like_one_that_says_why_it_died() {
        let panics = end_of(|| resume_unwind(Box::new("a defect")));
        assert_eq!(panics, died("it panicked"));
        assert_eq!(end_of(|| Err("no epoll".to_owned())), died("no epoll"));
        assert_eq!(end_of(|| Ok(3)), WorkerEnd::Told { aborted: 3 });
    }

    fn died(why: &str) -> WorkerEnd {
        WorkerEnd::Died {
            worker: 1,
            why: why.to_owned(),
        }
    }
}
