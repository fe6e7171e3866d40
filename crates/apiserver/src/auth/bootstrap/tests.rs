use super::*;
use crate::auth::{AccessTarget, Attributes, Decision, ResourceTarget, Rules, User};

fn allowed(user: &User, verb: &str, target: AccessTarget<'_>) -> bool {
    let objects: Vec<Value> = cluster_roles().into_iter().chain(cluster_role_bindings()).collect();
    let rules = Rules::build(&objects);
    matches!(rules.authorize(&Attributes { user, verb, target }), Decision::Allowed(_))
}

#[test]
fn every_user_can_read_discovery() {
    let alice = User::new("alice", ["devs"]);
    let reviews = |resource| {
        AccessTarget::Resource(ResourceTarget {
            group: "authorization.k8s.io",
            resource,
            ..ResourceTarget::default()
        })
    };
    assert!(allowed(&alice, "get", AccessTarget::Path("/apis/apps/v1")));
    assert!(allowed(&alice, "get", AccessTarget::Path("/openapi/v3/api/v1")));
    assert!(allowed(&alice, "create", reviews("selfsubjectaccessreviews")));
    assert!(!allowed(&alice, "create", reviews("subjectaccessreviews")));
    assert!(!allowed(&alice, "get", AccessTarget::Path("/metrics")));
    for path in ["/healthz", "/livez", "/readyz", "/version"] {
        assert!(allowed(&User::anonymous(), "get", AccessTarget::Path(path)), "{path}");
    }
    assert!(!allowed(&User::anonymous(), "get", AccessTarget::Path("/apis")));
    assert!(!allowed(&User::anonymous(), "get", AccessTarget::Path("/readyz/store")));
}

#[test]
fn admin_includes_edit_and_edit_includes_view() {
    let mut objects = cluster_roles();
    for role in ["view", "edit", "admin"] {
        objects.push(json!({ "kind": "RoleBinding", "metadata": { "name": role, "namespace": "n" },
            "roleRef": { "kind": "ClusterRole", "name": role }, "subjects": [{ "kind": "User", "name": role }] }));
    }
    let rules = Rules::build(&objects);
    let may = |user: &str, verb: &str, group: &str, resource: &str, subresource: &str| {
        let target = ResourceTarget { group, resource, subresource, namespace: "n", name: "x" };
        let user = User::new(user, [""; 0]);
        let attributes = Attributes { user: &user, verb, target: AccessTarget::Resource(target) };
        matches!(rules.authorize(&attributes), Decision::Allowed(_))
    };
    let cases = [
        ("get", "", "pods", "", [true, true, true]),
        ("get", "", "pods", "log", [true, true, true]),
        ("get", "", "secrets", "", [false, true, true]),
        ("create", "apps", "deployments", "", [false, true, true]),
        ("create", "", "pods", "exec", [false, true, true]),
        ("create", "rbac.authorization.k8s.io", "roles", "", [false, false, true]),
        ("update", "", "pods", "status", [false, false, false]),
        ("create", "", "resourcequotas", "", [false, false, false]),
    ];
    for (verb, group, resource, part, want) in cases {
        let got = ["view", "edit", "admin"].map(|user| may(user, verb, group, resource, part));
        assert_eq!(got, want, "{verb} {resource}/{part}");
    }
}

#[test]
fn added_rules_stay_and_removed_rules_are_restored() {
    let wanted = &cluster_roles()[3];
    assert_eq!(reconcile(None, wanted).as_ref(), Some(wanted));
    assert_eq!(reconcile(Some(wanted), wanted), None, "nothing changed");
    let mut changed = wanted.clone();
    changed["rules"] = json!([{ "verbs": ["get"], "apiGroups": ["x"], "resources": ["y"] }]);
    changed["metadata"]["labels"]["own"] = json!("1");
    let merged = reconcile(Some(&changed), wanted).unwrap();
    assert_eq!(merged["rules"].as_array().unwrap().len(), 3);
    assert_eq!(merged["metadata"]["labels"]["own"], "1");
    assert_eq!(reconcile(Some(&merged), wanted), None, "a second look writes nothing");
    changed["metadata"]["annotations"][AUTO_UPDATE] = json!("false");
    assert_eq!(reconcile(Some(&changed), wanted), None, "switched off");

    let wanted = &cluster_role_bindings()[4];
    let mut changed = wanted.clone();
    changed["subjects"] = json!([{ "kind": "User", "name": "bob" }]);
    let merged = reconcile(Some(&changed), wanted).unwrap();
    assert_eq!(merged["subjects"].as_array().unwrap().len(), 3);
    assert_eq!(reconcile(Some(&merged), wanted), None);
}

#[test]
fn nodes_have_no_rights_by_their_group() {
    let node = User::new("system:node:a", ["system:nodes"]);
    let target = |resource, subresource| {
        let target = ResourceTarget {
            resource,
            subresource,
            namespace: "kube-system",
            name: "x",
            ..Default::default()
        };
        AccessTarget::Resource(target)
    };
    assert!(!allowed(&node, "list", target("secrets", "")));
    assert!(!allowed(&node, "get", target("secrets", "")));
    assert!(!allowed(&node, "create", target("serviceaccounts", "token")));
}

#[test]
fn the_group_of_nodes_is_removed_from_a_binding_of_an_older_version() {
    let wanted =
        cluster_role_bindings().into_iter().find(|binding| binding["metadata"]["name"] == "system:node");
    let wanted = wanted.unwrap();
    assert_eq!(wanted.get("subjects"), None);
    let group = json!({ "apiGroup": GROUP, "kind": "Group", "name": "system:nodes" });
    let user = json!({ "apiGroup": GROUP, "kind": "User", "name": "bob" });
    let cases = [(json!([group]), None), (json!([group, user]), Some(json!([user])))];
    for (subjects, want) in cases {
        let mut older = wanted.clone();
        older["subjects"] = subjects;
        let merged = reconcile(Some(&older), &wanted).unwrap();
        assert_eq!(merged.get("subjects"), want.as_ref());
        assert_eq!(reconcile(Some(&merged), &wanted), None, "a second look writes nothing");
    }
}
