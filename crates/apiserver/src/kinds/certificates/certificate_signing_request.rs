//! Certificate signing requests. Who asks, and the rights on signers, are in [`crate::write`]: they depend on the user.

mod validation;

use jiff::SignedDuration;
use portolan_object::age;
use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DEFAULTS, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, SUBRESOURCE_VERBS, StatusRule,
    Subresource,
};
use crate::tree;

pub(crate) use validation::{check_approval_kept, restricted_subject};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "CertificateSigningRequest", "certificatesigningrequests")
        .singular("certificatesigningrequest")
        .short(&["csr"])
        .subresources(&[
            Subresource::new("approval", "CertificateSigningRequest", SUBRESOURCE_VERBS),
            Subresource::status("CertificateSigningRequest"),
        ]),
    names: NameRule::PathSegment,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validation::validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: Defined(SELECTABLE),
    conversion: NotNeeded(ONE_FORM),
};

static TABLE: Table = Table {
    columns: &[
        NAME,
        AGE,
        Column::string("SignerName", "Signer that is asked."),
        Column::string("Requestor", "User who asks."),
        Column::string("RequestedDuration", "How long the certificate should hold."),
        Column::string("Condition", "What has been decided."),
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let requested = tree::integer(row.object, "/spec/expirationSeconds")
        .map_or_else(|| "<none>".to_owned(), |seconds| age::human(SignedDuration::from_secs(seconds)));
    let has = |kind| {
        let conditions = row.list("/status/conditions");
        conditions.iter().any(|condition| tree::str_at(condition, "/type") == kind)
    };
    let mut condition = match () {
        () if has("Denied") => "Denied",
        () if has("Approved") => "Approved",
        () => "Pending",
    }
    .to_owned();
    if has("Failed") {
        condition.push_str(",Failed");
    }
    if !row.text("/status/certificate").is_empty() {
        condition.push_str(",Issued");
    }
    vec![
        row.name(),
        row.age(),
        json!(row.text_or("/spec/signerName", "<none>")),
        json!(row.text("/spec/username")),
        json!(requested),
        json!(condition),
    ]
}

const SELECTABLE: &[SelectableField] = &[field("spec.signerName", &["spec", "signerName"])];
