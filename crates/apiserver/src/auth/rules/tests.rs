use serde_json::json;

use super::*;
use crate::auth::{ResourceTarget, escalation};

fn binding(namespace: &str, role: &str, kind: &str, subject: Value) -> Value {
    let bound = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    json!({ "kind": bound, "metadata": { "name": "b", "namespace": namespace },
        "roleRef": { "kind": kind, "name": role, "apiGroup": "rbac.authorization.k8s.io" }, "subjects": [subject] })
}

fn role(namespace: &str, name: &str, rules: Value) -> Value {
    let kind = if namespace.is_empty() { "ClusterRole" } else { "Role" };
    json!({ "kind": kind, "metadata": { "name": name, "namespace": namespace }, "rules": rules })
}

fn alice() -> User {
    User::new("alice", ["devs"])
}

fn decide(objects: &[Value], user: &User, verb: &str, what: &str) -> Decision {
    let rules = Rules::build(objects);
    if what.starts_with('/') {
        return rules.authorize(&Attributes { user, verb, target: AccessTarget::Path(what) });
    }
    // namespace group resource/subresource name, with dots for what is empty
    let words: Vec<&str> = what.split(' ').map(|word| if word == "." { "" } else { word }).collect();
    let (resource, subresource) = words[2].split_once('/').unwrap_or((words[2], ""));
    let target =
        ResourceTarget { group: words[1], resource, subresource, namespace: words[0], name: words[3] };
    rules.authorize(&Attributes { user, verb, target: AccessTarget::Resource(target) })
}

fn is_allowed(objects: &[Value], user: &User, verb: &str, what: &str) -> bool {
    matches!(decide(objects, user, verb, what), Decision::Allowed(_))
}

/// A rule from `verbs groups resources names`, or `verbs path`; dots stand for what is empty.
fn rule(text: &str) -> Value {
    let words: Vec<Vec<String>> = text
        .split(' ')
        .map(|word| {
            word.split(',').map(|part| if part == "." { String::new() } else { part.to_owned() }).collect()
        })
        .collect();
    match words.as_slice() {
        [verbs, paths] => json!({ "verbs": verbs, "nonResourceURLs": paths }),
        [verbs, groups, resources] => json!({ "verbs": verbs, "apiGroups": groups, "resources": resources }),
        [verbs, groups, resources, names] => {
            json!({ "verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names })
        }
        _ => panic!("{text}"),
    }
}

#[test]
fn rules_match() {
    let cases = [
        ("exact", "get . pods", "get", "n . pods x", true),
        ("other verb", "get . pods", "list", "n . pods .", false),
        ("other group", "* apps *", "get", "n . pods x", false),
        ("any group", "* * pods", "get", "n x pods x", true),
        ("star covers parts", "get . *", "get", "n . pods/log x", true),
        ("a resource is not its parts", "get . pods", "get", "n . pods/log x", false),
        ("a part", "get . pods/log", "get", "n . pods/log x", true),
        ("a part is not the resource", "get . pods/log", "get", "n . pods x", false),
        ("a part of anything", "get . */scale", "get", "n . rc/scale x", true),
        ("another part", "get . */scale", "get", "n . rc/status x", false),
        ("named", "get . pods x", "get", "n . pods x", true),
        ("named otherwise", "get . pods y", "get", "n . pods x", false),
        ("names do not allow collections", "* . pods x", "list", "n . pods .", false),
        ("a path", "get /metrics", "get", "/metrics", true),
        ("below a path", "get /metrics", "get", "/metrics/x", false),
        ("any path below", "get /healthz/*", "get", "/healthz/x", true),
        ("any path", "* *", "post", "/x", true),
        ("resources are not paths", "* * *", "get", "/metrics", false),
    ];
    for (name, text, verb, what, want) in cases {
        let bound = binding("", "r", "ClusterRole", json!({ "kind": "User", "name": "alice" }));
        let objects = [role("", "r", json!([rule(text)])), bound];
        assert_eq!(is_allowed(&objects, &alice(), verb, what), want, "{name}");
    }
}

#[test]
fn bindings_grant_to_their_subjects() {
    let rules = json!([{ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] }]);
    let account = User::service_account("n", "sa", "");
    let cases = [
        (
            "group",
            binding("", "r", "ClusterRole", json!({ "kind": "Group", "name": "devs" })),
            alice(),
            "m",
            true,
        ),
        (
            "group is not user",
            binding("", "r", "ClusterRole", json!({ "kind": "User", "name": "devs" })),
            alice(),
            "m",
            false,
        ),
        (
            "cluster role in a namespace",
            binding("n", "r", "ClusterRole", json!({ "kind": "User", "name": "alice" })),
            alice(),
            "n",
            true,
        ),
        (
            "only there",
            binding("n", "r", "ClusterRole", json!({ "kind": "User", "name": "alice" })),
            alice(),
            "m",
            false,
        ),
        (
            "not at cluster scope",
            binding("n", "r", "ClusterRole", json!({ "kind": "User", "name": "alice" })),
            alice(),
            ".",
            false,
        ),
        (
            "role",
            binding("n", "local", "Role", json!({ "kind": "User", "name": "alice" })),
            alice(),
            "n",
            true,
        ),
        (
            "account of the binding's namespace",
            binding("n", "local", "Role", json!({ "kind": "ServiceAccount", "name": "sa" })),
            account.clone(),
            "n",
            true,
        ),
        (
            "account by namespace",
            binding(
                "",
                "r",
                "ClusterRole",
                json!({ "kind": "ServiceAccount", "namespace": "n", "name": "sa" }),
            ),
            account.clone(),
            "m",
            true,
        ),
        (
            "account without namespace",
            binding("", "r", "ClusterRole", json!({ "kind": "ServiceAccount", "name": "sa" })),
            account,
            "m",
            false,
        ),
        ("masters", json!({}), User::new("root", ["system:masters"]), "m", true),
    ];
    for (name, binding, user, namespace, want) in cases {
        let objects = [binding, role("", "r", rules.clone()), role("n", "local", rules.clone())];
        assert_eq!(is_allowed(&objects, &user, "get", &format!("{namespace} . pods x")), want, "{name}");
    }
}

#[test]
fn decisions_have_reasons() {
    let pods = json!([{ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] }]);
    let objects = [
        role("", "r", pods.clone()),
        binding("n", "r", "ClusterRole", json!({ "kind": "Group", "name": "devs" })),
        binding("n", "gone", "Role", json!({ "kind": "User", "name": "alice" })),
    ];
    assert_eq!(
        decide(&objects, &alice(), "get", "n . pods x"),
        Decision::Allowed(r#"RBAC: allowed by RoleBinding "b/n" of ClusterRole "r" to Group "devs""#.into())
    );
    let user = alice();
    let target =
        ResourceTarget { resource: "secrets", namespace: "n", name: "x", ..ResourceTarget::default() };
    let attributes = Attributes { user: &user, verb: "get", target: AccessTarget::Resource(target) };
    let Decision::Denied(reason) = Rules::build(&objects).authorize(&attributes) else { panic!("allowed") };
    assert_eq!(
        attributes.forbidden(&reason).message,
        r#"secrets "x" is forbidden: User "alice" cannot get resource "secrets" in API group "" in the namespace "n": RBAC: role.rbac.authorization.k8s.io "gone" not found"#
    );
}

#[test]
fn refusals_name_user_verb_and_target() {
    let user = alice();
    let of = |target| Attributes { user: &user, verb: "list", target };
    let cases = [
        (
            AccessTarget::Resource(ResourceTarget {
                resource: "pods",
                namespace: "default",
                ..ResourceTarget::default()
            }),
            r#"pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default""#,
        ),
        (
            AccessTarget::Resource(ResourceTarget {
                group: "apps",
                resource: "deployments",
                subresource: "scale",
                ..ResourceTarget::default()
            }),
            r#"deployments.apps is forbidden: User "alice" cannot list resource "deployments/scale" in API group "apps" at the cluster scope"#,
        ),
        (AccessTarget::Path("/metrics"), r#"forbidden: User "alice" cannot list path "/metrics""#),
        (AccessTarget::Path("/<b>"), r#"forbidden: User "alice" cannot list path "/&lt;b&gt;""#),
    ];
    for (target, want) in cases {
        let status = of(target).forbidden("");
        assert_eq!((status.code, status.message.as_str()), (403, want));
    }
}

#[test]
fn aggregated_roles_have_the_selected_rules() {
    let part = |name: &str, label: &str, resource: &str| {
        json!({ "kind": "ClusterRole", "metadata": { "name": name, "labels": { label: "true" } },
            "rules": [{ "verbs": ["get"], "apiGroups": [""], "resources": [resource] }] })
    };
    let whole = |name: &str, labels: Value| {
        json!({ "kind": "ClusterRole", "metadata": { "name": name, "labels": labels },
            "rules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
            "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": { format!("to-{name}"): "true" } }] } })
    };
    let mut objects = vec![
        whole("big", json!({ "to-small": "true" })),
        whole("small", json!({ "to-big": "true" })),
        part("a", "to-small", "pods"),
        part("b", "to-big", "secrets"),
        binding("", "big", "ClusterRole", json!({ "kind": "User", "name": "alice" })),
    ];
    for (what, want) in [(". . pods x", true), (". . secrets x", true), (". . nodes x", false)] {
        assert_eq!(is_allowed(&objects, &alice(), "get", what), want, "{what}");
    }
    let writes: Vec<(usize, Value)> = aggregated(&objects[..4])
        .into_iter()
        .map(|(role, rules)| (objects.iter().position(|object| object == role).unwrap(), rules))
        .collect();
    assert_eq!(writes.len(), 2);
    for (index, rules) in writes {
        assert_eq!(rules.as_array().unwrap().len(), 2);
        objects[index]["rules"] = rules;
    }
    assert!(aggregated(&objects[..4]).is_empty(), "written rules stay");
}

#[test]
fn users_cannot_grant_permissions_that_they_do_not_have() {
    let own = json!([
        { "verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"] },
        { "verbs": ["get"], "nonResourceURLs": ["/healthz/*"] },
        { "verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"] },
    ]);
    let mut objects = vec![
        role("", "own", own),
        binding("n", "own", "ClusterRole", json!({ "kind": "User", "name": "alice" })),
    ];
    let grant = |rules: Value| role("n", "new", rules);
    let check = |objects: &[Value], new: &Value| {
        escalation::check(&alice(), &Rules::build(objects), "", new, None).map_err(|status| status.message)
    };
    let within = grant(json!([
        { "verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["x"] },
        { "verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments/scale"] },
    ]));
    assert_eq!(check(&objects, &within), Ok(()));
    let beyond = grant(json!([
        { "verbs": ["get", "delete"], "apiGroups": [""], "resources": ["pods", "secrets"] },
        { "verbs": ["get"], "nonResourceURLs": ["/metrics"] },
    ]));
    let refusal = "roles.rbac.authorization.k8s.io \"new\" is forbidden: user \"alice\" (groups=[\"devs\" \
        \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n\
        {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}\n\
        {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"delete\"]}\n\
        {NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}";
    assert_eq!(check(&objects, &beyond), Err(refusal.to_owned()));
    let bound = binding("n", "own", "ClusterRole", json!({ "kind": "User", "name": "bob" }));
    assert_eq!(check(&objects, &bound), Ok(()), "what one holds can be handed on");
    let everywhere = binding("", "own", "ClusterRole", json!({ "kind": "User", "name": "bob" }));
    assert!(check(&objects, &everywhere).is_err(), "but not beyond the namespace");
    let missing = binding("n", "gone", "Role", json!({ "kind": "User", "name": "bob" }));
    assert_eq!(
        check(&objects, &missing),
        Err(r#"roles.rbac.authorization.k8s.io "gone" not found"#.to_owned())
    );

    let trusted = json!([{ "verbs": ["escalate", "bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "clusterroles"] }]);
    objects.push(role("", "trusted", trusted));
    objects.push(binding("", "trusted", "ClusterRole", json!({ "kind": "User", "name": "alice" })));
    assert_eq!(check(&objects, &beyond), Ok(()), "escalate");
    assert_eq!(check(&objects, &everywhere), Ok(()), "bind");
}

#[test]
fn the_right_to_escalate_a_named_role_does_not_cover_its_creation() {
    let rules = json!([{ "verbs": ["escalate"], "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterroles"], "resourceNames": ["own"] }]);
    let objects = [
        role("", "named", rules),
        binding("", "named", "ClusterRole", json!({ "kind": "User", "name": "alice" })),
    ];
    let new = role("", "own", json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }]));
    let check =
        |requested: &str| escalation::check(&alice(), &Rules::build(&objects), requested, &new, None).is_ok();
    assert!(check("own"), "a patch or an update has the name in its path");
    assert!(!check(""), "a POST has not");
}

#[test]
fn an_aggregation_rule_needs_all_permissions() {
    let objects = [
        role("", "all", json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }])),
        binding("", "all", "ClusterRole", json!({ "kind": "User", "name": "alice" })),
    ];
    let mut new = role("", "new", json!([]));
    new["aggregationRule"] = json!({ "clusterRoleSelectors": [{}] });
    let user = alice();
    // `escalate` is among all verbs, so a user of all resources passes; one who holds less does not.
    assert!(escalation::check(&user, &Rules::build(&objects), "", &new, None).is_ok());
    let status = escalation::check(&user, &Rules::default(), "", &new, None).unwrap_err();
    assert!(
        status.message.ends_with("must have cluster-admin privileges to use the aggregationRule"),
        "{status}"
    );
    let mut freed = new.clone();
    freed["metadata"]["finalizers"] = json!([]);
    assert!(
        escalation::check(&user, &Rules::default(), "new", &freed, Some(&new)).is_ok(),
        "garbage collection"
    );
}
