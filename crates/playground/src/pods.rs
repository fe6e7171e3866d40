//! Register of the pods that run on the nodes of a cluster: their containers, and the runs of each container.
//!
//! `node` fills the register and starts and stops runs; the `kubelet` endpoints look pods up for logs, attach, exec and
//! port forwarding. Nothing here uses the Kubernetes API or decides what runs.
//!
//! This room uses `network`, `programs` and `sandbox`. To add state of a running container, add it to [`Container`]
//! (kept across restarts) or to [`Run`].

mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_object::ObjectKey;

use crate::network::Interface;
use crate::programs::{self, Image};
use crate::sandbox::Sandbox;

pub use self::run::{ContainerSettings, Exit, Run, StdinMode};
pub(crate) use self::run::{Program, TerminalSize};

/// Running pods of one cluster. Clones share state.
#[derive(Debug, Clone, Default)]
pub struct Pods(Arc<RwLock<BTreeMap<ObjectKey, Arc<Pod>>>>);

impl Pods {
    /// The pod with a namespace and name.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Pod>> {
        self.0.read().get(key).cloned()
    }

    /// Registers a pod; replaces one with the same name.
    pub fn insert(&self, pod: Arc<Pod>) {
        self.0.write().insert(pod.key.clone(), pod);
    }

    /// Removes a pod unless it was replaced by another one with the same name.
    pub fn remove(&self, key: &ObjectKey, uid: &str) {
        let mut pods = self.0.write();
        if pods.get(key).is_some_and(|pod| pod.uid == uid) {
            pods.remove(key);
        }
    }
}

/// A pod with an address.
#[derive(Debug)]
pub struct Pod {
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.uid`.
    pub uid: String,
    /// Its address on the network.
    pub network: Interface,
    /// Its namespaces in namespaces mode, once they exist.
    pub(crate) sandbox: Mutex<Option<Arc<Sandbox>>>,
    /// Containers and init containers by name.
    pub containers: BTreeMap<String, Arc<Container>>,
}

/// A container of a pod, across its restarts.
#[derive(Debug)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// The built-in image; `None` if the reference names no built-in image.
    pub image: Option<&'static Image>,
    /// `image` of the pod spec.
    pub reference: String,
    /// Network, clock and streams of its programs.
    pub settings: ContainerSettings,
    runs: Mutex<Runs>,
}

#[derive(Debug, Default)]
struct Runs {
    current: Option<Arc<Run>>,
    previous: Option<Arc<Run>>,
}

impl Container {
    /// A container that has not run yet.
    pub fn new(name: &str, reference: &str, settings: ContainerSettings) -> Self {
        let image = programs::image(reference);
        let (name, reference) = (name.to_owned(), reference.to_owned());
        Self { name, image, reference, settings, runs: Mutex::default() }
    }

    /// The newest run, which may have ended.
    pub fn current(&self) -> Option<Arc<Run>> {
        self.runs.lock().current.clone()
    }

    /// The run before it.
    pub fn previous(&self) -> Option<Arc<Run>> {
        self.runs.lock().previous.clone()
    }

    /// Makes `run` the newest one.
    pub fn started(&self, run: Arc<Run>) {
        let mut runs = self.runs.lock();
        runs.previous = runs.current.replace(run);
    }
}
