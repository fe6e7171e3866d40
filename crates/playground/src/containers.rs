//! What runs on the nodes of a cluster right now: pods, their containers, and each container's runs.
//!
//! The node part fills the register and starts and ends runs; the kubelet endpoints look pods up to show logs, to
//! attach, to execute and to forward ports. Nothing here knows the Kubernetes API or decides what should run.

mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_object::ObjectKey;

use crate::network::Interface;
use crate::programs::{self, Image};
use crate::sandbox::Sandbox;

pub use self::run::{Exit, Run, Setting, Stdin};
pub(crate) use self::run::{Program, Size};

/// The pods that run on the nodes of one cluster. Clones share the register.
#[derive(Debug, Clone, Default)]
pub struct Pods(Arc<RwLock<BTreeMap<ObjectKey, Arc<Pod>>>>);

impl Pods {
    /// The pod of a namespace and name.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Pod>> {
        self.0.read().get(key).cloned()
    }

    /// Registers a pod, in place of one with the same name.
    pub fn insert(&self, pod: Arc<Pod>) {
        self.0.write().insert(pod.key.clone(), pod);
    }

    /// Removes a pod unless another one has taken its name.
    pub fn remove(&self, key: &ObjectKey, uid: &str) {
        let mut pods = self.0.write();
        if pods.get(key).is_some_and(|pod| pod.uid == uid) {
            pods.remove(key);
        }
    }
}

/// A pod that has its address.
#[derive(Debug)]
pub struct Pod {
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.uid`.
    pub uid: String,
    /// Its place on the network.
    pub network: Interface,
    /// Its namespaces, once it has them; never on the loopback network.
    pub(crate) sandbox: Mutex<Option<Arc<Sandbox>>>,
    /// Its containers by name, init containers among them.
    pub containers: BTreeMap<String, Arc<Container>>,
}

/// A container of a pod, across its restarts.
#[derive(Debug)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// The image; `None` when nobody plays it.
    pub image: Option<&'static Image>,
    /// What the pod's spec calls the image.
    pub reference: String,
    /// What its programs find around them, apart from the environment of a run.
    pub setting: Setting,
    runs: Mutex<Runs>,
}

#[derive(Debug, Default)]
struct Runs {
    current: Option<Arc<Run>>,
    previous: Option<Arc<Run>>,
}

impl Container {
    /// A container that has not run yet.
    pub fn new(name: &str, reference: &str, setting: Setting) -> Self {
        let image = programs::image(reference);
        let (name, reference) = (name.to_owned(), reference.to_owned());
        Self { name, image, reference, setting, runs: Mutex::default() }
    }

    /// The newest run, over or not.
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
