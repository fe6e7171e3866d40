//! The two ClusterProperties with a cluster's id and set (KEP-2149).
//!
//! The id is written before the set and deleted after it. A property that Portolan does not manage is accepted if it has
//! the right value, and never changed or deleted.

use portolan_api::about::{ClusterProperty, ClusterPropertySpec};
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::meta::ObjectMeta;
use portolan_api::{Kind, labels};
use portolan_object::Object;

use super::membership::Membership;
use crate::clusters::ownership::is_own;

/// Step for one ClusterProperty of the member.
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyStep {
    /// Create or update the property.
    Put(Object),
    /// Delete the property of this name, which Portolan manages.
    Delete(String),
}

/// A ClusterProperty that this control plane does not manage and that has another value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The cluster has another id.
    #[error(
        "the cluster calls itself {found:?} in ClusterProperty {ID_PROPERTY}, which this control plane has not written: add it with --id {found}, or remove that property"
    )]
    Id {
        /// Value of the property.
        found: String,
    },
    /// The cluster is in another set.
    #[error(
        "the cluster is a member of cluster set {found:?} by ClusterProperty {SET_PROPERTY}, which this control plane has not written: add it to that set, or remove that property"
    )]
    Set {
        /// Value of the property.
        found: String,
    },
}

/// Steps of control plane `own` from the present ClusterProperties to those of the membership; `None` deletes those that
/// it manages. Properties of another control plane with the right value get the label of `own`.
///
/// # Errors
/// [`Contradiction`] when a property that this control plane does not manage has another value; nothing is written in that case.
pub fn plan(
    membership: Option<&Membership>,
    id: Option<&Object>,
    set: Option<&Object>,
    version: &str,
    own: &str,
) -> Result<Vec<PropertyStep>, Contradiction> {
    let Some(membership) = membership else {
        let ours =
            [set, id].into_iter().flatten().filter(|property| is_ours(property) && is_own(property, own));
        return Ok(ours.map(|property| PropertyStep::Delete(property.name().to_owned())).collect());
    };
    if let Some(found) = contradicting(id, &membership.id, own) {
        return Err(Contradiction::Id { found });
    }
    if let Some(found) = contradicting(set, &membership.set, own) {
        return Err(Contradiction::Set { found });
    }
    let wanted = [(ID_PROPERTY, &membership.id, id), (SET_PROPERTY, &membership.set, set)];
    let steps = wanted.into_iter().filter_map(|(name, value, present)| {
        let is_stamped =
            |present: &Object| !is_ours(present) || present.label(labels::CONTROL_PLANE) == Some(own);
        let is_there = present.is_some_and(|present| value_of(present) == *value && is_stamped(present));
        (!is_there).then(|| PropertyStep::Put(property(name, value, &membership.set, version, own)))
    });
    Ok(steps.collect())
}

/// The value of a property that is not of this control plane, if it is another one.
fn contradicting(property: Option<&Object>, value: &str, own: &str) -> Option<String> {
    let foreign = property.filter(|property| !is_ours(property) || !is_own(property, own))?;
    Some(value_of(foreign)).filter(|found| found != value)
}

/// Value of a ClusterProperty; empty if it cannot be read.
fn value_of(property: &Object) -> String {
    property.to_typed::<ClusterProperty>().map(|property| property.spec.value).unwrap_or_default()
}

fn is_ours(property: &Object) -> bool {
    property.label(labels::MANAGED) == Some(labels::TRUE)
        && property.label(labels::cluster_set::NAME).is_some()
}

/// The membership that the properties of another control plane record: set and id. `None` if they are incomplete, or
/// those of control plane `own`: its ClusterSets list the members.
pub fn recorded(id: Option<&Object>, set: Option<&Object>, own: &str) -> Option<(String, String)> {
    let is_of_another =
        |property: &Object| is_ours(property) && property.label(labels::CONTROL_PLANE) != Some(own);
    let value = |property: Option<&Object>| {
        property.filter(|property| is_of_another(property)).map(value_of).filter(|value| !value.is_empty())
    };
    Some((value(set)?, value(id)?))
}

fn property(name: &str, value: &str, set: &str, version: &str, own: &str) -> Object {
    let mut metadata = ObjectMeta::cluster(name);
    metadata.labels.insert(labels::MANAGED.to_owned(), labels::TRUE.to_owned());
    metadata.labels.insert(labels::cluster_set::NAME.to_owned(), set.to_owned());
    metadata.labels.insert(labels::CONTROL_PLANE.to_owned(), own.to_owned());
    let spec = ClusterPropertySpec { value: value.to_owned() };
    let mut object = ClusterProperty { metadata, spec, ..ClusterProperty::default() }.to_object();
    object.0["apiVersion"] = version.into();
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "about.k8s.io/v1beta1";
    const OWN: &str = "this-control-plane";

    fn foreign(name: &str, value: &str) -> Object {
        let mut object = property(name, value, "", VERSION, OWN);
        object.metadata_mut().remove("labels");
        object
    }

    fn of(own: &str, name: &str, value: &str) -> Object {
        property(name, value, "prod", VERSION, own)
    }

    #[test]
    fn a_membership_is_read_from_the_properties_of_another_control_plane() {
        let (id, set) = (of("a", ID_PROPERTY, "east"), of("a", SET_PROPERTY, "prod"));
        assert_eq!(recorded(Some(&id), Some(&set), "b"), Some(("prod".to_owned(), "east".to_owned())));
        assert_eq!(recorded(Some(&id), Some(&set), "a"), None, "its own");
        assert_eq!(recorded(Some(&id), None, "b"), None, "no set");
        assert_eq!(recorded(Some(&id), Some(&foreign(SET_PROPERTY, "prod")), "b"), None, "not Portolan's");
    }

    #[test]
    fn steps() {
        let member = Membership { set: "prod".to_owned(), id: "east".to_owned(), uid: String::new() };
        let (id, set) = (of(OWN, ID_PROPERTY, "east"), of(OWN, SET_PROPERTY, "prod"));
        let edited = of(OWN, SET_PROPERTY, "other");
        let (earlier_id, earlier_set) =
            (of("earlier", ID_PROPERTY, "east"), of("earlier", SET_PROPERTY, "prod"));
        let earlier_other = of("earlier", SET_PROPERTY, "other");
        let (foreign_id, contrary) = (foreign(ID_PROPERTY, "east"), foreign(ID_PROPERTY, "ost"));
        let elsewhere = foreign(SET_PROPERTY, "other");
        let view = |membership: Option<&Membership>, id: Option<&Object>, set: Option<&Object>| match plan(
            membership, id, set, VERSION, OWN,
        ) {
            Ok(steps) => steps
                .iter()
                .map(|step| match step {
                    PropertyStep::Put(object) => {
                        format!("put {}={}", object.name(), value_of(object))
                    }
                    PropertyStep::Delete(name) => format!("delete {name}"),
                })
                .collect::<Vec<_>>()
                .join(", "),
            Err(contradiction) => contradiction.to_string(),
        };
        let cases = [
            (
                "joining",
                Some(&member),
                None,
                None,
                "put cluster.clusterset.k8s.io=east, put clusterset.k8s.io=prod",
            ),
            ("up to date", Some(&member), Some(&id), Some(&set), ""),
            ("edited by hand", Some(&member), Some(&id), Some(&edited), "put clusterset.k8s.io=prod"),
            ("a present unmanaged id", Some(&member), Some(&foreign_id), None, "put clusterset.k8s.io=prod"),
            ("another id", Some(&member), Some(&contrary), None, "the cluster calls itself \"ost\""),
            (
                "in a set that Portolan does not manage",
                Some(&member),
                None,
                Some(&elsewhere),
                "the cluster is a member of cluster set \"other\"",
            ),
            (
                "leaving",
                None,
                Some(&id),
                Some(&set),
                "delete clusterset.k8s.io, delete cluster.clusterset.k8s.io",
            ),
            ("leaving with an unmanaged id", None, Some(&foreign_id), Some(&set), "delete clusterset.k8s.io"),
            (
                "taken over",
                Some(&member),
                Some(&earlier_id),
                Some(&earlier_set),
                "put cluster.clusterset.k8s.io=east, put clusterset.k8s.io=prod",
            ),
            (
                "taken over into another set",
                Some(&member),
                Some(&earlier_id),
                Some(&earlier_other),
                "the cluster is a member of cluster set \"other\"",
            ),
            ("taken over and in no set", None, Some(&earlier_id), Some(&earlier_set), ""),
            ("never a member", None, Some(&foreign_id), Some(&elsewhere), ""),
        ];
        for (name, membership, id, set, want) in cases {
            let seen = view(membership, id, set);
            assert!(seen.starts_with(want) && seen.is_empty() == want.is_empty(), "{name}: {seen}");
        }
    }
}
