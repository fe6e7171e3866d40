//! The cache of a member's EndpointSlices, which discovery and the DNS of federations read. Both open it here: the first to open
//! a cache of a member decides about its indexes.

use std::sync::Arc;

use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::import_marks::{service_of_slice, set_import_of};
use portolan_runtime::client::Selection;
use portolan_runtime::{Cache, Member};

/// Name of the index by Service; values are `namespace/name`.
const BY_SERVICE: &str = "service";
/// Name of the index by import of a set; values are `namespace/name`.
const BY_IMPORT: &str = "import";

/// Opens the cache of a member.
pub(crate) fn member_slices(member: &Member) -> Cache<Object> {
    let values = |key: Option<ObjectKey>| key.map(|key| key.to_string()).into_iter().collect();
    member.cache(
        &resources::ENDPOINT_SLICE.into(),
        Selection::all(),
        |builder| {
            let builder = builder.index(BY_SERVICE, move |_, slice| values(service_of_slice(slice)));
            builder.index(BY_IMPORT, move |_, slice| values(set_import_of(slice)))
        },
        |_| {},
    )
}

/// EndpointSlices of a Service.
pub(crate) fn of_service(slices: &Cache<Object>, service: &ObjectKey) -> Vec<Arc<Object>> {
    slices.by_index(BY_SERVICE, &service.to_string())
}

/// EndpointSlices of an import of a set.
pub(super) fn of_import(slices: &Cache<Object>, import: &ObjectKey) -> Vec<Arc<Object>> {
    slices.by_index(BY_IMPORT, &import.to_string())
}
