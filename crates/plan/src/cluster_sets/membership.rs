//! Memberships: which clusters are members of which set, and why listed clusters are refused.
//!
//! A cluster is in one set at a time, and an id belongs to one cluster of a set. The cluster that joined first keeps
//! both, whatever edits of the ClusterSets follow.

use std::collections::BTreeMap;

use portolan_api::cluster::Cluster;
use portolan_api::clusterset::{ClusterSet, MAX_ID_LENGTH, MemberPhase};
use portolan_object::dns_label::has_subdomain_form;

/// Membership of a cluster in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Name of the set.
    pub set: String,
    /// Id of the cluster in the set.
    pub id: String,
    /// Uid of the cluster's namespace kube-system, which identifies the cluster.
    pub uid: String,
}

/// Why a listed cluster is not a member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No Cluster object has this name.
    #[error("cluster {cluster} has not joined the federation: `portolan join {cluster}` first")]
    NotJoined {
        /// Name in the ClusterSet.
        cluster: String,
    },
    /// The Cluster object is being deleted.
    #[error("cluster {cluster} is leaving the federation")]
    LeavingFederation {
        /// Name in the ClusterSet.
        cluster: String,
    },
    /// The id is not a valid part of a DNS name.
    #[error(
        "id {id:?} of cluster {cluster} must be a DNS label, or two joined by a full stop, of at most {MAX_ID_LENGTH} characters: choose another with --id"
    )]
    IllegalId {
        /// Name in the ClusterSet.
        cluster: String,
        /// Id in the ClusterSet.
        id: String,
    },
    /// Another member of the set has the id.
    #[error(
        "id {id:?} belongs to cluster {holder} of cluster set {set} already: choose another for {cluster} with --id"
    )]
    IdTaken {
        /// Name in the ClusterSet.
        cluster: String,
        /// Id in the ClusterSet.
        id: String,
        /// Cluster with this id.
        holder: String,
        /// The set.
        set: String,
    },
    /// The cluster is a member of another set.
    #[error("cluster {cluster} is a member of cluster set {other} already: remove it there first")]
    InOtherSet {
        /// Name in the ClusterSet.
        cluster: String,
        /// The other set.
        other: String,
    },
    /// The Cluster object of this name now stands for a different cluster.
    #[error(
        "cluster {cluster} is not the one that joined as {id:?} (kube-system {known}, now {found}): remove it from the set and add it again, if that is meant"
    )]
    Replaced {
        /// Name in the ClusterSet.
        cluster: String,
        /// Id of the member.
        id: String,
        /// Uid of the cluster that joined.
        known: String,
        /// Uid of the present cluster.
        found: String,
    },
}

/// All memberships of the federation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memberships {
    members: BTreeMap<String, Membership>,
    /// By set and cluster.
    refused: BTreeMap<(String, String), Refusal>,
}

impl Memberships {
    /// Membership of a cluster.
    pub fn of(&self, cluster: &str) -> Option<&Membership> {
        self.members.get(cluster)
    }

    /// Why a listed cluster is not a member of a set.
    pub fn refusal(&self, set: &str, cluster: &str) -> Option<&Refusal> {
        self.refused.get(&(set.to_owned(), cluster.to_owned()))
    }

    /// Members of a set: cluster names with their memberships.
    pub fn of_set<'a>(&'a self, set: &'a str) -> impl Iterator<Item = (&'a str, &'a Membership)> {
        let members = self.members.iter().filter(move |(_, membership)| membership.set == set);
        members.map(|(cluster, membership)| (cluster.as_str(), membership))
    }
}

/// Computes all memberships from the ClusterSets and Clusters of the hub.
pub fn memberships<'a>(
    sets: impl IntoIterator<Item = &'a ClusterSet>,
    clusters: impl IntoIterator<Item = &'a Cluster>,
) -> Memberships {
    let clusters: BTreeMap<&str, &Cluster> =
        clusters.into_iter().map(|cluster| (cluster.metadata.name.as_str(), cluster)).collect();
    let mut sets: Vec<&ClusterSet> = sets.into_iter().filter(|set| !set.metadata.is_deleting()).collect();
    sets.sort_by_key(|set| (&set.metadata.creation_timestamp, &set.metadata.name));
    let mut decided = Memberships::default();
    // Members that have joined come first, so that an edit of another entry cannot displace them.
    for has_joined in [true, false] {
        for set in &sets {
            for member in &set.spec.members {
                let status = set.status.members.iter().find(|status| status.cluster == member.cluster);
                let joined = status.filter(|status| status.phase == MemberPhase::Joined);
                if joined.is_some() != has_joined {
                    continue;
                }
                let known = joined.map(|status| status.uid.as_str()).filter(|uid| !uid.is_empty());
                let entry =
                    SetEntry { set: &set.metadata.name, cluster: &member.cluster, id: member.id(), known };
                match decide(&decided, &entry, clusters.get(member.cluster.as_str()).copied()) {
                    Ok(membership) => drop(decided.members.insert(member.cluster.clone(), membership)),
                    Err(refusal) => {
                        let key = (set.metadata.name.clone(), member.cluster.clone());
                        decided.refused.insert(key, refusal);
                    }
                }
            }
        }
    }
    decided
}

/// A member as listed in a ClusterSet.
struct SetEntry<'a> {
    set: &'a str,
    cluster: &'a str,
    id: &'a str,
    /// Uid of the cluster that joined with this entry.
    known: Option<&'a str>,
}

fn decide(
    decided: &Memberships,
    entry: &SetEntry<'_>,
    cluster: Option<&Cluster>,
) -> Result<Membership, Refusal> {
    let (name, id) = (entry.cluster.to_owned(), entry.id.to_owned());
    let Some(found) = cluster else { return Err(Refusal::NotJoined { cluster: name }) };
    if found.metadata.is_deleting() {
        return Err(Refusal::LeavingFederation { cluster: name });
    }
    if !is_id(entry.id) {
        return Err(Refusal::IllegalId { cluster: name, id });
    }
    if let Some(other) = decided.of(entry.cluster) {
        return Err(Refusal::InOtherSet { cluster: name, other: other.set.clone() });
    }
    if let Some((holder, _)) = decided.of_set(entry.set).find(|(_, member)| member.id == entry.id) {
        let (holder, set) = (holder.to_owned(), entry.set.to_owned());
        return Err(Refusal::IdTaken { cluster: name, id, holder, set });
    }
    let uid = &found.spec.id;
    match entry.known.filter(|known| *known != uid && !uid.is_empty()) {
        Some(known) => {
            Err(Refusal::Replaced { cluster: name, id, known: known.to_owned(), found: uid.clone() })
        }
        None => Ok(Membership { set: entry.set.to_owned(), id, uid: uid.clone() }),
    }
}

/// Whether a text is a valid id: a DNS label, or two joined by a full stop (KEP-1645), that fits into a label value.
pub fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID_LENGTH && text.split('.').count() <= 2 && has_subdomain_form(text)
}

#[cfg(test)]
mod tests {
    use portolan_api::clusterset::{ClusterSetMember, MemberStatus};

    use super::*;

    fn cluster(name: &str) -> Cluster {
        let mut cluster = Cluster::default();
        cluster.metadata.name = name.to_owned();
        cluster.spec.id = format!("uid-{name}");
        cluster
    }

    fn set(name: &str, members: &[(&str, &str)]) -> ClusterSet {
        let mut set = ClusterSet::default();
        set.metadata.name = name.to_owned();
        let member = |(cluster, id): &(&str, &str)| ClusterSetMember {
            cluster: (*cluster).to_owned(),
            id: (*id).to_owned(),
        };
        set.spec.members = members.iter().map(member).collect();
        set
    }

    fn joined(set: &mut ClusterSet, cluster: &str, uid: &str) {
        set.status.members.push(MemberStatus {
            cluster: cluster.to_owned(),
            uid: uid.to_owned(),
            phase: MemberPhase::Joined,
            ..MemberStatus::default()
        });
    }

    fn view(sets: &[ClusterSet], clusters: &[Cluster]) -> Vec<String> {
        let decided = memberships(sets, clusters);
        let members = decided
            .members
            .iter()
            .map(|(cluster, member)| format!("{cluster}: {}/{}", member.set, member.id));
        let refused = decided
            .refused
            .iter()
            .map(|((set, cluster), refusal)| format!("{cluster} not in {set}: {refusal}"));
        members.chain(refused).collect()
    }

    #[test]
    fn members_and_refusals() {
        let clusters = [cluster("east"), cluster("west")];
        let mut first_joined = set("prod", &[("west", "a"), ("east", "a")]);
        joined(&mut first_joined, "east", "uid-east");
        let mut replaced = set("prod", &[("east", "")]);
        joined(&mut replaced, "east", "uid-before");
        let cases: Vec<(&str, Vec<ClusterSet>, Vec<&str>)> = vec![
            (
                "names are ids",
                vec![set("prod", &[("east", ""), ("west", "w.eu")])],
                vec!["east: prod/east", "west: prod/w.eu"],
            ),
            (
                "an id that is taken",
                vec![set("prod", &[("east", ""), ("west", "east")])],
                vec![
                    "east: prod/east",
                    "west not in prod: id \"east\" belongs to cluster east of cluster set prod already",
                ],
            ),
            (
                "the cluster that joined first keeps its id",
                vec![first_joined],
                vec!["east: prod/a", "west not in prod: id \"a\" belongs to cluster east"],
            ),
            (
                "the same id in two sets",
                vec![set("dev", &[("east", "a")]), set("prod", &[("west", "a")])],
                vec!["east: dev/a", "west: prod/a"],
            ),
            (
                "two sets at once",
                vec![set("dev", &[("east", "")]), set("prod", &[("east", "")])],
                vec![
                    "east: dev/east",
                    "east not in prod: cluster east is a member of cluster set dev already",
                ],
            ),
            (
                "not in the federation",
                vec![set("prod", &[("north", "")])],
                vec!["north not in prod: cluster north has not joined"],
            ),
            (
                "another cluster of that name",
                vec![replaced],
                vec!["east not in prod: cluster east is not the one that joined"],
            ),
            (
                "an illegal id",
                vec![set("prod", &[("east", "a_b")])],
                vec!["east not in prod: id \"a_b\" of cluster east must be"],
            ),
        ];
        for (name, sets, want) in cases {
            let seen = view(&sets, &clusters);
            assert_eq!(seen.len(), want.len(), "{name}: {seen:?}");
            for (seen, want) in seen.iter().zip(want) {
                assert!(seen.starts_with(want), "{name}: {seen}");
            }
        }
    }

    #[test]
    fn ids() {
        let longest = "a".repeat(63);
        let too_long = "a".repeat(64);
        let cases = [
            ("east", true),
            ("east.prod", true),
            ("1", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("a.b.c", false),
            ("", false),
            ("East", false),
            ("a..b", false),
            ("-a", false),
        ];
        for (id, want) in cases {
            assert_eq!(is_id(id), want, "{id:?}");
        }
    }
}
