//! Health checks while an attack runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
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
    /// Answered ones, in order: what was going on when it was sent, and how long it took.
    times: Vec<(Arc<str>, Duration)>,
}

impl HealthReport {
    pub(crate) fn add(&mut self, other: &Self) {
        self.checks += other.checks;
        self.failed += other.failed;
        self.times.extend(other.times.iter().cloned());
    }

    pub(crate) fn slowest(&self) -> Duration {
        self.times.iter().map(|(_, time)| *time).max().unwrap_or_default()
    }

    pub(crate) fn p99(&self) -> Duration {
        p99(self.times.iter().map(|(_, time)| *time).collect())
    }

    /// The answered checks of each attack: its name, their number, their P99 and the slowest of them; slowest first.
    pub(crate) fn by_attack(&self) -> Vec<(Arc<str>, usize, Duration, Duration)> {
        let mut attacks: BTreeMap<Arc<str>, Vec<Duration>> = BTreeMap::new();
        for (attack, time) in &self.times {
            attacks.entry(attack.clone()).or_default().push(*time);
        }
        let row = |(attack, times): (Arc<str>, Vec<Duration>)| {
            let slowest = times.iter().max().copied().unwrap_or_default();
            (attack, times.len(), p99(times), slowest)
        };
        let mut rows: Vec<_> = attacks.into_iter().map(row).collect();
        rows.sort_by_key(|(_, _, _, slowest)| std::cmp::Reverse(*slowest));
        rows
    }
}

/// The time that 99 of 100 do not exceed.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = (times.len() * 99 / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}

/// Checks in a thread of its own, each with a new connection.
pub(crate) struct HealthChecks {
    stop: Arc<AtomicBool>,
    attack: Arc<Mutex<Arc<str>>>,
    thread: JoinHandle<HealthReport>,
}

impl HealthChecks {
    pub(crate) fn start(client: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let attack = Arc::new(Mutex::new(Arc::from("start")));
        let (stopped, current) = (stop.clone(), attack.clone());
        Self { stop, attack, thread: thread::spawn(move || check_until(&stopped, &client, &current)) }
    }

    /// Names what goes on from now on.
    pub(crate) fn during(&self, attack: &str) {
        if let Ok(mut current) = self.attack.lock() {
            *current = Arc::from(attack);
        }
    }

    pub(crate) fn finish(self) -> HealthReport {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn check_until(stopped: &AtomicBool, client: &Client, attack: &Mutex<Arc<str>>) -> HealthReport {
    let mut report = HealthReport::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return report };
    while !stopped.load(Ordering::Relaxed) {
        let during = attack.lock().map_or_else(|_| Arc::from(""), |attack| attack.clone());
        let start = Instant::now();
        let answer = runtime.block_on(client.within(TIMEOUT).request(&Method::GET, "/healthz"));
        report.checks += 1;
        if answer.is_ok_and(|answer| answer.status == 200) {
            report.times.push((during, start.elapsed()));
        } else {
            report.failed += 1;
        }
        thread::sleep(PAUSE);
    }
    report
}
