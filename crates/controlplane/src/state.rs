//! The folder in which a playground keeps everything: databases, certificates, kubeconfigs.
//!
//! Its version is written down, so that another release refuses a folder that it does not understand instead of
//! damaging it. Two processes never use one folder: the databases inside are locked.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Changes with the layout of the folder.
const VERSION: u32 = 1;
const VERSION_FILE: &str = "portolan.version";

/// The folder.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    root: PathBuf,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system refuses.
    #[error(
        "cannot use {path} as the playground's folder: {source}; choose another with --dir, or mend its permissions"
    )]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has its name.
    #[error("{path} is not a folder: choose another with --dir")]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// Another release wrote it.
    #[error(
        "{path} has version {found}, this binary understands {VERSION}: use the release that wrote it, or another folder with --dir"
    )]
    Version {
        /// The folder.
        path: PathBuf,
        /// What is written there.
        found: String,
    },
    /// It holds something else.
    #[error("{path} is not empty and not a playground's folder: choose another with --dir")]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
}

impl StateDirectory {
    /// Opens a folder, or makes it; only its owner may look inside, for it holds keys.
    ///
    /// # Errors
    /// [`StateError`] naming the folder and what to do. Nothing in it has been changed then.
    pub fn open(root: &Path) -> Result<Self, StateError> {
        let failed = |path: &Path, source| StateError::Io { path: path.to_owned(), source };
        if root.exists() && !root.is_dir() {
            return Err(StateError::NotAFolder { path: root.to_owned() });
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
                let mut entries = fs::read_dir(root).map_err(|source| failed(root, source))?;
                if entries.next().is_some() {
                    return Err(StateError::Foreign { path: root.to_owned() });
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

    /// Finds a folder without write permission now, with its name, and not later in the middle of something.
    fn check_writable(&self) -> Result<(), StateError> {
        let probe = self.root.join(".writable");
        let checked = fs::write(&probe, "").and_then(|()| fs::remove_file(&probe));
        checked.map_err(|source| StateError::Io { path: self.root.clone(), source })
    }

    /// A folder inside, such as that of the control plane or of a member; made when missing.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn subdirectory(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).map_err(|source| StateError::Io { path: path.clone(), source })?;
        Ok(path)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The kubeconfig of the control plane.
    pub fn hub_kubeconfig(&self) -> PathBuf {
        self.root.join("portolan.config")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_private_and_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("play");
        let state = StateDirectory::open(&root).unwrap();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        state.subdirectory("hub").unwrap();
        StateDirectory::open(&root).unwrap();
    }

    #[test]
    fn another_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(VERSION_FILE), "7\n").unwrap();
        let error = StateDirectory::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("has version 7, this binary understands 1"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join(VERSION_FILE)).unwrap(), "7\n");
    }

    #[test]
    fn a_folder_with_other_content_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "precious").unwrap();
        let error = StateDirectory::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("not a playground's folder"), "{error}");
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let error = StateDirectory::open(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{} is not a folder: choose another with --dir", path.display()));
    }
}
