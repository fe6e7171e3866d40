//! Ranges of Service addresses.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::{Row, joined};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ServiceCIDR", "servicecidrs")
        .singular("servicecidr")
        .subresources(&[Subresource::status("ServiceCIDR")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: Defined(warn),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

/// Addresses come from the ranges with which the server was started.
fn warn(object: &Value, _: Option<&Value>) -> Vec<String> {
    let is_own = tree::str_at(object, "/metadata/name") == "kubernetes";
    let text = "this API server allocates addresses from the ranges with which it was started, which the ServiceCIDR \
                kubernetes shows; other ServiceCIDRs have no effect in it";
    (!is_own).then(|| text.to_owned()).into_iter().collect()
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let path = SPEC.child("cidrs");
    let ranges: Vec<&str> =
        tree::list(new, "/spec/cidrs").iter().map(|range| range.as_str().unwrap_or_default()).collect();
    if ranges.is_empty() {
        return errors.required(&path, "at least one CIDR required");
    }
    let is_of_version_6 = |range: &&str| range.contains(':');
    let of_version_6 = ranges.iter().filter(|range| is_of_version_6(range)).count();
    let before = errors.len();
    for (index, range) in ranges.iter().enumerate() {
        errors.texts(&path.index(index), range, names::range(range));
    }
    if errors.len() == before && (of_version_6 > 1 || ranges.len() - of_version_6 > 1) {
        let detail =
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        errors.invalid(&path, json!(ranges), detail);
    }
}

static TABLE: Table = Table {
    columns: &[NAME, Column::string("CIDRs", "Ranges that service addresses come from."), AGE],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(joined(tree::strings_at(row.object, "/spec/cidrs"))), row.age()]
}
