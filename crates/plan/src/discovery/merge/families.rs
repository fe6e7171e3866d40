//! Address families of a merged service.
//!
//! KEP-1645 does not define them. A service with an address gets the families that all exporters share, so that every
//! address reaches all endpoints. An exporter that shares no family with the older ones is ignored here and reported as a
//! conflict. A headless service has no address: its DNS names resolve to the endpoints of each family.

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::ServiceImportType;

use super::conflict::{Conflict, listed};
use crate::discovery::export::ValidExport;

/// The families, and the conflict if some endpoints cannot be reached with all of them.
pub(super) struct Common {
    pub(super) families: Vec<String>,
    pub(super) conflict: Option<Conflict>,
}

/// Families of sorted exports, the oldest first.
pub(super) fn common(exports: &[ValidExport], kind: ServiceImportType) -> Common {
    match kind {
        ServiceImportType::ClusterSetIP => shared(exports),
        ServiceImportType::Headless => any(exports),
    }
}

fn shared(exports: &[ValidExport]) -> Common {
    let mut families: Vec<String> = Vec::new();
    let mut without_shared = Vec::new();
    for export in exports {
        if families.is_empty() {
            families.clone_from(&export.families);
            continue;
        }
        let both: Vec<String> =
            families.iter().filter(|family| export.families.contains(family)).cloned().collect();
        match both.is_empty() {
            true => without_shared.push(export),
            false => families = both,
        }
    }
    let conflict = (!without_shared.is_empty()).then(|| Conflict {
        reason: reasons::IP_FAMILY_CONFLICT,
        message: format!(
            "spec.ipFamilies: {} of the oldest exports is used; endpoints of clusters without it are not reached: {}",
            families.join(","),
            listed(without_shared.iter().map(|export| format!("{} has {}", export.cluster, export.families.join(",")))),
        ),
    });
    Common { families, conflict }
}

fn any(exports: &[ValidExport]) -> Common {
    let mut families: Vec<String> = Vec::new();
    for family in exports.iter().flat_map(|export| &export.families) {
        if !families.contains(family) {
            families.push(family.clone());
        }
    }
    let partial =
        exports.iter().filter(|export| families.iter().any(|family| !export.families.contains(family)));
    let named: Vec<String> =
        partial.map(|export| format!("{} has {}", export.cluster, export.families.join(","))).collect();
    let conflict = (!named.is_empty()).then(|| Conflict {
        reason: reasons::IP_FAMILY_CONFLICT,
        message: format!(
            "spec.ipFamilies: not every cluster has {}, so which endpoints a client finds depends on its address family: {}",
            families.join(","),
            listed(named.into_iter()),
        ),
    });
    Common { families, conflict }
}
