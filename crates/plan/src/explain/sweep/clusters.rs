//! Clusters that get nothing.

use portolan_api::conditions::cluster::{DELETIONS_HELD, READY};
use portolan_api::meta::{Condition, condition};
use portolan_api::names;

use super::{Federation, Groups};
use crate::explain::step::Verdict;

/// Adds a trouble for each cluster that is not ready.
pub(super) fn clusters(federation: &Federation, groups: &mut Groups) {
    let clusters = match &federation.clusters {
        Ok(clusters) => clusters,
        Err(error) => return groups.unread("the clusters", error),
    };
    for cluster in clusters {
        let name = &cluster.metadata.name;
        let object = Some(format!("Cluster {name}"));
        let held = condition(&cluster.status.conditions, DELETIONS_HELD).filter(|held| held.is_true());
        if let Some(held) = held {
            let cause = format!("deletions are held in {name}: {}", held.message);
            let cure = format!("portolan release {name}, if they are to be deleted");
            groups.add(Verdict::Broken, cause, object.clone(), Some(&held.last_transition_time), cure);
        }
        let ready = condition(&cluster.status.conditions, READY);
        if ready.is_some_and(Condition::is_true) {
            continue;
        }
        let waiting = waiting(federation, name);
        let (reason, since) = match ready {
            Some(ready) => {
                (format!("{}: {}", ready.reason, ready.message), Some(&*ready.last_transition_time))
            }
            None => ("the control plane has not heard from it yet".to_owned(), None),
        };
        let cause = format!("cluster {name} is not ready: {reason}{waiting}");
        groups.add(Verdict::Broken, cause, object, since, format!("kubectl describe cluster {name}"));
    }
}

/// The number of Works of a cluster, for which it would be the target.
fn waiting(federation: &Federation, cluster: &str) -> String {
    let namespace = names::execution_namespace(cluster);
    let works = federation.works.as_deref().unwrap_or_default();
    match works.iter().filter(|work| work.metadata.namespace == namespace).count() {
        0 => String::new(),
        1 => "; 1 object depends on it".to_owned(),
        count => format!("; {count} objects depend on it"),
    }
}
