//! Address families of a merged service.
//!
//! KEP-1645 does not define them. A service with an address gets the families that all exporters share, so that every
//! address reaches all endpoints. An exporter that shares no family with the older ones is ignored here and reported as a
//! conflict. A headless service has no address: its DNS names resolve to the endpoints of each family.

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::ServiceImportType;

use super::conflict::{Conflict, listed};
use crate::discovery::export::Offer;

/// The families, and the conflict if some endpoints cannot be reached with all of them.
pub(super) struct Common {
    pub(super) families: Vec<String>,
    pub(super) conflict: Option<Conflict>,
}

/// Families of sorted offers, the oldest first.
pub(super) fn common(offers: &[Offer], kind: ServiceImportType) -> Common {
    match kind {
        ServiceImportType::ClusterSetIP => shared(offers),
        ServiceImportType::Headless => any(offers),
    }
}

fn shared(offers: &[Offer]) -> Common {
    let mut families: Vec<String> = Vec::new();
    let mut without_shared = Vec::new();
    for offer in offers {
        if families.is_empty() {
            families.clone_from(&offer.families);
            continue;
        }
        let both: Vec<String> =
            families.iter().filter(|family| offer.families.contains(family)).cloned().collect();
        match both.is_empty() {
            true => without_shared.push(offer),
            false => families = both,
        }
    }
    let conflict = (!without_shared.is_empty()).then(|| Conflict {
        reason: reasons::IP_FAMILY_CONFLICT,
        message: format!(
            "spec.ipFamilies: {} is used, that of the oldest exports; endpoints of clusters without it are not reached: {}",
            families.join(","),
            listed(without_shared.iter().map(|offer| format!("{} has {}", offer.cluster, offer.families.join(",")))),
        ),
    });
    Common { families, conflict }
}

fn any(offers: &[Offer]) -> Common {
    let mut families: Vec<String> = Vec::new();
    for family in offers.iter().flat_map(|offer| &offer.families) {
        if !families.contains(family) {
            families.push(family.clone());
        }
    }
    let partial =
        offers.iter().filter(|offer| families.iter().any(|family| !offer.families.contains(family)));
    let named: Vec<String> =
        partial.map(|offer| format!("{} has {}", offer.cluster, offer.families.join(","))).collect();
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
