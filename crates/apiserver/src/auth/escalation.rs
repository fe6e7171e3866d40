//! Privilege escalation check: users cannot grant permissions that they do not have.
//!
//! Applied to writes of roles and bindings after authorization. A user with the verb `escalate` on the role, or `bind`
//! on the role of a binding, is exempt. Upstream: kubernetes pkg/registry/rbac.

use std::collections::BTreeMap;

use portolan_object::Status;
use serde_json::Value;

use super::rule::{Rule, quoted};
use super::{AccessTarget, Attributes, Decision, ResourceTarget, Rules, User};
use crate::tree;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Checks the write of a role or binding; other kinds pass.
///
/// # Errors
/// 403 with the permissions that the user does not have, 404 when the role of a binding does not exist.
pub fn check(
    user: &User,
    rules: &Rules,
    requested: &str,
    new: &Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    if user.is_master() || old.is_some_and(|old| changes_only_ownership(new, old)) {
        return Ok(());
    }
    match tree::str_at(new, "/kind") {
        "Role" => check_role(user, rules, ("roles", requested), new, old),
        "ClusterRole" => check_role(user, rules, ("clusterroles", requested), new, old),
        "RoleBinding" => check_binding(user, rules, "rolebindings", new),
        "ClusterRoleBinding" => check_binding(user, rules, "clusterrolebindings", new),
        _ => Ok(()),
    }
}

/// `requested` is the name in the path of the request.
fn check_role(
    user: &User,
    rules: &Rules,
    (resource, requested): (&str, &str),
    new: &Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let namespace = tree::str_at(new, "/metadata/namespace");
    let name = tree::str_at(new, "/metadata/name");
    // The name of the object does not count: a rule with names does not cover a POST (kubernetes
    // pkg/registry/rbac/escalation_check.go).
    let target = ResourceTarget { group: GROUP, resource, namespace, name: requested, subresource: "" };
    if is_allowed(user, rules, "escalate", target) {
        return Ok(());
    }
    let refuse = |cause: &str| Status::forbidden(GROUP, resource, name, cause);
    confirm(user, rules, namespace, &Rule::list(new, "/rules"))
        .map_err(|error| refuse(&error.to_string()))?;
    let gathers = |role: &Value| !tree::list(role, "/aggregationRule/clusterRoleSelectors").is_empty();
    if gathers(new) || old.is_some_and(gathers) {
        let all = || vec!["*".to_owned()];
        let everything = [
            Rule { verbs: all(), api_groups: all(), resources: all(), ..Rule::default() },
            Rule { verbs: all(), non_resource_urls: all(), ..Rule::default() },
        ];
        confirm(user, rules, namespace, &everything)
            .map_err(|_| refuse("must have cluster-admin privileges to use the aggregationRule"))?;
    }
    Ok(())
}

fn check_binding(user: &User, rules: &Rules, resource: &str, new: &Value) -> Result<(), Status> {
    let namespace = tree::str_at(new, "/metadata/namespace");
    let role_ref = new.pointer("/roleRef").unwrap_or(&Value::Null);
    let role = tree::str_at(role_ref, "/name");
    let role_resource = match tree::str_at(role_ref, "/kind") {
        "ClusterRole" => "clusterroles",
        _ => "roles",
    };
    let target = ResourceTarget {
        group: tree::str_at(role_ref, "/apiGroup"),
        resource: role_resource,
        namespace,
        name: role,
        subresource: "",
    };
    if is_allowed(user, rules, "bind", target) {
        return Ok(());
    }
    let granted =
        rules.of_role(role_ref, namespace).map_err(|_| Status::not_found(GROUP, role_resource, role))?;
    confirm(user, rules, namespace, &granted).map_err(|error| {
        Status::forbidden(GROUP, resource, tree::str_at(new, "/metadata/name"), &error.to_string())
    })
}

fn is_allowed(user: &User, rules: &Rules, verb: &str, target: ResourceTarget<'_>) -> bool {
    let attributes = Attributes { user, verb, target: AccessTarget::Resource(target) };
    matches!(rules.authorize(&attributes), Decision::Allowed(_))
}

/// Permissions that one write can be checked for. A rule grants each verb on each resource of each group, so a short one
/// can stand for more of them than fit into memory.
const MAX_PIECES: usize = 20_000;

/// Why a write may not grant what it would grant.
#[derive(Debug, thiserror::Error)]
enum Escalation {
    /// The user does not have some of the permissions.
    #[error(
        "user {user:?} (groups={groups}) is attempting to grant RBAC permissions not currently held:\n{missing}"
    )]
    NotHeld {
        user: String,
        groups: String,
        /// The missing rules, one a line.
        missing: String,
    },
    /// There are too many to check.
    #[error(
        "the rules grant more than {MAX_PIECES} single permissions; split the role, use \"*\" in its rules, or write it \
         as a user with the verb \"escalate\""
    )]
    TooMany,
}

/// Checks that the user has all permissions of `wanted` in a namespace.
fn confirm(user: &User, rules: &Rules, namespace: &str, wanted: &[Rule]) -> Result<(), Escalation> {
    let held = rules.held(user, namespace);
    let count = wanted.iter().map(Rule::piece_count).fold(0, usize::saturating_add);
    if count > MAX_PIECES {
        return Err(Escalation::TooMany);
    }
    let pieces = wanted.iter().flat_map(Rule::pieces);
    let missing: Vec<Rule> = pieces.filter(|piece| !held.iter().any(|own| own.covers(piece))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = compact(missing).iter().map(Rule::describe).collect();
    lines.sort();
    lines.dedup();
    Err(Escalation::NotHeld {
        user: user.name.clone(),
        groups: quoted(&user.groups),
        missing: lines.join("\n"),
    })
}

/// Joins the verbs of rules that are otherwise equal.
fn compact(pieces: Vec<Rule>) -> Vec<Rule> {
    let (resources, paths): (Vec<Rule>, Vec<Rule>) =
        pieces.into_iter().partition(|piece| piece.non_resource_urls.is_empty());
    let mut verbs_by_rest: BTreeMap<Rule, Vec<String>> = BTreeMap::new();
    for mut piece in resources {
        let verbs = std::mem::take(&mut piece.verbs);
        verbs_by_rest.entry(piece).or_default().extend(verbs);
    }
    let joined = verbs_by_rest.into_iter().map(|(rest, verbs)| Rule { verbs, ..rest });
    joined.chain(paths).collect()
}

/// Whether a write changes only owners and finalizers; the garbage collector does that without having the permissions.
fn changes_only_ownership(new: &Value, old: &Value) -> bool {
    let stripped = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for name in ["ownerReferences", "finalizers", "managedFields"] {
                metadata.remove(name);
            }
        }
        object
    };
    stripped(new) == stripped(old)
}
