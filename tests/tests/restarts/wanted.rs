//! ConfigMaps that a user changes, and their copies in the members.

use std::collections::BTreeMap;

use portolan_e2e::random::Random;
use portolan_e2e::{Kubectl, eventually};

/// Objects that the user changes.
const NAMES: u64 = 6;
/// Places the objects in all clusters.
pub(crate) const POLICY: &str = "\
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: wanted}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap, labelSelector: {matchLabels: {wanted: all}}}]
  placement: {}
";
/// Selects the objects.
pub(crate) const SELECTOR: [&str; 3] = ["configmaps", "-l", "wanted=all"];

/// What the user wants.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Content of the objects.
    content: BTreeMap<String, String>,
    /// Uids of the copies, by cluster and name. A copy that was deleted and made again has another uid.
    uids: BTreeMap<(String, String), String>,
}

/// One change by the user.
#[derive(Debug)]
pub(crate) struct Change {
    /// Name of the object.
    pub(crate) name: String,
    /// What is applied; `None` for an object that is deleted.
    pub(crate) manifest: Option<String>,
}

impl Wanted {
    /// Chooses the next change.
    pub(crate) fn change(&mut self, random: &mut Random) -> Change {
        let name = format!("wanted-{}", random.below(NAMES));
        if self.content.contains_key(&name) && random.below(3) == 0 {
            self.content.remove(&name);
            self.uids.retain(|(_, known), _| *known != name);
            return Change { name, manifest: None };
        }
        let content = random.below(1000).to_string();
        let manifest = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{wanted: all}}}}\n\
             data: {{k: \"{content}\"}}\n"
        );
        self.content.insert(name.clone(), content);
        Change { name, manifest: Some(manifest) }
    }

    /// The user wants nothing any more.
    pub(crate) fn clear(&mut self) {
        self.content.clear();
        self.uids.clear();
    }

    /// Waits until a cluster holds what the user wants, and compares the identity of each copy.
    pub(crate) fn reached(&mut self, seed: u64, cluster: &str, member: &Kubectl) {
        let format = "-ojsonpath={range .items[*]}{.metadata.name} {.data.k} {.metadata.uid}{\"\\n\"}{end}";
        let copies = eventually(&format!("seed {seed}: what the user wants, in {cluster}"), || {
            let listed = member.run(&[&["get"], &SELECTOR[..], &[format]].concat());
            if !listed.success {
                return Err(listed.to_string());
            }
            let rows: Vec<Vec<String>> =
                listed.stdout.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect();
            let found: BTreeMap<String, String> =
                rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
            if found == self.content { Ok(rows) } else { Err(format!("{found:?}, not {:?}", self.content)) }
        });
        for copy in copies {
            let key = (cluster.to_owned(), copy[0].clone());
            let uid = self.uids.entry(key).or_insert_with(|| copy[2].clone());
            assert_eq!(
                *uid, copy[2],
                "seed {seed}: {} was deleted in {cluster} without a delete of a user",
                copy[0]
            );
        }
    }
}
