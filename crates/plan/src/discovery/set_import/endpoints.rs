//! EndpointSlices of an import: which are put, and which go.

use std::collections::BTreeMap;

use portolan_api::labels;
use portolan_object::Object;

use super::{ExportedService, ImportingMember, Pass, SetImportAction, slices};
use crate::clusters::ownership::{is_own, stamped};
use crate::discovery::allotment::{allot, changed_usages, set_usages, supply};
use crate::discovery::compare::same_slice;
use crate::discovery::usage::Allotment;
use crate::import_marks::{has_selector, is_of_set, is_slice_of_selector, is_slice_of_set};

/// Whether the source of an imported EndpointSlice is known, so that a slice that is not wanted can be deleted. A source
/// without membership counts only for slices of this control plane: it has been removed from the set.
pub(super) fn is_source_known(slice: &Object, exported: &ExportedService<'_>, control_plane: &str) -> bool {
    let source = slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default();
    !exported.unknown.contains(source) && (is_own(slice, control_plane) || exported.known.contains(source))
}

/// Deletes a slice, with the label of this control plane before.
pub(super) fn delete_slice(slice: &Object, control_plane: &str) -> Vec<SetImportAction> {
    let stamp =
        (!is_own(slice, control_plane)).then(|| SetImportAction::PutSlice(stamped(slice, control_plane)));
    stamp.into_iter().chain([SetImportAction::DeleteSlice(slice.key())]).collect()
}

/// The steps for the EndpointSlices of `import`.
pub(super) fn plan_slices(pass: &Pass<'_>, import: &Object) -> Vec<SetImportAction> {
    let mut wanted: BTreeMap<String, Object> = BTreeMap::new();
    for source in &pass.exported.sources {
        let slices = slices::wanted(import, pass, source);
        wanted.extend(slices.into_iter().map(|slice| (slice.name().to_owned(), slice)));
    }
    let has_selector = pass.member.derived_service.is_some_and(has_selector);
    let is_managed = |slice: &&&Object| {
        is_of_set(slice) && (is_slice_of_set(slice) || !has_selector && is_slice_of_selector(slice))
    };
    let managed = pass.member.slices.iter().filter(is_managed);
    let present: BTreeMap<&str, &Object> = managed.map(|slice| (slice.name(), *slice)).collect();
    let own = pass.member.control_plane;
    let allotted = allotments(pass.exported, pass.member);
    let routing = &pass.exported.routing;
    let probe = routing.http_probe.as_ref();
    set_usages(wanted.values_mut(), &allotted, probe);
    let unwanted = || present.values().filter(|slice| !wanted.contains_key(slice.name())).copied();
    let is_gone = |slice: &Object| {
        is_slice_of_selector(slice)
            || is_source_known(slice, pass.exported, own)
            || routing.is_outside(slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default())
    };
    let deleted = unwanted().filter(|slice| is_gone(slice)).flat_map(|slice| delete_slice(slice, own));
    let deleted: Vec<SetImportAction> = deleted.collect();
    // Of exporters that cannot be read, the last known endpoints stay; how they are used may change.
    let last_known =
        unwanted().filter(|slice| is_own(slice, own) && is_slice_of_set(slice) && !is_gone(slice));
    let changed = changed_usages(&last_known.collect::<Vec<_>>(), &allotted, probe);
    let is_current = |slice: &Object| present.get(slice.name()).is_some_and(|old| same_slice(old, slice));
    let put = wanted.into_values().filter(|slice| !is_current(slice)).chain(changed);
    put.map(SetImportAction::PutSlice).chain(deleted).collect()
}

/// What is done with the endpoints of each exporter.
pub fn allotments(
    exported: &ExportedService<'_>,
    member: &ImportingMember<'_>,
) -> BTreeMap<String, Allotment> {
    if exported.routing.is_plain() {
        return BTreeMap::new();
    }
    let read = exported.sources.iter().map(|source| (source.cluster, source.slices.as_slice()));
    let imported = member.slices.iter().copied().filter(|slice| is_slice_of_set(slice));
    allot(&supply(read, imported), &exported.routing, None)
}
