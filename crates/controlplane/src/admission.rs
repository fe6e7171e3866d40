//! The admission plugin for the kinds of the federation.
//!
//! It does what Karmada's webhooks do; the decisions are in `api::admission`. A control plane that is not Portolan's
//! has no such plugin, so controllers must not rely on it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use portolan_api::Kind;
use portolan_api::admission::{self, AgentWrite, Operation, faulty_script, refuse_conflicts};
use portolan_api::agents;
use portolan_api::cluster::Cluster;
use portolan_api::config::{InterpreterOperation, ResourceInterpreterCustomization};
use portolan_api::work::{ResourceBinding, ResourceBindingSpec};
use portolan_apiserver::Admission;
use portolan_apiserver::admission::{AdmissionFuture, Attributes, Operation as ApiOperation};
use portolan_controllers::Quotas;
use portolan_controllers::kubernetes::IdleKinds;
use portolan_object::{ObjectKey, Status};
use portolan_plan::propagation::effect::names_clusters;
use portolan_runtime::Client;
use portolan_runtime::client::Selection;
use serde_json::Value;

use crate::trust;

/// Defaults and validates policies and other kinds of the federation.
#[derive(Default)]
pub(crate) struct Federation {
    /// Reads other objects; unset until the server has started.
    client: OnceLock<Client>,
    /// Set when the controllers run; until then no quota refuses a binding.
    quotas: OnceLock<Quotas>,
    /// Whether the controllers evict objects because of taints.
    evicts: OnceLock<bool>,
    /// Warns about objects that nothing acts on; unset until the server has started.
    idle: OnceLock<IdleKinds>,
    /// What everybody who writes an object of the federation is told.
    warning: OnceLock<String>,
}

impl Federation {
    /// Lets the plugin read other objects from the server that it is a part of.
    pub(crate) fn connect(&self, client: &Client) {
        // A second client would be one of the same server.
        let _first = self.client.set(client.clone());
    }

    /// Lets quotas refuse bindings from now on.
    pub(crate) fn enforce(&self, quotas: &Quotas) {
        // A second set of controllers would have the same quotas.
        let _ = self.quotas.set(quotas.clone());
    }

    /// Lets the plugin know whether the controllers evict objects because of taints.
    pub(crate) fn tell_evictions(&self, evicts: bool) {
        // A second set of controllers would have the same settings.
        let _ = self.evicts.set(evicts);
    }

    /// Warns about objects that nothing acts on from now on.
    pub(crate) fn warn_of(&self, idle: IdleKinds) {
        // A second one would follow the same policies.
        let _ = self.idle.set(idle);
    }

    /// Adds a warning to every write of an object of the federation from now on.
    pub(crate) fn warn(&self, warning: String) {
        // There is one cause, which is found at the start.
        let _ = self.warning.set(warning);
    }

    /// Refuses a write of a ResourceBinding that would use more than a FederatedResourceQuota of its namespace allows. The
    /// controllers ask before they write; this is for the writes of others.
    fn check_quota(
        &self,
        attributes: &Attributes<'_>,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        let Some(quotas) = self.quotas.get() else { return Ok(()) };
        let is_binding = attributes.resource.kind == ResourceBinding::gvk();
        if !is_binding || attributes.operation == ApiOperation::Delete || !quotas.are_in(attributes.namespace)
        {
            return Ok(());
        }
        let spec =
            |object: &Value| serde_json::from_value::<ResourceBindingSpec>(object["spec"].clone()).ok();
        // One that does not fit its schema is refused by the validation.
        let Some(new) = spec(object) else { return Ok(()) };
        let key = ObjectKey::namespaced(attributes.namespace, attributes.name);
        let checked = quotas.check(&key, old.and_then(spec).as_ref(), &new);
        checked.map_err(|exceeded| admission::quota_exceeded(&exceeded.to_string()))
    }
}

impl Admission for Federation {
    fn admit<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut Value,
        old: Option<&'a Value>,
    ) -> AdmissionFuture<'a> {
        Box::pin(async move {
            confine(attributes, object)?;
            let mut warnings = decide(attributes, object, old)?;
            if !attributes.subresource.is_empty() {
                return Ok(warnings);
            }
            if attributes.operation != ApiOperation::Delete && self.evicts.get() == Some(&false) {
                warnings.extend(admission::without_eviction(&attributes.resource.kind, object));
            }
            if attributes.operation == ApiOperation::Create {
                let idle = self.idle.get();
                warnings.extend(idle.and_then(|idle| idle.warning(&attributes.resource.kind, object)));
            }
            if attributes.operation != ApiOperation::Delete {
                warnings.extend(admission::unrecognised_values(object, old));
                warnings.extend(unknown_clusters(self.client.get(), attributes, object).await);
            }
            if trust::decides(&attributes.resource.kind.group) {
                warnings.extend(self.warning.get().cloned());
            }
            self.check_quota(attributes, object, old)?;
            let is_customization = attributes.resource.kind == ResourceInterpreterCustomization::gvk();
            if is_customization && attributes.operation != ApiOperation::Delete {
                warnings.extend(check_customization(self.client.get(), object).await?);
            }
            Ok(warnings)
        })
    }
}

/// Confines agents to their clusters, and the registration of agents to their roles.
fn confine(attributes: &Attributes<'_>, object: &mut Value) -> Result<(), Status> {
    let write = AgentWrite {
        kind: &attributes.resource.kind,
        subresource: attributes.subresource,
        namespace: attributes.namespace,
        name: attributes.name,
        object,
    };
    if attributes.user.name == agents::ROLE_MAKER {
        if let Some(made) = admission::make_role(&write)? {
            *object = made;
        }
    } else if let Some(cluster) = admission::agent_of(&attributes.user.name, &attributes.user.groups) {
        admission::confine_agent(&cluster, &write)?;
    }
    Ok(())
}

fn decide(
    attributes: &Attributes<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<Vec<String>, Status> {
    if !attributes.subresource.is_empty() {
        return Ok(Vec::new());
    }
    let operation = match attributes.operation {
        ApiOperation::Create => Operation::Create,
        ApiOperation::Update => Operation::Update,
        ApiOperation::Delete => Operation::Delete,
    };
    let kind = &attributes.resource.kind;
    let new_id = || uuid::Uuid::new_v4().to_string();
    admission::admit(operation, kind, attributes.namespace, object, old, new_id)
}

/// The warning about an object that names clusters that do not exist. Without an answer nothing is said.
async fn unknown_clusters(
    client: Option<&Client>,
    attributes: &Attributes<'_>,
    object: &Value,
) -> Option<String> {
    let find = names_clusters(&attributes.resource.kind, object)?;
    let clusters = client?.kind::<Cluster>().list(&Selection::all()).await.ok()?;
    let names: BTreeSet<String> =
        clusters.items.iter().map(|seen| seen.object.metadata.name.clone()).collect();
    find(&names).map(|fault| fault.to_string())
}

/// Refuses a customization with a script that does not compile, or that another customization has for the same kind. Warns
/// about scripts without the function of their operation.
async fn check_customization(client: Option<&Client>, object: &Value) -> Result<Vec<String>, Status> {
    // What does not fit the schema is refused by validation.
    let Ok(new) = serde_json::from_value::<ResourceInterpreterCustomization>(object.clone()) else {
        return Ok(Vec::new());
    };
    if let Some(client) = client {
        let others = client.kind::<ResourceInterpreterCustomization>().list(&Selection::all()).await;
        let others = others.map_err(Status::internal)?;
        refuse_conflicts(&new, others.items.iter().map(|seen| &seen.object))?;
    }
    let check = move || {
        let rules = &new.spec.customizations;
        let scripts = InterpreterOperation::ALL.map(|operation| (operation, rules.script(operation)));
        let (mut warnings, mut number) = (Vec::new(), 0);
        for (operation, script) in scripts {
            let Some(script) = script else { continue };
            portolan_lua::check(script).map_err(|error| faulty_script(operation, &error.to_string()))?;
            number += 1;
            warnings.extend(portolan_lua::defines(script, operation).err().map(|error| {
                format!("spec.customizations: {operation} will fail for every object of the kind: {error}")
            }));
        }
        if number == 0 {
            warnings.push("spec.customizations: without a script, this object has no effect".to_owned());
        }
        Ok(warnings)
    };
    tokio::task::spawn_blocking(check).await.map_err(Status::internal)?
}
