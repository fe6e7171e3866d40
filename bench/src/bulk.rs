//! Scenario B3, small: many ConfigMaps are there already, then one policy sends all of them to both members.
//!
//! From just before the POST of the ClusterPropagationPolicy to the last ADDED event in both members; a list of each
//! member has to agree afterwards. Then the templates are deleted and the members have to become empty again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use portolan_object::Object;
use portolan_runtime::client::{Client, Delete, Selection};

use crate::arrivals::{ARRIVAL_TIMEOUT, Arrivals, Change};
use crate::federation::Federation;
use crate::figure::Figure;
use crate::objects;

/// Requests under way at once while the templates are made and removed.
const CONCURRENCY: usize = 16;
/// Time for the control plane to come to rest after the templates are made.
const PAUSE: Duration = Duration::from_millis(500);

/// What one round took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    created: Duration,
    propagated: Duration,
}

/// Propagates `count` ConfigMaps and leaves them there.
///
/// # Errors
/// When one does not arrive in both members.
pub(crate) async fn propagate(federation: &Federation, round: u32, count: u32) -> Result<Round> {
    let label = format!("round-{round}");
    let mut watches = watch_both(federation, &label).await?;
    let templates = federation.hub.resource::<Object>(&objects::config_maps());
    let start = Instant::now();
    let all = stream::iter((0..count).map(|index| objects::config_map(&label, index)));
    let create = |object: Object| {
        let templates = &templates;
        async move { templates.create(&object).await.map(drop) }
    };
    all.map(create)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await
        .context("cannot create templates")?;
    let created = start.elapsed();
    tokio::time::sleep(PAUSE).await;

    let start = Instant::now();
    let policies = federation.hub.resource::<Object>(&objects::cluster_policies());
    policies.create(&objects::config_map_policy(&label)).await.context("cannot create the policy")?;
    let arrived = both(&mut watches, Change::Added, count).await?;
    for (member, client) in members(federation) {
        let found = client.resource::<Object>(&objects::config_maps()).list(&selection(&label)).await?;
        let found = found.items.len();
        ensure!(found == count as usize, "{member} lists {found} of {count} ConfigMaps");
    }
    Ok(Round { created, propagated: arrived.duration_since(start) })
}

/// Deletes the templates of a round and waits until both members are without them.
///
/// # Errors
/// When one stays.
pub(crate) async fn withdraw(federation: &Federation, round: u32, count: u32) -> Result<Duration> {
    let label = format!("round-{round}");
    let mut watches = watch_both(federation, &label).await?;
    let templates = federation.hub.resource::<Object>(&objects::config_maps());
    let start = Instant::now();
    let keys = stream::iter((0..count).map(|index| objects::config_map(&label, index).key()));
    let delete = |key| {
        let templates = &templates;
        async move { templates.delete(&key, &Delete::background()).await }
    };
    keys.map(delete)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await
        .context("cannot delete templates")?;
    let gone = both(&mut watches, Change::Deleted, count).await?;
    let policies = federation.hub.resource::<Object>(&objects::cluster_policies());
    policies.delete(&objects::config_map_policy(&label).key(), &Delete::default()).await?;
    Ok(gone.duration_since(start))
}

/// The figures of several rounds of `count` ConfigMaps.
pub(crate) fn figures(count: u32, rounds: &[Round], withdrawals: &[Duration]) -> Vec<Figure> {
    let created: Vec<_> = rounds.iter().map(|round| round.created).collect();
    let propagated: Vec<_> = rounds.iter().map(|round| round.propagated).collect();
    let name = format!("bulk: policy for {count} ConfigMaps sent -> the last is in both members");
    let mut propagated = Figure::times(name, &propagated);
    if count == 1000 {
        propagated = propagated.target(3000.0).karmada(100_800.0);
    }
    vec![
        Figure::times(
            format!("bulk: {count} ConfigMaps created in the control plane, {CONCURRENCY} at once"),
            &created,
        ),
        propagated,
        Figure::times(
            format!("bulk: {count} ConfigMaps deleted in the control plane -> gone from both members"),
            withdrawals,
        ),
    ]
}

fn members(federation: &Federation) -> [(&'static str, &Client); 2] {
    [("member1", &federation.member1), ("member2", &federation.member2)]
}

fn selection(label: &str) -> Selection {
    let labels = Selection::labels(format!("{}={label}", objects::LABEL));
    Selection { namespace: objects::NAMESPACE.to_owned(), ..labels }
}

async fn watch_both(federation: &Federation, label: &str) -> Result<Vec<(&'static str, Arrivals)>> {
    let mut watches = Vec::new();
    for (member, client) in members(federation) {
        let watch =
            Arrivals::open(client, &objects::config_maps(), &selection(label), &federation.scope).await?;
        watches.push((member, watch));
    }
    Ok(watches)
}

/// When the last of `count` objects changed so, in the member that was last.
async fn both(watches: &mut [(&'static str, Arrivals)], change: Change, count: u32) -> Result<Instant> {
    let mut last = None;
    for (member, watch) in watches {
        let arrived = all_changed(watch, change, count).await;
        last = last.max(Some(arrived.with_context(|| (*member).to_owned())?));
    }
    last.context("there is no member")
}

async fn all_changed(watch: &mut Arrivals, change: Change, count: u32) -> Result<Instant> {
    let mut seen = BTreeSet::new();
    let search = async {
        loop {
            let arrival = watch.next().await?;
            if arrival.change == change {
                seen.insert(arrival.object.key());
            }
            if seen.len() == count as usize {
                return anyhow::Ok(arrival.at);
            }
        }
    };
    let outcome = tokio::time::timeout(ARRIVAL_TIMEOUT, search).await;
    match outcome {
        Ok(last) => last,
        Err(_) => bail!("{} of {count} ConfigMaps: {change:?} within {ARRIVAL_TIMEOUT:?}", seen.len()),
    }
}
