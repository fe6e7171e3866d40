//! Scenario B1: an endpoint changes in the exporting member, and the derived slice in the importing one follows.
//!
//! From just before the PATCH in member1 to the event of a watch in member2. Needs the walkthrough's export and
//! import of `serve`; the slice that changes is made by hand, so that no pod has to be moved.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use portolan_object::Object;
use portolan_runtime::Api;
use portolan_runtime::client::{Delete, Patch, Selection};
use serde_json::json;

use crate::arrivals::Arrivals;
use crate::federation::Federation;
use crate::figure::Figure;
use crate::objects;
use crate::walkthrough::DERIVED;

const SLICE_NAME: &str = "serve-portolan-bench";
/// Time for the network rules of member2 to follow before the next change: an idle system is measured.
const PAUSE: Duration = Duration::from_millis(20);

/// Measures `repeats` changes of the address, and as many of the readiness.
///
/// # Errors
/// When a change is refused or does not arrive.
pub(crate) async fn run(federation: &Federation, repeats: u32) -> Result<Vec<Figure>> {
    let slices = objects::endpoint_slices();
    let selection = Selection { namespace: "default".to_owned(), ..Selection::labels(DERIVED) };
    let arrivals = Arrivals::open(&federation.member2, &slices, &selection, &federation.scope).await?;
    let source = federation.member1.resource::<Object>(&slices);
    let slice = objects::slice(SLICE_NAME, &address(0));
    source.create(&slice).await.context("cannot create a slice in member1")?;
    // A task like those of the program, so that no change begins with a switch of threads.
    let measured = tokio::spawn(changes(source.clone(), slice.clone(), arrivals, repeats)).await;
    source.delete(&slice.key(), &Delete::default()).await?;
    let [addresses, readiness] = measured.context("the measuring task panicked")??;
    Ok(vec![
        Figure::times("B1: address changed in member1 -> derived slice changed in member2", &addresses)
            .target(4.0)
            .karmada(45.8),
        Figure::times("B1: readiness changed in member1 -> derived slice changed in member2", &readiness)
            .target(4.0)
            .karmada(42.1),
    ])
}

async fn changes(
    source: Api<Object>,
    slice: Object,
    mut arrivals: Arrivals,
    repeats: u32,
) -> Result<[Vec<Duration>; 2]> {
    let first = address(0);
    arrivals.first(|arrival| objects::holds(&arrival.object, &first, true)).await.context("the new slice")?;
    let (mut addresses, mut readiness) = (Vec::new(), Vec::new());
    for index in 1..=repeats {
        addresses.push(change(&source, &slice, &mut arrivals, &address(index), true).await?);
    }
    let last = address(repeats);
    for index in 0..repeats {
        readiness.push(change(&source, &slice, &mut arrivals, &last, index % 2 == 1).await?);
    }
    Ok([addresses, readiness])
}

async fn change(
    source: &Api<Object>,
    slice: &Object,
    arrivals: &mut Arrivals,
    address: &str,
    is_ready: bool,
) -> Result<Duration> {
    tokio::time::sleep(PAUSE).await;
    let patch = Patch::Merge(json!({ "endpoints": objects::endpoints(address, is_ready) }));
    let start = Instant::now();
    source.patch(&slice.key(), &patch).await.context("cannot patch the slice in member1")?;
    let at = arrivals.first(|arrival| objects::holds(&arrival.object, address, is_ready)).await?;
    Ok(at.duration_since(start))
}

/// Addresses of the range for documentation, RFC 5737; neighbours differ.
fn address(index: u32) -> String {
    format!("198.51.100.{}", index % 254 + 1)
}
