//! Startup, readiness and liveness probes of a running container.
//!
//! Counting results is pure. The checks connect to the pod over the network or run a command in it, as a kubelet does;
//! `lifecycle` reads their results from a [`Health`], which belongs to one run of the container.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use portolan_net::Shutdown;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::network::DialError;
use crate::node::pod_spec::{ContainerSpec, HttpGet, Probe, TcpSocket};
use crate::pods::{Container, ContainerSettings, Pod, Run, StdinMode};
use crate::programs::ExecutableNotFound;
use crate::programs::web::{self, FetchError};
use crate::sandbox::{Launch, Root, Sandbox, SandboxError, Streams};

/// Failures that wait to be reported; more are dropped.
const MAX_PENDING_FAILURES: usize = 8;
/// Timeout of a request or connection inside a check, longer than any `timeoutSeconds`, which ends the check first.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3600);

/// Probe results of one run of a container.
#[derive(Debug, Default)]
pub(crate) struct Health {
    started: AtomicBool,
    ready: AtomicBool,
    /// Message of the startup or liveness probe that failed.
    kill_reason: Mutex<Option<String>>,
    /// Failures that were not reported yet.
    failures: Mutex<Vec<String>>,
}

impl Health {
    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_started() && self.ready.load(Ordering::Acquire)
    }

    /// Why the container must be killed and restarted; returned once.
    pub(crate) fn take_kill_reason(&self) -> Option<String> {
        self.kill_reason.lock().take()
    }

    /// Failures since the last call, for events.
    pub(crate) fn take_failures(&self) -> Vec<String> {
        std::mem::take(&mut *self.failures.lock())
    }

    fn add_failure(&self, failure: String) {
        let mut failures = self.failures.lock();
        if failures.len() < MAX_PENDING_FAILURES {
            failures.push(failure);
        }
    }
}

/// A run and everything that its checks need.
pub(crate) struct ProbedContainer {
    pub(crate) pod: Arc<Pod>,
    pub(crate) container: Arc<Container>,
    pub(crate) spec: ContainerSpec,
    pub(crate) run: Arc<Run>,
    pub(crate) scope: Shutdown,
}

/// Why a check failed. The messages appear in events and follow the kubelet's.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("no answer in time")]
    TimedOut,
    #[error("this kind of probe is not supported by Portolan")]
    UnsupportedKind,
    #[error("scheme {0} is not supported by Portolan")]
    UnsupportedScheme(String),
    #[error("the container has no port with this name")]
    UnknownPort,
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("HTTP probe failed with statuscode: {0}")]
    Status(u16),
    #[error("lookup {0}: no such host")]
    NoSuchHost(String),
    #[error("dial tcp {to}: connect: {source}")]
    Dial { to: SocketAddr, source: DialError },
    #[error("the image has no built-in commands")]
    NoCommands,
    #[error(transparent)]
    Executable(#[from] ExecutableNotFound),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("command exited with code {0}")]
    ExitCode(i32),
}

/// Starts the probes of a run. `changed` is called whenever the health changes.
pub(crate) fn watch(probed: ProbedContainer, changed: impl Fn() + Send + Sync + 'static) -> Arc<Health> {
    let health = Arc::new(Health::default());
    let spec = &probed.spec;
    if spec.startup_probe.is_none() {
        health.started.store(true, Ordering::Release);
    }
    if spec.readiness_probe.is_none() {
        health.ready.store(true, Ordering::Release);
    }
    let has_probe =
        [&spec.startup_probe, &spec.readiness_probe, &spec.liveness_probe].iter().any(|p| p.is_some());
    if has_probe {
        let (results, scope, run) = (health.clone(), probed.scope.clone(), probed.run.clone());
        portolan_runtime::scope::spawn_until_stop(&scope, async move {
            tokio::select! {
                () = run_probes(&probed, &results, &changed) => {}
                _ = run.exited() => {}
            }
        });
    }
    health
}

/// Runs the startup probe until it succeeds, then the readiness and the liveness probe.
async fn run_probes(probed: &ProbedContainer, health: &Health, changed: &(impl Fn() + Sync)) {
    if let Some(probe) = &probed.spec.startup_probe {
        let on_started = |result: bool| {
            match result {
                true => health.started.store(true, Ordering::Release),
                false => request_kill(health, "startup", probed),
            }
            changed();
            false
        };
        repeat("Startup", probe, probed, health, changed, on_started).await;
        if !health.is_started() {
            return;
        }
    }
    let readiness = async {
        if let Some(probe) = &probed.spec.readiness_probe {
            let on_ready = |result: bool| {
                if health.ready.swap(result, Ordering::AcqRel) != result {
                    changed();
                }
                true
            };
            repeat("Readiness", probe, probed, health, changed, on_ready).await;
        }
    };
    let liveness = async {
        if let Some(probe) = &probed.spec.liveness_probe {
            let on_alive = |result: bool| {
                if !result {
                    request_kill(health, "liveness", probed);
                    changed();
                }
                result
            };
            repeat("Liveness", probe, probed, health, changed, on_alive).await;
        }
    };
    tokio::join!(readiness, liveness);
}

fn request_kill(health: &Health, probe: &str, probed: &ProbedContainer) {
    let message = format!("Container {} failed {probe} probe, will be restarted", probed.spec.name);
    *health.kill_reason.lock() = Some(message);
}

/// Checks once per period. `on_result` gets each result that reached its threshold, and returns whether to continue.
async fn repeat(
    kind: &str,
    probe: &Probe,
    probed: &ProbedContainer,
    health: &Health,
    changed: &(impl Fn() + Sync),
    on_result: impl Fn(bool) -> bool,
) {
    sleep(Duration::from_secs(probe.initial_delay_seconds.into())).await;
    let mut ticks = interval(seconds_or(probe.period_seconds, 10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut counter = ResultCounter::default();
    loop {
        ticks.tick().await;
        let checked = timeout(seconds_or(probe.timeout_seconds, 1), check(probe, probed)).await;
        let result = checked.unwrap_or(Err(ProbeError::TimedOut));
        if let Err(error) = &result {
            health.add_failure(format!("{kind} probe failed: {error}"));
            changed();
        }
        if let Some(result) = counter.count(result.is_ok(), probe)
            && !on_result(result)
        {
            return;
        }
    }
}

/// A duration in seconds, where 0 means the default.
fn seconds_or(seconds: u32, default: u64) -> Duration {
    Duration::from_secs(if seconds == 0 { default } else { seconds.into() })
}

/// Consecutive results of a probe.
#[derive(Debug, Default)]
struct ResultCounter {
    successes: u32,
    failures: u32,
}

impl ResultCounter {
    /// Counts a result. Returns the probe's result if its threshold is reached.
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

async fn check(probe: &Probe, probed: &ProbedContainer) -> Result<(), ProbeError> {
    if let Some(get) = &probe.http_get {
        check_http(get, probed).await
    } else if let Some(socket) = &probe.tcp_socket {
        check_tcp(socket, probed).await
    } else if let Some(exec) = &probe.exec {
        check_command(&exec.command, probed).await
    } else {
        Err(ProbeError::UnsupportedKind)
    }
}

async fn check_http(get: &HttpGet, probed: &ProbedContainer) -> Result<(), ProbeError> {
    if !matches!(get.scheme.as_str(), "" | "HTTP") {
        return Err(ProbeError::UnsupportedScheme(get.scheme.clone()));
    }
    let port = probed.spec.port(&get.port).ok_or(ProbeError::UnknownPort)?;
    let host = host(&get.host, probed);
    let path = if get.path.starts_with('/') { get.path.clone() } else { format!("/{}", get.path) };
    let agent = [(http::header::USER_AGENT, "kube-probe/portolan")];
    let address = format!("http://{host}:{port}{path}");
    let page = web::fetch(&probed.pod.network, &address, &agent, CHECK_TIMEOUT, CHECK_TIMEOUT).await?;
    match page.status.as_u16() {
        200..400 => Ok(()),
        status => Err(ProbeError::Status(status)),
    }
}

async fn check_tcp(socket: &TcpSocket, probed: &ProbedContainer) -> Result<(), ProbeError> {
    let port = probed.spec.port(&socket.port).ok_or(ProbeError::UnknownPort)?;
    let host = host(&socket.host, probed);
    let resolved = probed.pod.network.resolve(&host).await;
    let to = SocketAddr::new(resolved.ok_or(ProbeError::NoSuchHost(host))?, port);
    let dialled = probed.pod.network.dial(to, CHECK_TIMEOUT).await;
    dialled.map(drop).map_err(|source| ProbeError::Dial { to, source })
}

fn host(given: &str, probed: &ProbedContainer) -> String {
    if given.is_empty() { probed.pod.network.address().to_string() } else { given.to_owned() }
}

async fn check_command(command: &[String], probed: &ProbedContainer) -> Result<(), ProbeError> {
    let sandbox = probed.pod.sandbox.lock().clone();
    if let (Some(sandbox), Some(root)) = (sandbox, probed.run.root()) {
        return check_process(command, probed, &sandbox, root).await;
    }
    let image = probed.container.image.ok_or(ProbeError::NoCommands)?;
    let invocation = image.execute(command.to_vec())?;
    let settings =
        ContainerSettings { stdin: StdinMode::Closed, tty: false, ..probed.container.settings.clone() };
    let run = Run::start(invocation, &settings, probed.run.environment.clone(), &probed.scope);
    exit_result(KilledOnDrop(run).0.exited().await.code)
}

/// Runs a command in the container; dropping the future kills it.
async fn check_process(
    command: &[String],
    probed: &ProbedContainer,
    sandbox: &Sandbox,
    root: &Root,
) -> Result<(), ProbeError> {
    let launch = Launch::beside(&probed.container.reference, command.to_vec());
    let with = Streams { stdin: false, tty: false };
    let process = sandbox.spawn(root, &launch, &probed.run.environment, with).await?;
    exit_result(process.finish().await)
}

fn exit_result(code: i32) -> Result<(), ProbeError> {
    if code == 0 { Ok(()) } else { Err(ProbeError::ExitCode(code)) }
}

/// Kills the command if its check is dropped.
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
    fn results_count_once_their_threshold_is_reached() {
        let probe = Probe { success_threshold: 2, failure_threshold: 3, ..Probe::default() };
        let results = [true, true, true, false, false, true, false, false, false, false];
        let mut counter = ResultCounter::default();
        let counted: Vec<Option<bool>> =
            results.iter().map(|result| counter.count(*result, &probe)).collect();
        let want = [None, Some(true), Some(true), None, None, None, None, None, Some(false), Some(false)];
        assert_eq!(counted, want);
        let defaults = Probe::default();
        let mut counter = ResultCounter::default();
        let counted: Vec<Option<bool>> =
            [true, false, false, false].iter().map(|r| counter.count(*r, &defaults)).collect();
        assert_eq!(counted, [Some(true), None, None, Some(false)]);
    }
}
