//! Mounts of volumes in a container's file system.
//!
//! Other containers of the pod may write to a volume while it is mounted, and replace a directory by a link at any time.
//! Paths are therefore opened by openat2(2), which follows no link out of where it started, and everything after that
//! uses what was opened instead of its path.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, StatVfsMountFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use crate::sandbox::order::Bind;

/// Permissions of directories that are made on the way.
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);
/// Permissions of a file on which a file is mounted.
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);
/// A file or directory, to be used and not to be read.
const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Mounts a file or directory of a volume.
pub(super) fn mount_volume(root: &Path, bind: &Bind) -> io::Result<()> {
    let volume = start(&bind.volume)?;
    let within_volume = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let source = open_or_make(volume.as_fd(), &bind.source, within_volume, Missing::Directory)
        .map_err(|error| named(error, "the volume"))?;
    let is_directory = FileType::from_raw_mode(rustix::fs::fstat(&source)?.st_mode).is_dir();
    let missing = if is_directory { Missing::Directory } else { Missing::File };
    let root = start(root)?;
    // Absolute links in a container lead to paths in it.
    let within_root = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let target = open_or_make(root.as_fd(), &bind.target, within_root, missing)
        .map_err(|error| named(error, "the container"))?;
    let tree =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = rustix::mount::open_tree(&source, "", tree)?;
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(&tree, "", &target, "", both)?;
    // As in the rest of the container, device files and the rights of a file's owner have no effect.
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    let access = if bind.read_only { MsFlags::MS_RDONLY } else { MsFlags::empty() };
    let mounted = PathBuf::from(format!("/proc/self/fd/{}", tree.as_raw_fd()));
    let nothing: Option<&str> = None;
    Ok(mount(nothing, &mounted, nothing, flags | access | locked_flags(&tree)?, nothing)?)
}

/// What is made where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Directory,
    File,
}

/// A directory that no container can replace.
fn start(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, PLACE | OFlags::DIRECTORY, Mode::empty())?)
}

/// Opens `path` below `start`, and makes what is missing of it.
fn open_or_make(
    start: BorrowedFd<'_>,
    path: &Path,
    resolve: ResolveFlags,
    missing: Missing,
) -> io::Result<OwnedFd> {
    let open = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        rustix::fs::openat2(start, path, PLACE, Mode::empty(), resolve).map_err(io::Error::from)
    };
    let (mut place, mut walked) = (open(Path::new("."))?, PathBuf::new());
    let parts: Vec<&OsStr> = path.components().map(|part| part.as_os_str()).collect();
    for (index, part) in parts.iter().enumerate() {
        walked.push(part);
        place = match open(&walked) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let is_file = missing == Missing::File && index + 1 == parts.len();
                make(place.as_fd(), part, is_file)?;
                open(&walked)?
            }
            opened => opened?,
        };
    }
    Ok(place)
}

/// Makes a directory or an empty file. One that was made meanwhile is as good, and a link is not followed.
fn make(parent: BorrowedFd<'_>, name: &OsStr, is_file: bool) -> io::Result<()> {
    let made = if is_file {
        let new = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(parent, name, new, FILE_MODE).map(drop)
    } else {
        rustix::fs::mkdirat(parent, name, DIRECTORY_MODE)
    };
    match made.map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Says that a link leads out of `place`, which the kernel calls another device.
fn named(error: io::Error, place: &str) -> io::Error {
    match error.kind() {
        io::ErrorKind::CrossesDevices => {
            io::Error::new(io::ErrorKind::InvalidInput, format!("a link leads out of {place}"))
        }
        _ => error,
    }
}

/// The restricting flags of a mount: a user namespace may not clear them.
fn locked_flags(mounted: impl AsFd) -> io::Result<MsFlags> {
    let set = rustix::fs::fstatvfs(mounted)?.f_flag;
    let noexec = set.contains(StatVfsMountFlags::NOEXEC);
    let read_only = set.contains(StatVfsMountFlags::RDONLY);
    let flag = |is_set: bool, flag: MsFlags| if is_set { flag } else { MsFlags::empty() };
    Ok(flag(noexec, MsFlags::MS_NOEXEC) | flag(read_only, MsFlags::MS_RDONLY))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const BENEATH: ResolveFlags = ResolveFlags::BENEATH;
    const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT;

    #[test]
    fn what_is_missing_is_made() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let start = start(folder.path()).expect("a start");
        open_or_make(start.as_fd(), Path::new("a/b"), BENEATH, Missing::Directory).expect("made");
        open_or_make(start.as_fd(), Path::new("a/c/file"), BENEATH, Missing::File).expect("made");
        open_or_make(start.as_fd(), Path::new(""), BENEATH, Missing::Directory).expect("the start");
        assert!(folder.path().join("a/b").is_dir() && folder.path().join("a/c/file").is_file());
    }

    #[test]
    fn no_link_leads_out() {
        let (folder, outside) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let start = start(folder.path()).expect("a start");
        symlink(outside.path(), folder.path().join("out")).expect("a link");
        symlink("../..", folder.path().join("up")).expect("a link");
        symlink(outside.path().join("none"), folder.path().join("dangling")).expect("a link");
        for path in ["out", "out/new", "up", "up/new", "dangling", "dangling/new"] {
            let refused = open_or_make(start.as_fd(), Path::new(path), BENEATH, Missing::Directory);
            assert!(refused.is_err(), "{path}: {refused:?}");
        }
        // In a container, the same links lead to places in it, which are made if they lead to nothing.
        for path in ["up/new", "out", "dangling"] {
            let _ = open_or_make(start.as_fd(), Path::new(path), IN_ROOT, Missing::Directory);
        }
        assert_eq!(fs::read_dir(outside.path()).expect("a list").count(), 0, "nothing is made outside");
    }
}
