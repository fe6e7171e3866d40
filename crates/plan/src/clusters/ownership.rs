//! Which control plane a member belongs to, and which of the member's objects a control plane may delete.
//!
//! A control plane holds a member by a Lease (`coordination.k8s.io/v1`) in the member. Its holder is the control plane's
//! id: the uid of the namespace `kube-system` of its API server. Only the holder writes to the member. A Lease that is
//! not renewed stays with its holder: a control plane that cannot reach its members must not lose them. Another control
//! plane gets the member by command only (`portolan join --take-over`).
//!
//! Every object that a control plane puts into a member has its id as label. A control plane deletes only objects with
//! its own id, and those of versions before the label. It may give an object of an earlier holder its own id when it
//! plans the same object, or when it knows that the object is not needed any more.

use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::{annotations, labels, names, resources};
use portolan_object::{Object, ObjectKey};
use serde_json::json;

/// Upper bound for the duration of another control plane's Lease.
const MAX_DURATION: Duration = Duration::from_secs(120);
/// Duration of a Lease that names none: the default of client-go's leader election.
const DEFAULT_DURATION: Duration = Duration::from_secs(15);

/// A control plane, as it appears in members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlane {
    /// Uid of the namespace `kube-system` of its API server.
    pub id: String,
    /// A name for people, such as its URL; may be empty.
    pub name: String,
}

/// What a Lease says about its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The control plane.
    pub control_plane: ControlPlane,
    /// Name under which the member has joined it; empty if unknown.
    pub cluster: String,
    /// Time of the last renewal, as written by the holder.
    pub renewed: String,
    /// Time for which one renewal is meant to last, limited to two minutes.
    pub duration: Duration,
}

impl Holder {
    /// The holder of a Lease; `None` for a Lease that has been released.
    pub fn of(lease: &Object) -> Option<Self> {
        let id = lease.str_at(&["spec", "holderIdentity"]);
        if id.is_empty() {
            return None;
        }
        let annotation = |key: &str| lease.annotation(key).unwrap_or_default().to_owned();
        let seconds = lease.at(&["spec", "leaseDurationSeconds"]).and_then(serde_json::Value::as_u64);
        Some(Self {
            control_plane: ControlPlane {
                id: id.to_owned(),
                name: annotation(annotations::control_plane::NAME),
            },
            cluster: annotation(annotations::control_plane::CLUSTER),
            renewed: lease.str_at(&["spec", "renewTime"]).to_owned(),
            duration: seconds.map_or(DEFAULT_DURATION, Duration::from_secs).min(MAX_DURATION),
        })
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ControlPlane { id, name } = &self.control_plane;
        match name.as_str() {
            "" => write!(f, "control plane {id}"),
            name => write!(f, "control plane {name} (id {id})"),
        }
    }
}

/// Step for the Lease of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseStep {
    /// The member has no Lease: create it.
    Create,
    /// The Lease has no holder, or this control plane: write it.
    Write,
    /// Another control plane holds the member.
    Refuse(Holder),
}

/// The step of control plane `own` for the Lease that it finds.
pub fn plan(lease: Option<&Object>, own: &str) -> LeaseStep {
    let Some(lease) = lease else { return LeaseStep::Create };
    match Holder::of(lease) {
        Some(holder) if holder.control_plane.id != own => LeaseStep::Refuse(holder),
        _ => LeaseStep::Write,
    }
}

/// The key of the Lease.
pub fn lease_key() -> ObjectKey {
    ObjectKey::namespaced(names::CLUSTER_NAMESPACE, names::CONTROL_PLANE_LEASE)
}

/// The Lease with `own` as holder, renewed at `now` (`metav1.MicroTime`).
///
/// With `present`, the result replaces it: it fails if the Lease has changed meanwhile. The time at which the holder got
/// the Lease stays, and the name of the control plane stays if `own` has none.
pub fn held_lease(
    own: &ControlPlane,
    cluster: &str,
    present: Option<&Object>,
    duration: Duration,
    now: &str,
) -> Object {
    let mut lease = Object::new(&resources::LEASE.gvk(), &lease_key());
    if let Some(present) = present {
        lease.0["metadata"] = present.0["metadata"].clone();
        lease.metadata_mut().remove("managedFields");
    }
    let before = present.and_then(Holder::of);
    let is_same = before.as_ref().is_some_and(|before| before.control_plane.id == own.id);
    let spec = |field: &str| present.and_then(|present| present.at(&["spec", field])).cloned();
    let transitions = spec("leaseTransitions").and_then(|count| count.as_u64()).unwrap_or_default();
    let acquired = spec("acquireTime").filter(|_| is_same).unwrap_or_else(|| json!(now));
    lease.0["spec"] = json!({
        "holderIdentity": own.id,
        "leaseDurationSeconds": duration.as_secs().max(1),
        "acquireTime": acquired,
        "renewTime": now,
        "leaseTransitions": if is_same || before.is_none() { transitions } else { transitions + 1 },
    });
    lease.set_label(labels::SYSTEM, labels::TRUE);
    lease.set_label(labels::CONTROL_PLANE, own.id.as_str());
    lease.set_annotation(annotations::control_plane::CLUSTER, cluster);
    if !own.name.is_empty() || !is_same {
        lease.set_annotation(annotations::control_plane::NAME, own.name.as_str());
    }
    lease
}

/// Time for which a Lease has to be observed without a renewal until its holder counts as gone.
///
/// `age` is the time since the last renewal by the clock of the observer, if it can be computed. Clocks differ, so that
/// an old Lease is observed too, but only for half its duration: a holder renews its Lease four times in its duration.
pub fn observation(holder: &Holder, age: Option<Duration>) -> Duration {
    let is_old = age.is_some_and(|age| age > holder.duration * 2);
    if is_old { holder.duration / 2 } else { holder.duration }
}

/// The message of a condition: which other control plane holds the member, and how to get it.
///
/// `is_renewed` says whether a renewal was observed. Its time is not in the message while it changes.
pub fn held_by_another(holder: &Holder, cluster: &str, is_renewed: bool) -> String {
    let (seen, cure) = match is_renewed {
        true => (
            "it is running: it renews its lease there".to_owned(),
            format!("`portolan unjoin {cluster}` at one of the two control planes"),
        ),
        false => (
            format!("last seen {}", holder.renewed),
            format!(
                "if it is gone for good, `portolan join {cluster} --take-over`; otherwise `portolan unjoin {cluster}` \
                 at one of the two control planes"
            ),
        ),
    };
    format!(
        "the cluster is held by {holder}; {seen}. This control plane writes nothing there and deletes nothing there: {cure}"
    )
}

/// Why the cluster that answers, of which the namespace `kube-system` has this uid, is not the one that has joined; the
/// message of a condition. `None` if it is the same, or if the Cluster has no id.
pub fn another_cluster(cluster: &Cluster, found: &str) -> Option<String> {
    let (name, joined) = (&cluster.metadata.name, &cluster.spec.id);
    if joined.is_empty() || found == joined {
        return None;
    }
    let address = &cluster.spec.api_endpoint;
    Some(format!(
        "at {address} answers another cluster than the one that has joined: the uid of its namespace kube-system is {found}, \
         and was {joined}. This control plane writes nothing there and deletes nothing there. If the address is wrong, put \
         spec.apiEndpoint right; if the cluster was built again, run `portolan unjoin {name} --force` and \
         `portolan join {name}`"
    ))
}

/// Whether an object in a member is of control plane `own`: it has its label, or none, as objects of versions before the label.
pub fn is_own(object: &Object, own: &str) -> bool {
    object.label(labels::CONTROL_PLANE).is_none_or(|id| id == own)
}

/// Gives an object the label of control plane `own`.
pub fn stamp(object: &mut Object, own: &str) {
    object.set_label(labels::CONTROL_PLANE, own);
}

/// A copy of a present object with the label of control plane `own`, for a replacement.
pub fn stamped(object: &Object, own: &str) -> Object {
    let mut object = object.clone();
    stamp(&mut object, own);
    object
}

#[cfg(test)]
mod tests;
