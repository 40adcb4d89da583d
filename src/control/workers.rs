//! The workers as the control thread sees them, and sending commands to them.

use tokio::sync::mpsc::UnboundedSender;

use crate::proxy::worker::WorkerCommand;

/// One sender for each worker.
pub(super) type Workers = [UnboundedSender<WorkerCommand>];

/// Sends all workers the same command.
pub(super) fn send_to_all(workers: &Workers, command: impl Fn() -> WorkerCommand) {
    for worker in workers {
        // A worker that has ended ends the process.
        let _ = worker.send(command());
    }
}
