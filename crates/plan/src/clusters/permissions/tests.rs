use super::*;

fn grants(rules: &[Value], group: &str, resource: &str, verb: &str) -> bool {
    let has = |rule: &Value, field: &str, wanted: &str| {
        let list = rule[field].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).any(|one| one == wanted || one == "*")
    };
    rules.iter().filter(|rule| rule["resourceNames"].is_null()).any(|rule| {
        has(rule, "apiGroups", group) && has(rule, "resources", resource) && has(rule, "verbs", verb)
    })
}

#[test]
fn what_is_placed_can_be_written_and_nothing_else() {
    let placed = [GroupResource::new("apps", "deployments"), GroupResource::new("batch", "jobs")].into();
    let rules = needed("eu", &placed);
    let cases = [
        ("apps", "deployments", "create", true),
        ("batch", "jobs", "delete", true),
        ("apps", "daemonsets", "list", true),
        ("apps", "daemonsets", "create", false),
        ("", "secrets", "list", false),
        ("", "pods", "list", true),
        ("", "pods", "create", false),
        ("rbac.authorization.k8s.io", "clusterroles", "update", false),
        ("rbac.authorization.k8s.io", "clusterroles", "escalate", false),
    ];
    for (group, resource, verb, want) in cases {
        assert_eq!(grants(&rules, group, resource, verb), want, "{verb} {resource}.{group}");
    }
    assert!(grants(&everything(), "", "secrets", "delete"));
}

#[test]
fn who_places_roles_can_grant_what_they_hold() {
    let placed = [GroupResource::new(RBAC, "clusterroles")].into();
    assert!(grants(&needed("eu", &placed), RBAC, "clusterroles", "escalate"));
}

#[test]
fn an_agent_writes_what_may_be_placed_and_nothing_else() {
    let given = ["deployments.apps", "configmaps"].map(|text| text.parse::<Placeable>().expect("a resource"));
    let rules = needed_by_agent(&given.into_iter().collect());
    let cases = [
        ("apps", "deployments", "patch", true),
        ("", "configmaps", "delete", true),
        ("", "namespaces", "create", true),
        ("", "nodes", "watch", true),
        ("", "secrets", "get", false),
        ("", "services", "create", false),
        ("", "serviceaccounts/token", "create", false),
        ("apps", "statefulsets", "list", false),
        (RBAC, "clusterroles", "escalate", false),
    ];
    for (group, resource, verb, want) in cases {
        assert_eq!(grants(&rules, group, resource, verb), want, "{verb} {resource}.{group}");
    }
}

#[test]
fn a_condition_names_the_missing_rights_until_they_are_granted() {
    let missing = |count: usize| -> BTreeSet<GroupResource> {
        (0..count).map(|index| GroupResource::new("x.io", &format!("r{index:02}"))).collect()
    };
    let next = |before: &[Condition], count| rights_condition(before, "eu", &missing(count), "t");
    assert_eq!(next(&[], 0), None);
    let one = [next(&[], 1).expect("a condition")];
    assert!(one[0].is_true() && one[0].message.contains("r00.x.io; `portolan cluster permissions eu"));
    assert_eq!(next(&one, 1), None, "written once");
    let many = next(&one, 12).expect("another message").message;
    assert!(many.contains("r09.x.io, 2 more") && !many.contains("r10"), "{many}");
    let granted = [next(&one, 0).expect("a condition")];
    assert!(!granted[0].is_true());
    assert_eq!(next(&granted, 0), None);
}

#[test]
fn what_may_be_placed_is_written_as_kubectl_writes_resources() {
    let read = |text: &str| text.parse::<Placeable>();
    assert_eq!(read("jobs.batch"), Ok(Placeable::Only([GroupResource::new("batch", "jobs")].into())));
    assert_eq!(read("*"), Ok(Placeable::Everything));
    assert_eq!(
        GroupResource::new("networking.k8s.io", "ingresses").to_string(),
        "ingresses.networking.k8s.io"
    );
    assert_eq!(GroupResource::new("", "secrets").to_string(), "secrets");
    for wrong in ["", ".apps", "Deployment", "apps/v1", "*.apps"] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
    let all: Placeable = [read("secrets"), read("*")].into_iter().flatten().collect();
    assert_eq!(all, Placeable::Everything);
}
