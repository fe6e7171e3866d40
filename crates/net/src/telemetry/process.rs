//! Figures of the process itself, under the names that all Prometheus clients use.
//!
//! Read from `/proc` when scraped; without `/proc` the metrics are left out.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// Ticks per second in `/proc/self/stat` (USER_HZ, the same on all architectures of Linux that Rust supports).
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(Stat { cpu_seconds, start_seconds, virtual_bytes }) = Stat::read() {
            let help = "CPU time of the process in user and kernel mode.";
            let cpu = ConstCounter::new(cpu_seconds);
            let unit = Some(&Unit::Seconds);
            cpu.encode(encoder.encode_descriptor("process_cpu", help, unit, cpu.metric_type())?)?;
            let help = "Start of the process, in seconds since the Unix epoch.";
            gauge(&mut encoder, "process_start_time", help, Some(&Unit::Seconds), start_seconds)?;
            let help = "Virtual memory of the process.";
            gauge(&mut encoder, "process_virtual_memory", help, Some(&Unit::Bytes), virtual_bytes)?;
        }
        if let Some(resident) = resident_bytes() {
            let help = "Resident memory of the process.";
            gauge(&mut encoder, "process_resident_memory", help, Some(&Unit::Bytes), resident)?;
        }
        if let Some(open) = open_files() {
            gauge(&mut encoder, "process_open_fds", "Open file descriptors.", None, open)?;
        }
        if let Some(limit) = max_files() {
            let help = "Largest number of open file descriptors.";
            gauge(&mut encoder, "process_max_fds", help, None, limit)?;
        }
        Ok(())
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: f64,
) -> Result<(), fmt::Error> {
    let value = ConstGauge::new(value);
    value.encode(encoder.encode_descriptor(name, help, unit, value.metric_type())?)
}

/// The parts of `/proc/self/stat` that are reported; see proc_pid_stat(5).
struct Stat {
    cpu_seconds: f64,
    start_seconds: f64,
    virtual_bytes: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The command in parentheses may contain spaces; field 3 follows it.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        let boot = fs::read_to_string("/proc/stat").ok()?;
        let boot_seconds: f64 =
            boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(Self {
            cpu_seconds: (number(14)? + number(15)?) / TICKS_PER_SECOND,
            start_seconds: boot_seconds + number(22)? / TICKS_PER_SECOND,
            virtual_bytes: number(23)?,
        })
    }
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = kilobytes.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn open_files() -> Option<f64> {
    // One of them is the listing itself.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(f64::from(u32::try_from(open).ok()?))
}

fn max_files() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
