//! Exports of one service by the members of a cluster set, from their caches.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::kubernetes::View;
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};
use portolan_object::ObjectKey;
use portolan_plan::discovery::export::{ValidExport, validate_export};
use portolan_plan::import_marks::is_import_of_set;

use super::Discovery;
use super::site::Site;

/// An exporting member of a set.
pub(super) struct ExportingSite {
    pub(super) id: String,
    pub(super) site: Arc<Site>,
}

/// Exports of one service in a set.
#[derive(Default)]
pub(super) struct SetExports {
    pub(super) valid: Vec<ValidExport>,
    pub(super) exporting: Vec<ExportingSite>,
    /// Ids of members with known exports.
    pub(super) known: BTreeSet<String>,
    /// Ids of members that are unreachable or not synced.
    pub(super) unknown: BTreeSet<String>,
    /// Type of the oldest import in the set.
    pub(super) used: Option<ServiceImportType>,
}

impl Discovery {
    /// Exports of a service by the members of a set.
    pub(super) fn exports_of(&self, set: &str, key: &ObjectKey) -> Arc<SetExports> {
        self.exports.get_or_collect(set, key, || self.collect_exports(set, key))
    }

    fn collect_exports(&self, set: &str, key: &ObjectKey) -> SetExports {
        let (known, unknown) = self.members_of(set);
        let ids = known.iter().map(|(_, id)| id.clone()).collect();
        let mut exports = SetExports { known: ids, unknown, ..SetExports::default() };
        let mut oldest_import: Option<(String, ServiceImportType)> = None;
        for (site, id) in known {
            if let Some(import) = site.import(key).flatten().filter(|import| is_import_of_set(import)) {
                let since = import.str_at(&["metadata", "creationTimestamp"]).to_owned();
                let is_headless = ServiceImportView::read(&import)
                    .is_ok_and(|import| import.spec.kind == ServiceImportType::Headless.as_str());
                let kind =
                    if is_headless { ServiceImportType::Headless } else { ServiceImportType::ClusterSetIP };
                if oldest_import.as_ref().is_none_or(|(oldest, _)| since < *oldest) {
                    oldest_import = Some((since, kind));
                }
            }
            let Some(export) = site.export(key) else { continue };
            if let Ok(valid) = validate_export(&id, &export, site.service(key).as_deref()) {
                exports.valid.push(valid);
                exports.exporting.push(ExportingSite { id, site });
            }
        }
        exports.used = oldest_import.map(|(_, kind)| kind);
        exports
    }
}
