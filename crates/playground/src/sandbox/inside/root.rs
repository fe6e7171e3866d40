//! The file system of a container: this machine's programs read-only, everything else private and in memory.
//!
//! Created in a new mount namespace, which is removed when the playground closes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::pivot_root;

use crate::sandbox::inside::answer::answer;
use crate::sandbox::inside::volume::mount_volume;
use crate::sandbox::order::RootOrder;

/// Options of the tmpfs that is the root: size limit and mode.
const ROOT_OPTIONS: &str = "size=256m,mode=755";
/// Directories of this machine, mounted read-only.
const SHARED_DIRECTORIES: &[&str] =
    &["/usr", "/etc/alternatives", "/etc/ssl", "/etc/ca-certificates", "/etc/terminfo"];
/// Files of this machine, copied.
const COPIED_FILES: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/mime.types",
];
/// Directories of programs and libraries beside `/usr`; usually symbolic links into it.
const PROGRAM_DIRECTORIES: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// Private directories of the container, with their modes.
const PRIVATE_DIRECTORIES: &[(&str, u32)] = &[
    ("/etc", 0o755),
    ("/tmp", 0o1777),
    ("/root", 0o700),
    ("/home", 0o755),
    ("/run", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/srv", 0o755),
    ("/var", 0o755),
    ("/var/tmp", 0o1777),
    ("/var/log", 0o755),
    ("/var/lib", 0o755),
    ("/var/cache", 0o755),
    ("/proc", 0o555),
    ("/sys", 0o555),
    ("/dev", 0o755),
    ("/dev/pts", 0o755),
    ("/dev/shm", 0o1777),
];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
const DEVICE_LINKS: &[(&str, &str)] = &[
    ("pts/ptmx", "ptmx"),
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
];

pub(super) fn run(order: &RootOrder) -> ExitCode {
    answer(build(order))
}

/// Why the file system of a container cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("the file system of the container: {place}: {source}")]
struct RootError {
    /// Path or step.
    place: String,
    source: io::Error,
}

fn build(order: &RootOrder) -> Result<(), RootError> {
    let applets = if order.has_busybox { busybox_applets()? } else { Vec::new() };
    let root = &order.mount_point;
    at("namespaces", || {
        setns(File::open(&order.network)?, CloneFlags::CLONE_NEWNET)?;
        unshare(CloneFlags::CLONE_NEWNS)?;
        // Mounts below are invisible outside this namespace.
        Ok(mount(NO_VALUE, "/", NO_VALUE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NO_VALUE)?)
    })?;
    // Without devices of its own: a container may make device files, and where this process is root they would be real.
    mount_new("tmpfs", root, MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(ROOT_OPTIONS))?;
    for (directory, mode) in PRIVATE_DIRECTORIES {
        let path = under(root, directory);
        at(directory, || {
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode))
        })?;
    }
    for directory in SHARED_DIRECTORIES {
        share(root, directory)?;
    }
    for directory in PROGRAM_DIRECTORIES {
        match fs::read_link(directory) {
            _ if order.has_busybox && *directory == "/bin" => link_applets(root, &applets)?,
            Ok(target) => at(directory, || symlink(target, under(root, directory)))?,
            Err(_) => share(root, directory)?,
        }
    }
    for file in COPIED_FILES.iter().filter(|file| Path::new(file).is_file()) {
        at(file, || fs::copy(file, under(root, file)).map(drop))?;
    }
    for (name, content) in &order.files {
        at(name, || fs::write(root.join("etc").join(name), content))?;
    }
    // Relative: an absolute link would lead to this machine's directory until the root is the root.
    at("/var/run", || symlink("../run", root.join("var/run")))?;
    devices(root)?;
    mount_new("proc", &under(root, "/proc"), restricted(), None)?;
    mount_new("sysfs", &under(root, "/sys"), restricted() | MsFlags::MS_RDONLY, None)?;
    for bind in &order.binds {
        at(&bind.target.display().to_string(), || mount_volume(root, bind))?;
    }
    at("/", || {
        std::env::set_current_dir(root)?;
        // Mounts the old root over the new one, then unmounts it (pivot_root(2)).
        pivot_root(".", ".")?;
        Ok(umount2(".", MntFlags::MNT_DETACH)?)
    })
}

const NO_VALUE: Option<&str> = None;

fn restricted() -> MsFlags {
    MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC
}

fn at(place: &str, step: impl FnOnce() -> io::Result<()>) -> Result<(), RootError> {
    step().map_err(|source| RootError { place: place.to_owned(), source })
}

fn under(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn mount_new(kind: &str, on: &Path, flags: MsFlags, options: Option<&str>) -> Result<(), RootError> {
    at(&on.display().to_string(), || Ok(mount(Some(kind), on, Some(kind), flags, options)?))
}

/// Mounts a directory of this machine read-only, if it exists.
fn share(root: &Path, directory: &str) -> Result<(), RootError> {
    if !Path::new(directory).is_dir() {
        return Ok(());
    }
    let target = under(root, directory);
    at(directory, || {
        fs::create_dir_all(&target)?;
        mount(Some(directory), &target, NO_VALUE, MsFlags::MS_BIND | MsFlags::MS_REC, NO_VALUE)?;
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
        Ok(mount(NO_VALUE, &target, NO_VALUE, read_only | locked_flags(&target)?, NO_VALUE)?)
    })
}

/// The restricting flags of a mounted directory: a user namespace may not clear them.
fn locked_flags(directory: &Path) -> nix::Result<MsFlags> {
    let set = statvfs(directory)?.flags();
    let flags = [(FsFlags::ST_NOSUID, MsFlags::MS_NOSUID), (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC)];
    Ok(flags.into_iter().filter(|(flag, _)| set.contains(*flag)).map(|(_, mount_flag)| mount_flag).collect())
}

fn devices(root: &Path) -> Result<(), RootError> {
    for name in DEVICES {
        let (device, target) = (Path::new("/dev").join(name), root.join("dev").join(name));
        at(name, || {
            File::create(&target)?;
            Ok(mount(Some(&device), &target, NO_VALUE, MsFlags::MS_BIND, NO_VALUE)?)
        })?;
    }
    for (target, name) in DEVICE_LINKS {
        at(name, || symlink(target, root.join("dev").join(name)))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount_new("devpts", &under(root, "/dev/pts"), flags, Some("newinstance,ptmxmode=0666,mode=0620"))?;
    mount_new("tmpfs", &under(root, "/dev/shm"), restricted(), Some("size=64m,mode=1777"))
}

/// The commands of busybox.
fn busybox_applets() -> Result<Vec<String>, RootError> {
    let failed = |source| RootError { place: "busybox --list".to_owned(), source };
    let output = Command::new("busybox").arg("--list").output().map_err(failed)?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn link_applets(root: &Path, applets: &[String]) -> Result<(), RootError> {
    let directory = root.join("bin");
    at("/bin", || {
        fs::create_dir_all(&directory)?;
        let busybox = ["/usr/bin/busybox", "/bin/busybox"].iter().find(|file| Path::new(file).is_file());
        let busybox = busybox.ok_or(io::ErrorKind::NotFound)?;
        let names = applets.iter().map(String::as_str).filter(|name| *name != "busybox");
        names.chain(["busybox"]).try_for_each(|name| symlink(busybox, directory.join(name)))
    })
}
