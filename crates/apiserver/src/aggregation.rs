//! The background task that keeps the rules of aggregated cluster roles written into them.
//!
//! Decisions do not depend on it: [`Access`](crate::access) gathers rules itself. It is for those who read roles.

use std::sync::Arc;

use portolan_store::{Batch, CommitError, Query, Revision};
use serde_json::Value;

use crate::auth::rules;
use crate::record::Change;
use crate::service::Server;

/// Keys of cluster roles start with this.
const PREFIX: &str = "rbac.authorization.k8s.io/clusterroles/";

/// Follows cluster roles until the server stops.
pub(crate) async fn run(server: Arc<Server>) {
    let stopping = server.stopping.clone();
    let mut seen = Revision::default();
    while let Some(changed) = stopping.run_until_cancelled(next_change(&server, seen)).await {
        seen = changed;
        write(&server).await;
    }
}

/// Waits for a change after a revision; falling behind counts as one.
async fn next_change(server: &Server, seen: Revision) -> Revision {
    let Ok(mut watch) = server.store.watch(PREFIX, seen) else { return server.store.revision() };
    while let Ok(event) = watch.next().await {
        if watch.try_next().is_ok_and(|more| more.is_none()) {
            return event.revision.max(watch.seen());
        }
    }
    server.store.revision()
}

/// Writes the rules that are not written yet.
async fn write(server: &Server) {
    let snapshot = server.registry.snapshot();
    let Some(resource) = snapshot.find("rbac.authorization.k8s.io", "v1", "clusterroles") else { return };
    let Ok(page) = server.store.range(&Query::prefix(PREFIX)) else { return };
    let roles: Vec<Value> = page.items.iter().map(|item| item.value.value()).collect();
    for (role, gathered) in rules::aggregated(&roles) {
        let name = role["metadata"]["name"].as_str().unwrap_or_default();
        let key = resource.key("", name);
        let Some(item) = page.items.iter().find(|item| *item.key == *key) else { continue };
        let mut complete = role.clone();
        complete["rules"] = gathered;
        let record = resource.encode(Change::Modified, &complete);
        match server.store.commit(Batch::update(key, item.modified, record)).await {
            // A lost race leads back here.
            Ok(_) | Err(CommitError::Conflict { .. }) => {}
            Err(error) => tracing::error!(%error, name, "the rules of a cluster role cannot be written"),
        }
    }
}
