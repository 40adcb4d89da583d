//! A proxy whose clock stands still until its test moves it: slow steps take no real time, and a
//! busy machine changes nothing.
//!
//! Its worker and its control plane run on one thread, in a runtime whose time is paused, on the
//! system's network. Bytes move as they always do.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use evenkeel::base::tasks;
use evenkeel::control::{Command, Control};
use evenkeel::observe::AccessLogHandle;
use evenkeel::process::{Assembled, Start};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::wait::TIMEOUT;

/// Timers fire in their order, and none much too late: the clock moves in such steps.
const STEP: Duration = Duration::from_millis(5);

/// How often the proxy runs before each step, to read what has come, and to pass it on.
const TURNS: usize = 16;

/// The clock of a proxy that [`Setup::start_paused`](super::Setup::start_paused) starts with it. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Clock {
    moves: UnboundedSender<Move>,
    moved: Arc<Mutex<Option<UnboundedReceiver<Move>>>>,
}

/// How far, and a channel for the end of the move.
type Move = (Duration, Sender<()>);

impl Clock {
    /// For one proxy.
    pub(crate) fn new() -> Self {
        let (moves, moved) = unbounded_channel();
        Self {
            moves,
            moved: Arc::new(Mutex::new(Some(moved))),
        }
    }

    /// Lets `span` pass. Bytes that were sent to the proxy before have been read, and due timers
    /// have fired.
    #[track_caller]
    pub(crate) fn advance(&self, span: Duration) {
        let (done, wait) = channel();
        // A proxy that has ended has no clock any more.
        let _ = self.moves.send((span, done));
        let outcome = wait.recv_timeout(TIMEOUT);
        assert_ne!(outcome, Err(RecvTimeoutError::Timeout), "it hangs");
    }
}

/// A proxy on one thread. Dropping it ends it.
pub(super) struct Paused {
    pub(super) clock: Clock,
    pub(super) commands: UnboundedSender<Command>,
    access_log: AccessLogHandle,
    /// Ends it when dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Paused {
    /// Starts it.
    #[track_caller]
    pub(super) fn start(start: Start, clock: &Clock) -> Self {
        let moved = clock.moved.lock().expect("no thread panics with it").take();
        let moved = moved.expect("a clock is for one proxy");
        let (stop, stopped) = oneshot::channel();
        let (started, has_started) = channel();
        let thread = thread::spawn(move || run(start, moved, stopped, &started));
        let (commands, access_log) = has_started.recv().expect("it starts");
        Self {
            clock: clock.clone(),
            commands,
            access_log,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The test has seen its panic.
            let _ = thread.join();
        }
        self.access_log.close(TIMEOUT);
    }
}

fn run(
    start: Start,
    mut moved: UnboundedReceiver<Move>,
    stopped: oneshot::Receiver<()>,
    started: &Sender<(UnboundedSender<Command>, AccessLogHandle)>,
) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build_local(LocalOptions::default());
    runtime.expect("a runtime").block_on(async move {
        // While a thread blocks, tokio does not move the clock by itself.
        let (holding, held) = channel::<()>();
        tasks::spawn_blocking(move || held.recv());
        let watch = start.loaded.watch.clone();
        let assembled = Assembled::new(start, 1).expect("its files are as they should be");
        for writer in assembled.log_writers {
            thread::spawn(move || writer.run());
        }
        let control = Control::start(assembled.control, watch).await;
        tasks::spawn_local(control.expect("its addresses are free").run());
        tasks::spawn_local(async move {
            while let Some((span, done)) = moved.recv().await {
                advance(span).await;
                // The caller may have given up.
                let _ = done.send(());
            }
        });
        let ended = tasks::spawn_local(assembled.worker.run());
        let _ = started.send((assembled.commands, assembled.access_log));
        tokio::select! {
            _ = ended => {}
            _ = stopped => {}
        }
        drop(holding);
    });
}

async fn advance(span: Duration) {
    let mut left = span;
    loop {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        if left.is_zero() {
            return;
        }
        let step = left.min(STEP);
        tokio::time::advance(step).await;
        left -= step;
    }
}
