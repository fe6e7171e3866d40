//! Where the template of a binding comes from: an object in the hub, or a federated object of KubeFed, which contains it.

use std::sync::Arc;

use portolan_api::kubefed::{FederatedSpec, is_federated};
use portolan_api::work::ObjectReference;
use portolan_object::Object;
use portolan_plan::kubefed::changes::Changes;
use portolan_plan::kubefed::template::{self, TemplateError};

use crate::hub::FederatedTypes;
use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;

/// The template of a binding and the object in the hub that it comes from.
pub(super) enum Source {
    /// They are the same.
    Hub(Arc<Object>),
    /// The template was made from a federated object.
    Federated(Box<Federated>),
}

/// A federated object and what was read from it.
pub(super) struct Federated {
    object: Arc<Object>,
    spec: FederatedSpec,
    template: Object,
}

impl Source {
    /// The source of a binding; `None` if the caches do not have the object that it refers to.
    ///
    /// # Errors
    /// When no template can be made from the federated object, which says so in its status.
    pub(super) fn of(pipeline: &Pipeline, binding: &Binding) -> Result<Option<Self>, TemplateError> {
        let kind = binding.template_kind();
        let Some(object) = pipeline.template(&kind, &binding.template_key()) else { return Ok(None) };
        if !is_federated(&kind) {
            return Ok(Some(Self::Hub(object)));
        }
        let of = pipeline.hub.federated_types.of_federated(&kind.group_kind());
        let configured = of.ok_or_else(|| TemplateError::UnknownType(kind.kind.clone()))?;
        if !configured.is_enabled || !pipeline.hub.federated_types.settings().propagates {
            return Err(TemplateError::Disabled(kind.kind));
        }
        let spec = template::spec(&object)?;
        let template = template::template(&object, &spec, &configured.of)?;
        Ok(Some(Self::Federated(Box::new(Federated { object, spec, template }))))
    }

    /// What members get, before the changes for single clusters.
    pub(super) fn template(&self) -> &Object {
        match self {
            Self::Hub(object) => object,
            Self::Federated(federated) => &federated.template,
        }
    }

    /// The object in the hub.
    pub(super) fn object(&self) -> &Object {
        match self {
            Self::Hub(object) => object,
            Self::Federated(federated) => &federated.object,
        }
    }

    /// The changes for single clusters that a federated object has.
    pub(super) fn changes(&self) -> Option<Changes<'_>> {
        match self {
            Self::Hub(_) => None,
            Self::Federated(federated) => Some(Changes::of(&federated.spec)),
        }
    }

    /// Whether it is an object of the hub, which gets the status of its copies.
    pub(super) fn is_template(&self) -> bool {
        matches!(self, Self::Hub(_))
    }
}

/// The object that members get from a binding, also after the object in the hub is gone; `None` if the type of the federated
/// object is not known any more.
pub(super) fn target(types: &FederatedTypes, binding: &Binding) -> Option<ObjectReference> {
    // The template is in the namespace of the binding.
    let reference =
        ObjectReference { namespace: binding.metadata.namespace.clone(), ..binding.spec.resource.clone() };
    let kind = binding.template_kind();
    if !is_federated(&kind) {
        return Some(reference);
    }
    types.of_federated(&kind.group_kind()).map(|configured| template::target(&reference, &configured.of))
}
