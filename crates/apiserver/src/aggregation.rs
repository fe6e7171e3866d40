//! The background task that writes the rules of aggregated cluster roles into the stored roles.
//!
//! Authorization does not depend on it: [`Access`](crate::access) resolves aggregation itself. It is for clients that
//! read roles. Upstream: kubernetes pkg/controller/clusterroleaggregation.

use std::sync::Arc;

use portolan_store::{Batch, CommitError, Query, Revision};
use serde_json::Value;

use crate::auth::rules;
use crate::record::Change;
use crate::server::Server;

/// Key prefix of cluster roles.
const PREFIX: &str = "rbac.authorization.k8s.io/clusterroles/";

/// Writes aggregated rules after each change of a cluster role, until the server stops.
pub(crate) async fn run(server: Arc<Server>) {
    let stopping = server.stopping.clone();
    let mut seen = Revision::default();
    while let Some(changed) = stopping.run_until_cancelled(next_change(&server, seen)).await {
        seen = changed;
        write(&server).await;
    }
}

/// Waits for a change after a revision. If that revision was compacted, returns at once: there were changes.
async fn next_change(server: &Server, seen: Revision) -> Revision {
    let Ok(mut watch) = server.store.watch(PREFIX, seen) else { return server.store.revision() };
    while let Ok(event) = watch.next().await {
        if watch.try_next().is_ok_and(|more| more.is_none()) {
            return event.revision.max(watch.seen());
        }
    }
    server.store.revision()
}

/// Writes the aggregated rules that differ from the stored ones.
async fn write(server: &Server) {
    let snapshot = server.registry.snapshot();
    let Some(resource) = snapshot.find("rbac.authorization.k8s.io", "v1", "clusterroles") else { return };
    let page = match server.store.range(&Query::prefix(PREFIX)) {
        Ok(page) => page,
        Err(error) => {
            tracing::error!(%error, "cluster roles cannot be read; aggregated rules wait for the next change");
            return;
        }
    };
    let roles: Vec<Value> = page.items.iter().map(|item| item.value.value()).collect();
    for (role, gathered) in rules::aggregated(&roles) {
        let name = role["metadata"]["name"].as_str().unwrap_or_default();
        let key = resource.key("", name);
        let Some(item) = page.items.iter().find(|item| *item.key == *key) else { continue };
        let mut complete = role.clone();
        complete["rules"] = gathered;
        let record = resource.encode(Change::Modified, &complete);
        match server.store.commit(Batch::update(key, item.modified, record)).await {
            // The other write is a change, so this runs again.
            Ok(_) | Err(CommitError::Conflict { .. }) => {}
            Err(error) => tracing::error!(%error, name, "the rules of a cluster role cannot be written"),
        }
    }
}
