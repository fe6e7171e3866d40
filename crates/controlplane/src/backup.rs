//! Backups of a state directory: one file with the database, the certificates and the keys of a control plane.
//!
//! A backup is made while the server runs: the database is copied as it is at one instant, and the copy is checked. A
//! restore unpacks and checks everything beside the state, and then exchanges the two directories in one step. Whenever it
//! is killed, the state is the old one or the new one.

mod archive;
mod restore;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portolan_store::{CopySummary, OpenError, copy_database};
use serde_json::{Value, json};

use crate::state::{DATABASE, DIRECTORY, StateError};
use archive::{ArchiveWriter, HEADER};

pub use restore::{Restored, restore};

/// The version of the format of a backup.
const FORMAT: u64 = 1;

/// Why a backup or a restore fails.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no state to back up.
    #[error("{} holds no control plane: give the directory of `portolan server --dir`", .0.display())]
    NoState(PathBuf),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The database.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The operating system refuses.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// No space for the backup, or for what is unpacked.
    #[error("no space left in {}: free some, or use another file system; nothing was changed", .0.display())]
    Full(PathBuf),
    /// The directory for the backup does not exist.
    #[error("the directory {} does not exist: make it, or choose another place for the backup", .0.display())]
    NoFolder(PathBuf),
    /// The name of the backup is that of a directory.
    #[error("{} is a directory: give the name of a file in it", .0.display())]
    Folder(PathBuf),
    /// The file is damaged, or is no backup.
    #[error("{} is not a usable backup ({reason}): use another one; nothing was changed", path.display())]
    Unusable {
        /// The backup.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is a state already.
    #[error(
        "{} holds a control plane already: choose another directory with --dir, or replace its state with --force, which \
         keeps the old one beside it",
        .0.display()
    )]
    Occupied(PathBuf),
    /// The file system cannot exchange two directories in one step.
    #[error(
        "the file system of {} cannot exchange two directories in one step ({source}): restore into an empty directory",
        path.display()
    )]
    NoExchange {
        /// The state directory.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
}

impl BackupError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full(folder_of(path).to_owned())
            }
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

/// Writes the state of the control plane in `root` into `file`, which is replaced in one step. `version` is that of this
/// program.
///
/// # Errors
/// [`BackupError`]; an older file of that name is unchanged then.
pub fn backup(root: &Path, file: &Path, version: &str, now: Timestamp) -> Result<CopySummary, BackupError> {
    let state = root.join(DIRECTORY);
    if !state.join(DATABASE).exists() {
        return Err(BackupError::NoState(root.to_owned()));
    }
    let folder = folder_of(file);
    if !folder.is_dir() {
        return Err(BackupError::NoFolder(folder.to_owned()));
    }
    if file.is_dir() {
        return Err(BackupError::Folder(file.to_owned()));
    }
    let failed = BackupError::io(file);
    // Readable by its owner only, as the state: it holds keys.
    let copies = tempfile::Builder::new().prefix(".portolan-backup-").tempdir_in(folder).map_err(&failed)?;
    let database = copies.path().join(DATABASE);
    let summary = copy_database(&state.join(DATABASE), &database).map_err(|error| match error {
        OpenError::Full { path } if path == database => BackupError::Full(folder.to_owned()),
        other => other.into(),
    })?;
    let header = json!({
        "format": FORMAT, "portolan": version, "created": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "revision": summary.revision.0, "objects": summary.objects,
    });
    let mut archive = tempfile::NamedTempFile::new_in(copies.path()).map_err(&failed)?;
    write_archive(archive.as_file_mut(), &header, &state, &database).map_err(&failed)?;
    // What cannot be read back is no backup.
    let mut written = File::open(archive.path()).map_err(&failed)?;
    archive::read(&mut written, file, |_, _| Ok(()))?;
    archive.persist(file).map_err(|error| failed(error.error))?;
    sync_directory(folder).map_err(&failed)?;
    Ok(summary)
}

/// The directory of a file.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write_archive(out: &mut File, header: &Value, state: &Path, database: &Path) -> io::Result<()> {
    let mut archive = ArchiveWriter::new(&mut *out);
    archive.add_bytes(HEADER, format!("{header:#}\n").as_bytes())?;
    archive.add_file(&format!("{DIRECTORY}/{DATABASE}"), database)?;
    for name in files_of(state)? {
        archive.add_file(&format!("{DIRECTORY}/{name}"), &state.join(&name))?;
    }
    archive.finish()?;
    out.sync_all()
}

/// The files of a control plane apart from its database: certificates, keys, the last port. Sorted.
fn files_of(state: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(state.join(&folder))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Files of the database, and temporary files.
            if name.starts_with('.') || (folder.is_empty() && name.starts_with(DATABASE)) {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            match fs::metadata(entry.path())?.is_dir() {
                true => folders.push(path),
                false => names.push(path),
            }
        }
    }
    names.sort();
    Ok(names)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests;
