//! Rows of role bindings and certificate signing requests.

use jiff::SignedDuration;
use portolan_object::age;
use serde_json::{Value, json};

use super::cells::Source;
use super::{AGE, Column, NAME, Table};
use crate::tree;

pub(crate) static ROLE_BINDING: Table = Table {
    columns: &[
        NAME,
        Column::text("Role", "Role that is granted."),
        AGE,
        Column::text("Users", "Users who hold the role.").wide(),
        Column::text("Groups", "Groups that hold the role.").wide(),
        Column::text("ServiceAccounts", "Service accounts that hold the role.").wide(),
    ],
    cells: role_binding,
};

pub(crate) static SIGNING_REQUEST: Table = Table {
    columns: &[
        NAME,
        AGE,
        Column::text("SignerName", "Signer that is asked."),
        Column::text("Requestor", "User who asks."),
        Column::text("RequestedDuration", "How long the certificate should hold."),
        Column::text("Condition", "What has been decided."),
    ],
    cells: signing_request,
};

fn role_binding(source: Source<'_>) -> Vec<Value> {
    let subjects = |kind: &str| {
        let of_kind = source.list("/subjects").iter().filter(|entry| tree::text(entry, "/kind") == kind);
        let names = of_kind.map(|entry| match kind {
            "ServiceAccount" => format!("{}/{}", tree::text(entry, "/namespace"), tree::text(entry, "/name")),
            _ => tree::text(entry, "/name").to_owned(),
        });
        json!(names.collect::<Vec<_>>().join(", "))
    };
    vec![
        source.name(),
        json!(format!("{}/{}", source.text("/roleRef/kind"), source.text("/roleRef/name"))),
        source.age(),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

fn signing_request(source: Source<'_>) -> Vec<Value> {
    let requested = tree::integer(source.object, "/spec/expirationSeconds")
        .map_or_else(|| "<none>".to_owned(), |seconds| age::human(SignedDuration::from_secs(seconds)));
    let has = |kind| {
        let conditions = source.list("/status/conditions");
        conditions.iter().any(|condition| tree::text(condition, "/type") == kind)
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
    if !source.text("/status/certificate").is_empty() {
        condition.push_str(",Issued");
    }
    vec![
        source.name(),
        source.age(),
        json!(source.text_or("/spec/signerName", "<none>")),
        json!(source.text("/spec/username")),
        json!(requested),
        json!(condition),
    ]
}
