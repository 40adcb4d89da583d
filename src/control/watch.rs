//! Notices that a file of the configuration, or one with a certificate, may have changed.
//!
//! Directories are watched and not files: editors write a new file and rename it, and Kubernetes
//! swaps a link two levels up. Every event is only a hint; reading the files decides whether their
//! content has changed. A look every half minute finds changes without events (network file
//! systems).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::base::clock::{self, Duration};
use crate::base::tasks::{self, JoinHandle};
use crate::config::Watch;
use crate::net::Readable;

use super::Command;

/// How long no event may come before the files are read: an editor's save is several events.
const QUIET: Duration = Duration::from_millis(200);

/// The longest wait for that.
const LONGEST_UNREST: Duration = Duration::from_secs(2);

/// How often the files are looked at without an event.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The same if the system gives no watches, or too few.
const LOOK_UNWATCHED: Duration = Duration::from_secs(3);

/// The kernel's events of a directory: entries that are added or removed, and files that were
/// written and closed. Not each write and each read, as the crate `notify` asks for: each line of a
/// log in the directory would then cost an event, and wake us.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Events about a file that is not replaced. A hint only for a watched file.
const OF_CONTENT: ReadFlags = ReadFlags::CLOSE_WRITE.union(ReadFlags::ATTRIB);

/// The buffer for events. An event has at most 272 bytes (inotify(7)).
const EVENT_BYTES: usize = 4096;

/// After so many events the other tasks of the thread run.
const EVENTS_AT_ONCE: usize = 1000;

/// Names of files, without their directories.
type Names = BTreeSet<OsString>;

/// Watches directories; stops when dropped.
pub(super) struct Watcher {
    /// `None`: the system gives no watches, and only the regular look is left.
    inotify: Option<Rc<Readable>>,
    /// The names of the watched files; `None`: all in the directories. Written here, read by the
    /// task that reads events.
    names: Rc<RefCell<Option<Names>>>,
    /// The watched directories, each with the kernel's number for its watch.
    watched: BTreeMap<PathBuf, i32>,
    /// The receiver of hints.
    hints: UnboundedSender<()>,
    /// Whether events may be missing. Written here, read by the task on the same thread.
    is_blind: Rc<Cell<bool>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watcher {
    /// Sends `command` to `commands` when a file may have changed.
    pub(super) fn new(commands: UnboundedSender<Command>, command: fn() -> Command) -> Self {
        let (hints, hinted) = mpsc::unbounded_channel();
        let names = Rc::new(RefCell::new(None));
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok();
        let inotify = inotify.and_then(|fd| Readable::new(fd).ok()).map(Rc::new);
        let is_blind = Rc::new(Cell::new(inotify.is_none()));
        let passing = pass_on(hinted, commands, command, Rc::clone(&is_blind));
        let mut tasks = vec![tasks::spawn_local(passing)];
        if let Some(inotify) = &inotify {
            let reading = read_events(Rc::clone(inotify), Rc::clone(&names), hints.clone());
            tasks.push(tasks::spawn_local(reading));
        }
        Self {
            inotify,
            names,
            watched: BTreeMap::new(),
            hints,
            is_blind,
            tasks,
        }
    }

    /// Watches the files of `watch`, and nothing else.
    pub(super) fn watch(&mut self, watch: &Watch) {
        self.watch_files(Some(names(watch)), directories(watch));
    }

    /// Watches everything in `directories`, and nothing else.
    pub(super) fn watch_directories(&mut self, directories: &HashSet<PathBuf>) {
        let real = directories.iter().flat_map(|directory| {
            // Kubernetes swaps a link within the directory; its target is a different directory
            // then.
            let inside = std::fs::read_link(directory.join("..data")).ok();
            let inside = inside.map(|link| directory.join(link));
            [Some(directory.clone()), inside].into_iter().flatten()
        });
        let real = real.filter_map(|directory| directory.canonicalize().ok());
        self.watch_files(None, real.collect());
    }

    fn watch_files(&mut self, names: Option<Names>, wanted: BTreeSet<PathBuf>) {
        *self.names.borrow_mut() = names;
        let Some(inotify) = self.inotify.clone() else {
            return;
        };
        let count = wanted.len();
        // Also for watched ones: the kernel returns the same number for the same directory, and a
        // different one for a new directory of the same name.
        let watched: BTreeMap<PathBuf, i32> = wanted
            .into_iter()
            .filter_map(|directory| {
                let watch = inotify::add_watch(inotify.as_fd(), &directory, EVENTS).ok()?;
                Some((directory, watch))
            })
            .collect();
        let still: HashSet<i32> = watched.values().copied().collect();
        let before: HashSet<i32> = self.watched.values().copied().collect();
        for gone in before.difference(&still) {
            // It may have been deleted, and its watch with it.
            let _ = inotify::remove_watch(inotify.as_fd(), *gone);
        }
        let has_begun = still.difference(&before).next().is_some();
        self.watched = watched;
        self.is_blind.set(self.watched.len() < count);
        if has_begun {
            // Changes between the reading of the files and this point have no event.
            let _ = self.hints.send(());
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Sends one command for many hints.
async fn pass_on(
    mut hinted: UnboundedReceiver<()>,
    commands: UnboundedSender<Command>,
    command: fn() -> Command,
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
                // It may never be quiet; then a half-saved file is found wrong, and read again.
                let _ = clock::within(LONGEST_UNREST, until_quiet).await;
            }
            Err(clock::Elapsed) => {}
        }
        if commands.send(command()).is_err() {
            return;
        }
    }
}

/// Reads the kernel's events, and passes on whether there was a hint among them.
async fn read_events(
    inotify: Rc<Readable>,
    names: Rc<RefCell<Option<Names>>>,
    hints: UnboundedSender<()>,
) {
    let mut room = [MaybeUninit::uninit(); EVENT_BYTES];
    loop {
        let Ok(mut ready) = inotify.ready().await else {
            return;
        };
        let mut events = inotify::Reader::new(inotify.as_fd(), &mut room);
        let (mut count, mut has_hint) = (0, false);
        // Events that were read together are handled together: the rest would be lost.
        while count < EVENTS_AT_ONCE || !events.is_buffer_empty() {
            match events.next() {
                Ok(event) => {
                    let name = event
                        .file_name()
                        .map(|name| OsStr::from_bytes(name.to_bytes()));
                    has_hint |= is_hint(event.events(), name, names.borrow().as_ref());
                    count += 1;
                }
                Err(Errno::INTR) => {}
                Err(_) => {
                    // There are no more events for now.
                    ready.clear_ready();
                    break;
                }
            }
        }
        if has_hint && hints.send(()).is_err() {
            return;
        }
    }
}

/// Whether an event about `name` may mean that the configuration has changed. New names, removed
/// names and links may be part of it whatever they are called (Kubernetes links through `..data`);
/// a write to another file, a log perhaps, is not.
fn is_hint(events: ReadFlags, name: Option<&OsStr>, names: Option<&Names>) -> bool {
    // The end of a watch: we have removed it, or its directory is gone, for which there is another
    // event.
    if events.contains(ReadFlags::IGNORED) {
        return false;
    }
    if !events.intersects(OF_CONTENT) {
        return true;
    }
    names.is_none_or(|names| name.is_some_and(|name| names.contains(name)))
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

/// The directories to watch for a change of a watched file: its own, and those of link targets.
fn directories(watch: &Watch) -> BTreeSet<PathBuf> {
    let of_globs = watch.globs.iter().map(Path::new);
    let files = watch.files.iter().map(PathBuf::as_path).chain(of_globs);
    files
        .flat_map(|file| {
            let written = directory_of(file);
            let real = file.canonicalize().ok().map(|real| directory_of(&real));
            [Some(written), real].into_iter().flatten()
        })
        // One directory, one watch: with two names for it, removing one would end the watch of
        // both.
        .filter_map(|directory| directory.canonicalize().ok())
        .collect()
}

/// The directory of `file`; that of the process for a name alone.
pub(super) fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::control::certs::fixture::Folder;

    #[test]
    fn a_log_beside_the_configuration_is_no_hint() {
        let watch = Watch {
            files: vec![PathBuf::from("/etc/x/evenkeel.toml")],
            globs: Vec::new(),
        };
        let names = names(&watch);
        let is_hint = |events, name: &str| is_hint(events, Some(OsStr::new(name)), Some(&names));
        for content in [ReadFlags::CLOSE_WRITE, ReadFlags::ATTRIB] {
            assert!(is_hint(content, "evenkeel.toml"));
            assert!(!is_hint(content, "access.log"));
        }
        for name in [ReadFlags::CREATE, ReadFlags::DELETE, ReadFlags::MOVED_TO] {
            assert!(is_hint(name, "..data"));
        }
        assert!(is_hint(ReadFlags::QUEUE_OVERFLOW, ""), "events were lost");
        assert!(!is_hint(ReadFlags::IGNORED, ""));
    }

    /// The kernel's events for a directory in which `happen` runs.
    fn events_of(happen: impl FnOnce(&Path)) -> Vec<(ReadFlags, String)> {
        let folder = Folder::new();
        let directory = folder.path("");
        std::fs::write(directory.join("app.log"), "").expect("a file");
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        let inotify = inotify.expect("inotify");
        inotify::add_watch(&inotify, &directory, EVENTS).expect("a watch");
        happen(&directory);
        let mut room = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut events = inotify::Reader::new(&inotify, &mut room);
        let mut found = Vec::new();
        while let Ok(event) = events.next() {
            let name = event.file_name().map(|name| name.to_string_lossy());
            found.push((event.events(), name.unwrap_or_default().into_owned()));
        }
        found
    }

    #[test]
    fn lines_of_a_log_that_stays_open_wake_no_task() {
        let found = events_of(|directory| {
            let mut log = std::fs::OpenOptions::new();
            let log = log.append(true).open(directory.join("app.log"));
            let mut log = log.expect("a file");
            for _ in 0..100 {
                log.write_all(b"a line\n").expect("written");
            }
            let read = std::fs::read(directory.join("app.log")).expect("a file");
            assert_eq!(read.len(), 700);
            // Never closed, like a log.
            std::mem::forget(log);
        });
        assert_eq!(found, []);
    }

    #[test]
    fn saved_renamed_and_deleted_files_cause_events() {
        let found = events_of(|directory| {
            let file = |name: &str| directory.join(name);
            std::fs::write(file("app.log"), "over").expect("written");
            std::fs::write(file("new"), "").expect("written");
            std::fs::rename(file("new"), file("other")).expect("renamed");
            std::fs::remove_file(file("other")).expect("removed");
        });
        let names: Vec<&str> = found.iter().map(|(_, name)| &**name).collect();
        assert_eq!(names, ["app.log", "new", "new", "new", "other", "other"]);
        assert_eq!(found[0].0, ReadFlags::CLOSE_WRITE);
    }

    #[test]
    fn a_change_of_rights_or_of_the_directory_itself_causes_an_event() {
        use std::os::unix::fs::PermissionsExt as _;
        let of_rights = events_of(|directory| {
            let rights = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(directory.join("app.log"), rights).expect("it is ours");
        });
        assert_eq!(of_rights, [(ReadFlags::ATTRIB, "app.log".to_owned())]);
        let moved = events_of(|directory| {
            let elsewhere = directory.with_extension("moved");
            std::fs::rename(directory, &elsewhere).expect("moved");
            std::fs::rename(&elsewhere, directory).expect("moved back");
        });
        // The kernel merges two equal events.
        assert_eq!(moved, [(ReadFlags::MOVE_SELF, String::new())]);
        let removed = events_of(|directory| std::fs::remove_dir_all(directory).expect("removed"));
        let of_itself = (ReadFlags::DELETE_SELF, String::new());
        assert!(removed.contains(&of_itself), "{removed:?}");
    }

    #[test]
    fn only_directories_are_watched() {
        let folder = Folder::new();
        let file = folder.path("app.log");
        std::fs::write(&file, "").expect("a file");
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        let inotify = inotify.expect("inotify");
        let watch = inotify::add_watch(&inotify, &file, EVENTS);
        assert_eq!(watch, Err(Errno::NOTDIR));
    }

    /// The number of commands after watching `directory` twice, as after each command.
    async fn orders_after_watching(directory: &Path) -> usize {
        let (sender, mut commands) = mpsc::unbounded_channel();
        let mut watcher = Watcher::new(sender, || Command::FilesTouched);
        let wanted = BTreeSet::from([directory.to_owned()]);
        let mut count = 0;
        for _ in 0..2 {
            watcher.watch_files(None, wanted.clone());
            while let Ok(Some(_)) = clock::within(2 * QUIET, commands.recv()).await {
                count += 1;
            }
        }
        count
    }

    #[test]
    fn a_directory_is_looked_at_once_when_its_watch_begins_and_not_when_it_cannot() {
        let runtime = tasks::local_runtime().expect("a runtime");
        // A directory without events.
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
