//! The volumes of a pod: a directory of this machine for each, which containers mount.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::atomic_files::{self, VolumeFile};
use super::volume_paths::{VolumesError, at, inside};
use crate::sandbox::order::Bind;

/// What is in a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VolumeContent {
    /// What containers write; an empty directory at first.
    Written,
    /// These files by path.
    Files(BTreeMap<String, VolumeFile>),
    /// What is in this directory, which outlives the pod.
    Persistent(PathBuf),
}

/// A volume, or a part of it, in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Name of the volume.
    pub(crate) volume: String,
    /// Absolute path in the container.
    pub(crate) path: String,
    /// Path in the volume; empty for all of it.
    pub(crate) sub_path: String,
    pub(crate) read_only: bool,
}

/// The directories of one pod; removed with the value.
#[derive(Debug)]
pub(super) struct Volumes {
    own: PathBuf,
    /// Directories that outlive the pod, by volume.
    persistent: Mutex<BTreeMap<String, PathBuf>>,
}

impl Volumes {
    /// The directory of a pod below `all`.
    pub(super) fn new(all: &Path, pod: &str) -> Self {
        Self { own: all.join(pod), persistent: Mutex::default() }
    }

    pub(super) fn directory(&self, volume: &str) -> Result<PathBuf, VolumesError> {
        let persistent = self.persistent.lock().get(volume).cloned();
        persistent.map_or_else(|| Ok(self.own.join(inside(Path::new(volume))?)), Ok)
    }

    /// Makes the directory of a volume, and writes its files. Files that are not named are removed.
    pub(super) fn write(&self, volume: &str, content: &VolumeContent) -> Result<(), VolumesError> {
        if let VolumeContent::Persistent(path) = content {
            self.persistent.lock().insert(volume.to_owned(), path.clone());
        }
        let directory = self.directory(volume)?;
        let is_new = !directory.is_dir();
        at(&directory, || fs::create_dir_all(&directory))?;
        match content {
            VolumeContent::Files(files) => atomic_files::write(&directory, files),
            // Containers of any user write to them.
            VolumeContent::Written | VolumeContent::Persistent(_) if is_new => {
                at(&directory, || fs::set_permissions(&directory, Permissions::from_mode(0o777)))
            }
            VolumeContent::Written | VolumeContent::Persistent(_) => Ok(()),
        }
    }

    /// The mounts of a container, those of outer directories first. The process that mounts them finds the paths in them
    /// (`inside::volume`), because a container may change what a path leads to at any time.
    pub(super) fn binds(&self, mounts: &[Mount]) -> Result<Vec<Bind>, VolumesError> {
        let mut binds = Vec::new();
        for mount in mounts {
            let volume = self.directory(&mount.volume)?;
            at(&volume, || fs::create_dir_all(&volume))?;
            binds.push(Bind {
                volume,
                source: inside(Path::new(&mount.sub_path))?.to_owned(),
                target: inside(Path::new(mount.path.trim_start_matches('/')))?.to_owned(),
                read_only: mount.read_only,
            });
        }
        binds.sort_by_key(|bind| bind.target.components().count());
        Ok(binds)
    }
}

impl Drop for Volumes {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.own)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(path = %self.own.display(), %error, "volumes of a pod stay");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, sub_path: &str) -> Mount {
        let (volume, path, sub_path) = ("v".to_owned(), path.to_owned(), sub_path.to_owned());
        Mount { volume, path, sub_path, read_only: true }
    }

    #[test]
    fn volumes_are_made_mounted_and_removed() {
        let all = tempfile::tempdir().expect("a temporary directory");
        let volumes = Volumes::new(all.path(), "pod");
        volumes.write("v", &VolumeContent::Written).expect("written");
        let mode = fs::metadata(all.path().join("pod/v")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o777);
        let binds = volumes.binds(&[mount("/a/b", "dir/one"), mount("/a", "")]).expect("binds");
        let targets: Vec<&Path> = binds.iter().map(|bind| bind.target.as_path()).collect();
        assert_eq!(targets, [Path::new("a"), Path::new("a/b")]);
        drop(volumes);
        assert!(!all.path().join("pod").exists());
    }

    #[test]
    fn no_path_leaves_its_volume() {
        let all = tempfile::tempdir().expect("a temporary directory");
        let volumes = Volumes::new(all.path(), "pod");
        for mount in [mount("/a", "../x"), mount("/../a", ""), mount("/a", "/etc")] {
            let refused = volumes.binds(std::slice::from_ref(&mount));
            assert!(matches!(refused, Err(VolumesError::Outside(_))), "{mount:?}: {refused:?}");
        }
    }
}
