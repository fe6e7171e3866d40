//! What a federated object asks for, as far as it can be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::kubefed::{FederatedSpec, FederatedType};
use portolan_object::Object;
use portolan_plan::kubefed::changes::Changes;
use portolan_plan::kubefed::placement::NamespaceGate;
use portolan_plan::kubefed::status::{Fault, Findings, Reason};
use portolan_plan::kubefed::template::{self, TemplateError};
use portolan_plan::kubefed::type_config::Configured;

use super::facts::{self, Unplaceable};
use crate::propagation::Pipeline;

/// What a federated object asks for.
pub(super) struct Assessment {
    /// The clusters that get the object; `None` if that cannot be told, and it stays where it is.
    pub(super) selected: Option<BTreeSet<String>>,
    /// What is wrong with the federated object as a whole.
    pub(super) findings: Findings,
    /// What members get, before the changes for single clusters.
    pub(super) template: Result<Object, TemplateError>,
    /// The clusters that its overrides cannot be applied for, with the reason.
    faults: BTreeMap<String, Fault>,
    /// Whether the status of the objects in members is reported.
    pub(super) collects_status: bool,
    /// The clusters of the federation.
    pub(super) clusters: BTreeMap<String, Arc<Cluster>>,
}

impl Assessment {
    /// Why there can be no manifest for a cluster.
    pub(super) fn fault(&self, cluster: &str) -> Option<Fault> {
        match &self.template {
            Err(error) => Some(Fault::Template(error.to_string())),
            Ok(_) => self.faults.get(cluster).cloned(),
        }
    }
}

/// Reads a federated object and evaluates its placement.
pub(super) fn assess(pipeline: &Pipeline, object: &Object, configured: &Configured) -> Assessment {
    let of = &configured.of;
    let settings = pipeline.hub().federated_types.settings();
    let clusters = facts::clusters(pipeline.hub());
    let spec = template::spec(object);
    let template = spec.as_ref().map_err(Clone::clone);
    let template = template.and_then(|spec| template::template(object, spec, of));
    let (selected, findings) = match spec.as_ref() {
        Ok(spec) => match place(pipeline, &clusters, object, spec, of) {
            Ok((selected, findings)) => (Some(selected), findings),
            Err(error) => (None, unplaceable(&error)),
        },
        Err(error) => (None, unplaceable(&error.clone().into())),
    };
    let (selected, findings) = match configured.is_enabled && settings.propagates {
        true => (selected, findings),
        false => (None, disabled(of)),
    };
    let faults = match (&spec, &template, &selected) {
        (Ok(spec), Ok(template), Some(selected)) => faults(spec, template, selected),
        _ => BTreeMap::new(),
    };
    let collects_status = configured.collects_status && settings.collects_status;
    Assessment { selected, findings, template, faults, collects_status, clusters }
}

fn place(
    pipeline: &Pipeline,
    clusters: &BTreeMap<String, Arc<Cluster>>,
    object: &Object,
    spec: &FederatedSpec,
    of: &FederatedType,
) -> Result<(BTreeSet<String>, Findings), Unplaceable> {
    let selected = facts::selected(clusters, spec)?;
    let gate = facts::gate(pipeline, clusters, object, of)?;
    let reason = (gate == NamespaceGate::NotFederated).then_some(Reason::NamespaceNotFederated);
    let overridden = spec.overrides.iter().map(|entry| &entry.cluster_name);
    let unknown_in_overrides = overridden.filter(|name| !clusters.contains_key(*name)).cloned().collect();
    let findings =
        Findings { reason, message: String::new(), unknown: selected.unknown, unknown_in_overrides };
    Ok((gate.allow(selected.clusters), findings))
}

fn disabled(of: &FederatedType) -> Findings {
    let message = TemplateError::Disabled(of.federated.gvk.kind.clone()).to_string();
    Findings { reason: Some(Reason::PropagationDisabled), message, ..Findings::default() }
}

fn unplaceable(error: &Unplaceable) -> Findings {
    let reason = Some(Reason::ComputePlacementFailed);
    Findings { reason, message: error.to_string(), ..Findings::default() }
}

fn faults(spec: &FederatedSpec, template: &Object, selected: &BTreeSet<String>) -> BTreeMap<String, Fault> {
    if spec.overrides.is_empty() {
        return BTreeMap::new();
    }
    let changes = Changes::of(spec);
    let fault = |cluster: &String| {
        let error = changes.apply(&mut template.clone(), cluster).err()?;
        Some((cluster.clone(), Fault::Overrides(error.to_string())))
    };
    selected.iter().filter_map(fault).collect()
}
