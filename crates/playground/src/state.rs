//! Files of the playground in the state directory, beside those of the control plane and the members.

use std::fs;
use std::path::{Path, PathBuf};

use portolan_controlplane::{StateDirectory, StateError};

/// The kubeconfig of the members, one context each.
pub fn members_kubeconfig(state: &StateDirectory) -> PathBuf {
    state.root().join("members.config")
}

/// The directory for the volumes of pods, empty: no pod outlives the playground.
///
/// # Errors
/// [`StateError::Io`].
pub fn volumes(state: &StateDirectory) -> Result<PathBuf, StateError> {
    let path = state.subdirectory("_volumes")?;
    let failed = |source| StateError::Io { path: path.clone(), source };
    for entry in fs::read_dir(&path).map_err(failed)? {
        fs::remove_dir_all(entry.map_err(failed)?.path()).map_err(failed)?;
    }
    fs::canonicalize(&path).map_err(failed)
}

/// The directory of a member's persistent volumes, below that of the member. What is in it stays.
///
/// # Errors
/// [`StateError::Io`].
pub fn persistent_volumes(member: &Path) -> Result<PathBuf, StateError> {
    let path = member.join("volumes");
    let made = fs::create_dir_all(&path).and_then(|()| fs::canonicalize(&path));
    made.map_err(|source| StateError::Io { path, source })
}

/// An empty directory on which containers mount their file systems, each for itself only.
///
/// # Errors
/// [`StateError::Io`].
pub fn mount_point(state: &StateDirectory) -> Result<PathBuf, StateError> {
    let path = state.subdirectory("_container")?;
    fs::canonicalize(&path).map_err(|source| StateError::Io { path, source })
}
