//! The file system of a container: this machine's programs to read, and everything else private and in memory.
//!
//! Built in a mount namespace of its own, which lives as long as somebody holds it; there is nothing to clean up.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::pivot_root;

use crate::sandbox::inside::answer;
use crate::sandbox::order::RootOrder;

/// The most that a container may write.
const SIZE: &str = "size=256m,mode=755";
/// Folders of this machine that containers read.
const SHARED: &[&str] = &["/usr", "/etc/alternatives", "/etc/ssl", "/etc/ca-certificates", "/etc/terminfo"];
/// Files of this machine that containers get a copy of.
const COPIED: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/mime.types",
];
/// Folders beside `/usr` that have programs and libraries; on most machines links into it.
const PROGRAMS: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// Folders of the container's own.
const OWN: &[(&str, u32)] = &[
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
    answer(
        build(order).map_err(|(place, error)| format!("the file system of the container: {place}: {error}")),
    )
}

type Failure = (String, io::Error);

fn build(order: &RootOrder) -> Result<(), Failure> {
    let applets = if order.has_busybox { busybox_applets()? } else { Vec::new() };
    let root = &order.mount_point;
    at("namespaces", || {
        setns(File::open(&order.network)?, CloneFlags::CLONE_NEWNET)?;
        unshare(CloneFlags::CLONE_NEWNS)?;
        // Nothing that is mounted here is seen by the machine.
        Ok(mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?)
    })?;
    mount_new("tmpfs", root, MsFlags::MS_NOSUID, Some(SIZE))?;
    for (folder, mode) in OWN {
        let path = under(root, folder);
        at(folder, || {
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode))
        })?;
    }
    for folder in SHARED {
        share(root, folder)?;
    }
    for folder in PROGRAMS {
        match fs::read_link(folder) {
            _ if order.has_busybox && *folder == "/bin" => link_applets(root, &applets)?,
            Ok(target) => at(folder, || symlink(target, under(root, folder)))?,
            Err(_) => share(root, folder)?,
        }
    }
    for file in COPIED.iter().filter(|file| Path::new(file).is_file()) {
        at(file, || fs::copy(file, under(root, file)).map(drop))?;
    }
    for (name, content) in &order.files {
        at(name, || fs::write(root.join("etc").join(name), content))?;
    }
    at("/var/run", || symlink("/run", root.join("var/run")))?;
    devices(root)?;
    mount_new("proc", &under(root, "/proc"), safe(), None)?;
    mount_new("sysfs", &under(root, "/sys"), safe() | MsFlags::MS_RDONLY, None)?;
    at("/", || {
        std::env::set_current_dir(root)?;
        // The old root is put under the new one, and taken off at once.
        pivot_root(".", ".")?;
        Ok(umount2(".", MntFlags::MNT_DETACH)?)
    })
}

const NOTHING: Option<&str> = None;

fn safe() -> MsFlags {
    MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC
}

fn at(place: &str, step: impl FnOnce() -> io::Result<()>) -> Result<(), Failure> {
    step().map_err(|error| (place.to_owned(), error))
}

fn under(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn mount_new(kind: &str, on: &Path, flags: MsFlags, options: Option<&str>) -> Result<(), Failure> {
    at(&on.display().to_string(), || Ok(mount(Some(kind), on, Some(kind), flags, options)?))
}

/// Makes a folder of this machine readable; one that it does not have is left out.
fn share(root: &Path, folder: &str) -> Result<(), Failure> {
    if !Path::new(folder).is_dir() {
        return Ok(());
    }
    let target = under(root, folder);
    at(folder, || {
        fs::create_dir_all(&target)?;
        mount(Some(folder), &target, NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING)?;
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
        Ok(mount(NOTHING, &target, NOTHING, read_only | withheld(&target)?, NOTHING)?)
    })
}

/// What a folder of this machine does not give: in a user namespace that cannot be taken back.
fn withheld(folder: &Path) -> nix::Result<MsFlags> {
    let given = statvfs(folder)?.flags();
    let flags = [(FsFlags::ST_NOSUID, MsFlags::MS_NOSUID), (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC)];
    Ok(flags.into_iter().filter(|(flag, _)| given.contains(*flag)).map(|(_, withhold)| withhold).collect())
}

fn devices(root: &Path) -> Result<(), Failure> {
    for name in DEVICES {
        let (device, target) = (Path::new("/dev").join(name), root.join("dev").join(name));
        at(name, || {
            File::create(&target)?;
            Ok(mount(Some(&device), &target, NOTHING, MsFlags::MS_BIND, NOTHING)?)
        })?;
    }
    for (target, name) in DEVICE_LINKS {
        at(name, || symlink(target, root.join("dev").join(name)))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount_new("devpts", &under(root, "/dev/pts"), flags, Some("newinstance,ptmxmode=0666,mode=0620"))?;
    mount_new("tmpfs", &under(root, "/dev/shm"), safe(), Some("size=64m,mode=1777"))
}

/// The names that busybox answers to.
fn busybox_applets() -> Result<Vec<String>, Failure> {
    let failed = |error| ("busybox --list".to_owned(), error);
    let output = Command::new("busybox").arg("--list").output().map_err(failed)?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn link_applets(root: &Path, applets: &[String]) -> Result<(), Failure> {
    let folder = root.join("bin");
    at("/bin", || {
        fs::create_dir_all(&folder)?;
        let busybox = ["/usr/bin/busybox", "/bin/busybox"].iter().find(|file| Path::new(file).is_file());
        let busybox = busybox.ok_or(io::ErrorKind::NotFound)?;
        let names = applets.iter().map(String::as_str).filter(|name| *name != "busybox");
        names.chain(["busybox"]).try_for_each(|name| symlink(busybox, folder.join(name)))
    })
}
