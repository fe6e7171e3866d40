//! The first step: the object exists on the hub, and can be propagated.

use portolan_api::labels;
use portolan_object::Object;

use super::facts::Facts;
use super::step::{Hop, Step};
use crate::propagation::detect::{Exclusion, Skipped, exclusion};

/// The step, and the object if it is a template.
pub(super) fn template(facts: &Facts) -> (Step, Option<&Object>) {
    let object = match &facts.template {
        Err(error) => return (Step::not_looked_at(Hop::Template, error), None),
        Ok(None) => return (missing(facts), None),
        Ok(Some(object)) => object,
    };
    let kind = &facts.kind.kind;
    let skipped = Skipped::default();
    if Skipped::is_of_the_federation(&facts.kind.group) {
        return (acts_here(facts, object), None);
    }
    if skipped.has_kind(&facts.kind) {
        let text = format!("objects of kind {kind} are never propagated: they belong to the control plane");
        return (Step::broken(Hop::Template, text, "create it in the members themselves"), None);
    }
    if !facts.is_deletable {
        let text =
            format!("the API server cannot delete objects of kind {kind}, so they are never propagated");
        return (Step::broken(Hop::Template, text, "create it in the members themselves"), None);
    }
    if let Some(reason) = exclusion(object, &skipped) {
        return (not_a_template(facts, object, reason), None);
    }
    if object.is_deleting() {
        return (deleting(facts, object), None);
    }
    let step = Step::good(Hop::Template, "exists on the control plane and can be propagated");
    (step.since(Some(object.creation_timestamp())), Some(object))
}

/// An object of the federation itself, such as a policy or a binding. Where it says what the matter is.
fn acts_here(facts: &Facts, object: &Object) -> Step {
    let text =
        format!("objects of kind {} act in the control plane, and are never propagated", facts.kind.kind);
    let placed = |field: &str| object.str_at(&["spec", "resource", field]);
    let cure = match (placed("kind"), placed("name"), placed("namespace")) {
        ("", ..) | (_, "", _) => {
            format!("kubectl describe {}: see its status and its events", facts.argument())
        }
        (kind, name, "") => format!("portolan why {}/{name}", kind.to_lowercase()),
        (kind, name, namespace) => format!("portolan why {}/{name} -n {namespace}", kind.to_lowercase()),
    };
    Step::not_looked_at(Hop::Template, text).cure(cure)
}

fn missing(facts: &Facts) -> Step {
    let text = "does not exist on the control plane";
    let binding = facts.binding.as_ref().ok().and_then(Option::as_ref);
    if let Some(binding) = binding.filter(|binding| binding.metadata.is_deleting()) {
        let text = format!("{text}; its objects in members are being removed");
        let since = binding.metadata.deletion_timestamp.as_deref();
        return Step::waiting(Hop::Template, text, "wait until its Works are gone").since(since);
    }
    let Some(namespace) = facts.namesakes.first() else {
        return Step::broken(Hop::Template, text, "create it there: kubectl apply -f FILE");
    };
    let cure = format!("portolan why {}/{} -n {namespace}", facts.kind.kind.to_lowercase(), facts.key.name);
    let others = facts.namesakes.join(", ");
    let text = format!("{text} in namespace {}; the name exists in {others}", facts.key.namespace);
    Step::broken(Hop::Template, text, cure)
}

/// Why [`exclusion`] refuses an object.
fn not_a_template(facts: &Facts, object: &Object, reason: Exclusion) -> Step {
    if let Some(owner) = object.label(labels::template::CLAIMED_BY) {
        let text = format!("{owner} propagates it, not policies: label {}", labels::template::CLAIMED_BY);
        return Step::broken(Hop::Template, text, format!("portolan why {}", owner_argument(facts, owner)));
    }
    let namespace = object.namespace();
    if reason == Exclusion::Namespace {
        let text = format!("objects in namespace {namespace} are never propagated: it is reserved");
        return Step::broken(Hop::Template, text, "create it in another namespace");
    }
    let text = format!("it is never propagated: {reason}");
    Step::broken(Hop::Template, text, "create an object with another name")
}

fn owner_argument(facts: &Facts, owner: &str) -> String {
    format!("{}/{} -n {}", owner.to_lowercase(), facts.key.name, facts.key.namespace)
}

fn deleting(facts: &Facts, object: &Object) -> Step {
    let finalizers: Vec<&str> = object.finalizers().collect();
    let since = object.str_at(&["metadata", "deletionTimestamp"]);
    let text = match finalizers.is_empty() {
        true => "is being deleted".to_owned(),
        false => format!("is being deleted, and kept by its finalizers {}", finalizers.join(", ")),
    };
    let cure = format!("kubectl get {} -o yaml, and see who removes the finalizers", facts.argument());
    Step::broken(Hop::Template, text, cure).since(Some(since))
}
