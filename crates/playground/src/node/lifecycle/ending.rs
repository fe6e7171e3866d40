//! Pods that the node ends: their deadline has passed, or an empty directory has outgrown its limit.
//!
//! As the kubelet does it (kubernetes pkg/kubelet/active_deadline.go, pkg/kubelet/eviction): the containers are stopped, and
//! the pod fails with a reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use portolan_object::Object;
use portolan_runtime::events::Severity;
use serde_json::Value;

use crate::node::binding::regarding;
use crate::node::lifecycle::Lifecycle;
use crate::node::lifecycle::running_pod::RunningPod;
use crate::node::status::Ending;
use crate::node::volumes::{self, EmptyDirectory};

/// Interval at which empty directories are measured, as in the kubelet.
const MEASURE_INTERVAL: Duration = Duration::from_secs(10);
/// Time for measuring one directory. One that takes longer passes.
const MEASURE_LIMIT: Duration = Duration::from_secs(5);
/// Grace period of a pod that does not say, in seconds.
const DEFAULT_GRACE_SECONDS: i64 = 30;

impl Lifecycle {
    /// Ends the pod if it is time, with an event. Returns the time until the next look, if there is something to look at.
    pub(super) async fn end_if_due(&self, pod: &Object, running: &mut RunningPod) -> Option<Duration> {
        if running.ending.is_some() {
            return None;
        }
        let now = self.context.clock.now();
        let left = time_left(pod, running.started, now);
        let ending = match left {
            Some(Duration::ZERO) => Some(Ending {
                reason: "DeadlineExceeded",
                message: "Pod was active on the node longer than the specified deadline".to_owned(),
                at: now,
            }),
            _ => self.outgrown(running, now).await,
        };
        if let Some(ending) = ending {
            self.events.record(regarding(pod), Severity::Warning, ending.reason, ending.message.clone());
            running.ending = Some(ending);
            return None;
        }
        let measuring = running.volumes.measured.map(|_| MEASURE_INTERVAL);
        left.into_iter().chain(measuring).min()
    }

    /// Stops the containers of a pod that ends. Returns the time until they are killed.
    pub(super) fn stop_ending(&self, pod: &Object, running: &mut RunningPod) -> Option<Duration> {
        let at = running.ending.as_ref()?.at;
        for name in running.stop_all() {
            let message = format!("Stopping container {name}");
            self.events.record(regarding(pod), Severity::Normal, "Killing", message);
        }
        let grace = pod.at(&["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_i64);
        let killed = at.checked_add(SignedDuration::from_secs(grace.unwrap_or(DEFAULT_GRACE_SECONDS).max(0)));
        let left = killed.unwrap_or(at).duration_since(self.context.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        if left.is_zero() {
            running.kill_all();
        }
        if running.has_stopped() {
            // The namespaces end after the last container.
            running.pod.sandbox.lock().take();
            return None;
        }
        (!left.is_zero()).then_some(left)
    }

    /// The ending of a pod with an empty directory above its limit.
    async fn outgrown(&self, running: &mut RunningPod, now: Timestamp) -> Option<Ending> {
        let directories = volumes::empty_directories(&running.spec);
        let sandbox = running.pod.sandbox.lock().clone()?;
        let is_due = running.volumes.measured.is_none_or(|last| {
            Duration::try_from(now.duration_since(last)).is_ok_and(|past| past >= MEASURE_INTERVAL)
        });
        if directories.is_empty() || !is_due {
            return None;
        }
        running.volumes.measured = Some(now);
        for EmptyDirectory { volume, limit, shown } in directories {
            let Ok(directory) = sandbox.volume_directory(&volume) else { continue };
            let measured = tokio::task::spawn_blocking(move || is_above(directory, limit)).await;
            if measured.is_ok_and(|is_above| is_above) {
                let message = format!("Usage of EmptyDir volume {volume:?} exceeds the limit {shown:?}. ");
                return Some(Ending { reason: "Evicted", message, at: now });
            }
        }
        None
    }
}

/// The time until `activeDeadlineSeconds` have passed.
fn time_left(pod: &Object, started: Timestamp, now: Timestamp) -> Option<Duration> {
    let seconds = pod.at(&["spec", "activeDeadlineSeconds"]).and_then(Value::as_i64)?;
    let deadline = started.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    Some(Duration::try_from(deadline.duration_since(now)).unwrap_or_default())
}

/// Whether the files below a directory take more than `limit` bytes.
fn is_above(directory: PathBuf, limit: u64) -> bool {
    use std::os::unix::fs::MetadataExt;
    /// Bytes in a block of `stat`.
    const BLOCK: u64 = 512;
    let started = Instant::now();
    let (mut used, mut remaining) = (0u64, vec![directory]);
    while let Some(directory) = remaining.pop() {
        for entry in fs::read_dir(Path::new(&directory)).into_iter().flatten().flatten() {
            // Of a link, not of what it leads to.
            let Ok(metadata) = entry.metadata() else { continue };
            used = used.saturating_add(metadata.blocks().saturating_mul(BLOCK));
            if used > limit {
                return true;
            }
            if metadata.is_dir() {
                remaining.push(entry.path());
            }
        }
        if started.elapsed() > MEASURE_LIMIT {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deadline_counts_from_the_start() {
        let started: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let pod = |seconds: Value| Object(json!({ "spec": { "activeDeadlineSeconds": seconds } }));
        let left = |seconds: Value, past: i64| {
            let now = started.checked_add(SignedDuration::from_secs(past)).expect("a time");
            time_left(&pod(seconds), started, now).map(|left| left.as_secs())
        };
        assert_eq!(left(Value::Null, 100), None);
        assert_eq!(left(json!(5), 3), Some(2));
        assert_eq!(left(json!(5), 9), Some(0));
    }

    #[test]
    fn files_count_and_what_links_lead_to_does_not() {
        let (folder, other) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        fs::write(other.path().join("big"), vec![1; 200_000]).expect("written");
        std::os::unix::fs::symlink(other.path(), folder.path().join("link")).expect("a link");
        assert!(!is_above(folder.path().to_owned(), 100_000));
        fs::create_dir(folder.path().join("dir")).expect("made");
        fs::write(folder.path().join("dir/big"), vec![1; 200_000]).expect("written");
        assert!(is_above(folder.path().to_owned(), 100_000));
        assert!(!is_above(folder.path().to_owned(), 1_000_000));
    }
}
