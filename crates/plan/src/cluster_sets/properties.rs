//! The two ClusterProperties that tell a cluster who and where it is (KEP-2149).
//!
//! The id is there before the set and goes after it. A property that somebody else made is used when it says the same,
//! and never changed or removed.

use portolan_api::about::{ClusterProperty, ClusterPropertySpec};
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::meta::ObjectMeta;
use portolan_api::{Kind, labels};
use portolan_object::Object;

use super::membership::Membership;

/// One step in the member.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Create the property, or bring ours in line.
    Put(Object),
    /// Remove a property that is ours, by its name.
    Delete(String),
}

/// Why a cluster cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It calls itself otherwise.
    #[error(
        "the cluster calls itself {found:?} in ClusterProperty {ID_PROPERTY}, which is not Portolan's: add it with --id {found}, or remove that property"
    )]
    Id {
        /// What the property says.
        found: String,
    },
    /// Somebody else has it in a set.
    #[error(
        "the cluster is a member of cluster set {found:?} by ClusterProperty {SET_PROPERTY}, which is not Portolan's: leave that set first"
    )]
    Set {
        /// What the property says.
        found: String,
    },
}

/// The steps from the member's properties to what its membership asks for.
///
/// # Errors
/// [`Contradiction`] when a property of somebody else says otherwise; nothing is to be written then.
pub fn plan(
    membership: Option<&Membership>,
    id: Option<&Object>,
    set: Option<&Object>,
    version: &str,
) -> Result<Vec<Step>, Contradiction> {
    let Some(membership) = membership else {
        let ours = [set, id].into_iter().flatten().filter(|property| is_ours(property));
        return Ok(ours.map(|property| Step::Delete(property.name().to_owned())).collect());
    };
    if let Some(found) = contradicting(id, &membership.id) {
        return Err(Contradiction::Id { found });
    }
    if let Some(found) = contradicting(set, &membership.set) {
        return Err(Contradiction::Set { found });
    }
    let wanted = [(ID_PROPERTY, &membership.id, id), (SET_PROPERTY, &membership.set, set)];
    let steps = wanted.into_iter().filter_map(|(name, value, present)| {
        let is_there = present.is_some_and(|present| present.str_at(&["spec", "value"]) == value);
        (!is_there).then(|| Step::Put(property(name, value, &membership.set, version)))
    });
    Ok(steps.collect())
}

fn contradicting(property: Option<&Object>, value: &str) -> Option<String> {
    let foreign = property.filter(|property| !is_ours(property))?;
    let found = foreign.str_at(&["spec", "value"]);
    (found != value).then(|| found.to_owned())
}

fn is_ours(property: &Object) -> bool {
    property.label(labels::MANAGED) == Some(labels::TRUE)
        && property.label(labels::cluster_set::NAME).is_some()
}

fn property(name: &str, value: &str, set: &str, version: &str) -> Object {
    let mut metadata = ObjectMeta::cluster(name);
    metadata.labels.insert(labels::MANAGED.to_owned(), labels::TRUE.to_owned());
    metadata.labels.insert(labels::cluster_set::NAME.to_owned(), set.to_owned());
    let spec = ClusterPropertySpec { value: value.to_owned() };
    let mut object = ClusterProperty { metadata, spec, ..ClusterProperty::default() }.to_object();
    object.0["apiVersion"] = version.into();
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "about.k8s.io/v1beta1";

    fn foreign(name: &str, value: &str) -> Object {
        let mut object = property(name, value, "", VERSION);
        object.metadata_mut().remove("labels");
        object
    }

    #[test]
    fn steps() {
        let member = Membership { set: "prod".to_owned(), id: "east".to_owned(), uid: String::new() };
        let (id, set) =
            (property(ID_PROPERTY, "east", "prod", VERSION), property(SET_PROPERTY, "prod", "prod", VERSION));
        let edited = property(SET_PROPERTY, "other", "prod", VERSION);
        let (theirs, contrary) = (foreign(ID_PROPERTY, "east"), foreign(ID_PROPERTY, "ost"));
        let elsewhere = foreign(SET_PROPERTY, "other");
        let view = |membership: Option<&Membership>, id: Option<&Object>, set: Option<&Object>| match plan(
            membership, id, set, VERSION,
        ) {
            Ok(steps) => steps
                .iter()
                .map(|step| match step {
                    Step::Put(object) => {
                        format!("put {}={}", object.name(), object.str_at(&["spec", "value"]))
                    }
                    Step::Delete(name) => format!("delete {name}"),
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
            ("settled", Some(&member), Some(&id), Some(&set), ""),
            ("edited by hand", Some(&member), Some(&id), Some(&edited), "put clusterset.k8s.io=prod"),
            ("an id that was there", Some(&member), Some(&theirs), None, "put clusterset.k8s.io=prod"),
            ("another id", Some(&member), Some(&contrary), None, "the cluster calls itself \"ost\""),
            (
                "in a set of somebody else",
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
            ("leaving with an id of its own", None, Some(&theirs), Some(&set), "delete clusterset.k8s.io"),
            ("never a member", None, Some(&theirs), Some(&elsewhere), ""),
        ];
        for (name, membership, id, set, want) in cases {
            let seen = view(membership, id, set);
            assert!(seen.starts_with(want) && seen.is_empty() == want.is_empty(), "{name}: {seen}");
        }
    }
}
