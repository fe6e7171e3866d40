//! Probes of a running container: is it up, does it answer, must it be restarted.
//!
//! Counting is pure. The checks dial the pod over the network, as a kubelet would; their results are read by
//! `lifecycle` from a [`Health`], which belongs to one run of the container.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use portolan_net::Shutdown;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::containers::{Container, Pod, Run, Setting, Stdin};
use crate::node::pod_spec::{ContainerSpec, HttpGet, Probe, TcpSocket};
use crate::programs::web;
use crate::sandbox::{Launch, Root, Sandbox, Streams};

/// Failures that are kept until they are told; while nobody listens, more are not worth keeping.
const UNTOLD: usize = 8;

/// What is known of one run of a container.
#[derive(Debug, Default)]
pub(crate) struct Health {
    started: AtomicBool,
    ready: AtomicBool,
    /// Why the container must be restarted.
    verdict: Mutex<Option<String>>,
    /// Failures that have not been told yet.
    complaints: Mutex<Vec<String>>,
}

impl Health {
    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_started() && self.ready.load(Ordering::Acquire)
    }

    /// Why the container must be restarted; told once.
    pub(crate) fn take_verdict(&self) -> Option<String> {
        self.verdict.lock().take()
    }

    fn complain(&self, complaint: String) {
        let mut complaints = self.complaints.lock();
        if complaints.len() < UNTOLD {
            complaints.push(complaint);
        }
    }

    /// Failures since the last call, for events.
    pub(crate) fn take_complaints(&self) -> Vec<String> {
        std::mem::take(&mut *self.complaints.lock())
    }
}

/// Everything that a check needs.
pub(crate) struct Patient {
    pub(crate) pod: Arc<Pod>,
    pub(crate) container: Arc<Container>,
    pub(crate) spec: ContainerSpec,
    pub(crate) run: Arc<Run>,
    pub(crate) scope: Shutdown,
}

/// Starts to watch a run. `changed` is called whenever the health is another than before.
pub(crate) fn watch(patient: Patient, changed: impl Fn() + Send + Sync + 'static) -> Arc<Health> {
    let health = Arc::new(Health::default());
    let spec = &patient.spec;
    if spec.startup_probe.is_none() {
        health.started.store(true, Ordering::Release);
    }
    if spec.readiness_probe.is_none() {
        health.ready.store(true, Ordering::Release);
    }
    let has_probe =
        [&spec.startup_probe, &spec.readiness_probe, &spec.liveness_probe].iter().any(|p| p.is_some());
    if has_probe {
        let (kept, scope, run) = (health.clone(), patient.scope.clone(), patient.run.clone());
        portolan_runtime::scope::spawn_until_stop(&scope, async move {
            tokio::select! {
                () = examine(&patient, &kept, &changed) => {}
                _ = run.exited() => {}
            }
        });
    }
    health
}

async fn examine(patient: &Patient, health: &Health, changed: &(impl Fn() + Sync)) {
    if let Some(probe) = &patient.spec.startup_probe {
        let is_up = |result: bool| {
            match result {
                true => health.started.store(true, Ordering::Release),
                false => condemn(health, "startup", patient),
            }
            changed();
            false
        };
        repeat("Startup", probe, patient, health, changed, is_up).await;
        if !health.is_started() {
            return;
        }
    }
    let readiness = async {
        if let Some(probe) = &patient.spec.readiness_probe {
            let is_ready = |result: bool| {
                if health.ready.swap(result, Ordering::AcqRel) != result {
                    changed();
                }
                true
            };
            repeat("Readiness", probe, patient, health, changed, is_ready).await;
        }
    };
    let liveness = async {
        if let Some(probe) = &patient.spec.liveness_probe {
            let is_alive = |result: bool| {
                if !result {
                    condemn(health, "liveness", patient);
                    changed();
                }
                result
            };
            repeat("Liveness", probe, patient, health, changed, is_alive).await;
        }
    };
    tokio::join!(readiness, liveness);
}

fn condemn(health: &Health, probe: &str, patient: &Patient) {
    let message = format!("Container {} failed {probe} probe, will be restarted", patient.spec.name);
    *health.verdict.lock() = Some(message);
}

/// Checks once per period, until `act` says that it is enough.
async fn repeat(
    kind: &str,
    probe: &Probe,
    patient: &Patient,
    health: &Health,
    changed: &(impl Fn() + Sync),
    act: impl Fn(bool) -> bool,
) {
    sleep(Duration::from_secs(probe.initial_delay_seconds.into())).await;
    let mut ticks = interval(or_default(probe.period_seconds, 10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tally = Tally::default();
    loop {
        ticks.tick().await;
        let checked = timeout(or_default(probe.timeout_seconds, 1), check(probe, patient)).await;
        let result = checked.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        if let Err(problem) = &result {
            health.complain(format!("{kind} probe failed: {problem}"));
            changed();
        }
        if let Some(result) = tally.count(result.is_ok(), probe)
            && !act(result)
        {
            return;
        }
    }
}

fn or_default(seconds: u32, default: u64) -> Duration {
    Duration::from_secs(if seconds == 0 { default } else { seconds.into() })
}

/// Results in a row.
#[derive(Debug, Default)]
struct Tally {
    successes: u32,
    failures: u32,
}

impl Tally {
    /// Counts a result; the probe's own result once its threshold is reached.
    fn count(&mut self, success: bool, probe: &Probe) -> Option<bool> {
        let threshold = |given: u32, default: u32| if given == 0 { default } else { given };
        if success {
            (self.successes, self.failures) = (self.successes.saturating_add(1), 0);
            (self.successes >= threshold(probe.success_threshold, 1)).then_some(true)
        } else {
            (self.successes, self.failures) = (0, self.failures.saturating_add(1));
            (self.failures >= threshold(probe.failure_threshold, 3)).then_some(false)
        }
    }
}

async fn check(probe: &Probe, patient: &Patient) -> Result<(), String> {
    if let Some(get) = &probe.http_get {
        check_page(get, patient).await
    } else if let Some(socket) = &probe.tcp_socket {
        check_socket(socket, patient).await
    } else if let Some(exec) = &probe.exec {
        check_command(&exec.command, patient).await
    } else {
        Err("this kind of probe is not played by Portolan".to_owned())
    }
}

async fn check_page(get: &HttpGet, patient: &Patient) -> Result<(), String> {
    if !matches!(get.scheme.as_str(), "" | "HTTP") {
        return Err(format!("scheme {} is not played by Portolan", get.scheme));
    }
    let port = patient.spec.port(&get.port).ok_or("the port has no such name")?;
    let host = host(&get.host, patient);
    let path = if get.path.starts_with('/') { get.path.clone() } else { format!("/{}", get.path) };
    let agent = [(http::header::USER_AGENT, "kube-probe/portolan")];
    let forever = Duration::from_secs(3600);
    let address = format!("http://{host}:{port}{path}");
    let fetched = web::fetch(&patient.pod.network, &address, &agent, forever, forever);
    match fetched.await {
        Ok(page) if (200..400).contains(&page.status.as_u16()) => Ok(()),
        Ok(page) => Err(format!("HTTP probe failed with statuscode: {}", page.status.as_u16())),
        Err(error) => Err(error.to_string()),
    }
}

async fn check_socket(socket: &TcpSocket, patient: &Patient) -> Result<(), String> {
    let port = patient.spec.port(&socket.port).ok_or("the port has no such name")?;
    let host = host(&socket.host, patient);
    let resolved = patient.pod.network.resolve(&host).await;
    let address = resolved.ok_or_else(|| format!("lookup {host}: no such host"))?;
    let to = SocketAddr::new(address, port);
    let dialled = patient.pod.network.dial(to, Duration::from_secs(3600)).await;
    dialled.map(drop).map_err(|error| format!("dial tcp {to}: connect: {error}"))
}

fn host(given: &str, patient: &Patient) -> String {
    if given.is_empty() { patient.pod.network.address().to_string() } else { given.to_owned() }
}

async fn check_command(command: &[String], patient: &Patient) -> Result<(), String> {
    let sandbox = patient.pod.sandbox.lock().clone();
    if let (Some(sandbox), Some(root)) = (sandbox, patient.run.root()) {
        return check_process(command, patient, &sandbox, root).await;
    }
    let image = patient.container.image.ok_or("no command of the image is played by Portolan")?;
    let invocation = image.execute(command.to_vec()).map_err(|error| error.to_string())?;
    let setting = Setting { stdin: Stdin::Closed, tty: false, ..patient.container.setting.clone() };
    let run = KilledOnDrop(Run::start(invocation, &setting, patient.run.environment.clone(), &patient.scope));
    match run.0.exited().await.code {
        0 => Ok(()),
        code => Err(format!("command exited with code {code}")),
    }
}

/// Runs a command in the container; dropped, it is killed.
async fn check_process(
    command: &[String],
    patient: &Patient,
    sandbox: &Sandbox,
    root: &Root,
) -> Result<(), String> {
    let launch = Launch::beside(&patient.container.reference, command.to_vec());
    let with = Streams { stdin: false, tty: false };
    let process = sandbox.spawn(root, &launch, &patient.run.environment, with).await;
    let process = process.map_err(|error| error.to_string())?;
    match process.finish().await {
        0 => Ok(()),
        code => Err(format!("command exited with code {code}")),
    }
}

/// A command that does not outlive the check that waits for it.
struct KilledOnDrop(Arc<Run>);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_count_from_their_threshold_on() {
        let probe = Probe { success_threshold: 2, failure_threshold: 3, ..Probe::default() };
        let results = [true, true, true, false, false, true, false, false, false, false];
        let mut tally = Tally::default();
        let counted: Vec<Option<bool>> = results.iter().map(|result| tally.count(*result, &probe)).collect();
        let want = [None, Some(true), Some(true), None, None, None, None, None, Some(false), Some(false)];
        assert_eq!(counted, want);
        let defaults = Probe::default();
        let mut tally = Tally::default();
        let counted: Vec<Option<bool>> =
            [true, false, false, false].iter().map(|r| tally.count(*r, &defaults)).collect();
        assert_eq!(counted, [Some(true), None, None, Some(false)]);
    }
}
