//! The fields of a pod's spec that name other objects.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// A Pod, as far as it names other objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodReferences<'a> {
    /// Desired state.
    #[serde(borrow)]
    pub spec: PodReferencesSpec<'a>,
}

/// `spec` of a Pod or of a pod template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodReferencesSpec<'a> {
    /// ServiceAccount; empty for `default`.
    pub service_account_name: &'a str,
    /// Secrets with credentials of registries.
    #[serde(borrow)]
    pub image_pull_secrets: Vec<LocalReference<'a>>,
    /// Containers.
    pub containers: Vec<ContainerReferences<'a>>,
    /// Containers that run before the others.
    pub init_containers: Vec<ContainerReferences<'a>>,
    /// Containers that were added to a running pod.
    pub ephemeral_containers: Vec<ContainerReferences<'a>>,
    /// Volumes.
    pub volumes: Vec<VolumeReferences<'a>>,
}

/// The name of an object in the same namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LocalReference<'a> {
    /// Name.
    pub name: &'a str,
}

/// A container, as far as its environment names other objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerReferences<'a> {
    /// Sources of many variables.
    #[serde(borrow)]
    pub env_from: Vec<EnvironmentSource<'a>>,
    /// Variables.
    pub env: Vec<EnvironmentVariable<'a>>,
}

/// One entry of `envFrom`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentSource<'a> {
    /// A ConfigMap.
    #[serde(borrow)]
    pub config_map_ref: LocalReference<'a>,
    /// A Secret.
    pub secret_ref: LocalReference<'a>,
}

/// One entry of `env`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentVariable<'a> {
    /// Source of its value.
    #[serde(borrow)]
    pub value_from: EnvironmentValue<'a>,
}

/// `valueFrom` of a variable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentValue<'a> {
    /// A key of a ConfigMap.
    #[serde(borrow)]
    pub config_map_key_ref: LocalReference<'a>,
    /// A key of a Secret.
    pub secret_key_ref: LocalReference<'a>,
}

/// A volume, as far as it names other objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeReferences<'a> {
    /// A ConfigMap.
    #[serde(borrow)]
    pub config_map: LocalReference<'a>,
    /// A Secret.
    pub secret: SecretVolume<'a>,
    /// Several sources in one folder.
    pub projected: ProjectedVolume<'a>,
    /// A claim.
    pub persistent_volume_claim: ClaimVolume<'a>,
    /// Azure Files.
    pub azure_file: AzureFileVolume<'a>,
    /// CephFS.
    pub cephfs: CredentialVolume<'a>,
    /// Cinder.
    pub cinder: CredentialVolume<'a>,
    /// A FlexVolume.
    pub flex_volume: CredentialVolume<'a>,
    /// A Ceph block device.
    pub rbd: CredentialVolume<'a>,
    /// ScaleIO.
    #[serde(rename = "scaleIO")]
    pub scale_io: CredentialVolume<'a>,
    /// iSCSI.
    pub iscsi: CredentialVolume<'a>,
    /// StorageOS.
    pub storageos: CredentialVolume<'a>,
    /// A CSI driver.
    pub csi: CsiVolume<'a>,
}

/// `secret` of a volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretVolume<'a> {
    /// Name of the Secret.
    pub secret_name: &'a str,
}

/// `projected` of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectedVolume<'a> {
    /// Sources.
    #[serde(borrow)]
    pub sources: Vec<ProjectedSource<'a>>,
}

/// One source of a projected volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectedSource<'a> {
    /// A ConfigMap.
    #[serde(borrow)]
    pub config_map: LocalReference<'a>,
    /// A Secret.
    pub secret: LocalReference<'a>,
}

/// `persistentVolumeClaim` of a volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimVolume<'a> {
    /// Name of the claim.
    pub claim_name: &'a str,
}

/// `azureFile` of a volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureFileVolume<'a> {
    /// Name of the Secret with the account's key.
    pub secret_name: &'a str,
}

/// A volume of a storage system with a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialVolume<'a> {
    /// The Secret with the credential.
    #[serde(borrow)]
    pub secret_ref: LocalReference<'a>,
}

/// `csi` of a volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CsiVolume<'a> {
    /// The Secret with the credential.
    #[serde(borrow)]
    pub node_publish_secret_ref: LocalReference<'a>,
}

impl<'a> View<'a> for PodReferences<'a> {
    const RESOURCE: StaticResource = resources::POD;
}
