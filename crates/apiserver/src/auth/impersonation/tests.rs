use serde_json::json;

use super::*;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines.iter().fold(HeaderMap::new(), |mut headers, (name, value)| {
        headers.append(*name, value.parse().unwrap());
        headers
    })
}

fn admin() -> User {
    User::new("root", ["system:masters"])
}

#[test]
fn impersonated_users() {
    let cases = [
        ("none", headers(&[]), "root", "system:masters system:authenticated"),
        ("name", headers(&[("impersonate-user", "bob")]), "bob", "system:authenticated"),
        (
            "name and groups",
            headers(&[("impersonate-user", "bob"), ("impersonate-group", "a"), ("impersonate-group", "b")]),
            "bob",
            "a b system:authenticated",
        ),
        (
            "service account",
            headers(&[("impersonate-user", "system:serviceaccount:n:sa")]),
            "system:serviceaccount:n:sa",
            "system:serviceaccounts system:serviceaccounts:n system:authenticated",
        ),
        (
            "anonymous",
            headers(&[("impersonate-user", "system:anonymous")]),
            "system:anonymous",
            "system:unauthenticated",
        ),
    ];
    for (name, headers, user, groups) in cases {
        let got = impersonate(admin(), &headers, &Rules::default()).unwrap();
        assert_eq!((got.name.as_str(), got.groups.join(" ").as_str()), (user, groups), "{name}");
    }
    let headers = headers(&[
        ("impersonate-user", "bob"),
        ("impersonate-uid", "u1"),
        ("impersonate-extra-example.com%2fscope", "one"),
        ("impersonate-extra-example.com%2fscope", "two"),
    ]);
    let got = impersonate(admin(), &headers, &Rules::default()).unwrap();
    assert_eq!(got.uid, "u1");
    assert_eq!(got.extra["example.com/scope"], ["one", "two"]);
}

#[test]
fn groups_or_extras_without_a_name_are_refused() {
    let status =
        impersonate(admin(), &headers(&[("impersonate-group", "g")]), &Rules::default()).unwrap_err();
    assert_eq!(status.code, 400);
    assert_eq!(
        status.message,
        r#"requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"g"}, Extra:map[string][]string(nil)} without impersonating a user name"#
    );
}

#[test]
fn every_impersonated_value_needs_permission() {
    let alice = || User::new("alice", [""; 0]);
    let role = json!({ "kind": "ClusterRole", "metadata": { "name": "r" }, "rules": [
        { "verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"] },
        { "verbs": ["impersonate"], "apiGroups": ["authentication.k8s.io"], "resources": ["userextras/scope"] }] });
    let binding = json!({ "kind": "ClusterRoleBinding", "metadata": { "name": "b" },
        "roleRef": { "kind": "ClusterRole", "name": "r" }, "subjects": [{ "kind": "User", "name": "alice" }] });
    let rules = Rules::build([&role, &binding]);
    let bob = ("impersonate-user", "bob");
    let cases = [
        ("granted", headers(&[bob]), ""),
        ("extra granted", headers(&[bob, ("impersonate-extra-scope", "x")]), ""),
        (
            "another user",
            headers(&[("impersonate-user", "eve")]),
            r#"users "eve" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope"#,
        ),
        (
            "a group",
            headers(&[bob, ("impersonate-group", "system:masters")]),
            r#"groups "system:masters" is forbidden: User "alice" cannot impersonate resource "groups" in API group "" at the cluster scope"#,
        ),
        (
            "an identity",
            headers(&[bob, ("impersonate-uid", "1")]),
            r#"uids.authentication.k8s.io "1" is forbidden: User "alice" cannot impersonate resource "uids" in API group "authentication.k8s.io" at the cluster scope"#,
        ),
    ];
    for (name, headers, want) in cases {
        let got = impersonate(alice(), &headers, &rules).err().map(|status| status.message);
        assert_eq!(got.unwrap_or_default(), want, "{name}");
    }
}
