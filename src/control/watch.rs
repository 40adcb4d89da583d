//! Notices that a file of the configuration, or one with a certificate, may have changed.
//!
//! Directories are watched and not files: editors write a new file and rename it, and Kubernetes
//! swaps a link two levels up. Every event is only a hint; whether the files say something new is
//! decided by reading them. A look every half minute finds what no event told (network file systems).

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::ModifyKind;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::base::clock::{self, Duration};
use crate::base::tasks::{self, JoinHandle};
use crate::config::Watch;

use super::Order;

/// How long it must have been quiet before the files are read: an editor's save is several events.
const QUIET: Duration = Duration::from_millis(200);

/// How long is waited for quiet.
const LONGEST_UNREST: Duration = Duration::from_secs(2);

/// How often the files are looked at without an event.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The same where the system gives no watches, or not enough of them.
const LOOK_UNWATCHED: Duration = Duration::from_secs(3);

/// Names of files, without their directories.
type Names = BTreeSet<OsString>;

/// Watches directories; stops when dropped.
pub(super) struct Watcher {
    /// `None`: the system gives no watches, and only the regular look is left.
    notify: Option<RecommendedWatcher>,
    /// Of the watched files; `None`: all in the directories. Written here, read by the thread that
    /// `notify` calls back on.
    names: Arc<Mutex<Option<Names>>>,
    watched: BTreeSet<PathBuf>,
    /// Where events go.
    hints: UnboundedSender<()>,
    /// Whether events may be missing. Written here, read by the task on the same thread.
    is_blind: Rc<Cell<bool>>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Sends `order` to `orders` when something happened.
    pub(super) fn new(orders: UnboundedSender<Order>, order: fn() -> Order) -> Self {
        let (hints, hinted) = mpsc::unbounded_channel();
        let names = Arc::new(Mutex::new(None));
        let known = Arc::clone(&names);
        let events = hints.clone();
        let notify = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if event.is_ok_and(|event| is_hint(&event, known.as_ref())) {
                // The receiver is gone when the watcher is being dropped.
                let _ = events.send(());
            }
        });
        let is_blind = Rc::new(Cell::new(notify.is_err()));
        Self {
            is_blind: Rc::clone(&is_blind),
            notify: notify.ok(),
            names,
            watched: BTreeSet::new(),
            hints,
            task: tasks::spawn_local(pass_on(hinted, orders, order, is_blind)),
        }
    }

    /// Watches what `watch` names, and nothing else.
    pub(super) fn watch(&mut self, watch: &Watch) {
        self.watch_files(Some(names(watch)), directories(watch));
    }

    /// Watches all that happens in `directories`, and nothing else.
    pub(super) fn watch_directories(&mut self, directories: &HashSet<PathBuf>) {
        let real = directories.iter().flat_map(|directory| {
            // Kubernetes swaps a link within the directory; what stands behind it is another one.
            let inside = std::fs::read_link(directory.join("..data")).ok();
            let inside = inside.map(|link| directory.join(link));
            [Some(directory.clone()), inside].into_iter().flatten()
        });
        let real = real.filter_map(|directory| directory.canonicalize().ok());
        self.watch_files(None, real.collect());
    }

    fn watch_files(&mut self, names: Option<Names>, wanted: BTreeSet<PathBuf>) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        let Some(notify) = &mut self.notify else {
            return;
        };
        for gone in self.watched.difference(&wanted) {
            // It may have been deleted, and its watch with it.
            let _ = notify.unwatch(gone);
        }
        let count = wanted.len();
        let mut has_begun = false;
        let watched = wanted.into_iter().filter(|directory| {
            if self.watched.contains(directory) {
                return true;
            }
            let begins = notify.watch(directory, RecursiveMode::NonRecursive).is_ok();
            has_begun |= begins;
            begins
        });
        self.watched = watched.collect();
        self.is_blind.set(self.watched.len() < count);
        if has_begun {
            // What happened there since the files were read, and before this, nobody else will tell.
            let _ = self.hints.send(());
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One order for many hints.
async fn pass_on(
    mut hinted: UnboundedReceiver<()>,
    orders: UnboundedSender<Order>,
    order: fn() -> Order,
    is_blind: Rc<Cell<bool>>,
) {
    loop {
        let pause = match is_blind.get() {
            true => LOOK_UNWATCHED,
            false => LOOK_EVERY,
        };
        match clock::within(pause, hinted.recv()).await {
            Ok(None) => return,
            Ok(Some(())) => {
                let until_quiet =
                    async { while let Ok(Some(())) = clock::within(QUIET, hinted.recv()).await {} };
                // It may never be quiet; then what is half saved is found wrong, and read again.
                let _ = clock::within(LONGEST_UNREST, until_quiet).await;
            }
            Err(clock::Elapsed) => {}
        }
        if orders.send(order()).is_err() {
            return;
        }
    }
}

/// Whether `event` may mean that the configuration has changed. New names, gone names and links may
/// be a part of it whatever they are called (Kubernetes links through `..data`); what is written
/// into another file, a log perhaps, is not.
fn is_hint(event: &notify::Event, names: Option<&Names>) -> bool {
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => event
            .paths
            .iter()
            .filter_map(|path| path.file_name())
            .any(|name| names.is_none_or(|names| names.contains(name))),
        _ => true,
    }
}

/// The names of the watched files, as written and where their links lead.
fn names(watch: &Watch) -> Names {
    let written = watch.files.iter().cloned();
    let real = watch
        .files
        .iter()
        .filter_map(|file| file.canonicalize().ok());
    written
        .chain(real)
        .filter_map(|file| file.file_name().map(ToOwned::to_owned))
        .collect()
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
        // One directory, one watch: of two names for it, forgetting one would end the watch of both.
        .filter_map(|directory| directory.canonicalize().ok())
        .collect()
}

/// Where `file` stands; of a name alone, that is where the process runs.
pub(super) fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_beside_the_configuration_is_no_hint() {
        let watch = Watch {
            files: vec![PathBuf::from("/etc/x/evenkeel.toml")],
            globs: Vec::new(),
        };
        let names = names(&watch);
        let event = |kind, path: &str| notify::Event::new(kind).add_path(PathBuf::from(path));
        let written = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        let named = EventKind::Modify(ModifyKind::Name(notify::event::RenameMode::To));
        assert!(is_hint(
            &event(written, "/etc/x/evenkeel.toml"),
            Some(&names)
        ));
        assert!(!is_hint(&event(written, "/etc/x/access.log"), Some(&names)));
        assert!(is_hint(&event(named, "/etc/x/..data"), Some(&names)));
    }

    /// How many orders come of watching `directory` twice, as after each order.
    async fn orders_after_watching(directory: &Path) -> usize {
        let (sender, mut orders) = mpsc::unbounded_channel();
        let mut watcher = Watcher::new(sender, || Order::FilesTouched);
        let wanted = BTreeSet::from([directory.to_owned()]);
        let mut count = 0;
        for _ in 0..2 {
            watcher.watch_files(None, wanted.clone());
            while let Ok(Some(_)) = clock::within(2 * QUIET, orders.recv()).await {
                count += 1;
            }
        }
        count
    }

    #[test]
    fn a_directory_is_looked_at_once_when_its_watch_begins_and_not_when_it_cannot() {
        let runtime = tasks::local_runtime().expect("a runtime");
        // Where nothing happens.
        let quiet = Path::new("/proc/self");
        assert_eq!(runtime.block_on(orders_after_watching(quiet)), 1);
        let nowhere = Path::new("/nowhere at all");
        assert_eq!(runtime.block_on(orders_after_watching(nowhere)), 0);
    }

    #[test]
    fn a_file_is_watched_where_it_stands_and_where_it_leads() {
        let watch = Watch {
            files: vec![
                PathBuf::from("evenkeel.toml"),
                PathBuf::from("/proc/self/status"),
            ],
            globs: vec!["/etc/*.toml".to_owned()],
        };
        let found = directories(&watch);
        let here = Path::new(".").canonicalize().expect("a directory");
        let process = Path::new("/proc/self").canonicalize().expect("a directory");
        for expected in [here.as_path(), &process, Path::new("/etc")] {
            assert!(
                found.contains(expected),
                "{}: {found:?}",
                expected.display()
            );
        }
    }
}
