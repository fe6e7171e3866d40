//! The objects that a pod's spec refers to (karmada pkg/util/helper/pod.go `GetDependenciesFromPodTemplate`).

use std::collections::BTreeSet;

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{
    ContainerReferences, FieldError, PodReferencesSpec, ViewError, VolumeReferences, read_value,
};
use portolan_api::resources::{self, StaticResource};
use portolan_object::Object;
use serde_json::Value;

/// Names of the objects that pods need, by kind.
#[derive(Debug, Default)]
pub struct PodReferences<'a> {
    config_maps: BTreeSet<&'a str>,
    secrets: BTreeSet<&'a str>,
    service_accounts: BTreeSet<&'a str>,
    claims: BTreeSet<&'a str>,
}

/// The references of the pod spec at `path`; none if the object has nothing there.
pub(super) fn of_pod_spec(
    object: &Object,
    path: &[&str],
) -> Result<Vec<DependentObjectReference>, ViewError> {
    of_pod_specs(object, object.at(path).as_slice())
}

/// The references of several pod specs of one object.
pub(super) fn of_pod_specs(
    object: &Object,
    specs: &[&Value],
) -> Result<Vec<DependentObjectReference>, ViewError> {
    let mut found = PodReferences::default();
    for spec in specs {
        found.add_pod_spec(spec).map_err(|source| unreadable(object, source))?;
    }
    Ok(found.in_namespace(object.namespace()))
}

/// A reference by name.
pub(super) fn reference(resource: StaticResource, namespace: &str, name: &str) -> DependentObjectReference {
    DependentObjectReference {
        api_version: resource.api_version(),
        kind: resource.kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        label_selector: None,
    }
}

fn unreadable(object: &Object, source: FieldError) -> ViewError {
    ViewError { kind: "Pod", object: object.key().to_string(), source }
}

impl<'a> PodReferences<'a> {
    /// Adds what a pod spec refers to.
    ///
    /// # Errors
    /// When a field has a type that a pod spec does not allow.
    pub fn add_pod_spec(&mut self, spec: &'a Value) -> Result<(), FieldError> {
        let spec: PodReferencesSpec<'a> = read_value(spec)?;
        self.add_service_account(spec.service_account_name);
        for secret in &spec.image_pull_secrets {
            self.add_secret(secret.name);
        }
        let containers =
            spec.containers.iter().chain(&spec.init_containers).chain(&spec.ephemeral_containers);
        for container in containers {
            self.add_container(container);
        }
        for volume in &spec.volumes {
            self.add_volume(volume);
        }
        Ok(())
    }

    /// Adds a Secret; an empty name is ignored.
    pub fn add_secret(&mut self, name: &'a str) {
        insert(&mut self.secrets, name);
    }

    /// Adds a ConfigMap; an empty name is ignored.
    pub fn add_config_map(&mut self, name: &'a str) {
        insert(&mut self.config_maps, name);
    }

    /// Adds a ServiceAccount. `default` exists in every namespace and is never propagated.
    pub fn add_service_account(&mut self, name: &'a str) {
        if name != "default" {
            insert(&mut self.service_accounts, name);
        }
    }

    /// Adds a PersistentVolumeClaim; an empty name is ignored.
    pub fn add_claim(&mut self, name: &'a str) {
        insert(&mut self.claims, name);
    }

    fn add_container(&mut self, container: &ContainerReferences<'a>) {
        for source in &container.env_from {
            self.add_config_map(source.config_map_ref.name);
            self.add_secret(source.secret_ref.name);
        }
        for variable in &container.env {
            self.add_config_map(variable.value_from.config_map_key_ref.name);
            self.add_secret(variable.value_from.secret_key_ref.name);
        }
    }

    fn add_volume(&mut self, volume: &VolumeReferences<'a>) {
        self.add_config_map(volume.config_map.name);
        for source in &volume.projected.sources {
            self.add_config_map(source.config_map.name);
            self.add_secret(source.secret.name);
        }
        self.add_claim(volume.persistent_volume_claim.claim_name);
        let secrets = [
            volume.secret.secret_name,
            volume.azure_file.secret_name,
            volume.cephfs.secret_ref.name,
            volume.cinder.secret_ref.name,
            volume.flex_volume.secret_ref.name,
            volume.rbd.secret_ref.name,
            volume.scale_io.secret_ref.name,
            volume.iscsi.secret_ref.name,
            volume.storageos.secret_ref.name,
            volume.csi.node_publish_secret_ref.name,
        ];
        secrets.into_iter().for_each(|name| self.add_secret(name));
    }

    /// The references, by kind and then by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<DependentObjectReference> {
        let kinds = [
            (resources::CONFIG_MAP, &self.config_maps),
            (resources::SECRET, &self.secrets),
            (resources::SERVICE_ACCOUNT, &self.service_accounts),
            (resources::PERSISTENT_VOLUME_CLAIM, &self.claims),
        ];
        let of_kind = |(resource, names): (StaticResource, &BTreeSet<&str>)| {
            names.iter().map(|name| reference(resource, namespace, name)).collect::<Vec<_>>()
        };
        kinds.into_iter().flat_map(of_kind).collect()
    }
}

fn insert<'a>(names: &mut BTreeSet<&'a str>, name: &'a str) {
    if !name.is_empty() {
        names.insert(name);
    }
}
