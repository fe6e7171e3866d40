//! The replicas of a workload on the control plane, by its scale subresource.

use portolan_api::autoscaling::ScaleTargetReference;
use portolan_object::{GroupVersion, GroupVersionKind, Object, ObjectKey};
use portolan_runtime::{Api, Client, ClientError};
use serde_json::{Value, json};

use crate::propagation::Pipeline;

/// Why a workload cannot be scaled.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScaleError {
    #[error("apiVersion {0:?} of the scale target is malformed: expected `version` or `group/version`")]
    Malformed(String),
    #[error("the control plane does not serve {0}: correct apiVersion and kind of the scale target")]
    NotServed(GroupVersionKind),
    #[error("{kind} {key} does not exist, or its kind has no scale subresource: {source}")]
    Missing { kind: String, key: ObjectKey, source: Box<ClientError> },
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A workload on the control plane.
pub(super) struct Workload {
    /// Its kind, in the version that is read.
    pub(super) kind: GroupVersionKind,
    /// Namespace and name.
    pub(super) key: ObjectKey,
    api: Api<Object>,
}

impl Workload {
    /// The workload that an autoscaler of a namespace names.
    pub(super) fn find(
        client: &Client,
        pipeline: &Pipeline,
        namespace: &str,
        target: &ScaleTargetReference,
    ) -> Result<Self, ScaleError> {
        let version: Result<GroupVersion, _> = target.api_version.parse();
        let version = version.map_err(|_| ScaleError::Malformed(target.api_version.clone()))?;
        let kind = version.kind(&*target.kind);
        let resource = pipeline.resource_of(&kind).ok_or_else(|| ScaleError::NotServed(kind.clone()))?;
        let key = ObjectKey::namespaced(namespace, &*target.name);
        Ok(Self { kind: resource.gvk.clone(), key, api: client.resource(&resource) })
    }

    /// Its scale.
    pub(super) async fn scale(&self) -> Result<Object, ScaleError> {
        self.api.scale(&self.key).await.map_err(|source| match source {
            source @ ClientError::NotFound(_) => {
                let (kind, key) = (self.kind.kind.clone(), self.key.clone());
                ScaleError::Missing { kind, key, source: Box::new(source) }
            }
            source => ScaleError::Client(source),
        })
    }

    /// Why it cannot be scaled; `None` if it can.
    pub(super) async fn fault(&self) -> Result<Option<String>, ClientError> {
        let (kind, key) = (&self.kind.kind, &self.key);
        match self.scale().await {
            Ok(_) => Ok(None),
            Err(ScaleError::Missing { .. }) => match self.api.get(key).await {
                Ok(_) => {
                    Ok(Some(format!("{kind} {key} cannot be scaled: its kind has no scale subresource")))
                }
                Err(error) if error.is_not_found() => Ok(Some(format!("{kind} {key} does not exist"))),
                Err(error) => Err(error),
            },
            Err(ScaleError::Client(error)) => Err(error),
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    /// Writes the replicas of a scale that was read. Another write in between is a conflict.
    pub(super) async fn write(&self, mut scale: Object, replicas: i32) -> Result<(), ScaleError> {
        scale.0["spec"]["replicas"] = json!(replicas);
        Ok(self.api.replace_scale(&self.key, &scale).await?)
    }
}

/// `spec.replicas` of a scale.
pub(super) fn replicas(scale: &Object) -> i32 {
    let replicas = scale.at(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or_default();
    i32::try_from(replicas).unwrap_or(i32::MAX)
}
