//! Notices that a file of the configuration may have changed.
//!
//! Directories are watched and not files: editors write a new file and rename it, and Kubernetes
//! swaps a link two levels up. Every event is only a hint; whether the files say something new is
//! decided by reading them. A look every half minute finds what no event told (network file systems).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::base::clock::{self, Duration};
use crate::base::tasks::{self, JoinHandle};
use crate::config::Watch;

use super::Order;

/// How long it must have been quiet before the files are read: an editor's save is several events.
const QUIET: Duration = Duration::from_millis(200);

/// How often the files are looked at without an event.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Watches directories; stops when dropped.
pub(super) struct Watcher {
    /// `None`: the system gives no watches, and only the regular look is left.
    notify: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Sends [`Order::FilesTouched`] to `orders` when something happened.
    pub(super) fn new(orders: UnboundedSender<Order>) -> Self {
        let (hints, hinted) = mpsc::unbounded_channel();
        let notify = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_change = event.is_ok_and(|event| !event.kind.is_access());
            if is_change {
                // The receiver is gone when the watcher is being dropped.
                let _ = hints.send(());
            }
        });
        Self {
            notify: notify.ok(),
            watched: BTreeSet::new(),
            task: tasks::spawn_local(pass_on(hinted, orders)),
        }
    }

    /// Watches what `watch` names, and nothing else.
    pub(super) fn watch(&mut self, watch: &Watch) {
        let wanted = directories(watch);
        let Some(notify) = &mut self.notify else {
            return;
        };
        for gone in self.watched.difference(&wanted) {
            // It may have been deleted, and its watch with it.
            let _ = notify.unwatch(gone);
        }
        self.watched = wanted
            .into_iter()
            .filter(|directory| {
                self.watched.contains(directory)
                    || notify.watch(directory, RecursiveMode::NonRecursive).is_ok()
            })
            .collect();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One order for many hints.
async fn pass_on(mut hinted: UnboundedReceiver<()>, orders: UnboundedSender<Order>) {
    loop {
        match clock::within(LOOK_EVERY, hinted.recv()).await {
            Ok(None) => return,
            Ok(Some(())) => while let Ok(Some(())) = clock::within(QUIET, hinted.recv()).await {},
            Err(clock::Elapsed) => {}
        }
        if orders.send(Order::FilesTouched).is_err() {
            return;
        }
    }
}

/// The directories in which something happens when a watched file changes: its own, and for links
/// those that lie behind them.
fn directories(watch: &Watch) -> BTreeSet<PathBuf> {
    let of_globs = watch.globs.iter().map(Path::new);
    let files = watch.files.iter().map(PathBuf::as_path).chain(of_globs);
    files
        .flat_map(|file| {
            let written = directory_of(file);
            let real = file.canonicalize().ok().map(|real| directory_of(&real));
            [Some(written), real].into_iter().flatten()
        })
        .collect()
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_watched_where_it_stands_and_where_it_leads() {
        let watch = Watch {
            files: vec![
                PathBuf::from("evenkeel.toml"),
                PathBuf::from("/etc/x/y.toml"),
            ],
            globs: vec!["/etc/conf.d/*.toml".to_owned()],
        };
        let found = directories(&watch);
        for expected in [".", "/etc/x", "/etc/conf.d"] {
            assert!(found.contains(Path::new(expected)), "{expected}");
        }
    }
}
