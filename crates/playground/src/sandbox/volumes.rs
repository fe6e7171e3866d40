//! The volumes of a pod: a directory of this machine for each, which containers mount.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use crate::sandbox::order::Bind;

/// A file of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeFile {
    pub(crate) content: Vec<u8>,
    /// Permissions.
    pub(crate) mode: u32,
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
pub(super) struct Volumes(PathBuf);

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

impl Volumes {
    /// The directory of a pod below `all`.
    pub(super) fn new(all: &Path, pod: &str) -> Self {
        Self(all.join(pod))
    }

    fn directory(&self, volume: &str) -> Result<PathBuf, VolumesError> {
        Ok(self.0.join(inside(Path::new(volume))?))
    }

    /// Makes the directory of a volume, and writes its files. Files that are not named stay.
    pub(super) fn write<'f>(
        &self,
        volume: &str,
        files: impl IntoIterator<Item = (&'f String, &'f VolumeFile)>,
    ) -> Result<(), VolumesError> {
        let directory = self.directory(volume)?;
        let is_new = !directory.is_dir();
        at(&directory, || fs::create_dir_all(&directory))?;
        if is_new {
            // Containers of any user write to an emptyDir.
            at(&directory, || fs::set_permissions(&directory, Permissions::from_mode(0o777)))?;
        }
        for (name, file) in files {
            let path = directory.join(inside(Path::new(name))?);
            if fs::read(&path).is_ok_and(|present| present == file.content) {
                continue;
            }
            at(&path, || {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                let draft = path.with_file_name(".draft");
                fs::write(&draft, &file.content)?;
                fs::set_permissions(&draft, Permissions::from_mode(file.mode))?;
                fs::rename(&draft, &path)
            })?;
        }
        Ok(())
    }

    /// The mounts of a container, those of outer directories first.
    pub(super) fn binds(&self, mounts: &[Mount]) -> Result<Vec<Bind>, VolumesError> {
        let mut binds = Vec::new();
        for mount in mounts {
            let volume = self.directory(&mount.volume)?;
            let source = volume.join(inside(Path::new(&mount.sub_path))?);
            at(&volume, || fs::create_dir_all(&volume))?;
            let root = real(&volume)?;
            // A container may have made a symbolic link: nothing is made or mounted where it leads out.
            let within = |path: &Path| -> Result<PathBuf, VolumesError> {
                let found = real(path)?;
                if found.starts_with(&root) { Ok(found) } else { Err(VolumesError::Outside(source.clone())) }
            };
            let present = source.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(&volume);
            within(present)?;
            at(&source, || if source.exists() { Ok(()) } else { fs::create_dir_all(&source) })?;
            let found = within(&source)?;
            let target = inside(Path::new(mount.path.trim_start_matches('/')))?.to_owned();
            binds.push(Bind { source: found, target, read_only: mount.read_only });
        }
        binds.sort_by_key(|bind| bind.target.components().count());
        Ok(binds)
    }
}

impl Drop for Volumes {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(path = %self.0.display(), %error, "volumes of a pod stay");
        }
    }
}

fn real(path: &Path) -> Result<PathBuf, VolumesError> {
    fs::canonicalize(path).map_err(|source| VolumesError::Io { path: path.to_owned(), source })
}

fn at(path: &Path, step: impl FnOnce() -> io::Result<()>) -> Result<(), VolumesError> {
    step().map_err(|source| VolumesError::Io { path: path.to_owned(), source })
}

/// A relative path that stays below its start.
fn inside(path: &Path) -> Result<&Path, VolumesError> {
    let stays = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if path.components().all(stays) { Ok(path) } else { Err(VolumesError::Outside(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mount(path: &str, sub_path: &str) -> Mount {
        let (volume, path, sub_path) = ("v".to_owned(), path.to_owned(), sub_path.to_owned());
        Mount { volume, path, sub_path, read_only: true }
    }

    #[test]
    fn files_are_written_mounted_and_removed() {
        let all = tempfile::tempdir().expect("a temporary directory");
        let volumes = Volumes::new(all.path(), "pod");
        let file = |text: &str| VolumeFile { content: text.as_bytes().to_vec(), mode: 0o400 };
        let path = all.path().join("pod/v/dir/one");
        for text in ["1", "2"] {
            volumes.write("v", [(&"dir/one".to_owned(), &file(text))]).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
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
        volumes.write("v", []).expect("written");
        symlink("/etc", all.path().join("pod/v/link")).expect("a link");
        symlink(all.path(), all.path().join("pod/v/up")).expect("a link");
        let made = volumes.binds(&[mount("/a", "up/new")]);
        assert!(matches!(made, Err(VolumesError::Outside(_))), "{made:?}");
        assert!(!all.path().join("new").exists(), "nothing is made outside");
        for mount in [mount("/a", "../x"), mount("/../a", ""), mount("/a", "link"), mount("/a", "/etc")] {
            let refused = volumes.binds(std::slice::from_ref(&mount));
            assert!(matches!(refused, Err(VolumesError::Outside(_))), "{mount:?}: {refused:?}");
        }
        let name = "../../passwd".to_owned();
        let file = VolumeFile { content: Vec::new(), mode: 0o600 };
        assert!(matches!(volumes.write("v", [(&name, &file)]), Err(VolumesError::Outside(_))));
    }
}
