//! Health checks while an attack runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http::Method;

use crate::client::Client;

/// As a kubelet checks, with a time limit that is patient.
const PAUSE: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Times of the health checks.
#[derive(Debug, Default, Clone)]
pub(crate) struct HealthReport {
    pub(crate) checks: usize,
    /// Checks without an answer in time, or with another answer than 200.
    pub(crate) failed: usize,
    times: Vec<Duration>,
}

impl HealthReport {
    pub(crate) fn add(&mut self, other: &Self) {
        self.checks += other.checks;
        self.failed += other.failed;
        self.times.extend(&other.times);
    }

    pub(crate) fn slowest(&self) -> Duration {
        self.times.iter().max().copied().unwrap_or_default()
    }

    pub(crate) fn p99(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = (times.len() * 99 / 100).min(times.len().saturating_sub(1));
        times.get(at).copied().unwrap_or_default()
    }
}

/// Checks in a thread of its own, each with a new connection.
pub(crate) struct HealthChecks {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<HealthReport>,
}

impl HealthChecks {
    pub(crate) fn start(client: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        Self { stop, thread: thread::spawn(move || check_until(&stopped, &client)) }
    }

    pub(crate) fn finish(self) -> HealthReport {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn check_until(stopped: &AtomicBool, client: &Client) -> HealthReport {
    let mut report = HealthReport::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return report };
    while !stopped.load(Ordering::Relaxed) {
        let start = Instant::now();
        let answer = runtime.block_on(client.within(TIMEOUT).request(&Method::GET, "/healthz"));
        report.checks += 1;
        if answer.is_ok_and(|answer| answer.status == 200) {
            report.times.push(start.elapsed());
        } else {
            report.failed += 1;
        }
        thread::sleep(PAUSE);
    }
    report
}
