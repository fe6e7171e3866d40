//! What the figures depend on: processor, kernel, memory, and above all what the disk needs to keep a write.
//!
//! Holds nothing that names a machine, its user or its folders, so that results can be published as they are.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

/// Number of timed writes; enough for a P99.
const WRITES: usize = 200;
/// One page: the least that a database writes.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// The machine.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    /// Processors that this process may use.
    pub(crate) cores: usize,
    /// Their kind.
    pub(crate) processor: String,
    /// Such as `Linux 6.1.0`.
    pub(crate) kernel: String,
    /// Total, in bytes.
    pub(crate) memory: u64,
    /// Of the directory that holds the state.
    pub(crate) file_system: String,
    /// Runnable tasks in the last minute before the run, by others mostly.
    pub(crate) load_before: String,
}

impl Machine {
    /// Describes this machine; `directory` is where the state lives.
    pub(crate) fn describe(directory: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        let mounts = read("/proc/self/mounts");
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: value_of(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            kernel: format!(
                "{} {}",
                read("/proc/sys/kernel/ostype").trim(),
                release(&read("/proc/sys/kernel/osrelease"))
            ),
            memory: value_of(&read("/proc/meminfo"), "MemTotal")
                .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
                .map_or(0, |kibibytes| kibibytes * 1024),
            file_system: file_system(&mounts, directory).map_or_else(unknown, str::to_owned),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// What comes after `name` and a colon.
fn value_of(text: &str, name: &str) -> Option<String> {
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

/// The numbers of a kernel release; what a builder appended may name anything.
fn release(text: &str) -> &str {
    text.trim().split('-').next().unwrap_or_default()
}

/// The type of the file system that holds `directory`: that of the longest mount point above it.
fn file_system<'a>(mounts: &'a str, directory: &Path) -> Option<&'a str> {
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounted.filter(|(point, _)| directory.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind)
}

/// Measures a page written and kept by `fdatasync`, over and over at the end of a file, as a log does.
///
/// # Errors
/// When the directory cannot be written.
pub(crate) fn disk_floor(directory: &Path) -> Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(directory).context("cannot make a file to measure the disk")?;
    let samples: std::io::Result<Vec<Duration>> = (0..WRITES).map(|_| write(&mut file)).collect();
    samples.context("cannot measure the disk")
}

fn write(file: &mut File) -> std::io::Result<Duration> {
    file.seek(SeekFrom::End(0))?;
    let start = Instant::now();
    file.write_all(&PAGE)?;
    file.sync_data()?;
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_point_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/disk xfs rw 0 0\n";
        let cases = [("/tmp/disk/play", "xfs"), ("/tmp/play", "tmpfs"), ("/tmpfiles", "ext4")];
        for (directory, want) in cases {
            assert_eq!(file_system(mounts, Path::new(directory)), Some(want), "{directory}");
        }
        assert_eq!(file_system("", Path::new("/tmp")), None);
    }

    #[test]
    fn descriptions_are_cut_down_to_facts() {
        assert_eq!(release("6.1.0-18-somebody\n"), "6.1.0");
        let text = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\n";
        assert_eq!(value_of(text, "model name").as_deref(), Some("A Processor @ 2 GHz"));
        assert_eq!(value_of(text, "flags"), None);
    }

    #[test]
    fn the_disk_is_measured_many_times() {
        let folder = tempfile::tempdir().expect("a folder");
        let floor = disk_floor(folder.path()).expect("a disk");
        assert_eq!(floor.len(), WRITES);
    }
}
