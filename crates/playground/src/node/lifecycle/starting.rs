//! Starts a container: environment variables, command line, program, probes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::events::Severity;
use portolan_runtime::{Api, ClientError};
use serde_json::Value;

use crate::node::binding::regarding;
use crate::node::environment::{self, Contents, EnvironmentError, Sources};
use crate::node::expansion::expand;
use crate::node::health::{self, ProbedContainer};
use crate::node::lifecycle::Lifecycle;
use crate::node::lifecycle::running_pod::{ContainerRef, RunningPod};
use crate::node::record::Termination;
use crate::node::volumes::mounts;
use crate::pods::{Program, Run};
use crate::programs::{self, ExecutableNotFound, Invocation};
use crate::sandbox::{ProgramNotInstalled, SandboxError, Streams, launch};

/// Poll interval for missing ConfigMaps and Secrets.
const CONFIG_POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Interval of attempts to pull an image.
const PULL_INTERVAL: Duration = Duration::from_secs(20);
/// Exit code of a container that could not be started, as container runtimes report it.
const START_ERROR_CODE: i32 = 128;

/// Why the environment variables of a container are not available yet.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Why the program of a container cannot be started.
#[derive(Debug, thiserror::Error)]
enum ProgramError {
    #[error(transparent)]
    Executable(#[from] ExecutableNotFound),
    #[error(transparent)]
    NotInstalled(#[from] ProgramNotInstalled),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl Lifecycle {
    /// Starts a container. Returns the time until the next attempt if its configuration is missing.
    pub(super) async fn start_container(
        &self,
        pod: &Object,
        running: &mut RunningPod,
        container: ContainerRef,
    ) -> Option<Duration> {
        let variables = match self.variables(pod, running, container).await {
            Ok(variables) => Arc::new(variables),
            Err(error) => {
                let message = format!("Error: {error}");
                self.events.record(regarding(pod), Severity::Warning, "Failed", message);
                running.record_mut(container).set_waiting("CreateContainerConfigError", error.to_string());
                return Some(CONFIG_POLL_INTERVAL);
            }
        };
        let spec = running.container_spec(container).clone();
        let about = regarding(pod);
        if programs::is_absent(&spec.image) {
            let message = format!("Failed to pull image {:?}: not found in any registry", spec.image);
            self.events.record(about, Severity::Warning, "Failed", message);
            let waiting = format!("Back-off pulling image {:?}", spec.image);
            running.record_mut(container).set_waiting("ImagePullBackOff", waiting);
            return Some(PULL_INTERVAL);
        }
        let pulled = format!("Container image {:?} already present on machine", spec.image);
        self.events.record(about.clone(), Severity::Normal, "Pulled", pulled);
        let program = match self.program(running, container, &variables).await {
            Ok(program) => program,
            Err(error) => {
                self.events.record(about, Severity::Warning, "Failed", format!("Error: {error}"));
                let now = self.context.clock.now();
                let record = running.record_mut(container);
                record.set_running("", now);
                record.set_terminated(Termination {
                    id: String::new(),
                    code: START_ERROR_CODE,
                    reason: "StartError".to_owned(),
                    message: error.to_string(),
                    started: now,
                    finished: now,
                });
                self.queue.add(pod.key());
                return None;
            }
        };
        self.events.record(about.clone(), Severity::Normal, "Created", "Container created");
        let definition = running.container(container).clone();
        let is_silent = match &program {
            Program::BuiltIn(_) => definition.image.is_none(),
            Program::Process(..) => launch(&spec.image, &spec.command, &spec.args).arguments.is_empty(),
        };
        if is_silent {
            let message = format!(
                "image {:?} has no built-in program in Portolan: container {} runs, but does nothing and listens on no port",
                spec.image, spec.name
            );
            self.events.record(about.clone(), Severity::Warning, "NothingListens", message);
        }
        let run = Run::start(program, &definition.settings, variables, &self.scope);
        self.events.record(about, Severity::Normal, "Started", "Container started");
        self.requeue_on_exit(&run, pod.key());
        let (queue, key) = (self.queue.clone(), pod.key());
        let probed = ProbedContainer {
            pod: running.pod.clone(),
            container: definition,
            spec,
            run: run.clone(),
            scope: self.scope.clone(),
        };
        let health = health::watch(probed, move || queue.add(key.clone()));
        running.record_start(container, &run, health);
        None
    }

    /// The program of a container: a process in the pod's namespaces, or a built-in program.
    async fn program(
        &self,
        running: &RunningPod,
        container: ContainerRef,
        variables: &BTreeMap<String, String>,
    ) -> Result<Program, ProgramError> {
        let sandbox = running.pod.sandbox.lock().clone();
        let Some(sandbox) = sandbox else {
            return Ok(invocation(running, container, variables)?.into());
        };
        let spec = running.container_spec(container);
        let words = |words: &[String]| words.iter().map(|word| expand(word, variables)).collect::<Vec<_>>();
        let mut launch = launch(&spec.image, &words(&spec.command), &words(&spec.args));
        if !spec.working_dir.is_empty() {
            launch.directory = spec.working_dir.clone().into();
        }
        let path = variables.get("PATH").map(String::as_str).unwrap_or_default();
        // Containers see the directories of this machine.
        let is_installed =
            |name: &str| std::env::split_paths(path).any(|directory| directory.join(name).exists());
        if let Some(missing) = launch.missing(is_installed) {
            return Err(missing.into());
        }
        let with = Streams { stdin: spec.stdin, tty: spec.tty };
        let root = sandbox.root(launch.has_busybox, &mounts(&running.spec, spec)).await?;
        let process = sandbox.spawn(&root, &launch, variables, with).await?;
        Ok(Program::Process(Box::new(process), root))
    }

    /// Queues the pod when the run ends.
    fn requeue_on_exit(&self, run: &Arc<Run>, key: ObjectKey) {
        let (queue, run) = (self.queue.clone(), run.clone());
        portolan_runtime::scope::spawn_until_stop(&self.scope, async move {
            run.exited().await;
            queue.add(key);
        });
    }

    async fn variables(
        &self,
        pod: &Object,
        running: &RunningPod,
        container: ContainerRef,
    ) -> Result<BTreeMap<String, String>, ConfigError> {
        let (config_maps, secrets) = environment::references(&running.spec);
        let config_maps = contents(&self.config_maps, pod.namespace(), config_maps).await?;
        let secrets = contents(&self.secrets, pod.namespace(), secrets).await?;
        // Services that exist now: as in Kubernetes, later ones are not added.
        let kubernetes = self.context.services.get(&ObjectKey::namespaced("default", "kubernetes"));
        let in_namespace = self.context.services.list_namespace(pod.namespace());
        let services: Vec<&Object> = kubernetes.iter().chain(&in_namespace).map(AsRef::as_ref).collect();
        Ok(environment::environment(
            running.container_spec(container),
            &Sources {
                pod,
                spec: &running.spec,
                pod_addresses: &running.pod.network.addresses(),
                host_address: running.host_address,
                config_maps: &config_maps,
                secrets: &secrets,
                services: &services,
            },
        )?)
    }
}

/// The built-in program of a container, with its command line.
fn invocation(
    running: &RunningPod,
    container: ContainerRef,
    variables: &BTreeMap<String, String>,
) -> Result<Invocation, ExecutableNotFound> {
    let spec = running.container_spec(container);
    let words = |words: &[String]| words.iter().map(|word| expand(word, variables)).collect::<Vec<_>>();
    match running.container(container).image {
        Some(image) => image.invoke(&words(&spec.command), &words(&spec.args)),
        None => Ok(programs::silent()),
    }
}

/// The data of ConfigMaps or Secrets; missing ones are left out.
async fn contents(
    api: &Api<Object>,
    namespace: &str,
    names: BTreeSet<String>,
) -> Result<Contents, ClientError> {
    let mut contents = Contents::new();
    for name in names {
        match api.get(&ObjectKey::namespaced(namespace, &name)).await {
            Ok(object) => {
                contents.insert(name, string_data(&object, api.resource().gvk.kind == "Secret"));
            }
            Err(ClientError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(contents)
}

/// `data` as strings; values of a Secret are base64. Values that are not UTF-8 are left out.
fn string_data(object: &Object, is_encoded: bool) -> BTreeMap<String, String> {
    let data = object.at(&["data"]).and_then(Value::as_object).into_iter().flatten();
    data.filter_map(|(key, value)| {
        let text = value.as_str()?;
        let text = match is_encoded {
            true => String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?,
            false => text.to_owned(),
        };
        Some((key.clone(), text))
    })
    .collect()
}
