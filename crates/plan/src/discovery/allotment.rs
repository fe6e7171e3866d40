//! Allotment: which endpoints of a service get traffic in one cluster, from the routing and the number of endpoints.
//!
//! 1. Exporters outside the boundary have no endpoints here at all.
//! 2. Exporters that are withdrawn or drained are left out while another one inside has a ready endpoint. When all would go, the
//!    drained ones stay in use, and if there is none either, the withdrawn ones.
//! 3. Tiers are used in order, until one has as many ready endpoints as the policy asks for. The rest is on standby.
//! 4. Weights choose a part of the endpoints of each exporter, because proxies give every ready endpoint the same share.
//! 5. Of an exporter that comes into use or is drained, a share is used that changes step by step; see `super::transition`.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubernetes::{EndpointSlice, View};
use portolan_api::traffic::HttpProbe;
use portolan_api::{labels, names};
use portolan_object::Object;

use super::http_probe;
use super::routing::Routing;
use super::slices::is_exportable;
use super::transition::on_its_way;
use super::usage::{Allotment, Usage, ready_at_source, set_usage};

/// Numbers of endpoints that are tried from the largest on, to come near to the weights.
const MAX_TRIED: usize = 64;

/// Endpoints of one exporter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Supply {
    /// Ready in their own cluster.
    pub ready: usize,
    /// All that are not terminating.
    pub total: usize,
}

/// The endpoints of each source: those of its exported slices, and for sources that cannot be read those that were imported last.
/// A slice among `imported` of a source in `exported` does not count.
pub fn supply<'a>(
    exported: impl IntoIterator<Item = (&'a str, &'a [&'a Object])>,
    imported: impl IntoIterator<Item = &'a Object>,
) -> BTreeMap<String, Supply> {
    let mut supply: BTreeMap<String, Supply> = BTreeMap::new();
    for (source, slices) in exported {
        let found = supply.entry(source.to_owned()).or_default();
        slices.iter().filter(|slice| is_exportable(slice)).for_each(|slice| found.add(slice));
    }
    let read: BTreeSet<String> = supply.keys().cloned().collect();
    for slice in imported.into_iter().filter(|slice| !read.contains(source_of(slice))) {
        supply.entry(source_of(slice).to_owned()).or_default().add(slice);
    }
    supply
}

impl Supply {
    /// Adds the endpoints of a slice.
    pub fn add(&mut self, slice: &Object) {
        let Ok(view) = EndpointSlice::read(slice) else { return };
        // Endpoints that are left out count as terminating, and are ready in their own cluster.
        let is_left_out = Usage::of_slice(slice) != Usage::Keep;
        let counts = view.endpoints.iter().filter(|endpoint| {
            let conditions = &endpoint.conditions;
            conditions.terminating != Some(true) || is_left_out && conditions.serving == Some(true)
        });
        self.ready += ready_at_source(slice);
        self.total += counts.count();
    }
}

/// What is done with the endpoints of each source inside the boundary. `fixed` is the source with endpoints that get traffic in
/// any case: those of the cluster itself, for a service under its own name.
pub fn allot(
    supply: &BTreeMap<String, Supply>,
    routing: &Routing,
    fixed: Option<&str>,
) -> BTreeMap<String, Allotment> {
    let is_fixed = |source: &str| fixed == Some(source);
    let inside: BTreeMap<&str, Supply> = supply
        .iter()
        .filter(|(source, _)| is_fixed(source) || !routing.is_outside(source))
        .map(|(source, supply)| (source.as_str(), *supply))
        .collect();
    let left_out = left_out(&inside, routing, fixed);
    let mut allotted: BTreeMap<String, Allotment> = BTreeMap::new();
    let used = used_tiers(&inside, routing, &left_out);
    for (source, supply) in &inside {
        let usage = match left_out.get(*source) {
            Some(usage) => *usage,
            None if is_fixed(source) || used.contains(*source) => Usage::Keep,
            None => Usage::Standby,
        };
        allotted.insert((*source).to_owned(), Allotment::new(usage, supply.ready));
    }
    if !routing.weights.is_empty() {
        weigh(&mut allotted, routing, fixed);
    }
    for (source, percent) in routing.moving.iter().filter(|(source, _)| !is_fixed(source)) {
        if let Some(allotment) = allotted.get_mut(source) {
            *allotment = on_its_way(*allotment, *percent);
        }
    }
    allotted
}

/// Sources that are drained or withdrawn, without those that stay in use because no better one has a ready endpoint.
fn left_out<'a>(
    inside: &BTreeMap<&'a str, Supply>,
    routing: &Routing,
    fixed: Option<&str>,
) -> BTreeMap<&'a str, Usage> {
    let wanted = |source: &str| match routing.not_used.get(source) {
        Some(not_used) if fixed != Some(source) => not_used.usage,
        _ => Usage::Keep,
    };
    let ready = inside.iter().filter(|(_, supply)| supply.ready > 0);
    let Some(best) = ready.map(|(source, _)| wanted(source)).min() else { return BTreeMap::new() };
    let sources = inside.keys().map(|source| (*source, wanted(source)));
    sources.filter(|(_, usage)| *usage > best).collect()
}

/// The sources in the tiers that are used: up to the first one with enough ready endpoints.
fn used_tiers<'a>(
    inside: &BTreeMap<&'a str, Supply>,
    routing: &Routing,
    left_out: &BTreeMap<&str, Usage>,
) -> BTreeSet<&'a str> {
    let mut tiers: BTreeMap<usize, Vec<&'a str>> = BTreeMap::new();
    for source in inside.keys().copied() {
        tiers.entry(routing.tier(source)).or_default().push(source);
    }
    let mut used = BTreeSet::new();
    for sources in tiers.into_values() {
        let supply = |source: &&str| inside.get(*source).copied().unwrap_or_default();
        let total: usize = sources.iter().map(|source| supply(source).total).sum();
        let kept: Vec<&str> = sources.into_iter().filter(|source| !left_out.contains_key(*source)).collect();
        let ready: usize = kept.iter().map(|source| supply(source).ready).sum();
        used.extend(kept);
        if ready > 0 && ready * 100 >= routing.minimum_ready_percent * total {
            break;
        }
    }
    used
}

/// Chooses parts of the endpoints of the sources in use, so that their numbers are as the weights.
fn weigh(allotted: &mut BTreeMap<String, Allotment>, routing: &Routing, fixed: Option<&str>) {
    let is_used =
        |(_, allotment): &(&String, &Allotment)| allotment.usage == Usage::Keep && allotment.ready > 0;
    let used: Vec<(String, usize, usize)> = allotted
        .iter()
        .filter(is_used)
        .map(|(source, allotment)| (source.clone(), weight(routing, source), allotment.ready))
        .collect();
    if used.iter().all(|(_, weight, _)| *weight == 0) {
        return;
    }
    let weighted: Vec<(usize, usize)> = used
        .iter()
        .filter(|(_, weight, _)| *weight > 0)
        .map(|(_, weight, ready)| (*weight, *ready))
        .collect();
    let fixed = used.iter().find(|(source, weight, _)| fixed == Some(source.as_str()) && *weight > 0);
    let unit = unit(&weighted, fixed.map(|(_, weight, ready)| (*weight, *ready)));
    let fixed = fixed.map(|(source, ..)| source.clone());
    for (source, weight, ready) in used {
        let Some(allotment) = allotted.get_mut(&source) else { continue };
        if fixed.as_ref() == Some(&source) {
            continue;
        }
        let part = if weight == 0 { 0 } else { part(unit, weight, ready) };
        match part {
            0 => allotment.usage = Usage::Standby,
            part if part < ready => (allotment.usage, allotment.part) = (Usage::Part, part),
            _ => {}
        }
    }
}

fn weight(routing: &Routing, source: &str) -> usize {
    usize::try_from(routing.weight(source)).unwrap_or(usize::MAX)
}

/// Endpoints of a source with `weight`, when `unit.0` endpoints are used of a source with weight `unit.1`. At least one.
fn part((count, of): (usize, usize), weight: usize, ready: usize) -> usize {
    // Rounded to the nearest.
    let part = (2 * count * weight + of) / (2 * of.max(1));
    part.clamp(1, ready)
}

/// The number of endpoints of one source, with its weight, to which the others are best fitted: the fewest mistakes, and among
/// equally good ones the most endpoints.
fn unit(weighted: &[(usize, usize)], fixed: Option<(usize, usize)>) -> (usize, usize) {
    if let Some((weight, ready)) = fixed {
        return (ready, weight);
    }
    // The source that has the fewest endpoints for its weight limits all others.
    let scarcest = weighted.iter().min_by(|one, other| (one.1 * other.0).cmp(&(other.1 * one.0)));
    let Some(&(weight, ready)) = scarcest else { return (1, 1) };
    let tried = (ready.saturating_sub(MAX_TRIED) + 1..=ready).rev();
    tried.map(|count| (count, weight)).min_by_key(|unit| error(weighted, *unit)).unwrap_or((1, 1))
}

/// The largest difference between the share of a source and its weight, in millionths.
fn error(weighted: &[(usize, usize)], unit: (usize, usize)) -> usize {
    let parts: Vec<usize> = weighted.iter().map(|(weight, ready)| part(unit, *weight, *ready)).collect();
    let (all, weights): (usize, usize) =
        (parts.iter().sum(), weighted.iter().map(|(weight, _)| weight).sum());
    let difference = |((weight, _), part): (&(usize, usize), &usize)| {
        let (got, wanted) = (part * 1_000_000 / all.max(1), weight * 1_000_000 / weights.max(1));
        got.abs_diff(wanted)
    };
    weighted.iter().zip(&parts).map(difference).max().unwrap_or_default()
}

/// Writes into imported slices how they are used and probed. Which endpoints are a part depends on their addresses only, so that it stays while
/// others come and go.
pub fn set_usages<'a>(
    slices: impl IntoIterator<Item = &'a mut Object>,
    allotted: &BTreeMap<String, Allotment>,
    probe: Option<&HttpProbe>,
) {
    let mut slices: Vec<&mut Object> = slices.into_iter().collect();
    let mut chosen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (source, allotment) in allotted.iter().filter(|(_, allotment)| allotment.usage == Usage::Part) {
        let of_source = slices.iter().map(|slice| &**slice).filter(|slice| source_of(slice) == source);
        chosen.insert(source.clone(), choose(of_source, allotment));
    }
    let none = BTreeSet::new();
    for slice in &mut slices {
        let source = source_of(slice);
        let usage = allotted.get(source).copied().unwrap_or_default().usage;
        let chosen = chosen.get(source).unwrap_or(&none);
        set_usage(slice, usage, |address| chosen.contains(address));
        http_probe::set(slice, probe);
    }
}

/// Those of the last known slices that are to be used or probed in another way than they are.
pub fn changed_usages(
    last_known: &[&Object],
    allotted: &BTreeMap<String, Allotment>,
    probe: Option<&HttpProbe>,
) -> Vec<Object> {
    let mut slices: Vec<Object> = last_known.iter().map(|slice| (*slice).clone()).collect();
    set_usages(&mut slices, allotted, probe);
    let changed = slices.into_iter().zip(last_known).filter(|(now, before)| now != **before);
    changed.map(|(now, _)| now).collect()
}

/// The addresses of the endpoints that get traffic, of each address family the same share.
fn choose<'a>(slices: impl Iterator<Item = &'a Object>, allotment: &Allotment) -> BTreeSet<String> {
    let mut ready: BTreeMap<String, BTreeSet<(u32, String)>> = BTreeMap::new();
    for slice in slices {
        let Ok(view) = EndpointSlice::read(slice) else { continue };
        let is_used = Usage::of_slice(slice) == Usage::Keep;
        for endpoint in &view.endpoints {
            let is_ready =
                if is_used { endpoint.is_ready() } else { endpoint.conditions.serving == Some(true) };
            let Some(address) = endpoint.addresses.first().filter(|_| is_ready) else { continue };
            let order = (names::fnv1a_32(address.as_bytes()), (*address).to_owned());
            ready.entry(view.address_type.to_owned()).or_default().insert(order);
        }
    }
    let mut chosen = BTreeSet::new();
    for addresses in ready.into_values() {
        let count = (addresses.len() * allotment.part).div_ceil(allotment.ready.max(1));
        chosen.extend(addresses.into_iter().take(count).map(|(_, address)| address));
    }
    chosen
}

fn source_of(slice: &Object) -> &str {
    slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default()
}

#[cfg(test)]
mod tests;
