//! The state directory: databases, certificates and kubeconfigs of a control plane, and of the members of a playground.
//!
//! The version of its layout is written down, so that another release refuses a directory that it does not understand
//! instead of damaging it. Two processes never use one directory: the databases inside are locked.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Changes with the layout of the directory.
const VERSION: u32 = 1;
const VERSION_FILE: &str = "portolan.version";
/// Directory of the control plane below the state directory. Not a valid cluster name, so no member has it.
pub(crate) const DIRECTORY: &str = "_control-plane";
/// The database of a control plane, and of a member of a playground.
pub(crate) const DATABASE: &str = "store.db";
/// The file that a restore leaves in the directory of the control plane.
pub(crate) const RESTORED: &str = "restored.json";
/// A new file system is not empty: it has this directory.
const LOST_AND_FOUND: &str = "lost+found";
/// Names of foreign files that a message lists.
const MAX_LISTED: usize = 3;

/// A directory that this process may use.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    root: PathBuf,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system refuses.
    #[error(
        "cannot use {path} as the state directory: {source}; choose another with --dir, or correct its permissions"
    )]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// The path names a file.
    #[error("{path} is a file, not a directory: choose another path with --dir")]
    NotADirectory {
        /// The file.
        path: PathBuf,
    },
    /// Another release wrote it.
    #[error(
        "{path} has version {found}, this binary understands {VERSION}: use the release that wrote it, or another directory with --dir"
    )]
    Version {
        /// The directory.
        path: PathBuf,
        /// The version that is written there.
        found: String,
    },
    /// It holds files of something else.
    #[error(
        "{path} is not a state directory: it holds {found} and no {VERSION_FILE}; choose a new or empty directory with --dir"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The files in it.
        found: String,
    },
}

impl StateDirectory {
    /// Opens a directory, or makes it; only its owner can read it, because it holds keys.
    ///
    /// # Errors
    /// [`StateError`] naming the directory, the cause and the next step. Nothing in it was changed then.
    pub fn open(root: &Path) -> Result<Self, StateError> {
        let failed = |path: &Path, source| StateError::Io { path: path.to_owned(), source };
        if root.exists() && !root.is_dir() {
            return Err(StateError::NotADirectory { path: root.to_owned() });
        }
        fs::create_dir_all(root).map_err(|source| failed(root, source))?;
        let version_file = root.join(VERSION_FILE);
        match fs::read_to_string(&version_file) {
            Ok(text) if text.trim() == VERSION.to_string() => {}
            Ok(text) => {
                return Err(StateError::Version {
                    path: root.to_owned(),
                    found: text.trim().chars().take(40).collect(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let entries = foreign_entries(root).map_err(|source| failed(root, source))?;
                if !entries.is_empty() {
                    return Err(StateError::Foreign { path: root.to_owned(), found: list(&entries) });
                }
                fs::set_permissions(root, Permissions::from_mode(0o700))
                    .map_err(|source| failed(root, source))?;
                fs::write(&version_file, format!("{VERSION}\n"))
                    .map_err(|source| failed(&version_file, source))?;
            }
            Err(source) => return Err(failed(&version_file, source)),
        }
        let state = Self { root: root.to_owned() };
        state.check_writable()?;
        Ok(state)
    }

    /// Reports a directory without write permission at the start, not at the first write.
    fn check_writable(&self) -> Result<(), StateError> {
        let probe = self.root.join(".writable");
        let checked = fs::write(&probe, "").and_then(|()| fs::remove_file(&probe));
        checked.map_err(|source| StateError::Io { path: self.root.clone(), source })
    }

    /// A directory inside, such as that of the control plane or of a member; made when missing.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn subdirectory(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).map_err(|source| StateError::Io { path: path.clone(), source })?;
        Ok(path)
    }

    /// What the last restore of a backup wrote down; `None` if the state was never restored. Objects that are newer than
    /// the backup are missing in the control plane, and may exist in members.
    pub fn restored(&self) -> Option<String> {
        fs::read_to_string(self.root.join(DIRECTORY).join(RESTORED)).ok()
    }

    /// Logs that the state comes from a backup.
    pub(crate) fn note_restore(&self) {
        if let Some(restored) = self.restored() {
            let restored = restored.split_whitespace().collect::<String>();
            tracing::info!(restored, "the state of the control plane was restored from a backup");
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The kubeconfig of the control plane.
    pub fn hub_kubeconfig(&self) -> PathBuf {
        self.root.join("portolan.config")
    }
}

/// Names of everything in a directory, except for the directory that each new file system has.
fn foreign_entries(root: &Path) -> io::Result<Vec<OsString>> {
    let names: io::Result<Vec<OsString>> =
        fs::read_dir(root)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let mut names = names?;
    names.retain(|name| name != LOST_AND_FOUND);
    names.sort();
    Ok(names)
}

fn list(names: &[OsString]) -> String {
    let listed: Vec<_> = names.iter().take(MAX_LISTED).map(|name| name.to_string_lossy()).collect();
    match names.len().saturating_sub(MAX_LISTED) {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_private_and_opens_again() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("state");
        let state = StateDirectory::open(&root).unwrap();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        state.subdirectory("hub").unwrap();
        StateDirectory::open(&root).unwrap();
    }

    #[test]
    fn another_version_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(VERSION_FILE), "7\n").unwrap();
        let error = StateDirectory::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("has version 7, this binary understands 1"), "{error}");
        assert_eq!(fs::read_to_string(directory.path().join(VERSION_FILE)).unwrap(), "7\n");
    }

    #[test]
    fn a_directory_with_other_content_is_refused_and_left_alone() {
        let cases: [(&[&str], &str); 3] = [
            (&["thesis.txt"], "it holds thesis.txt and no"),
            (&["lost+found", "b", "a"], "it holds a, b and no"),
            (&["a", "b", "c", "d", "e"], "it holds a, b, c and 2 more and no"),
        ];
        for (names, found) in cases {
            let directory = tempfile::tempdir().unwrap();
            for name in names {
                fs::write(directory.path().join(name), "precious").unwrap();
            }
            let error = StateDirectory::open(directory.path()).unwrap_err().to_string();
            let path = directory.path().display();
            let want = format!(
                "{path} is not a state directory: {found} portolan.version; choose a new or empty directory with --dir"
            );
            assert_eq!(error, want);
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), names.len());
        }
    }

    #[test]
    fn a_new_file_system_is_accepted() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(LOST_AND_FOUND)).unwrap();
        StateDirectory::open(directory.path()).unwrap();
        StateDirectory::open(directory.path()).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "").unwrap();
        let error = StateDirectory::open(&path).unwrap_err().to_string();
        let want = format!("{} is a file, not a directory: choose another path with --dir", path.display());
        assert_eq!(error, want);
    }
}
