//! The file of the log: one event a line, written by a thread of its own, and renamed when it is full.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answered::Answered;

/// Bytes of the events that wait for the thread. Events are between half a KiB and some MiB.
const MAX_WAITING_BYTES: u32 = 16 << 20;
/// Bytes that an event takes beside its text.
const LINE_OVERHEAD_BYTES: usize = 64;
/// Time in the names of full files.
const TIME_FORMAT: &str = "%Y-%m-%dT%H-%M-%S%.3f";

/// Where the log is, and how large it becomes.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The file; `-` for the standard output.
    pub path: PathBuf,
    /// Size at which the file is renamed and a new one begun, in bytes.
    pub max_bytes: u64,
    /// Full files that are kept; the oldest are deleted.
    pub max_backups: usize,
}

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the audit log {}", path.display())]
pub struct LogError {
    /// The file.
    pub path: PathBuf,
    /// The cause.
    #[source]
    pub source: io::Error,
}

/// The way to the thread that writes. The thread ends when all clones are dropped.
#[derive(Debug, Clone)]
pub(super) struct Log {
    events: UnboundedSender<Line>,
    room: Arc<Semaphore>,
    /// The permits of `room`.
    max_waiting: u32,
    lost: Arc<AtomicU64>,
}

/// An event that waits for the thread, with its share of the room.
#[derive(Debug)]
pub(super) struct Line {
    entry: Entry,
    _room: OwnedSemaphorePermit,
}

/// An event on its way to the file.
#[derive(Debug)]
enum Entry {
    /// A line with its end.
    Text(Vec<u8>),
    /// An event with an answer that is to be parsed.
    Answered(Box<Answered>),
}

impl Entry {
    fn line(self) -> serde_json::Result<Vec<u8>> {
        let answered = match self {
            Self::Text(line) => return Ok(line),
            Self::Answered(answered) => answered,
        };
        let mut line = answered.text()?;
        line.push(b'\n');
        Ok(line)
    }
}

impl Log {
    /// Opens the file and starts the thread.
    pub(super) fn open(settings: LogSettings) -> Result<Self, LogError> {
        let path = settings.path.clone();
        let failed = |source| LogError { path: path.clone(), source };
        let target = Target::open(settings).map_err(failed)?;
        let (log, waiting) = Self::with_room(MAX_WAITING_BYTES);
        let counter = Arc::clone(&log.lost);
        thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || write_all(target, waiting, &counter))
            .map_err(failed)?;
        Ok(log)
    }

    /// A log with room for `max_waiting` bytes, and the events that wait.
    pub(super) fn with_room(max_waiting: u32) -> (Self, UnboundedReceiver<Line>) {
        let (events, waiting) = unbounded_channel();
        let room = Arc::new(Semaphore::new(max_waiting as usize));
        (Self { events, room, max_waiting, lost: Arc::default() }, waiting)
    }

    /// Waits until there is room for an event.
    pub(super) async fn room(&self) {
        // The semaphore is never closed.
        let _ = self.room.acquire().await;
    }

    /// Hands an event to the thread.
    pub(super) fn write(&self, event: &impl Serialize) {
        let Ok(mut text) = serde_json::to_vec(event) else { return note_loss(&self.lost, "it is no JSON") };
        text.push(b'\n');
        text.shrink_to_fit();
        let bytes = text.len();
        self.queue(Entry::Text(text), bytes);
    }

    /// Hands an event to the thread, which parses its answer.
    pub(super) fn write_answered(&self, answered: Answered) {
        let bytes = answered.bytes();
        self.queue(Entry::Answered(Box::new(answered)), bytes);
    }

    /// Waits until all events are written, at most for `limit`; returns whether they are.
    pub(super) async fn is_written(&self, limit: Duration) -> bool {
        // Each event has its share of the room until it is written.
        let all = tokio::time::timeout(limit, self.room.acquire_many(self.max_waiting)).await;
        all.is_ok_and(|all| all.is_ok())
    }

    fn queue(&self, entry: Entry, bytes: usize) {
        let bytes = u32::try_from(bytes + LINE_OVERHEAD_BYTES).unwrap_or(u32::MAX);
        // An event that is larger than the room waits until it has all of it.
        let bytes = bytes.min(self.max_waiting);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            return self.send(Line { entry, _room: room });
        }
        // Requests wait for room when they begin, so only the events of those under way come here.
        let Ok(runtime) = Handle::try_current() else {
            // An answer may be dropped while the runtime ends.
            return note_loss(&self.lost, "the server is stopping");
        };
        let log = self.clone();
        runtime.spawn(async move {
            // The semaphore is never closed.
            if let Ok(room) = Arc::clone(&log.room).acquire_many_owned(bytes).await {
                log.send(Line { entry, _room: room });
            }
        });
    }

    fn send(&self, line: Line) {
        if self.events.send(line).is_err() {
            note_loss(&self.lost, "the thread that writes has ended");
        }
    }
}

fn write_all(mut target: Target, mut waiting: UnboundedReceiver<Line>, lost: &AtomicU64) {
    while let Some(Line { entry, _room }) = waiting.blocking_recv() {
        match entry.line() {
            Ok(line) => {
                if let Err(error) = target.write(&line) {
                    note_loss(lost, error);
                }
            }
            Err(error) => note_loss(lost, error),
        }
    }
}

/// Counts an event that cannot be written, and reports it.
fn note_loss(lost: &AtomicU64, error: impl Display) {
    let lost = lost.fetch_add(1, Ordering::Relaxed) + 1;
    // Not one line for each event: the disk may be full for hours.
    if lost.is_power_of_two() {
        tracing::error!(%error, lost, "an audit event cannot be written");
    }
}

/// What lines are written to.
enum Target {
    StandardOutput,
    File { settings: LogSettings, file: File, size: u64 },
}

impl Target {
    fn open(settings: LogSettings) -> io::Result<Self> {
        if settings.path == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        if let Some(directory) = settings.path.parent().filter(|directory| !directory.as_os_str().is_empty())
        {
            fs::create_dir_all(directory)?;
        }
        let file = append(&settings.path)?;
        let size = file.metadata()?.len();
        Ok(Self::File { settings, file, size })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::StandardOutput => io::stdout().lock().write_all(line),
            Self::File { settings, file, size } => {
                let length = line.len() as u64;
                if *size > 0 && *size + length > settings.max_bytes {
                    match fs::rename(&settings.path, backup(&settings.path, Timestamp::now())) {
                        // It was renamed for an earlier event, but the next file could not be opened then.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        renamed => renamed?,
                    }
                    *file = append(&settings.path)?;
                    *size = 0;
                    if let Err(error) = delete_oldest(&settings.path, settings.max_backups) {
                        tracing::warn!(%error, "old files of the audit log cannot be deleted");
                    }
                }
                file.write_all(line)?;
                *size += length;
                Ok(())
            }
        }
    }
}

/// Opens a file for lines at its end, readable by its owner only.
fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The name of a full file: `audit-2026-01-31T12-00-00.000.log` for `audit.log`.
fn backup(path: &Path, now: Timestamp) -> PathBuf {
    let (stem, extension) = parts(path);
    path.with_file_name(format!("{stem}-{}{extension}", now.strftime(TIME_FORMAT)))
}

fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let extension = text(path.extension()).map(|extension| format!(".{extension}"));
    (text(path.file_stem()).unwrap_or_default(), extension.unwrap_or_default())
}

/// Deletes the oldest full files beyond `kept`.
fn delete_oldest(path: &Path, kept: usize) -> io::Result<()> {
    let (stem, extension) = parts(path);
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let mut full = Vec::new();
    for entry in fs::read_dir(directory.unwrap_or(Path::new(".")))? {
        let found = entry?;
        let name = found.file_name().to_string_lossy().into_owned();
        let time = name.strip_prefix(&format!("{stem}-")).and_then(|rest| rest.strip_suffix(&extension));
        if time.is_some_and(|time| time.len() == "2026-01-31T12-00-00.000".len()) {
            full.push(found.path());
        }
    }
    full.sort();
    let surplus = full.len().saturating_sub(kept);
    full.into_iter().take(surplus).try_for_each(fs::remove_file)
}
