//! The groups of candidates for one spread constraint, with their scores.

use std::collections::BTreeMap;

use crate::propagation::schedule::candidate::Candidate;
use crate::propagation::schedule::constraint::GroupBy;

/// Factor that makes replicas count more than the scores of clusters (karmada
/// pkg/scheduler/core/spreadconstraint/group_clusters.go).
const WEIGHT_UNIT: i64 = 1000;

/// What the clusters must offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::propagation::schedule) struct Demand {
    /// Replicas to place; 0 for objects without.
    pub(in crate::propagation::schedule) replicas: i64,
    /// Whether the policy divides them.
    pub(in crate::propagation::schedule) is_divided: bool,
}

/// The candidates of each group as indices, in the order of the candidates.
///
/// A cluster with several zones is counted in one of them, so that as many zones as possible have a cluster.
pub(super) fn members<'a>(candidates: &[Candidate<'a>], by: &GroupBy) -> BTreeMap<&'a str, Vec<usize>> {
    let values: Vec<Vec<&str>> = candidates.iter().map(|candidate| by.values(candidate.cluster)).collect();
    let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    if values.iter().all(|values| values.len() == 1) {
        for (index, values) in values.iter().enumerate() {
            values.iter().for_each(|value| members.entry(value).or_default().push(index));
        }
        return members;
    }
    let mut homes = one_cluster_each(&values);
    for home in homes.values() {
        members.entry(home).or_default();
    }
    for (index, values) in values.iter().enumerate() {
        let size = |group: &'a str| (members.get(group).map_or(0, Vec::len), group);
        let smallest = || values.iter().copied().min_by_key(|group| size(group));
        let home = homes.remove(&index).or_else(smallest);
        if let Some(home) = home {
            members.entry(home).or_default().push(index);
        }
    }
    members
}

/// For as many groups as possible a candidate of its own: a maximum matching by augmenting paths. Maps candidates to
/// their groups.
fn one_cluster_each<'a>(values: &[Vec<&'a str>]) -> BTreeMap<usize, &'a str> {
    let mut of_group: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, values) in values.iter().enumerate() {
        values.iter().for_each(|value| of_group.entry(value).or_default().push(index));
    }
    let mut homes = BTreeMap::new();
    for group in of_group.keys() {
        augment(group, &of_group, &mut homes, &mut vec![false; values.len()]);
    }
    homes
}

/// Finds a candidate for `group`; groups that lose their candidate get another one. The depth is at most the number of
/// groups.
fn augment<'a>(
    group: &'a str,
    of_group: &BTreeMap<&'a str, Vec<usize>>,
    homes: &mut BTreeMap<usize, &'a str>,
    seen: &mut [bool],
) -> bool {
    for &index in of_group.get(group).into_iter().flatten() {
        if std::mem::replace(&mut seen[index], true) {
            continue;
        }
        let displaced = homes.get(&index).copied();
        if displaced.is_none_or(|other| augment(other, of_group, homes, seen)) {
            homes.insert(index, group);
            return true;
        }
    }
    false
}

/// The score of a group. `members` are in order of preference, `min_groups` is the minimum of the constraint, and
/// `min_clusters` that of the constraint on clusters.
pub(super) fn score(
    members: &[Candidate<'_>],
    demand: Demand,
    min_groups: usize,
    min_clusters: usize,
) -> i64 {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    if !demand.is_divided {
        let has_room = |candidate: &&Candidate<'_>| candidate.available() >= demand.replicas;
        let fitting: Vec<i64> = members.iter().filter(has_room).map(|candidate| candidate.score).collect();
        if fitting.is_empty() {
            return 0;
        }
        let count = number(fitting.len());
        return count * WEIGHT_UNIT + fitting.iter().sum::<i64>() / count;
    }
    let min_groups = number(min_groups.max(1));
    // Rounded up.
    let target = (demand.replicas + min_groups - 1) / min_groups;
    let enough = min_groups.max(number(min_clusters));
    let (mut available, mut scores, mut count) = (0_i64, 0, 0);
    for candidate in members {
        available = available.saturating_add(candidate.available());
        scores += candidate.score;
        count += 1;
        if count >= enough && available >= target {
            break;
        }
    }
    if available < target {
        return available * WEIGHT_UNIT + scores / number(members.len()).max(1);
    }
    target * WEIGHT_UNIT + scores / count.max(1)
}

#[cfg(test)]
mod tests {
    use portolan_api::cluster::Cluster;
    use portolan_api::meta::ObjectMeta;

    use super::*;

    fn zoned(text: &str) -> Vec<Cluster> {
        let one = |word: &str| {
            let (name, zones) = word.split_once(':').unwrap_or((word, ""));
            let mut cluster = Cluster { metadata: ObjectMeta::cluster(name), ..Cluster::default() };
            cluster.spec.zones = zones.split(',').map(str::to_owned).collect();
            cluster
        };
        text.split_whitespace().map(one).collect()
    }

    fn candidate(cluster: &Cluster, score: i64, allocatable: i64) -> Candidate<'_> {
        Candidate { cluster, tier: 0, score, assigned: 0, allocatable }
    }

    #[test]
    fn groups_are_scored_as_in_karmada() {
        let cluster = Cluster::default();
        let duplicated = Demand { replicas: 50, is_divided: false };
        let divided = Demand { replicas: 100, is_divided: true };
        let cases: &[(Demand, usize, i64, &[i64], i64)] = &[
            (duplicated, 1, 100, &[60, 70, 40, 30, 10], 2100),
            (duplicated, 1, 0, &[60, 60, 60, 60], 4000),
            (duplicated, 1, 100, &[60, 70, 10, 10, 5], 2100),
            (duplicated, 1, 0, &[100, 100, 10, 10], 2000),
            (duplicated, 1, 100, &[10, 10], 0),
            (divided, 2, 100, &[10, 10, 10, 10, 5], 45100),
            (divided, 2, 0, &[40, 30, 10, 10], 50000),
            (divided, 2, 100, &[40, 40, 10, 10, 5], 50100),
            (divided, 2, 0, &[100, 100, 10, 10], 50000),
        ];
        for (demand, min_groups, points, available, want) in cases {
            let members: Vec<_> = available.iter().map(|&room| candidate(&cluster, *points, room)).collect();
            assert_eq!(score(&members, *demand, *min_groups, 1), *want, "{demand:?} {points} {available:?}");
        }
    }

    #[test]
    fn a_cluster_of_several_zones_counts_where_it_is_needed() {
        let cases = [
            ("c1:a c2:b c3:a", "a: c1 c3; b: c2"),
            ("c1:a,b c2:a", "a: c2; b: c1"),
            ("c1:a,b c2:a,b c3:a,b", "a: c2 c3; b: c1"),
            ("c1:a,b c2:b,c c3:a", "a: c3; b: c1; c: c2"),
            ("c1:a,b,c", "a: c1"),
        ];
        for (text, want) in cases {
            let clusters = zoned(text);
            let candidates: Vec<_> = clusters.iter().map(|cluster| candidate(cluster, 0, 0)).collect();
            let members = members(&candidates, &GroupBy::Zone);
            let line = |(zone, members): (&&str, &Vec<usize>)| {
                let names: Vec<&str> = members.iter().map(|&index| candidates[index].name()).collect();
                format!("{zone}: {}", names.join(" "))
            };
            let lines: Vec<String> = members.iter().map(line).collect();
            assert_eq!(lines.join("; "), want, "{text}");
        }
    }
}
