//! Files of the playground in the state directory, beside those of the control plane and the members.

use std::fs;
use std::path::PathBuf;

use portolan_controlplane::{StateDirectory, StateError};

/// The kubeconfig of the members, one context each.
pub fn members_kubeconfig(state: &StateDirectory) -> PathBuf {
    state.root().join("members.config")
}

/// An empty directory on which containers mount their file systems, each for itself only.
///
/// # Errors
/// [`StateError::Io`].
pub fn mount_point(state: &StateDirectory) -> Result<PathBuf, StateError> {
    let path = state.subdirectory("_container")?;
    fs::canonicalize(&path).map_err(|source| StateError::Io { path, source })
}
