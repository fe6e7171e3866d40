//! Restoring a backup.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portolan_net::files::write_private;
use portolan_store::{CopySummary, DatabaseLock, OpenError, adopt_database, lock_database};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use super::{BackupError, archive, sync_directory};
use crate::state::{DATABASE, DIRECTORY, RESTORED, StateDirectory};

/// Directory below the state directory in which a backup is unpacked; afterwards it holds the old state for a moment.
const STAGING: &str = "_control-plane.restoring";
/// A file in [`STAGING`] until everything is unpacked and checked.
const INCOMPLETE: &str = ".incomplete";

/// A finished restore.
#[derive(Debug)]
pub struct Restored {
    /// What the new state holds.
    pub summary: CopySummary,
    /// When the backup was made.
    pub created: String,
    /// Where the old state is; `None` if there was none.
    pub replaced: Option<PathBuf>,
}

/// Replaces the state of the control plane in `root` by the backup in `file`. An existing state is only replaced with
/// `is_forced`, and is kept under another name.
///
/// # Errors
/// [`BackupError`]; the state is unchanged then.
pub fn restore(root: &Path, file: &Path, is_forced: bool, now: Timestamp) -> Result<Restored, BackupError> {
    let mut backup = File::open(file).map_err(BackupError::io(file))?;
    // Before anything is made: a file that is no backup leaves no trace.
    archive::read(&mut backup, file, |_, _| Ok(()))?;
    let root = StateDirectory::open(root)?.root().to_owned();
    let state = root.join(DIRECTORY);
    let lock = claim(&root, &state, is_forced)?;
    let staging = root.join(STAGING);
    clear_staging(&root, &staging, now)?;
    let mut backup = File::open(file).map_err(BackupError::io(file))?;
    let (created, summary) = unpack(&mut backup, file, &staging, now)?;
    let replaced = exchange(&root, &state, &staging, now)?;
    drop(lock);
    Ok(Restored { summary, created, replaced })
}

/// Checks that the state may be replaced, and keeps servers from using it. `None` if there is no state.
fn claim(root: &Path, state: &Path, is_forced: bool) -> Result<Option<DatabaseLock>, BackupError> {
    let is_empty = match fs::read_dir(state) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BackupError::io(state)(error)),
    };
    if is_empty {
        return Ok(None);
    }
    if !is_forced {
        return Err(BackupError::Occupied(root.to_owned()));
    }
    Ok(Some(lock_database(&state.join(DATABASE))?))
}

/// Removes what a restore that was killed has left. If it was killed after the exchange, that is the old state, which is
/// kept.
fn clear_staging(root: &Path, staging: &Path, now: Timestamp) -> Result<(), BackupError> {
    if !staging.exists() {
        return Ok(());
    }
    if staging.join(INCOMPLETE).exists() || !staging.join(DATABASE).exists() {
        return fs::remove_dir_all(staging).map_err(BackupError::io(staging));
    }
    fs::rename(staging, kept_name(root, now)).map_err(BackupError::io(staging))
}

fn kept_name(root: &Path, now: Timestamp) -> PathBuf {
    let name = format!("{DIRECTORY}.before-{}", now.strftime("%Y%m%dT%H%M%S"));
    let names = (0..).map(|number| match number {
        0 => root.join(&name),
        number => root.join(format!("{name}-{number}")),
    });
    names.into_iter().find(|path| !path.exists()).unwrap_or_else(|| root.join(&name))
}

/// Unpacks and checks a backup, and makes its database later than all that clients may know. Everything is synced.
fn unpack(
    backup: &mut File,
    path: &Path,
    staging: &Path,
    now: Timestamp,
) -> Result<(String, CopySummary), BackupError> {
    let failed = BackupError::io(staging);
    fs::create_dir(staging).map_err(&failed)?;
    fs::set_permissions(staging, Permissions::from_mode(0o700)).map_err(&failed)?;
    File::create(staging.join(INCOMPLETE)).and_then(|file| file.sync_all()).map_err(&failed)?;
    sync_directory(staging).map_err(&failed)?;
    let header = archive::read(backup, path, |name, content| {
        let inner = name.strip_prefix(DIRECTORY).and_then(|name| name.strip_prefix('/'));
        let Some(inner) = inner else {
            let reason = format!("{name} does not belong to a control plane");
            return Err(BackupError::Unusable { path: path.to_owned(), reason });
        };
        write_file(&staging.join(inner), content).map_err(|error| match error.raw_os_error() {
            Some(_) => failed(error),
            None => archive::damaged(path, &error),
        })
    })?;
    let summary = adopt_database(&staging.join(DATABASE)).map_err(|error| match error {
        OpenError::Full { .. } => BackupError::Full(super::folder_of(staging).to_owned()),
        other => other.into(),
    })?;
    let created = header["created"].as_str().unwrap_or_default().to_owned();
    let marker = marker(&header, &summary, now);
    write_private(&staging.join(RESTORED), marker.as_bytes())
        .map_err(|error| BackupError::Io { path: error.path, source: error.source })?;
    fs::remove_file(staging.join(INCOMPLETE)).map_err(&failed)?;
    sync_tree(staging).map_err(&failed)?;
    Ok((created, summary))
}

/// What the control plane finds after a restore.
fn marker(header: &Value, summary: &CopySummary, now: Timestamp) -> String {
    let marker = json!({
        "restored": now.to_string(), "created": header["created"],
        "backupRevision": header["revision"], "revision": summary.revision.0,
    });
    format!("{marker:#}\n")
}

fn write_file(path: &Path, content: &mut dyn Read) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
        fs::set_permissions(parent, Permissions::from_mode(0o700))?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(content, &mut file)?;
    file.sync_all()
}

/// Syncs the names in a directory and in those below it.
fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_directory(directory)
}

/// Puts the unpacked state in its place, in one step.
fn exchange(
    root: &Path,
    state: &Path,
    staging: &Path,
    now: Timestamp,
) -> Result<Option<PathBuf>, BackupError> {
    let failed = BackupError::io(root);
    let is_new = match fs::read_dir(state) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => true,
    };
    if is_new {
        // An empty directory is replaced.
        fs::rename(staging, state).map_err(&failed)?;
        sync_directory(root).map_err(&failed)?;
        return Ok(None);
    }
    renameat_with(CWD, staging, CWD, state, RenameFlags::EXCHANGE)
        .map_err(|error| BackupError::NoExchange { path: root.to_owned(), source: error.into() })?;
    sync_directory(root).map_err(&failed)?;
    let kept = kept_name(root, now);
    fs::rename(staging, &kept).map_err(&failed)?;
    sync_directory(root).map_err(&failed)?;
    Ok(Some(kept))
}
