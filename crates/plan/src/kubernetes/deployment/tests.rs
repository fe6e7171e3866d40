use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

fn deployment(image: &str, replicas: i64) -> Object {
    Object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 1},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}}}))
}

/// The set of `image`, as if all its pods were there and `available` of them answered, made for a Deployment of `of` pods.
fn set_of(image: &str, (replicas, available): (i64, i64), revision: i64, of: i64) -> Object {
    let mut set = template::new_set(&deployment(image, 1), 0);
    let metadata = set.metadata_mut();
    metadata.insert("uid".to_owned(), json!(image));
    metadata.insert("creationTimestamp".to_owned(), json!(format!("2026-01-01T00:00:0{revision}Z")));
    set.set_annotation(sets::REVISION, revision.to_string());
    set.set_annotation("deployment.kubernetes.io/desired-replicas", of.to_string());
    set.set_annotation("deployment.kubernetes.io/max-replicas", (of + (of + 3) / 4).to_string());
    set.0["spec"]["replicas"] = json!(replicas);
    set.0["status"] =
        json!({"replicas": replicas, "readyReplicas": available, "availableReplicas": available});
    set
}

fn readable(name: &str) -> String {
    let hash = |image: &str| template::new_set(&deployment(image, 1), 0).name().to_owned();
    ["one", "two", "three"].iter().fold(name.to_owned(), |text, image| text.replace(&hash(image), image))
}

fn render(plan: &DeploymentPlan) -> Vec<String> {
    let text = |action: &DeploymentAction| match action {
        DeploymentAction::Create(set) => Some(format!(
            "create {} x{} revision {}",
            readable(set.name()),
            set.0["spec"]["replicas"],
            set.annotation(sets::REVISION).unwrap_or_default()
        )),
        DeploymentAction::Update { set, patch, size } => {
            let revision = patch.pointer("/metadata/annotations/deployment.kubernetes.io~1revision");
            let revision =
                revision.map(|revision| format!(" revision {}", revision.as_str().unwrap_or_default()));
            let size = size.map(|(_, to)| format!(" x{to}"));
            let changes = [size, revision].into_iter().flatten().collect::<String>();
            (!changes.is_empty()).then(|| format!("{}{changes}", readable(&set.name)))
        }
        DeploymentAction::Delete(key) => Some(format!("delete {}", readable(&key.name))),
        DeploymentAction::Status { .. } => None,
    };
    plan.actions.iter().filter_map(text).collect()
}

fn planned(deployment: &Object, sets: &[Object]) -> Vec<String> {
    render(&plan(deployment, &sets.iter().collect::<Vec<_>>(), false, now()))
}

fn status(plan: &DeploymentPlan) -> Option<(Value, Option<String>)> {
    plan.actions.iter().find_map(|action| match action {
        DeploymentAction::Status { status, revision } => Some((status.clone(), revision.clone())),
        _ => None,
    })
}

fn progressing(status: &Value) -> Value {
    let conditions = status["conditions"].as_array().expect("conditions");
    conditions.iter().find(|condition| condition["type"] == "Progressing").cloned().unwrap_or_default()
}

#[test]
fn rolls_out() {
    let set = |image, size, revision| set_of(image, size, revision, 4);
    let cases: Vec<(&str, Object, Vec<Object>, Vec<&str>)> = vec![
        ("the first set", deployment("one", 4), vec![], vec!["create one x4 revision 1"]),
        (
            "a new template starts with the surge",
            deployment("two", 4),
            vec![set("one", (4, 4), 1)],
            vec!["create two x1 revision 2"],
        ),
        (
            "the old one gives up what can be spared",
            deployment("two", 4),
            vec![set("one", (4, 4), 1), set("two", (1, 0), 2)],
            vec!["one x3"],
        ),
        (
            "and the new one takes its place",
            deployment("two", 4),
            vec![set("one", (2, 2), 1), set("two", (1, 1), 2)],
            vec!["two x3"],
        ),
        (
            "of broken old pods as many go as may be unavailable",
            deployment("two", 4),
            vec![set("one", (4, 0), 1), set("two", (1, 0), 2)],
            vec!["one x3"],
        ),
        (
            "going back makes the old set the newest",
            deployment("one", 4),
            vec![set("one", (0, 0), 1), set("two", (4, 4), 2)],
            vec!["one x1 revision 3"],
        ),
    ];
    for (name, deployment, sets, want) in cases {
        assert_eq!(planned(&deployment, &sets), want, "{name}");
    }
}

#[test]
fn earlier_revisions_of_a_template_are_kept() {
    let sets = [set_of("one", (0, 0), 1, 1), set_of("two", (1, 1), 2, 1)];
    let plan = plan(&deployment("one", 1), &sets.iter().collect::<Vec<_>>(), false, now());
    let DeploymentAction::Update { patch, .. } = &plan.actions[0] else { panic!("{plan:?}") };
    assert_eq!(patch["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"], "1");
    assert_eq!(
        status(&plan).expect("a status").1.as_deref(),
        Some("3"),
        "the Deployment has the revision too"
    );
}

#[test]
fn recreate_waits_for_the_old_pods() {
    let mut wanted = deployment("two", 2);
    wanted.0["spec"]["strategy"] = json!({"type": "Recreate"});
    let old = |size| set_of("one", size, 1, 2);
    let steps = [
        (vec![old((2, 2))], true, vec!["one x0"]),
        (vec![old((0, 0))], true, vec![]),
        (vec![old((0, 0))], false, vec!["create two x2 revision 2"]),
    ];
    for (sets, old_pods, want) in steps {
        let plan = plan(&wanted, &sets.iter().collect::<Vec<_>>(), old_pods, now());
        assert_eq!(render(&plan), want);
    }
}

#[test]
fn a_new_size_is_divided_in_proportion() {
    let cases = [
        ("one set", 5, vec![set_of("one", (3, 3), 1, 3)], vec!["one x5"]),
        (
            "in the middle of a rollout",
            20,
            vec![set_of("one", (8, 8), 1, 10), set_of("two", (5, 0), 2, 10)],
            vec!["one x15", "two x10"],
        ),
        (
            "fewer",
            5,
            vec![set_of("one", (8, 8), 1, 10), set_of("two", (5, 0), 2, 10)],
            vec!["one x4", "two x3"],
        ),
        (
            "none",
            0,
            vec![set_of("one", (8, 8), 1, 10), set_of("two", (5, 0), 2, 10)],
            vec!["one x0", "two x0"],
        ),
    ];
    for (name, replicas, sets, want) in cases {
        let image = if sets.len() == 1 { "one" } else { "two" };
        assert_eq!(planned(&deployment(image, replicas), &sets), want, "{name}");
    }
}

#[test]
fn a_paused_deployment_is_scaled_and_not_rolled_out() {
    let mut wanted = deployment("two", 4);
    wanted.0["spec"]["paused"] = json!(true);
    let sets = [set_of("one", (1, 1), 1, 1)];
    assert_eq!(planned(&wanted, &sets), ["one x4"]);
    let paused = status(&plan(&wanted, &sets.iter().collect::<Vec<_>>(), false, now())).expect("a status").0;
    assert_eq!(progressing(&paused)["reason"], "DeploymentPaused");
    wanted.0["spec"]["paused"] = json!(false);
    wanted.0["status"] = paused;
    let sets = [set_of("one", (4, 1), 1, 4)];
    let resumed = plan(&wanted, &sets.iter().collect::<Vec<_>>(), false, now());
    assert_eq!(render(&resumed), ["create two x1 revision 2"]);
}

#[test]
fn history_is_bounded_and_goes_when_the_rollout_is_complete() {
    let mut wanted = deployment("two", 1);
    wanted.0["spec"]["revisionHistoryLimit"] = json!(0);
    let unfinished = [set_of("one", (0, 0), 1, 1), set_of("two", (1, 0), 2, 1)];
    assert!(planned(&wanted, &unfinished).is_empty());
    let complete = [set_of("one", (0, 0), 1, 1), set_of("two", (1, 1), 2, 1)];
    assert_eq!(planned(&wanted, &complete), ["delete one"]);
}

#[test]
fn status_counts_and_settles() {
    let mut wanted = deployment("one", 2);
    let sets = [set_of("one", (2, 2), 1, 2)];
    let sets: Vec<&Object> = sets.iter().collect();
    let (first, revision) = status(&plan(&wanted, &sets, false, now())).expect("a status is written");
    assert_eq!((&first["readyReplicas"], &first["updatedReplicas"]), (&json!(2), &json!(2)));
    assert_eq!((&first["conditions"][0]["status"], revision.as_deref()), (&json!("True"), Some("1")));
    assert_eq!(progressing(&first)["reason"], "NewReplicaSetAvailable");
    wanted.0["status"] = first;
    wanted.set_annotation(sets::REVISION, "1");
    let later = plan(&wanted, &sets, false, "2026-02-01T00:00:00Z".parse().expect("a time"));
    assert_eq!(later, DeploymentPlan::default(), "what is settled is not written again");
}

#[test]
fn a_rollout_without_progress_times_out() {
    let mut wanted = deployment("one", 2);
    let sets = [set_of("one", (2, 1), 1, 2)];
    let sets: Vec<&Object> = sets.iter().collect();
    let first = plan(&wanted, &sets, false, now());
    assert_eq!(first.next, Some("2026-01-01T00:10:01Z".parse().expect("a time")));
    wanted.0["status"] = status(&first).expect("a status").0;
    let late = plan(&wanted, &sets, false, "2026-01-01T00:10:01Z".parse().expect("a time"));
    let stuck = status(&late).expect("a status").0;
    let condition = progressing(&stuck);
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&json!("False"), &json!("ProgressDeadlineExceeded"))
    );
    assert_eq!(late.next, None);
}

#[test]
fn annotations_of_the_deployment_reach_its_current_set() {
    let mut wanted = deployment("one", 1);
    wanted.set_annotation("kubernetes.io/change-cause", "why");
    wanted.set_annotation("kubectl.kubernetes.io/last-applied-configuration", "{}");
    let sets = [set_of("one", (1, 1), 1, 1)];
    let plan = plan(&wanted, &sets.iter().collect::<Vec<_>>(), false, now());
    let DeploymentAction::Update { patch, size, .. } = &plan.actions[0] else { panic!("{plan:?}") };
    assert_eq!(patch, &json!({"metadata": {"annotations": {"kubernetes.io/change-cause": "why"}}}));
    assert_eq!(*size, None);
}

/// Plans and carries out until nothing changes. There are never more than `most` pods.
fn settle(wanted: &mut Object, sets: &mut Vec<Object>, most: i64) {
    for round in 0..200 {
        let references: Vec<&Object> = sets.iter().collect();
        let plan = plan(wanted, &references, false, now());
        let mut is_settled = true;
        for action in plan.actions {
            match action {
                DeploymentAction::Create(mut set) => {
                    set.metadata_mut().insert("creationTimestamp".to_owned(), json!(format!("{round:03}")));
                    sets.push(set);
                    is_settled = false;
                }
                DeploymentAction::Update { set: key, patch, .. } => {
                    let set = sets.iter_mut().find(|set| set.key() == key).expect("a set");
                    portolan_object::patch::merge_patch(&mut set.0, &patch).expect("a patch");
                    is_settled = false;
                }
                DeploymentAction::Delete(key) => sets.retain(|set| set.key() != key),
                DeploymentAction::Status { status, revision } => {
                    wanted.0["status"] = status;
                    if let Some(revision) = revision {
                        wanted.set_annotation(sets::REVISION, revision);
                    }
                }
            }
        }
        for set in sets.iter_mut() {
            let replicas = set.0["spec"]["replicas"].as_i64().expect("a size");
            let available = set.0["status"]["availableReplicas"].as_i64().unwrap_or_default();
            // One pod gets ready in each round.
            let available = (available + 1).min(replicas);
            is_settled &= available == replicas;
            set.0["status"] =
                json!({ "replicas": replicas, "readyReplicas": available, "availableReplicas": available });
        }
        let total: i64 = sets.iter().map(|set| set.0["spec"]["replicas"].as_i64().expect("a size")).sum();
        assert!(total <= most, "round {round}: {total} pods");
        if is_settled && round > 0 {
            return;
        }
    }
    panic!("the rollout does not end");
}

#[test]
fn rollouts_end_within_their_limits() {
    for (surge, unavailable) in
        [(json!(0), json!(1)), (json!(1), json!(0)), (json!("25%"), json!("25%")), (json!("100%"), json!(0))]
    {
        let mut wanted = deployment("one", 7);
        wanted.0["spec"]["strategy"]["rollingUpdate"] =
            json!({"maxSurge": surge, "maxUnavailable": unavailable});
        let most = 7 + Wanted::of(&Deployment::read(&wanted).expect("readable").spec).surge;
        let mut sets = Vec::new();
        for image in ["one", "two", "three", "one", "two"] {
            wanted.0["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
            settle(&mut wanted, &mut sets, most);
            let running: Vec<String> = sets
                .iter()
                .filter(|set| set.0["spec"]["replicas"] == 7)
                .map(|set| readable(set.name()))
                .collect();
            assert_eq!(running, [image], "{surge} {unavailable}");
        }
        assert_eq!(wanted.annotation(sets::REVISION), Some("5"));
    }
}
