//! Scenario B1 at scale: endpoints of a cluster set with many members and services change at a steady rate.
//!
//! From the moment that the exporting member has acknowledged a change to the event of a watch in every other member.
//! Members are API servers in this process, over memory: nothing is kept on disk, for what is measured is the way
//! between clusters. Changes go round all services.

mod members;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use portolan_net::Shutdown;
use portolan_object::Object;
use portolan_runtime::client::Patch;
use portolan_runtime::{Api, Cache};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::arguments::ClusterSet;
use crate::figure::Figure;
use crate::machine::Machine;
use crate::objects;
use crate::report::Report;
use members::Federation;

const ARRANGEMENT: &str = "Control plane, members and the measuring side share one process, without sockets and without a disk; the first \
                           member exports, all others are measured. Times are from the acknowledged change to the event.";
/// Time for the federation to come to rest before it is measured.
const IDLE_TIME: Duration = Duration::from_secs(5);
/// Longest wait for what is under way at the end of a rate.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Time until all members are ready, in milliseconds.
const READY_TARGET: f64 = 10_000.0;

/// One change on its way.
struct Flight {
    acknowledged: Option<Instant>,
    arrivals: Vec<Instant>,
}

/// Changes by the number that their address carries.
type Flights = Arc<Mutex<HashMap<u32, Flight>>>;

/// Measures and prints.
pub(crate) async fn run(arguments: &ClusterSet, scope: &Shutdown) -> Result<Report> {
    let mut report = Report::new(Machine::describe(&std::env::temp_dir()), ARRANGEMENT);
    for members in &arguments.members {
        eprintln!("{members} members, {} services", arguments.services);
        let outcome = measure(arguments, *members, scope).await;
        report.add(&format!("{members} members"), outcome);
    }
    Ok(report)
}

async fn measure(arguments: &ClusterSet, members: usize, scope: &Shutdown) -> Result<Vec<Figure>> {
    let scope = scope.child();
    let started = Instant::now();
    let federation = Federation::start(members, &scope).await?;
    let services = federation.export(arguments.services).await.context("cannot export the services")?;
    eprintln!("  every service is imported everywhere after {:.1?}", started.elapsed());
    let flights: Flights = Arc::default();
    let caches = watch(&federation, &flights, &scope);
    for cache in &caches {
        cache.synced().await;
    }
    tokio::time::sleep(IDLE_TIME).await;
    let source = federation.exporter().resource::<Object>(&objects::endpoint_slices());
    let mut number = 0;
    let joined = Figure::times(format!("{members} members joined -> all ready"), &[federation.ready()]);
    let mut figures = vec![joined.target(READY_TARGET)];
    for rate in &arguments.rates {
        let load = Load { rate: *rate, seconds: arguments.seconds, first: number };
        let [each, last] = at_rate(&source, &services, &flights, members - 1, load).await?;
        number += load.changes();
        let name = |what: &str| {
            format!("{what}; {members} members, {} services, {rate} changes/s", arguments.services)
        };
        figures.push(Figure::times(name("B1: endpoint changed -> slice in each other member"), &each));
        figures.push(Figure::times(name("B1: endpoint changed -> slice in the last member"), &last));
    }
    scope.request();
    Ok(figures)
}

/// Follows the slices of every member but the exporter.
fn watch(federation: &Federation, flights: &Flights, scope: &Shutdown) -> Vec<Cache<Object>> {
    let importers = federation.importers();
    let follow = importers.map(|client| {
        let cache = Cache::of_objects(client, objects::endpoint_slices()).start(scope);
        let flights = flights.clone();
        cache.observe(move |change| {
            let now = Instant::now();
            let Some(number) = change.new.as_deref().and_then(number_of) else { return };
            if let Some(flight) = flights.lock().get_mut(&number) {
                flight.arrivals.push(now);
            }
        });
        cache
    });
    follow.collect()
}

/// How much changes, and after which number.
#[derive(Debug, Clone, Copy)]
struct Load {
    rate: u32,
    seconds: u32,
    first: u32,
}

impl Load {
    fn changes(self) -> u32 {
        self.rate * self.seconds
    }
}

/// Changes one slice after the other for some seconds; the times of each arrival, and of the last of each change.
async fn at_rate(
    source: &Api<Object>,
    services: &[Object],
    flights: &Flights,
    consumers: usize,
    load: Load,
) -> Result<[Vec<Duration>; 2]> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / load.rate);
    // Late changes are made up for, as a busy cluster would.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut number = load.first;
    for index in 0..load.changes() {
        ticks.tick().await;
        number += 1;
        let slice = &services[index as usize % services.len()];
        flights.lock().insert(number, Flight { acknowledged: None, arrivals: Vec::new() });
        let patch = Patch::Merge(json!({ "endpoints": objects::endpoints(&address(number), true) }));
        source.patch(&slice.key(), &patch).await.context("cannot change an endpoint")?;
        if let Some(flight) = flights.lock().get_mut(&number) {
            flight.acknowledged = Some(Instant::now());
        }
    }
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    // A later change of the same service may overtake an earlier one; the last of each service always arrives.
    let newest = load.first.max(number.saturating_sub(u32::try_from(services.len()).unwrap_or(u32::MAX)));
    loop {
        let missing = {
            let flights = flights.lock();
            (newest + 1..=number)
                .filter(|number| flights.get(number).is_none_or(|flight| flight.arrivals.len() < consumers))
                .count()
        };
        if missing == 0 {
            break;
        }
        if Instant::now() > deadline {
            bail!("{missing} changes did not arrive everywhere within {DRAIN_TIMEOUT:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut flights = flights.lock();
    let (mut each, mut last) = (Vec::new(), Vec::new());
    for (_, flight) in flights.drain() {
        let Some(acknowledged) = flight.acknowledged else { continue };
        // An event may be seen before the answer to the write that caused it.
        each.extend(flight.arrivals.iter().map(|at| at.saturating_duration_since(acknowledged)));
        if flight.arrivals.len() >= consumers {
            let latest = flight.arrivals.iter().max();
            last.extend(latest.map(|at| at.saturating_duration_since(acknowledged)));
        }
    }
    Ok([each, last])
}

/// The address that stands for a change; out of the benchmarking range (RFC 2544).
fn address(number: u32) -> String {
    let [_, second, third, fourth] = number.to_be_bytes();
    format!("198.{}.{third}.{fourth}", 18 + u32::from(second) % 2)
}

fn number_of(slice: &Object) -> Option<u32> {
    let address = slice.at(&["endpoints"]).and_then(Value::as_array)?.first()?["addresses"][0].as_str()?;
    let parts: Vec<u32> = address.split('.').filter_map(|part| part.parse().ok()).collect();
    match parts[..] {
        [198, second @ (18 | 19), third, fourth] => Some(((second - 18) << 16) | (third << 8) | fourth),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_carry_their_number() {
        for number in [0, 1, 255, 256, 65_535, 65_536, 131_071] {
            let slice = Object(json!({ "endpoints": objects::endpoints(&address(number), true) }));
            assert_eq!(number_of(&slice), Some(number));
        }
    }
}
