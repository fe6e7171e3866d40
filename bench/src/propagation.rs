//! Scenario B2: a policy is applied to a template that is there already, and the object appears in the member.
//!
//! From just before the POST of the PropagationPolicy to the ADDED event of a watch in member1, with a new
//! Deployment each time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use portolan_object::Object;
use portolan_runtime::Api;
use portolan_runtime::client::{Delete, Selection};

use crate::arrivals::{Arrivals, Change};
use crate::federation::Federation;
use crate::figure::Figure;
use crate::objects;

/// Time for status to come back and for the pod to start before the next one: an idle system is measured.
const PAUSE: Duration = Duration::from_millis(100);

/// Measures `repeats` policies; what they made is removed again.
///
/// # Errors
/// When a policy is refused or an object does not arrive.
pub(crate) async fn run(federation: &Federation, repeats: u32) -> Result<Vec<Figure>> {
    let (deployments, policies) = (objects::deployments(), objects::policies());
    let names: Vec<String> = (0..repeats).map(|index| format!("policy-{index}")).collect();
    let templates = federation.hub.resource::<Object>(&deployments);
    for name in &names {
        let template = objects::deployment(objects::NAMESPACE, name);
        templates.create(&template).await.with_context(|| format!("cannot create the template {name}"))?;
    }
    let selection = Selection::namespace(objects::NAMESPACE);
    let arrivals = Arrivals::open(&federation.member1, &deployments, &selection, &federation.scope).await?;
    let api = federation.hub.resource::<Object>(&policies);
    // A task like those of the program, so that no policy begins with a switch of threads.
    let measured = tokio::spawn(apply(api.clone(), names.clone(), arrivals)).await;
    let (arrived, answered, mut arrivals) = measured.context("the measuring task panicked")??;
    for name in &names {
        let policy = objects::deployment_policy(objects::NAMESPACE, name);
        api.delete(&policy.key(), &Delete::default()).await?;
        templates.delete(&policy.key(), &Delete::background()).await?;
    }
    let mut left = names.len();
    while left > 0 {
        arrivals.first(|arrival| arrival.change == Change::Deleted).await.context("withdrawal")?;
        left -= 1;
    }
    Ok(vec![
        Figure::times("B2: policy sent -> Deployment added in member1", &arrived).target(9.0).karmada(92.7),
        Figure::times("B2: of that, until the POST is answered", &answered).karmada(8.4),
    ])
}

/// Applies the policies one by one. Returns the time until arrival and until the response of each.
async fn apply(
    policies: Api<Object>,
    names: Vec<String>,
    mut arrivals: Arrivals,
) -> Result<(Vec<Duration>, Vec<Duration>, Arrivals)> {
    let (mut arrived, mut answered) = (Vec::new(), Vec::new());
    for name in &names {
        tokio::time::sleep(PAUSE).await;
        let policy = objects::deployment_policy(objects::NAMESPACE, name);
        let start = Instant::now();
        policies.create(&policy).await.with_context(|| format!("cannot create the policy {name}"))?;
        answered.push(start.elapsed());
        let is_it = |change, object: &Object| change == Change::Added && object.name() == name;
        let at = arrivals.first(|arrival| is_it(arrival.change, &arrival.object)).await;
        arrived.push(at.with_context(|| format!("policy {name}"))?.duration_since(start));
    }
    Ok((arrived, answered, arrivals))
}
