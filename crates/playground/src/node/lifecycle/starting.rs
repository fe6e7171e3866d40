//! Starting a container: its environment, its command line, its program, its probes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::events::Severity;
use portolan_runtime::{Api, ClientError};
use serde_json::Value;

use crate::containers::{Program, Run};
use crate::node::binding::regarding;
use crate::node::environment::{self, Contents, EnvironmentError, Sources};
use crate::node::expansion::expand;
use crate::node::health::{self, Patient};
use crate::node::lifecycle::Lifecycle;
use crate::node::lifecycle::kept::Kept;
use crate::node::record::Ended;
use crate::programs::{self, ExecutableNotFound, Invocation};
use crate::sandbox::{Streams, launch};

/// What is missing is looked for again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The code of a container that could not be started, as container runtimes give it.
const NOT_STARTED: i32 = 128;

/// Why a container does not start now.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Lifecycle {
    /// Starts a container; the time after which to try again when it cannot be.
    pub(super) async fn start_container(
        &self,
        pod: &Object,
        kept: &mut Kept,
        index: usize,
    ) -> Option<Duration> {
        let variables = match self.variables(pod, kept, index).await {
            Ok(variables) => Arc::new(variables),
            Err(obstacle) => {
                let message = format!("Error: {obstacle}");
                self.events.record(regarding(pod), Severity::Warning, "Failed", message);
                kept.record_mut(index).wait("CreateContainerConfigError", obstacle.to_string());
                return Some(LOOK_AGAIN);
            }
        };
        let spec = kept.container_spec(index).clone();
        let about = regarding(pod);
        let pulled = format!("Container image {:?} already present on machine", spec.image);
        self.events.record(about.clone(), Severity::Normal, "Pulled", pulled);
        let program = match self.program(kept, index, &variables).await {
            Ok(program) => program,
            Err(error) => {
                self.events.record(about, Severity::Warning, "Failed", format!("Error: {error}"));
                let now = self.around.clock.now();
                let record = kept.record_mut(index);
                record.run("", now);
                record.end(Ended {
                    id: String::new(),
                    code: NOT_STARTED,
                    reason: "StartError".to_owned(),
                    message: error,
                    started: now,
                    finished: now,
                });
                self.queue.add(pod.key());
                return None;
            }
        };
        self.events.record(about.clone(), Severity::Normal, "Created", "Container created");
        let container = kept.container(index).clone();
        let is_silent = match &program {
            Program::Played(_) => container.image.is_none(),
            Program::Real(..) => launch(&spec.image, &spec.command, &spec.args).arguments.is_empty(),
        };
        if is_silent {
            let message = format!(
                "image {:?} is not played by Portolan: container {} runs, but nothing in it works and nothing listens",
                spec.image, spec.name
            );
            self.events.record(about.clone(), Severity::Warning, "NothingListens", message);
        }
        let run = Run::start(program, &container.setting, variables, &self.scope);
        self.events.record(about, Severity::Normal, "Started", "Container started");
        self.look_again_after(&run, pod.key());
        let (queue, key) = (self.queue.clone(), pod.key());
        let patient =
            Patient { pod: kept.pod.clone(), container, spec, run: run.clone(), scope: self.scope.clone() };
        let health = health::watch(patient, move || queue.add(key.clone()));
        kept.has_started(index, &run, health);
        None
    }

    /// What a container starts: a process where the pod has namespaces, a built-in program otherwise.
    async fn program(
        &self,
        kept: &Kept,
        index: usize,
        variables: &BTreeMap<String, String>,
    ) -> Result<Program, String> {
        let sandbox = kept.pod.sandbox.lock().clone();
        let Some(sandbox) = sandbox else {
            let played = invocation(kept, index, variables).map(Program::from);
            return played.map_err(|error| error.to_string());
        };
        let spec = kept.container_spec(index);
        let words = |words: &[String]| words.iter().map(|word| expand(word, variables)).collect::<Vec<_>>();
        let mut launch = launch(&spec.image, &words(&spec.command), &words(&spec.args));
        if !spec.working_dir.is_empty() {
            launch.directory = spec.working_dir.clone().into();
        }
        let path = variables.get("PATH").map(String::as_str).unwrap_or_default();
        // Containers see the folders of this machine.
        let is_installed = |name: &str| std::env::split_paths(path).any(|folder| folder.join(name).exists());
        if let Some(missing) = launch.missing(is_installed) {
            return Err(missing.to_string());
        }
        let with = Streams { stdin: spec.stdin, tty: spec.tty };
        let root = sandbox.root(launch.has_busybox).await.map_err(|error| error.to_string())?;
        let process = sandbox.spawn(&root, &launch, variables, with).await;
        process.map(|process| Program::Real(Box::new(process), root)).map_err(|error| error.to_string())
    }

    /// Has a pass made when the run ends.
    fn look_again_after(&self, run: &Arc<Run>, key: ObjectKey) {
        let (queue, run) = (self.queue.clone(), run.clone());
        portolan_runtime::scope::spawn_until_stop(&self.scope, async move {
            run.exited().await;
            queue.add(key);
        });
    }

    async fn variables(
        &self,
        pod: &Object,
        kept: &Kept,
        index: usize,
    ) -> Result<BTreeMap<String, String>, Obstacle> {
        let (config_maps, secrets) = environment::references(&kept.spec);
        let config_maps = contents(&self.config_maps, pod.namespace(), config_maps).await?;
        let secrets = contents(&self.secrets, pod.namespace(), secrets).await?;
        // Services that exist now; a pod that starts with the cluster may come before them.
        let kubernetes = self.around.services.get(&ObjectKey::namespaced("default", "kubernetes"));
        let near = self.around.services.list_namespace(pod.namespace());
        let services: Vec<&Object> = kubernetes.iter().chain(&near).map(AsRef::as_ref).collect();
        Ok(environment::environment(
            kept.container_spec(index),
            &Sources {
                pod,
                spec: &kept.spec,
                pod_addresses: &kept.pod.network.addresses(),
                host_address: kept.host_address,
                config_maps: &config_maps,
                secrets: &secrets,
                services: &services,
            },
        )?)
    }
}

/// The command line of a container, and the program that plays it.
fn invocation(
    kept: &Kept,
    index: usize,
    variables: &BTreeMap<String, String>,
) -> Result<Invocation, ExecutableNotFound> {
    let spec = kept.container_spec(index);
    let words = |words: &[String]| words.iter().map(|word| expand(word, variables)).collect::<Vec<_>>();
    match kept.container(index).image {
        Some(image) => image.invoke(&words(&spec.command), &words(&spec.args)),
        None => Ok(programs::silent()),
    }
}

/// The contents of ConfigMaps or Secrets; those that do not exist are left out.
async fn contents(
    api: &Api<Object>,
    namespace: &str,
    names: BTreeSet<String>,
) -> Result<Contents, ClientError> {
    let mut contents = Contents::new();
    for name in names {
        match api.get(&ObjectKey::namespaced(namespace, &name)).await {
            Ok(object) => {
                contents.insert(name, texts(&object, api.resource().gvk.kind == "Secret"));
            }
            Err(ClientError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(contents)
}

/// `data` as texts; the values of a Secret are encoded. What is not text cannot be a variable.
fn texts(object: &Object, is_encoded: bool) -> BTreeMap<String, String> {
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
