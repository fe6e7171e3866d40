//! Warns about new objects of a control plane that nothing acts on (`plan::kubernetes::idle`).

use portolan_api::federation::Federation;
use portolan_api::policy::{ClusterPropagationPolicy, PropagationPolicy, PropagationSpec};
use portolan_net::Shutdown;
use portolan_object::{GroupVersionKind, Object};
use portolan_plan::kubernetes::idle::{is_idle_kind, warning};
use portolan_runtime::{Cache, Client};
use serde_json::Value;

/// The policies and Federations of a control plane, by which it is known what runs somewhere.
#[derive(Clone)]
pub struct IdleKinds {
    policies: Cache<PropagationPolicy>,
    cluster_policies: Cache<ClusterPropagationPolicy>,
    federations: Cache<Federation>,
}

impl IdleKinds {
    /// Follows the policies and Federations of a control plane until `scope` ends.
    pub fn start(client: &Client, scope: &Shutdown) -> Self {
        // Nothing but the selectors is needed.
        let trim = |spec: &mut PropagationSpec| {
            let resource_selectors = std::mem::take(&mut spec.resource_selectors);
            *spec = PropagationSpec { resource_selectors, ..PropagationSpec::default() };
        };
        let policies = Cache::<PropagationPolicy>::of_kind(client);
        let cluster_policies = Cache::<ClusterPropagationPolicy>::of_kind(client);
        Self {
            policies: policies.trim(move |policy| trim(&mut policy.spec)).start(scope),
            cluster_policies: cluster_policies.trim(move |policy| trim(&mut policy.spec)).start(scope),
            federations: Cache::<Federation>::of_kind(client).start(scope),
        }
    }

    /// The warning for a new object; `None` when something acts on it, or they are not known yet.
    pub fn warning(&self, kind: &GroupVersionKind, object: &Value) -> Option<String> {
        if !is_idle_kind(&kind.group, &kind.kind)
            || !self.policies.is_synced()
            || !self.cluster_policies.is_synced()
            || !self.federations.is_synced()
        {
            return None;
        }
        let object = Object(object.clone());
        let namespaced = self.policies.list_namespace(object.namespace());
        let cluster = self.cluster_policies.list();
        let specs = namespaced.iter().map(|policy| &policy.spec);
        let specs = specs.chain(cluster.iter().map(|policy| &policy.spec));
        let federations = self.federations.list();
        let federations = federations.iter().map(|federation| &federation.spec);
        warning(&object, specs.flat_map(|spec| &spec.resource_selectors), federations)
    }
}
