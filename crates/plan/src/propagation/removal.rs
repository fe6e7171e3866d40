//! Removal of a Work: why it goes, and what happens to its object in the member then.
//!
//! A controller that decides that a Work goes records the cause on it and deletes it. A Work of a binding or namespace that
//! is being deleted without a cause was deleted by a user or another program, and its owner makes it again: the object in the
//! member stays as it is meanwhile. The Work of a binding is released by the binding, which notes that first (`remade`).

use std::fmt;
use std::str::FromStr;

use portolan_api::work::Work;
use portolan_api::{annotations, labels};
use portolan_object::Object;

/// Why a Work goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The template was deleted.
    TemplateDeleted,
    /// The template was deleted with propagation policy `Orphan`: what belongs to it stays.
    TemplateOrphaned,
    /// A binding that nothing asks for any more was deleted.
    BindingDeleted,
    /// The binding was deleted by hand and is made again. Only earlier releases recorded it: now the Works stay.
    BindingRemade,
    /// The namespace of the hub was deleted.
    NamespaceDeleted,
    /// The cluster leaves the federation.
    ClusterUnjoined,
    /// The binding has not the cluster as target any more.
    Withdrawn,
    /// The manifest is another object than the template, made by an override of an earlier release.
    Replaced,
}

/// Every cause.
const CAUSES: [Cause; 8] = [
    Cause::TemplateDeleted,
    Cause::TemplateOrphaned,
    Cause::BindingDeleted,
    Cause::BindingRemade,
    Cause::NamespaceDeleted,
    Cause::ClusterUnjoined,
    Cause::Withdrawn,
    Cause::Replaced,
];

impl Cause {
    /// The value of the annotation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TemplateDeleted => "TemplateDeleted",
            Self::TemplateOrphaned => "TemplateOrphaned",
            Self::BindingDeleted => "BindingDeleted",
            Self::BindingRemade => "BindingRemade",
            Self::NamespaceDeleted => "NamespaceDeleted",
            Self::ClusterUnjoined => "ClusterUnjoined",
            Self::Withdrawn => "Withdrawn",
            Self::Replaced => "Replaced",
        }
    }

    /// Whether a user deleted this object, or something that contains it. Other causes are conclusions of controllers, which
    /// a single wrong policy or a wrong view of the clusters can draw for thousands of objects.
    pub fn is_deletion_by_user(self) -> bool {
        !matches!(self, Self::Withdrawn | Self::Replaced)
    }

    /// The cause recorded on a Work.
    pub fn of(work: &Work) -> Option<Self> {
        work.metadata.annotation(annotations::work::REMOVAL_CAUSE)?.parse().ok()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a cause for the removal of a work")]
pub struct UnknownCause(String);

impl FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        CAUSES.into_iter().find(|cause| cause.as_str() == text).ok_or_else(|| UnknownCause(text.to_owned()))
    }
}

/// What a Work was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A binding.
    Binding,
    /// The namespace of the hub with this name and uid.
    Namespace {
        /// Its name.
        name: &'a str,
        /// Its uid.
        uid: &'a str,
    },
    /// A user or another program wrote it.
    User,
}

impl<'a> Origin<'a> {
    /// The origin of a Work.
    pub fn of(work: &'a Work) -> Self {
        let metadata = &work.metadata;
        let bindings = [annotations::binding::NAME, annotations::cluster_binding::NAME];
        if bindings.iter().any(|name| metadata.annotation(name).is_some()) {
            return Self::Binding;
        }
        match metadata.owner_references.iter().find(|owner| owner.kind == "Namespace") {
            Some(owner) => Self::Namespace { name: &owner.name, uid: &owner.uid },
            None => Self::User,
        }
    }
}

/// What is known besides the Work.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// The Cluster object is being deleted.
    pub is_cluster_leaving: bool,
    /// The API server says that the namespace from which the Work was made does not exist.
    pub is_namespace_gone: bool,
    /// Only the control plane can see bindings and namespaces; this is the agent of the cluster.
    pub is_agent: bool,
}

/// What happens to the object in the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is deleted for this cause; `None` for a Work that a user wrote and deleted.
    Delete(Option<Cause>),
    /// It stays in the member, without the labels and annotations of Karmada and Portolan.
    Preserve,
    /// It stays with its marks: the Work is made again.
    Keep,
    /// Its binding, or the control plane, decides, and records the cause or releases the Work.
    Wait,
}

/// Decides about the object of a Work that is being deleted.
pub fn decide(work: &Work, facts: Facts) -> Removal {
    let cause = match (Origin::of(work), Cause::of(work)) {
        (Origin::User, cause) => return delete_or_preserve(work, cause),
        // The binding is in the control plane, or comes again. Without one, the template decides.
        (Origin::Binding, None) => return Removal::Wait,
        // The control plane records the cause, or releases the Work.
        (Origin::Namespace { .. }, None) if facts.is_agent => return Removal::Wait,
        (_, Some(Cause::BindingRemade)) => return Removal::Keep,
        (_, Some(Cause::TemplateOrphaned)) => return Removal::Preserve,
        // The cluster stayed after all.
        (_, Some(Cause::ClusterUnjoined)) if !facts.is_cluster_leaving => return Removal::Keep,
        // Garbage collection of the hub deletes these Works when their namespace is gone.
        (Origin::Namespace { .. }, None) if facts.is_namespace_gone => Some(Cause::NamespaceDeleted),
        (_, cause) => cause,
    };
    match cause {
        Some(cause) => delete_or_preserve(work, Some(cause)),
        None => Removal::Keep,
    }
}

fn delete_or_preserve(work: &Work, cause: Option<Cause>) -> Removal {
    let is_preserved =
        work.spec.preserve_resources_on_deletion == Some(true) && cause != Some(Cause::Replaced);
    if is_preserved { Removal::Preserve } else { Removal::Delete(cause) }
}

/// Whether the object in a member was made from the template of `work`. It was not if a newer template of the same name was
/// propagated since, which a control plane with an old state does not know.
pub fn is_of_same_template(work: &Work, observed: &Object) -> bool {
    let uid = annotations::template::UID;
    let manifest = work.spec.workload.manifests.first().cloned().map(Object);
    let wanted = manifest.as_ref().and_then(|manifest| manifest.annotation(uid));
    match (wanted, observed.annotation(uid)) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => true,
    }
}

/// The namespace in a member that stays because `work` leaves its object there.
pub fn kept_namespace(work: &Work) -> Option<&str> {
    let stays = work.spec.preserve_resources_on_deletion == Some(true)
        || Cause::of(work) == Some(Cause::TemplateOrphaned);
    if stays { namespace_of_object(work) } else { None }
}

/// The namespace of the object that a Work is for; `None` for one without.
pub fn namespace_of_object(work: &Work) -> Option<&str> {
    let manifest = work.spec.workload.manifests.first()?;
    manifest.pointer("/metadata/namespace")?.as_str().filter(|namespace| !namespace.is_empty())
}

/// Whether a namespace in a member was noted to hold preserved objects.
pub fn holds_preserved(observed: &Object) -> bool {
    observed.annotation(annotations::namespace::HOLDS_PRESERVED) == Some(labels::TRUE)
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::{ObjectMeta, OwnerReference};
    use portolan_api::work::{WorkSpec, WorkloadTemplate};
    use serde_json::json;

    use super::*;

    fn work(origin: &str, cause: Option<Cause>, preserve: bool) -> Work {
        let mut metadata = ObjectMeta::namespaced("karmada-es-eu", "w");
        match origin {
            "binding" => {
                metadata.annotations.insert(annotations::binding::NAME.to_owned(), "b".to_owned());
            }
            "namespace" => metadata.owner_references.push(OwnerReference {
                kind: "Namespace".to_owned(),
                name: "shop".to_owned(),
                ..OwnerReference::default()
            }),
            _ => {}
        }
        if let Some(cause) = cause {
            metadata.annotations.insert(annotations::work::REMOVAL_CAUSE.to_owned(), cause.to_string());
        }
        let manifest = json!({ "metadata": { "namespace": "shop", "name": "c",
            "annotations": { "resourcetemplate.karmada.io/uid": "u1" } } });
        let spec = WorkSpec {
            workload: WorkloadTemplate { manifests: vec![manifest] },
            preserve_resources_on_deletion: preserve.then_some(true),
            ..WorkSpec::default()
        };
        Work { metadata, spec, ..Work::default() }
    }

    #[test]
    fn an_object_goes_only_for_a_recorded_cause() {
        use Cause::*;
        let leaving = Facts { is_cluster_leaving: true, ..Facts::default() };
        let gone = Facts { is_namespace_gone: true, ..Facts::default() };
        let none = Facts::default();
        let cases = [
            ("deleted by hand", work("binding", None, false), none, Removal::Wait),
            ("by hand, preserved", work("binding", None, true), none, Removal::Wait),
            ("the binding is made again", work("binding", Some(BindingRemade), false), none, Removal::Keep),
            (
                "template deleted",
                work("binding", Some(TemplateDeleted), false),
                none,
                Removal::Delete(Some(TemplateDeleted)),
            ),
            (
                "template deleted, preserved",
                work("binding", Some(TemplateDeleted), true),
                none,
                Removal::Preserve,
            ),
            ("template orphaned", work("binding", Some(TemplateOrphaned), false), none, Removal::Preserve),
            ("withdrawn", work("binding", Some(Withdrawn), false), none, Removal::Delete(Some(Withdrawn))),
            ("withdrawn, preserved", work("binding", Some(Withdrawn), true), none, Removal::Preserve),
            (
                "another object is never preserved",
                work("binding", Some(Replaced), true),
                none,
                Removal::Delete(Some(Replaced)),
            ),
            (
                "unjoined",
                work("binding", Some(ClusterUnjoined), false),
                leaving,
                Removal::Delete(Some(ClusterUnjoined)),
            ),
            ("the cluster stays", work("binding", Some(ClusterUnjoined), false), none, Removal::Keep),
            ("the work of a namespace by hand", work("namespace", None, false), none, Removal::Keep),
            (
                "garbage of a namespace",
                work("namespace", None, false),
                gone,
                Removal::Delete(Some(NamespaceDeleted)),
            ),
            (
                "namespace deleted",
                work("namespace", Some(NamespaceDeleted), false),
                none,
                Removal::Delete(Some(NamespaceDeleted)),
            ),
            ("a user's own work", work("user", None, false), none, Removal::Delete(None)),
            ("a user's own work, preserved", work("user", None, true), none, Removal::Preserve),
        ];
        for (name, work, facts, want) in cases {
            assert_eq!(decide(&work, facts), want, "{name}");
        }
    }

    #[test]
    fn causes_are_read_as_they_were_written() {
        for cause in CAUSES {
            assert_eq!(Cause::of(&work("binding", Some(cause), false)), Some(cause));
        }
        let error = "Whim".parse::<Cause>().expect_err("no cause").to_string();
        assert_eq!(error, "Whim is not a cause for the removal of a work");
    }

    #[test]
    fn an_object_of_a_newer_template_is_another_object() {
        let of = |uid: &str| {
            Object(json!({ "metadata": { "annotations": { "resourcetemplate.karmada.io/uid": uid } } }))
        };
        assert!(is_of_same_template(&work("binding", None, false), &of("u1")));
        assert!(!is_of_same_template(&work("binding", None, false), &of("u2")));
        let unmarked = Object(json!({ "metadata": {} }));
        assert!(
            is_of_same_template(&work("binding", None, false), &unmarked),
            "objects of releases before the mark"
        );
    }

    #[test]
    fn a_namespace_with_preserved_objects_stays() {
        let orphaned = work("binding", Some(Cause::TemplateOrphaned), false);
        assert_eq!(kept_namespace(&work("binding", None, true)), Some("shop"));
        assert_eq!(kept_namespace(&orphaned), Some("shop"));
        assert_eq!(kept_namespace(&work("binding", None, false)), None);
        assert_eq!(kept_namespace(&Work::default()), None, "nothing is in it");
    }
}
