//! Spawning: the only place that starts a task or a thread.
//!
//! A worker's tasks are local: they start and end on its thread and need not be `Send`.

#![expect(
    clippy::disallowed_methods,
    reason = "this is where tasks and threads are started for everyone else"
)]

use std::future::Future;
use std::io;
use std::process::{Child, Command};
use std::thread;

pub use tokio::runtime::Runtime;
pub use tokio::task::coop;
pub use tokio::task::{JoinError, JoinHandle, LocalSet};

/// Starts `future` on the calling thread, inside its [`LocalSet`].
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    tokio::task::spawn_local(future)
}

/// Lets the other ready tasks of this thread run.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped.
pub async fn yield_now() {
    tokio::task::yield_now().await;
}

/// Runs `work` on a thread where it may block: reading files, asking the resolver.
pub fn spawn_blocking<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    tokio::task::spawn_blocking(work)
}

/// Starts another process.
///
/// # Errors
///
/// The system's error.
pub fn start_process(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}

/// Starts a thread of the process, named for `top -H` and for panics.
///
/// # Errors
///
/// The system's error when it has no thread left.
pub fn spawn_thread<F, T>(name: &str, work: F) -> io::Result<thread::JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// The result of `work` for each of `items`, in their order, computed on as many threads as there
/// are cores. Blocks: only for [`spawn_blocking`] or a process that does nothing else.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(cores).max(1);
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(share)
            .map(|items| scope.spawn(move || items.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let done = threads.into_iter().map(|thread| match thread.join() {
            Ok(done) => done,
            // A panic of `work` is a panic of its caller.
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.flatten().collect()
    })
}

/// A runtime for one thread that runs local tasks without a [`LocalSet`]: for a worker or the
/// control thread.
///
/// # Errors
///
/// The system's error when it gives no epoll instance.
pub fn local_runtime() -> io::Result<tokio::runtime::LocalRuntime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
}

/// [`local_runtime`] whose [`spawn_blocking`] has a single thread. A test that occupies this thread knows
/// that no blocking work ends before the test lets it.
#[cfg(test)]
pub fn local_runtime_with_one_blocking_thread() -> io::Result<tokio::runtime::LocalRuntime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build_local(tokio::runtime::LocalOptions::default())
}

/// A runtime for one thread without local tasks.
///
/// # Errors
///
/// The system's error when it gives no epoll instance.
pub fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
