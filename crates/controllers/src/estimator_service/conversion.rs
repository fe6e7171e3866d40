//! From the types of bindings to the messages of the estimator service.

use std::collections::HashMap;

use portolan_api::meta::{NodeSelector, SelectorRequirement, Toleration};
use portolan_api::policy::ResourceList;
use portolan_api::work::{Component, NodeClaim, ReplicaRequirements};
use portolan_plan::propagation::estimate::{Assumed, PodGroup};
use prost::Message as _;

use super::messages::{
    AssumedWorkload, ComponentMessage, ComponentRequirementsMessage, NodeClaimMessage, NodeSelectorMessage,
    NodeSelectorTermMessage, QuantityMessage, ReplicaRequirementsMessage, RequirementMessage,
    TolerationMessage,
};

/// The requirements of one replica.
pub(super) fn requirements(requirements: &ReplicaRequirements) -> ReplicaRequirementsMessage {
    ReplicaRequirementsMessage {
        node_claim: requirements.node_claim.as_ref().map(node_claim),
        namespace: requirements.namespace.clone(),
        priority_class_name: requirements.priority_class_name.clone(),
        resource_request: resource_request(&requirements.resource_request),
    }
}

/// A component of a set.
pub(super) fn component(component: &Component) -> ComponentMessage {
    let requirements = component.replica_requirements.as_ref();
    let requirements = requirements.map(|requirements| ComponentRequirementsMessage {
        node_claim: requirements.node_claim.as_ref().map(node_claim),
        priority_class_name: requirements.priority_class_name.clone(),
        resource_request: resource_request(&requirements.resource_request),
    });
    ComponentMessage {
        name: component.name.clone(),
        replica_requirements: requirements,
        replicas: component.replicas,
    }
}

/// Pods in flight, each group with the pods of all sets.
pub(super) fn assumed(assumed: &Assumed) -> AssumedWorkload {
    let group = |group: &PodGroup| {
        let pods = group.replicas.saturating_mul(assumed.sets);
        let mut request = group.request.to_list();
        // The place of the pod is not a part of a request in the protocol.
        request.remove("pods");
        ComponentMessage {
            name: String::new(),
            replicas: i32::try_from(pods).unwrap_or(i32::MAX),
            replica_requirements: Some(ComponentRequirementsMessage {
                node_claim: group.claim.as_ref().map(node_claim),
                priority_class_name: group.priority_class.clone(),
                resource_request: resource_request(&request),
            }),
        }
    };
    AssumedWorkload {
        namespace: assumed.pods.namespace.clone(),
        components: assumed.pods.groups.iter().map(group).collect(),
    }
}

fn resource_request(list: &ResourceList) -> HashMap<String, Vec<u8>> {
    let bytes = |text: String| QuantityMessage { string: Some(text) }.encode_to_vec();
    let entries = list.iter().filter_map(|(name, quantity)| Some((name, quantity.amount()?)));
    entries.map(|(name, amount)| (name.clone(), bytes(amount.to_string()))).collect()
}

fn node_claim(claim: &NodeClaim) -> NodeClaimMessage {
    let affinity = claim.hard_node_affinity.as_ref();
    NodeClaimMessage {
        node_selector: claim.node_selector.clone().into_iter().collect(),
        node_affinity: affinity.map(|affinity| node_selector(affinity).encode_to_vec()).unwrap_or_default(),
        tolerations: claim.tolerations.iter().map(|one| toleration(one).encode_to_vec()).collect(),
    }
}

fn node_selector(selector: &NodeSelector) -> NodeSelectorMessage {
    let requirement = |one: &SelectorRequirement| RequirementMessage {
        key: Some(one.key.clone()),
        operator: Some(one.operator.clone()),
        values: one.values.clone(),
    };
    let terms = selector.node_selector_terms.iter().map(|term| NodeSelectorTermMessage {
        match_expressions: term.match_expressions.iter().map(requirement).collect(),
        match_fields: term.match_fields.iter().map(requirement).collect(),
    });
    NodeSelectorMessage { terms: terms.collect() }
}

fn toleration(toleration: &Toleration) -> TolerationMessage {
    TolerationMessage {
        key: Some(toleration.key.clone()),
        operator: Some(toleration.operator.clone()),
        value: Some(toleration.value.clone()),
        effect: Some(toleration.effect.clone()),
        toleration_seconds: toleration.toleration_seconds,
    }
}
