//! The workers as the control thread sees them, and the commands that it sends them.

use tokio::sync::mpsc::UnboundedSender;

use crate::proxy::worker::WorkerCommand;

/// One sender for each worker.
pub(super) type Workers = [UnboundedSender<WorkerCommand>];

/// Tells all workers the same.
pub(super) fn tell(workers: &Workers, command: impl Fn() -> WorkerCommand) {
    for worker in workers {
        // A worker that is gone ends the process.
        let _ = worker.send(command());
    }
}
