//! Resident memory of a process, as Linux tells it.

use anyhow::{Context, Result};

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: u64,
    /// The most it ever was.
    pub(crate) peak: u64,
}

/// Reads the memory of a process.
///
/// # Errors
/// When there is no such process.
pub(crate) fn read(process: u32) -> Result<Memory> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse(&text).with_context(|| format!("{path} does not tell the resident memory"))
}

/// Memory of a process that is not backed by a file, such as its program, in bytes.
///
/// # Errors
/// When there is no such process.
pub(crate) fn own(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    field(&text, "RssAnon:").with_context(|| format!("{path} does not tell the memory of its own"))
}

fn parse(status: &str) -> Option<Memory> {
    Some(Memory { resident: field(status, "VmRSS:")?, peak: field(status, "VmHWM:")? })
}

/// A line such as `VmRSS: 75432 kB`, where kB means 1,024 bytes; see proc_pid_status(5).
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_file_is_understood() {
        let status = "Name:\tportolan\nVmPeak:\t  900 kB\nVmHWM:\t   80 kB\nVmRSS:\t   72 kB\nThreads:\t4\n";
        assert_eq!(parse(status), Some(Memory { resident: 72 * 1024, peak: 80 * 1024 }));
        assert_eq!(parse("Name:\tkthreadd\nThreads:\t1\n"), None, "kernel threads have no memory");
    }

    #[test]
    fn this_process_has_memory() {
        assert!(own(std::process::id()).expect("a process can look at itself") > 0);
        let memory = read(std::process::id()).expect("a process can look at itself");
        assert!(memory.resident > 0 && memory.peak >= memory.resident, "{memory:?}");
    }
}
