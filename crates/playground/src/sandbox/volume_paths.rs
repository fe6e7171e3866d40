//! Paths in volumes, and what goes wrong with them.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Why a volume cannot be written or mounted.
#[derive(Debug, thiserror::Error)]
pub enum VolumesError {
    /// The file system of this machine.
    #[error("{path}: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A path in a volume or container leaves it.
    #[error("{0:?} leaves its volume")]
    Outside(PathBuf),
}

pub(super) fn at(path: &Path, step: impl FnOnce() -> io::Result<()>) -> Result<(), VolumesError> {
    step().map_err(|source| VolumesError::Io { path: path.to_owned(), source })
}

/// A relative path that stays below its start.
pub(super) fn inside(path: &Path) -> Result<&Path, VolumesError> {
    let stays = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if path.components().all(stays) { Ok(path) } else { Err(VolumesError::Outside(path.to_owned())) }
}
