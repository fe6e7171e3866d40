//! The objects of KubeFed in its members, before and after a take-over.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;
use portolan_api::kubefed::{FederatedType, KubeFedCluster, MANAGED, SYSTEM_NAMESPACE};
use portolan_api::labels;
use portolan_object::{GroupKind, Object, ObjectKey};
use portolan_plan::field_changes::{FieldChange, manifest_changes};
use portolan_plan::kubefed::cluster::{address, token};
use portolan_plan::kubefed::take_over::{Host, TakeOver, replacement};
use portolan_plan::kubefed::type_config::read;
use portolan_runtime::client::{Credential, Endpoint, Selection};
use portolan_runtime::{Client, ClientError, Resource};

/// Requests at a time.
const PARALLEL: usize = 8;

/// The members of a host, with the tokens that KubeFed has.
pub(super) struct Members {
    clients: BTreeMap<String, Result<Client, String>>,
    types: Vec<FederatedType>,
    /// By the kind and key that members have.
    federated: BTreeMap<(GroupKind, ObjectKey), Object>,
}

/// Cluster, kind and key of an object in a member. The group counts: two groups can have kinds of one name.
type Place = (String, GroupKind, ObjectKey);

/// The objects of KubeFed by cluster, kind and key, and what could not be read: a cluster, or one kind in it.
#[derive(Default)]
pub(super) struct Objects {
    found: BTreeMap<Place, Object>,
    errors: Vec<String>,
}

/// What a take-over changes in members, in lines.
#[derive(Default)]
pub(super) struct Changes {
    /// By cluster, kind and key.
    fields: BTreeMap<Place, Vec<FieldChange>>,
    /// Clusters, kinds and objects for which it is not known.
    unknown: Vec<String>,
}

impl Members {
    pub(super) async fn connect(host: &Host, plan: &TakeOver) -> Self {
        let clients =
            host.clusters.iter().map(|cluster| (cluster.metadata.name.clone(), connect(host, cluster)));
        let types = host.type_configs.iter().filter_map(|config| read(config).ok());
        let types: Vec<FederatedType> = types.map(|configured| configured.of).collect();
        let federated = plan.federated.iter().filter_map(|object| {
            let kind = object.group_version_kind().group_kind();
            let of = types.iter().find(|of| of.federates(&kind))?;
            Some(((of.target.gvk.group_kind(), target_key(object, of)), object.clone()))
        });
        Self { clients: clients.collect(), federated: federated.collect(), types: types.clone() }
    }

    pub(super) fn count(&self) -> usize {
        self.clients.len()
    }

    /// The objects that KubeFed manages in the members.
    pub(super) async fn objects(&self) -> Objects {
        let mut objects = Objects::default();
        for (cluster, client) in &self.clients {
            let client = match client {
                Ok(client) => client,
                Err(error) => {
                    objects.errors.push(format!("cluster {cluster}: {error}"));
                    continue;
                }
            };
            let used = self
                .types
                .iter()
                .filter(|of| self.federated.keys().any(|(kind, _)| *kind == of.target.gvk.group_kind()));
            for of in used {
                let selection = Selection::labels(format!("{MANAGED}={}", labels::TRUE));
                match client.resource::<Object>(&resource(of)).list(&selection).await {
                    Ok(listed) => objects.found.extend(listed.items.into_iter().map(|seen| {
                        let key = (cluster.clone(), of.target.gvk.group_kind(), seen.object.key());
                        (key, seen.object)
                    })),
                    // The cluster does not have the kind, and so no object of it.
                    Err(ClientError::NotFound(_)) => {}
                    Err(error) => objects
                        .errors
                        .push(format!("cluster {cluster}: {} are not read: {error}", of.target.plural)),
                }
            }
        }
        objects
    }

    /// What their API servers say that the federated objects change in them. Nothing is written.
    pub(super) async fn changes(&self, objects: &Objects) -> Changes {
        let judged: Vec<_> = stream::iter(&objects.found)
            .map(|((cluster, kind, key), observed)| async move {
                let change = self.change(cluster, kind, key, observed).await;
                ((cluster.clone(), kind.clone(), key.clone()), change)
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let mut changes = Changes { unknown: objects.errors.clone(), ..Changes::default() };
        for (place, change) in judged {
            match change {
                Ok(fields) if fields.is_empty() => {}
                Ok(fields) => drop(changes.fields.insert(place, fields)),
                Err(error) => {
                    let (cluster, GroupKind { kind, .. }, key) = place;
                    changes.unknown.push(format!("cluster {cluster}: {kind} {key}: {error}"));
                }
            }
        }
        changes.unknown.sort();
        changes
    }

    async fn change(
        &self,
        cluster: &str,
        kind: &GroupKind,
        key: &ObjectKey,
        observed: &Object,
    ) -> Result<Vec<FieldChange>, String> {
        // KubeFed left this object behind: no federated object asks for it. The control plane does not touch it.
        let Some(federated) = self.federated.get(&(kind.clone(), key.clone())) else {
            return Ok(Vec::new());
        };
        let of = self.types.iter().find(|of| of.target.gvk.group_kind() == *kind);
        let (Some(of), Some(Ok(client))) = (of, self.clients.get(cluster)) else { return Ok(Vec::new()) };
        if of.is_namespace() {
            // The control plane uses a namespace of the member as it is.
            return Ok(Vec::new());
        }
        let wanted = replacement(federated, of, cluster, observed).map_err(|error| error.to_string())?;
        let answered = client.resource::<Object>(&resource(of)).dry_run().replace(&wanted).await;
        let answered = answered.map_err(|error| format!("its API server refuses the change: {error}"))?;
        Ok(manifest_changes(observed, &answered))
    }
}

impl Objects {
    /// Fails if a member was not read: what is missing then need not be gone.
    pub(super) fn complete(self) -> anyhow::Result<Self> {
        match self.errors.is_empty() {
            true => Ok(self),
            false => anyhow::bail!("not every member could be read: {}", self.errors.join("; ")),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// Every cluster, how many objects it has, and what changes in them.
    pub(super) fn render(&self, changes: &Changes) -> String {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for place in self.found.keys() {
            let count = counts.entry(&place.0).or_default();
            count.0 += 1;
            count.1 += usize::from(!changes.fields.contains_key(place));
        }
        let mut text = String::new();
        for (cluster, (all, same)) in counts {
            text.push_str(&format!("cluster {cluster}: {all} objects of KubeFed, {same} stay as they are\n"));
            let of_cluster = changes.fields.iter().filter(|(place, _)| place.0 == cluster);
            for ((_, GroupKind { kind, .. }, key), fields) in of_cluster {
                text.push_str(&format!("  {kind} {key}\n"));
                fields.iter().for_each(|field| text.push_str(&format!("      {field}\n")));
            }
        }
        changes.unknown.iter().for_each(|error| text.push_str(&format!("{error}\n")));
        text
    }

    /// Objects that were made again, or have another spec, than in `self`.
    pub(super) fn differences(&self, after: &Self) -> Vec<String> {
        let differs = |(place, before): (&Place, &Object)| {
            let (cluster, GroupKind { kind, .. }, key) = place;
            let what = match after.found.get(place) {
                None => "is not there any more",
                Some(now) if now.uid() != before.uid() => "was made again",
                // Not by generation: annotations give Deployments another one.
                Some(now) if manifest_changes(before, now).iter().any(is_beyond_metadata) => {
                    "has another spec"
                }
                Some(_) => return None,
            };
            Some(format!("cluster {cluster}: {kind} {key} {what}"))
        };
        self.found.iter().filter_map(differs).collect()
    }
}

impl Changes {
    /// Whether more than labels and annotations change, or it cannot be told what does.
    pub(super) fn is_harmful(&self) -> bool {
        !self.unknown.is_empty() || self.fields.values().flatten().any(is_beyond_metadata)
    }
}

fn is_beyond_metadata(field: &FieldChange) -> bool {
    !field.path.starts_with("metadata")
}

/// The key of the object in a member.
fn target_key(federated: &Object, of: &FederatedType) -> ObjectKey {
    match of.target.namespaced {
        true => federated.key(),
        false => ObjectKey::cluster(federated.name()),
    }
}

fn resource(of: &FederatedType) -> Resource {
    Resource::from(&of.target)
}

fn connect(host: &Host, cluster: &KubeFedCluster) -> Result<Client, String> {
    let address = address(&cluster.spec).map_err(|error| error.to_string())?;
    let key = ObjectKey::namespaced(SYSTEM_NAMESPACE, &*cluster.spec.secret_ref.name);
    let secret = host.secrets.iter().find(|secret| secret.key() == key);
    let token = secret.and_then(token).ok_or_else(|| format!("the Secret {key} of the host has no token"))?;
    let endpoint = Endpoint {
        url: address.url,
        ca_pem: address.ca_pem,
        credential: Credential::Token(token),
        insecure_skip_verify: address.insecure,
        is_tunnelled: false,
    };
    Client::connect(endpoint).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(name: &str) -> Place {
        let kind = GroupKind { group: "apps".to_owned(), kind: "Deployment".to_owned() };
        ("eu".to_owned(), kind, ObjectKey::namespaced("shop", name))
    }

    fn objects(all: &[(&str, &str, i64)]) -> Objects {
        let object = |(name, uid, replicas): &(&str, &str, i64)| {
            let object = json!({ "metadata": { "uid": uid }, "spec": { "replicas": replicas } });
            (place(name), Object(object))
        };
        Objects { found: all.iter().map(object).collect(), errors: Vec::new() }
    }

    #[test]
    fn what_was_made_again_or_changed_is_found() {
        let before = objects(&[("a", "1", 1), ("b", "2", 1), ("c", "3", 1), ("d", "4", 1)]);
        let after = objects(&[("a", "1", 1), ("b", "9", 1), ("c", "3", 2), ("new", "5", 1)]);
        let want = ["shop/b was made again", "shop/c has another spec", "shop/d is not there any more"];
        assert_eq!(before.differences(&after), want.map(|what| format!("cluster eu: Deployment {what}")));
    }

    #[test]
    fn labels_alone_do_no_harm() {
        let change = |path: &str| FieldChange { path: path.to_owned(), old: None, new: Some(json!(5)) };
        let changes =
            |path: &str| Changes { fields: [(place("a"), vec![change(path)])].into(), unknown: Vec::new() };
        assert!(!changes("metadata.labels.app").is_harmful());
        assert!(changes("spec.replicas").is_harmful());
        let text = objects(&[("a", "1", 1), ("b", "2", 1)]).render(&changes("spec.replicas"));
        let want = "cluster eu: 2 objects of KubeFed, 1 stay as they are\n  Deployment shop/a\n      spec.replicas: 5 (added)\n";
        assert_eq!(text, want);
    }
}
