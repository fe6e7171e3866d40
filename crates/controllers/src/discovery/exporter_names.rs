//! Which cluster an importing member means by the label of an imported EndpointSlice: an id of its set, or a name.

use std::collections::BTreeMap;

use portolan_runtime::ClusterName;

use super::Discovery;

/// The members of all sets at one time.
pub(super) struct ExporterNames {
    sets: BTreeMap<ClusterName, String>,
    by_id: BTreeMap<String, BTreeMap<String, ClusterName>>,
}

impl ExporterNames {
    /// The cluster that `importer` calls `source`.
    pub(super) fn cluster(&self, importer: &ClusterName, source: &str) -> ClusterName {
        let ids = self.sets.get(importer).and_then(|set| self.by_id.get(set));
        ids.and_then(|ids| ids.get(source)).cloned().unwrap_or_else(|| ClusterName::new(source))
    }
}

impl Discovery {
    /// The names of exporters in all members.
    pub(super) fn exporter_names(&self) -> ExporterNames {
        let mut names = ExporterNames { sets: BTreeMap::new(), by_id: BTreeMap::new() };
        for set in self.sets.sets().keys() {
            for (cluster, membership) in self.sets.members_of(&set.name) {
                names.sets.insert(cluster.clone(), set.name.clone());
                names.by_id.entry(set.name.clone()).or_default().insert(membership.id, cluster);
            }
        }
        names
    }
}
