use super::*;

fn deployment(image: &str, replicas: i64) -> Object {
    Object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 1},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}}}))
}

/// The set of `image`, as if all its pods were there and `available` of them answered.
fn set(image: &str, replicas: i64, available: i64, revision: i64) -> Object {
    let mut set = new_set(&deployment(image, 1), replicas, revision);
    set.metadata_mut().insert("uid".to_owned(), json!(image));
    set.0["status"] =
        json!({"replicas": replicas, "readyReplicas": available, "availableReplicas": available});
    set
}

fn render(actions: &[DeploymentAction]) -> Vec<String> {
    let hash = |image: &str| new_set(&deployment(image, 1), 0, 0).name().to_owned();
    let readable = |name: &str| name.replace(&hash("one"), "one").replace(&hash("two"), "two");
    let text = |action: &DeploymentAction| match action {
        DeploymentAction::Create(set) => {
            Some(format!("create {} x{}", readable(set.name()), set.0["spec"]["replicas"]))
        }
        DeploymentAction::Scale(key, replicas) => Some(format!("scale {} x{replicas}", readable(&key.name))),
        DeploymentAction::Delete(key) => Some(format!("delete {}", readable(&key.name))),
        DeploymentAction::Revision(revision) => Some(format!("revision {revision}")),
        DeploymentAction::Status(_) => None,
    };
    actions.iter().filter_map(text).collect()
}

#[test]
fn rolls_out() {
    let cases: Vec<(&str, Object, Vec<Object>, Vec<&str>)> = vec![
        ("the first set", deployment("one", 3), vec![], vec!["create one x3", "revision 1"]),
        (
            "more replicas",
            deployment("one", 5),
            vec![set("one", 3, 3, 1)],
            vec!["revision 1", "scale one x5"],
        ),
        (
            "fewer replicas",
            deployment("one", 1),
            vec![set("one", 3, 3, 1)],
            vec!["revision 1", "scale one x1"],
        ),
        (
            "a new template starts with the surge",
            deployment("two", 4),
            vec![set("one", 4, 4, 1)],
            vec!["create two x1", "revision 2"],
        ),
        (
            "the old one gives up what can be spared",
            deployment("two", 4),
            vec![set("one", 4, 4, 1), set("two", 1, 1, 2)],
            vec!["revision 2", "scale one x2"],
        ),
        (
            "and the new one takes its place",
            deployment("two", 4),
            vec![set("one", 2, 2, 1), set("two", 1, 1, 2)],
            vec!["revision 2", "scale two x3"],
        ),
        (
            "broken old pods go at once",
            deployment("two", 4),
            vec![set("one", 4, 0, 1), set("two", 1, 0, 2)],
            vec!["revision 2", "scale one x0"],
        ),
        (
            "one replica is replaced by surge",
            deployment("two", 1),
            vec![set("one", 1, 1, 1)],
            vec!["create two x1", "revision 2"],
        ),
    ];
    for (name, deployment, sets, want) in cases {
        let actions = plan(&deployment, &sets.iter().collect::<Vec<_>>(), "now");
        assert_eq!(render(&actions), want, "{name}");
    }
}

#[test]
fn recreate_waits_for_the_old_pods() {
    let mut wanted = deployment("two", 2);
    wanted.0["spec"]["strategy"] = json!({"type": "Recreate"});
    let steps = [
        (vec![set("one", 2, 2, 1)], vec!["create two x0", "revision 2"]),
        (vec![set("one", 2, 2, 1), set("two", 0, 0, 2)], vec!["revision 2", "scale one x0"]),
        (vec![set("one", 0, 0, 1), set("two", 0, 0, 2)], vec!["revision 2", "scale two x2"]),
    ];
    for (sets, want) in steps {
        assert_eq!(render(&plan(&wanted, &sets.iter().collect::<Vec<_>>(), "now")), want);
    }
}

#[test]
fn history_is_bounded() {
    let mut wanted = deployment("two", 1);
    wanted.0["spec"]["revisionHistoryLimit"] = json!(0);
    wanted.set_annotation(REVISION, "2");
    let sets = [set("one", 0, 0, 1), set("two", 1, 1, 2)];
    assert_eq!(render(&plan(&wanted, &sets.iter().collect::<Vec<_>>(), "now")), ["delete one"]);
}

#[test]
fn status_counts_and_settles() {
    let mut wanted = deployment("one", 2);
    let sets = [set("one", 2, 2, 1)];
    let sets: Vec<&Object> = sets.iter().collect();
    let status = |actions: Vec<DeploymentAction>| {
        actions.into_iter().find_map(|action| match action {
            DeploymentAction::Status(status) => Some(status),
            _ => None,
        })
    };
    let first = status(plan(&wanted, &sets, "t1")).expect("a status is written");
    assert_eq!((&first["readyReplicas"], &first["updatedReplicas"]), (&json!(2), &json!(2)));
    assert_eq!(first["conditions"][0]["status"], "True");
    wanted.0["status"] = first;
    assert_eq!(status(plan(&wanted, &sets, "t2")), None, "an unchanged status is not written again");
}
