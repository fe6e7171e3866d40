//! Properties of clusters (KEP-2149), by which a TrafficPolicy selects them.
//!
//! They are read from the ClusterProfiles, which keep the last known ones while a cluster cannot be reached.

use std::collections::BTreeMap;

use portolan_api::inventory::ClusterProfile;
use portolan_api::traffic::{PropertyRequirement, TrafficArea, TrafficPolicySpec};

use crate::clusters::profile::is_ours;

/// The properties of all clusters, by cluster and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, BTreeMap<String, String>>);

impl Properties {
    /// Those of profiles that Portolan keeps.
    pub fn of_profiles<'a>(profiles: impl IntoIterator<Item = &'a ClusterProfile>) -> Self {
        let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for profile in profiles.into_iter().filter(|profile| is_ours(profile)) {
            let listed = profile.status.properties.iter();
            let listed = listed.map(|property| (property.name.clone(), property.value.clone()));
            all.entry(profile.metadata.name.clone()).or_default().extend(listed);
        }
        Self(all)
    }

    /// The value of a property of a cluster.
    pub fn value(&self, cluster: &str, name: &str) -> Option<&str> {
        self.0.get(cluster)?.get(name).map(String::as_str)
    }

    /// Whether a cluster has a property.
    pub fn has(&self, name: &str) -> bool {
        self.0.values().any(|properties| properties.contains_key(name))
    }

    /// Whether `exporter` has the property that clients in `importer` require. A cluster that lacks it has nothing in common with
    /// any other.
    pub(super) fn fits(&self, wanted: &PropertyRequirement, importer: &str, exporter: &str) -> bool {
        if wanted.values.is_empty() && importer == exporter {
            return true;
        }
        let Some(value) = self.value(exporter, &wanted.name) else { return false };
        match wanted.values.is_empty() {
            true => self.value(importer, &wanted.name) == Some(value),
            false => wanted.values.iter().any(|listed| listed == value),
        }
    }
}

/// The areas of a policy: its boundary and its tiers.
pub fn areas(spec: &TrafficPolicySpec) -> impl Iterator<Item = &TrafficArea> {
    let tiers = spec.nearness.iter().flat_map(|nearness| &nearness.tiers);
    spec.boundary.iter().chain(tiers)
}

/// The properties that a policy selects clusters by.
pub fn required(spec: &TrafficPolicySpec) -> impl Iterator<Item = &PropertyRequirement> {
    areas(spec).filter_map(|area| area.property.as_ref())
}

#[cfg(test)]
pub(super) mod tests {
    use portolan_api::inventory::ClusterProfileProperty;

    use super::*;

    /// Properties of clusters, as `cluster name value`.
    pub(in crate::discovery) fn properties(listed: &[&str]) -> Properties {
        let profiles: Vec<ClusterProfile> = listed
            .iter()
            .map(|text| {
                let mut words = text.split(' ').map(str::to_owned);
                let mut profile = ClusterProfile::default();
                profile.metadata.name = words.next().unwrap_or_default();
                profile.spec.cluster_manager.name = "portolan".to_owned();
                let (name, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                profile.status.properties.push(ClusterProfileProperty { name, value });
                profile
            })
            .collect();
        Properties::of_profiles(&profiles)
    }

    #[test]
    fn clusters_are_selected_by_a_property_that_they_have() {
        let all = properties(&["west ring 1", "east ring 1", "north ring 2", "south other 1"]);
        let wanted = |values: &[&str]| PropertyRequirement {
            name: "ring".to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let cases = [
            ("the value of the client", "west", vec![], [true, true, false, false]),
            ("the client has no value", "south", vec![], [false, false, false, true]),
            ("listed values", "west", vec!["2", "3"], [false, false, true, false]),
            ("listed values, of a client without", "south", vec!["1"], [true, true, false, false]),
        ];
        for (name, importer, values, want) in cases {
            let fits = ["west", "east", "north", "south"]
                .map(|exporter| all.fits(&wanted(&values), importer, exporter));
            assert_eq!(fits, want, "{name}");
        }
    }

    #[test]
    fn profiles_of_other_managers_say_nothing() {
        let mut profile = ClusterProfile::default();
        profile.metadata.name = "west".to_owned();
        profile
            .status
            .properties
            .push(ClusterProfileProperty { name: "ring".to_owned(), value: "1".to_owned() });
        assert!(!Properties::of_profiles([&profile]).has("ring"));
        assert!(properties(&["west ring 1"]).has("ring"));
    }
}
