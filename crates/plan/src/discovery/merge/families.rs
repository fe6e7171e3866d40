//! The address families that clients of a merged service can use.
//!
//! KEP-1645 leaves the choice open. With an address, clients get the families that all exporters have in common, so
//! that every endpoint is reached by either; a cluster that shares none with those before it is left out of the choice
//! and reported. A headless service has no common address: names lead to the endpoints of each family.

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::ServiceImportType;

use super::conflict::{Conflict, listed};
use crate::discovery::export::Offer;

/// The families, and whether some endpoints are out of reach for one of them.
pub(super) struct Common {
    pub(super) families: Vec<String>,
    pub(super) conflict: Option<Conflict>,
}

/// The families of offers, the oldest first.
pub(super) fn common(offers: &[Offer], kind: ServiceImportType) -> Common {
    match kind {
        ServiceImportType::ClusterSetIP => shared(offers),
        ServiceImportType::Headless => any(offers),
    }
}

fn shared(offers: &[Offer]) -> Common {
    let mut families: Vec<String> = Vec::new();
    let mut apart = Vec::new();
    for offer in offers {
        if families.is_empty() {
            families.clone_from(&offer.families);
            continue;
        }
        let both: Vec<String> =
            families.iter().filter(|family| offer.families.contains(family)).cloned().collect();
        match both.is_empty() {
            true => apart.push(offer),
            false => families = both,
        }
    }
    let conflict = (!apart.is_empty()).then(|| Conflict {
        reason: reasons::IP_FAMILY_CONFLICT,
        message: format!(
            "spec.ipFamilies: {} is used, that of the oldest exports; endpoints of clusters without it are not reached: {}",
            families.join(","),
            listed(apart.iter().map(|offer| format!("{} has {}", offer.cluster, offer.families.join(",")))),
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
