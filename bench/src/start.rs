//! Scenario: from nothing to the first object in a member.
//!
//! Starts a federation, waits until it calls itself ready, and sends the first Deployment with its policy. The first
//! start's federation is handed on to the other scenarios.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use portolan_net::Shutdown;
use portolan_object::Object;
use portolan_runtime::client::{Delete, Selection};

use crate::arrivals::{Arrivals, Change};
use crate::federation::{Federation, Started};
use crate::figure::Figure;
use crate::objects;

const NAME: &str = "portolan-bench-first";
const NAMESPACE: &str = "default";

/// What a start took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// Until both members were ready.
    pub(crate) ready: Duration,
    /// Until member1 had its first object.
    pub(crate) propagated: Duration,
}

/// Starts a federation and propagates one object.
///
/// # Errors
/// When it does not start, or the object does not arrive.
pub(crate) async fn run(scratch: &Path, scope: &Shutdown) -> Result<(Federation, Start)> {
    let (federation, started) = Federation::start(scratch, scope).await?;
    match first_object(&federation, started).await {
        Ok(start) => Ok((federation, start)),
        Err(error) => {
            federation.stop().await;
            Err(error.context("the first object"))
        }
    }
}

async fn first_object(federation: &Federation, started: Started) -> Result<Start> {
    let (deployments, policies) = (objects::deployments(), objects::policies());
    let selection = Selection::namespace(NAMESPACE);
    let mut arrivals =
        Arrivals::open(&federation.member1, &deployments, &selection, &federation.scope).await?;
    let templates = federation.hub.resource::<Object>(&deployments);
    templates.create(&objects::deployment(NAMESPACE, NAME)).await.context("cannot create the template")?;
    let policy = objects::deployment_policy(NAMESPACE, NAME);
    federation.hub.resource::<Object>(&policies).create(&policy).await.context("cannot create the policy")?;
    let arrived = arrivals.first(|arrival| arrival.object.name() == NAME).await?;
    let start = Start { ready: started.ready, propagated: arrived.duration_since(started.at) };
    federation.hub.resource::<Object>(&policies).delete(&policy.key(), &Delete::default()).await?;
    templates.delete(&policy.key(), &Delete::background()).await?;
    arrivals.first(|arrival| arrival.change == Change::Deleted && arrival.object.name() == NAME).await?;
    Ok(start)
}

/// The figures of several starts.
pub(crate) fn figures(starts: &[Start]) -> Vec<Figure> {
    let ready: Vec<_> = starts.iter().map(|start| start.ready).collect();
    let propagated: Vec<_> = starts.iter().map(|start| start.propagated).collect();
    vec![
        Figure::times("start -> both members ready", &ready).karmada(17_500.0),
        Figure::times("start -> first propagated object in member1", &propagated)
            .target(1000.0)
            .karmada(19_500.0),
    ]
}
