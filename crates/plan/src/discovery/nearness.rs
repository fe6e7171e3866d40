//! Which clusters see a service, which may get its traffic, and which of them are near, by TrafficPolicies.
//!
//! A service is governed by every policy of its namespace that selects it: each `visibleTo` and each `boundary` holds, so that no
//! later policy weakens an earlier one. Everything else comes from the oldest of them.

use portolan_api::cluster::Cluster;
use portolan_api::traffic::{Locality, TrafficArea, TrafficPolicy};

use super::properties::Properties;
use crate::propagation::affinity;

/// Whether clients in a cluster see a service with these policies.
pub fn is_visible(policies: &[&TrafficPolicy], importer: &Cluster) -> bool {
    let mut limits = policies.iter().filter_map(|policy| policy.spec.visible_to.as_ref());
    limits.all(|visible_to| affinity::matches(visible_to, importer))
}

/// The policy with a boundary outside of which the exporter is, for clients in `importer`.
pub fn boundary_against<'a>(
    policies: &[&'a TrafficPolicy],
    importer: &Cluster,
    exporter: &Cluster,
    properties: &Properties,
) -> Option<&'a TrafficPolicy> {
    let is_outside = |policy: &&&TrafficPolicy| {
        let boundary = policy.spec.boundary.as_ref();
        boundary.is_some_and(|boundary| !contains(boundary, importer, exporter, properties))
    };
    policies.iter().find(is_outside).copied()
}

/// The tier of an exporter for clients in `importer`, from 0; the number of tiers for one that is in none of them.
pub fn tier(tiers: &[TrafficArea], importer: &Cluster, exporter: &Cluster, properties: &Properties) -> usize {
    let found = tiers.iter().position(|tier| contains(tier, importer, exporter, properties));
    found.unwrap_or(tiers.len())
}

/// Whether an area, seen from `importer`, has the exporter.
fn contains(area: &TrafficArea, importer: &Cluster, exporter: &Cluster, properties: &Properties) -> bool {
    let (from, to) = (&importer.metadata.name, &exporter.metadata.name);
    let has_property = area.property.as_ref().is_none_or(|wanted| properties.fits(wanted, from, to));
    let is_within = area.within.is_none_or(|locality| have_in_common(locality, importer, exporter));
    let is_named = area.cluster_affinity.as_ref().is_none_or(|wanted| affinity::matches(wanted, exporter));
    // A stored area without any of them is refused by the schema; it contains nothing, because a boundary must not leak.
    let is_empty = area.within.is_none() && area.cluster_affinity.is_none() && area.property.is_none();
    !is_empty && is_within && is_named && has_property
}

/// Whether two clusters are as near to each other. What is not known of a cluster is not in common.
fn have_in_common(locality: Locality, one: &Cluster, other: &Cluster) -> bool {
    if one.metadata.name == other.metadata.name {
        return true;
    }
    let differs = |one: &str, other: &str| !one.is_empty() && !other.is_empty() && one != other;
    let is_near =
        !differs(&one.spec.provider, &other.spec.provider) && !differs(&one.spec.region, &other.spec.region);
    match locality {
        Locality::Cluster => false,
        Locality::Region => is_near && !one.spec.region.is_empty() && !other.spec.region.is_empty(),
        Locality::Zone => is_near && zones(one).any(|zone| zones(other).any(|found| found == zone)),
    }
}

/// The zones of a cluster, with the deprecated field for one.
fn zones(cluster: &Cluster) -> impl Iterator<Item = &str> {
    let listed = cluster.spec.zones.iter().map(String::as_str);
    listed.chain([cluster.spec.zone.as_str()]).filter(|zone| !zone.is_empty())
}

#[cfg(test)]
pub(super) mod tests {
    use portolan_api::meta::ObjectMeta;
    use portolan_api::policy::ClusterAffinity;
    use portolan_api::traffic::PropertyRequirement;

    use super::*;
    use crate::discovery::properties::tests::properties;

    /// A cluster in a place such as `aws/eu/eu-a`.
    pub(in crate::discovery) fn cluster(name: &str, place: &str) -> Cluster {
        let mut cluster = Cluster { metadata: ObjectMeta::cluster(name), ..Cluster::default() };
        let mut parts = place.split('/').map(str::to_owned);
        cluster.spec.provider = parts.next().unwrap_or_default();
        cluster.spec.region = parts.next().unwrap_or_default();
        cluster.spec.zones = parts.collect();
        cluster
    }

    fn named(names: &[&str]) -> ClusterAffinity {
        let cluster_names = names.iter().map(|name| (*name).to_owned()).collect();
        ClusterAffinity { cluster_names, ..ClusterAffinity::default() }
    }

    fn within(locality: Locality) -> TrafficArea {
        TrafficArea { within: Some(locality), ..TrafficArea::default() }
    }

    #[test]
    fn clusters_are_near_by_what_both_say_of_their_place() {
        use Locality::{Cluster, Region, Zone};
        let here = "aws/eu/eu-a";
        let cases = [
            ("itself", "west", "", [true; 3]),
            ("the same zone", "east", "aws/eu/eu-a/eu-b", [false, true, true]),
            ("another zone", "east", "aws/eu/eu-b", [false, false, true]),
            ("another region", "east", "aws/us/us-a", [false, false, false]),
            ("a zone of that name elsewhere", "east", "aws/us/eu-a", [false, false, false]),
            ("another provider", "east", "azure/eu/eu-a", [false, false, false]),
            ("no provider", "east", "/eu/eu-a", [false, true, true]),
            ("only a zone", "east", "//eu-a", [false, true, false]),
            ("nothing is known", "east", "", [false, false, false]),
        ];
        for (name, exporter, place, want) in cases {
            let got = [Cluster, Zone, Region]
                .map(|locality| have_in_common(locality, &cluster("west", here), &cluster(exporter, place)));
            assert_eq!(got, want, "{name}");
        }
        let nowhere = cluster("west", "");
        assert!(
            !have_in_common(Region, &nowhere, &cluster("east", "")),
            "two clusters of which nothing is known"
        );
    }

    #[test]
    fn a_cluster_is_in_the_first_tier_that_has_it() {
        let (importer, near, far) =
            (cluster("west", "aws/eu/a"), cluster("east", "aws/eu/b"), cluster("ap", "aws/ap/c"));
        let both = TrafficArea { cluster_affinity: Some(named(&["ap", "east"])), ..within(Locality::Region) };
        let tiers = [within(Locality::Cluster), both, within(Locality::Region)];
        let none = Properties::default();
        let tiers_of = |properties: &Properties, tiers: &[TrafficArea]| {
            [&importer, &near, &far].map(|exporter| tier(tiers, &importer, exporter, properties))
        };
        assert_eq!(tiers_of(&none, &tiers), [0, 1, 3]);
        assert_eq!(tiers_of(&none, &[]), [0; 3], "without tiers all are equal");
        let ring = |values: &[&str]| TrafficArea {
            property: Some(PropertyRequirement {
                name: "ring".to_owned(),
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            }),
            ..TrafficArea::default()
        };
        let rings = properties(&["west ring 1", "east ring 2", "ap ring 1"]);
        assert_eq!(tiers_of(&rings, &[ring(&[]), ring(&["2"])]), [0, 1, 0]);
        assert_eq!(tiers_of(&none, &[ring(&[])]), [0, 1, 1], "nothing is known");
        let near_ring = TrafficArea { within: Some(Locality::Region), ..ring(&["1"]) };
        assert_eq!(tiers_of(&rings, &[near_ring]), [0, 1, 1], "all of an area hold");
    }

    #[test]
    fn every_boundary_and_every_limit_holds() {
        let policy = |boundary: Option<TrafficArea>, visible_to: Option<ClusterAffinity>| {
            let mut policy = TrafficPolicy::default();
            (policy.spec.boundary, policy.spec.visible_to) = (boundary, visible_to);
            policy
        };
        let region = policy(Some(within(Locality::Region)), Some(named(&["west", "east"])));
        let list = policy(
            Some(TrafficArea { cluster_affinity: Some(named(&["ap", "east"])), ..TrafficArea::default() }),
            Some(named(&["west", "ap"])),
        );
        let (importer, near, far) =
            (cluster("west", "aws/eu/a"), cluster("east", "aws/eu/b"), cluster("ap", "aws/ap/c"));
        let outside = |policies: &[&TrafficPolicy]| {
            [&importer, &near, &far].map(|exporter| {
                boundary_against(policies, &importer, exporter, &Properties::default()).is_some()
            })
        };
        assert_eq!(outside(&[]), [false; 3]);
        assert_eq!(outside(&[&region]), [false, false, true]);
        assert_eq!(outside(&[&list]), [true, false, false]);
        assert_eq!(outside(&[&region, &list]), [true, false, true]);
        let empty = policy(Some(TrafficArea::default()), None);
        assert_eq!(outside(&[&empty]), [true; 3], "an area without anything has no cluster");
        let visible = |policies: &[&TrafficPolicy]| {
            [&importer, &near, &far].map(|cluster| is_visible(policies, cluster))
        };
        assert_eq!(visible(&[&region]), [true, true, false]);
        assert_eq!(visible(&[&region, &list]), [true, false, false]);
    }
}
