//! From an object in a member to the template on the hub that it comes from: through its owners, to the object with the
//! marks of a Work.

use portolan_api::cluster::Cluster;
use portolan_api::work::Work;
use portolan_api::{annotations, labels};
use portolan_object::{GroupVersion, GroupVersionKind, Object, ObjectKey};
use portolan_plan::discovery::ReadError;
use portolan_runtime::client::Discovery;
use portolan_runtime::{Client, Resource};

use super::find;

/// Owners that are followed, at most: a Pod of a CronJob has three.
const MAX_OWNERS: usize = 8;

/// The template of an object in a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Its kind.
    pub kind: GroupVersionKind,
    /// Its namespace and name.
    pub key: ObjectKey,
    /// The owners that were followed, as one line.
    pub path: String,
}

/// The template was not found.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// Something on the way could not be read.
    #[error("cannot read {what}: {cause}")]
    Unread {
        /// The object.
        what: String,
        /// The reason.
        cause: ReadError,
    },
    /// The object is not the control plane's.
    #[error(
        "{path} in {cluster} does not come from the control plane: neither it nor an owner has the label {}",
        labels::MANAGED
    )]
    NotManaged {
        /// The object and its owners.
        path: String,
        /// The cluster.
        cluster: String,
    },
    /// Its Work is gone.
    #[error(
        "{path} in {cluster} names Work {work}, which this control plane does not have: another control plane made it, \
         or the Work was deleted and the object kept"
    )]
    NoWork {
        /// The object and its owners.
        path: String,
        /// The cluster.
        cluster: String,
        /// The Work.
        work: ObjectKey,
    },
    /// The chain of owners does not end.
    #[error("{0} has more than {MAX_OWNERS} owners above it")]
    TooDeep(String),
}

/// Follows the owners of an object in a member up to one that came from the hub; `None` if the member does not have the
/// object.
///
/// # Errors
/// See [`OriginError`].
pub async fn origin(
    hub: &Client,
    cluster: &Cluster,
    member: &Client,
    served: &Discovery,
    resource: &Resource,
    key: &ObjectKey,
) -> Result<Option<Origin>, OriginError> {
    let cluster = &cluster.metadata.name;
    let (mut resource, mut key, mut path) = (resource.clone(), key.clone(), Vec::new());
    for _ in 0..MAX_OWNERS {
        let what = || format!("{} {key} in {cluster}", resource.gvk.kind);
        let found = find::<Object>(member, &resource, &key).await;
        let found = found.map_err(|cause| OriginError::Unread { what: what(), cause })?;
        let Some(object) = found else {
            let cause = ReadError("it does not exist".to_owned());
            return if path.is_empty() { Ok(None) } else { Err(OriginError::Unread { what: what(), cause }) };
        };
        path.push(format!("{} {key}", resource.gvk.kind));
        if let Some(work) = work_of(&object) {
            return template(hub, cluster, work, path.join(", owned by ")).await.map(Some);
        }
        let owner = controller(&object).and_then(|(kind, name)| {
            let resource = served.find(&kind.group, &kind.kind)?.resource.clone();
            let namespace = if resource.namespaced { key.namespace.clone() } else { String::new() };
            Some((resource, ObjectKey::namespaced(namespace, name)))
        });
        let Some(owner) = owner else {
            return Err(OriginError::NotManaged { path: path.join(", owned by "), cluster: cluster.clone() });
        };
        (resource, key) = owner;
    }
    Err(OriginError::TooDeep(path.join(", owned by ")))
}

/// The Work that the marks of an object name.
fn work_of(object: &Object) -> Option<ObjectKey> {
    let namespace = object.annotation(annotations::work::NAMESPACE)?;
    let name = object.annotation(annotations::work::NAME)?;
    Some(ObjectKey::namespaced(namespace, name))
}

/// The template in the manifest of a Work.
async fn template(hub: &Client, cluster: &str, work: ObjectKey, path: String) -> Result<Origin, OriginError> {
    let found = find::<Work>(hub, &Resource::of::<Work>(), &work).await;
    let found = found.map_err(|cause| OriginError::Unread { what: format!("Work {work}"), cause })?;
    let manifest = found.and_then(|found| found.spec.workload.manifests.into_iter().next()).map(Object);
    let Some(manifest) = manifest else {
        return Err(OriginError::NoWork { path, cluster: cluster.to_owned(), work });
    };
    let path = format!("{path} in {cluster} comes from Work {work}");
    Ok(Origin { kind: manifest.group_version_kind(), key: manifest.key(), path })
}

/// Kind and name of the controlling owner.
fn controller(object: &Object) -> Option<(GroupVersionKind, String)> {
    let owners = object.at(&["metadata", "ownerReferences"])?.as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true).or_else(|| owners.first())?;
    let text = |field: &str| owner[field].as_str();
    let version: GroupVersion = text("apiVersion")?.parse().ok()?;
    Some((version.kind(text("kind")?), text("name")?.to_owned()))
}
