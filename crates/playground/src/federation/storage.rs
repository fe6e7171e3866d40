//! Persistent volumes of a member: a default StorageClass, its provisioner, and the directories of its volumes.
//!
//! A volume is a directory below the member's own in the state directory, under the name of the PersistentVolume. It stays when
//! pods and the playground end, and goes with the PersistentVolume.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portolan_api::resources;
use portolan_controllers::kubernetes::{self, Provisioner};
use portolan_net::{Clock, Shutdown};
use portolan_object::Object;
use portolan_plan::kubernetes::persistent_volume::PROVISIONED_BY;
use portolan_plan::kubernetes::volume_claim::DEFAULT_CLASS;
use portolan_runtime::cache::Caches;
use portolan_runtime::{Client, ClientError};
use serde_json::json;

use crate::node::PROVISIONER;

/// Name of the class of claims that name none.
const CLASS: &str = "standard";

/// Starts the controllers of volumes, which make them in `directory`. Makes the StorageClass.
pub(super) async fn start(
    caches: &Caches,
    directory: &Path,
    clock: &Clock,
    scope: &Shutdown,
) -> Result<(), ClientError> {
    let provisioner = Provisioner { name: PROVISIONER, directory: directory.display().to_string() };
    kubernetes::volumes(caches, provisioner, clock, scope);
    let directory = directory.to_owned();
    caches.of(&resources::PERSISTENT_VOLUME.into()).observe(move |change| {
        let gone = change.old.as_ref().filter(|_| change.new.is_none());
        if let Some(volume) = gone.filter(|volume| volume.annotation(PROVISIONED_BY) == Some(PROVISIONER)) {
            let path = directory.join(volume.name());
            tokio::task::spawn_blocking(move || remove(path));
        }
    });
    make_class(caches.client()).await
}

async fn make_class(client: &Client) -> Result<(), ClientError> {
    let class = Object(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": { "name": CLASS, "annotations": { DEFAULT_CLASS: "true" } },
        "provisioner": PROVISIONER, "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
    }));
    match client.resource(&resources::STORAGE_CLASS.into()).create(&class).await {
        Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn remove(path: PathBuf) {
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "a persistent volume's directory stays: remove it by hand");
        }
        _ => {}
    }
}
