use super::*;

fn set(replicas: i64, image: &str) -> Object {
    Object(json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop", "uid": "u", "generation": 1},
        "spec": {"replicas": replicas, "serviceName": "ledger", "podManagementPolicy": "OrderedReady",
            "selector": {"matchLabels": {"app": "db"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": image}]}}}}))
}

/// With one more setting.
fn with(mut set: Object, path: &str, value: Value) -> Object {
    *set.0["spec"].pointer_mut(path).expect("the path exists") = value;
    set
}

fn parallel(set: Object) -> Object {
    with(set, "/podManagementPolicy", json!("Parallel"))
}

fn partition_at(set: Object, ordinal: i64) -> Object {
    with(set, "/updateStrategy/rollingUpdate/partition", json!(ordinal))
}

fn templates(image: &str) -> Templates<'static> {
    let set = set(1, image);
    Templates::of(&set, &StatefulSet::read(&set).expect("readable"), &[])
}

/// The name of the revision of an image.
fn revision(image: &str) -> String {
    templates(image).update().to_owned()
}

/// The revisions of images, in the order in which they were made.
fn revisions(images: &[&str]) -> Vec<Object> {
    let made = images.iter().enumerate().map(|(index, image)| {
        let steps = templates(image).steps(&[]);
        let [StatefulSetAction::Revision(RevisionStep::Create(revision))] = &steps[..] else {
            panic!("{steps:?}")
        };
        let mut revision = revision.clone();
        revision.0["revision"] = json!(index + 1);
        revision
    });
    made.collect()
}

/// Pods as text: `0` is a ready pod of image one, `1!` one that is not ready, `2-` one that is leaving, `3x` one that
/// failed; a `'` in front says that it is of image two.
fn pods(text: &str) -> Vec<Object> {
    let pod = |word: &str| {
        let image = if word.starts_with('\'') { "two" } else { "one" };
        let number: String = word.chars().filter(char::is_ascii_digit).collect();
        let (ready, phase) = match word.chars().last() {
            Some('!') => ("False", "Running"),
            Some('x') => ("False", "Failed"),
            _ => ("True", "Running"),
        };
        let mut pod = Object(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("db-{number}"), "namespace": "shop", "uid": word,
                "labels": {"app": "db", REVISION_LABEL: revision(image)}},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}}));
        if word.ends_with('-') {
            pod.metadata_mut().insert("deletionTimestamp".to_owned(), json!("t"));
        }
        pod
    };
    text.split_whitespace().map(pod).collect()
}

fn render(actions: &[StatefulSetAction]) -> String {
    let image = |name: &str| if name == revision("two") { "two" } else { "one" };
    let text = |action: &StatefulSetAction| match action {
        StatefulSetAction::Create(pod) => {
            Some(format!("create {} {}", pod.name(), image(pod.label(REVISION_LABEL).unwrap_or_default())))
        }
        StatefulSetAction::Delete(key, _) => Some(format!("delete {}", key.name)),
        StatefulSetAction::Revision(RevisionStep::Create(revision)) => {
            Some(format!("record {}", image(revision.name())))
        }
        StatefulSetAction::Revision(RevisionStep::Renumber(key, number)) => {
            Some(format!("renumber {} {number}", image(&key.name)))
        }
        StatefulSetAction::Revision(RevisionStep::Delete(key)) => {
            Some(format!("forget {}", image(&key.name)))
        }
        StatefulSetAction::Claim(claim) => Some(format!("claim {}", claim.name())),
        StatefulSetAction::ClaimOwners(key, ..) => Some(format!("own {}", key.name)),
        StatefulSetAction::Status(_) => None,
    };
    actions.iter().filter_map(text).collect::<Vec<_>>().join(", ")
}

fn planned(set: &Object, pods: &[Object], revisions: &[Object]) -> Vec<StatefulSetAction> {
    plan(set, &pods.iter().collect::<Vec<_>>(), &revisions.iter().collect::<Vec<_>>(), &[])
}

fn status(actions: &[StatefulSetAction]) -> Option<Value> {
    actions.iter().find_map(|action| match action {
        StatefulSetAction::Status(status) => Some(status.clone()),
        _ => None,
    })
}

#[test]
fn scales() {
    let one = |replicas| set(replicas, "one");
    let started_at = |start: i64| {
        let mut set = one(2);
        set.0["spec"]["ordinals"] = json!({"start": start});
        set
    };
    let cases: Vec<(&str, Object, &str, &str)> = vec![
        ("the first pod comes alone", one(3), "", "create db-0 one"),
        ("the next waits for it", one(3), "0!", ""),
        ("and comes when it is ready", one(3), "0", "create db-1 one"),
        ("a leaving pod is waited for", one(2), "0 1-", ""),
        ("a gap is filled before anything else", one(3), "0 2", "create db-1 one"),
        ("a failed pod makes room for its successor", one(2), "0x 1", "delete db-0"),
        ("settled", one(2), "0 1", ""),
        ("the highest goes first", one(1), "0 1 2", "delete db-2"),
        ("and alone", one(1), "0 1 2-", ""),
        ("not while a pod below is broken", one(1), "0! 1", ""),
        ("a broken one among those that go holds no ready one", one(0), "0! 1", "delete db-1"),
        ("but another broken one", one(0), "0! 1!", ""),
        ("unless it is the one to go", one(1), "0 1!", "delete db-1"),
        ("to nothing", one(0), "0", "delete db-0"),
        (
            "all at once in parallel",
            parallel(one(3)),
            "",
            "create db-0 one, create db-1 one, create db-2 one",
        ),
        ("in parallel no pod waits", parallel(one(3)), "0!", "create db-1 one, create db-2 one"),
        ("nor on the way down", parallel(one(1)), "0! 1! 2", "delete db-2, delete db-1"),
        ("ordinals may start higher", started_at(5), "", "create db-5 one"),
        ("and what is below goes", started_at(1), "0 1 2", "delete db-0"),
        ("a double-digit pod is above a single-digit one", one(1), "0 2 10", "delete db-10"),
    ];
    for (name, set, text, want) in cases {
        assert_eq!(render(&planned(&set, &pods(text), &revisions(&["one"]))), want, "{name}");
    }
}

#[test]
fn rolls_out() {
    let mut two = set(3, "two");
    two.0["status"] = json!({"currentRevision": revision("one")});
    let on_delete = {
        let mut set = two.clone();
        set.0["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        set
    };
    let cases: Vec<(&str, Object, &str, &str)> = vec![
        ("the highest is replaced first", two.clone(), "0 1 2", "delete db-2"),
        ("it comes back with the new template", two.clone(), "0 1", "create db-2 two"),
        ("the next waits for it", two.clone(), "0 1 '2!", ""),
        ("then it is its turn", two.clone(), "0 1 '2", "delete db-1"),
        ("done", two.clone(), "'0 '1 '2", ""),
        ("pods below the partition stay", partition_at(two.clone(), 2), "0 1 '2", ""),
        ("and come back as they were", partition_at(two.clone(), 2), "0 '2", "create db-1 one"),
        ("a partition beyond the replicas stops it", partition_at(two.clone(), 9), "0 1 2", ""),
        ("a broken old pod holds an ordered roll-out", two.clone(), "0! 1 2", ""),
        ("but not a parallel one", parallel(two.clone()), "0! 1 2", "delete db-2"),
        ("on delete nothing is replaced", on_delete.clone(), "0 1 2", ""),
        ("but what was deleted is new", on_delete, "0 1", "create db-2 two"),
    ];
    for (name, set, text, want) in cases {
        assert_eq!(render(&planned(&set, &pods(text), &revisions(&["one", "two"]))), want, "{name}");
    }
}

#[test]
fn templates_are_recorded() {
    let mut forgetful = set(1, "two");
    forgetful.0["spec"]["revisionHistoryLimit"] = json!(0);
    forgetful.0["status"] = json!({"currentRevision": revision("two")});
    let mut rolling = forgetful.clone();
    rolling.0["status"] = json!({"currentRevision": revision("one")});
    let cases: Vec<(&str, Object, &str, Vec<Object>, &str)> = vec![
        ("the first", set(1, "one"), "0", vec![], "record one"),
        ("the second", set(1, "two"), "'0", revisions(&["one"]), "record two"),
        (
            "going back makes the old one the newest",
            set(1, "one"),
            "0",
            revisions(&["one", "two"]),
            "renumber one 3",
        ),
        ("history is bounded", forgetful.clone(), "'0", revisions(&["one", "two"]), "forget one"),
        ("what a pod was made from stays", forgetful, "0-", revisions(&["one", "two"]), ""),
        ("and what the set is coming from", rolling, "'0!", revisions(&["one", "two"]), ""),
    ];
    for (name, set, text, known, want) in cases {
        assert_eq!(render(&planned(&set, &pods(text), &known)), want, "{name}");
    }
}

#[test]
fn a_pod_has_a_name_that_stays() {
    let actions = planned(&set(1, "one"), &[], &revisions(&["one"]));
    let StatefulSetAction::Create(pod) = &actions[0] else { panic!("{actions:?}") };
    let labels = json!({"app": "db", POD_NAME: "db-0", POD_INDEX: "0", REVISION_LABEL: revision("one")});
    assert_eq!(pod.0["metadata"]["labels"], labels);
    assert_eq!((pod.str_at(&["spec", "hostname"]), pod.str_at(&["spec", "subdomain"])), ("db-0", "ledger"));
    assert_eq!(pod.0["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");
    assert_eq!(pod.0["spec"]["containers"][0]["image"], "one");
}

#[test]
fn a_deletion_names_the_pod_and_not_its_successor() {
    let actions = planned(&set(0, "one"), &pods("0"), &revisions(&["one"]));
    assert_eq!(actions[0], StatefulSetAction::Delete(ObjectKey::namespaced("shop", "db-0"), "0".to_owned()));
}

#[test]
fn status_counts_and_settles() {
    let mut rolling = set(3, "two");
    rolling.0["status"] = json!({"currentRevision": revision("one")});
    let known = revisions(&["one", "two"]);
    let half = status(&planned(&rolling, &pods("0 1 '2"), &known)).expect("a status is written");
    assert_eq!((&half["currentReplicas"], &half["updatedReplicas"]), (&json!(2), &json!(1)));
    assert_eq!(half["currentRevision"], revision("one"), "not complete yet");
    let done = status(&planned(&rolling, &pods("'0 '1 '2"), &known)).expect("a status is written");
    assert_eq!((&done["currentReplicas"], &done["currentRevision"]), (&json!(3), &json!(revision("two"))));
    rolling.0["status"] = done;
    assert_eq!(planned(&rolling, &pods("'0 '1 '2"), &known), [], "a fixpoint");
}

#[test]
fn claims_come_before_their_pod() {
    let mut asking = set(2, "one");
    asking.0["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {}}]);
    let actions = planned(&asking, &[], &revisions(&["one"]));
    assert_eq!(render(&actions), "claim data-db-0, create db-0 one");
    let StatefulSetAction::Create(pod) = &actions[1] else { panic!("{actions:?}") };
    assert_eq!(pod.0["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-db-0");
}

#[test]
fn a_set_that_goes_makes_nothing() {
    let mut going = set(3, "one");
    going.metadata_mut().insert("deletionTimestamp".to_owned(), json!("t"));
    assert_eq!(render(&planned(&going, &pods("0"), &[])), "");
}

#[test]
fn a_parallel_set_makes_a_bounded_number_of_pods_in_one_pass() {
    let actions = plan(&parallel(set(1_000_000, "one")), &[], &[], &[]);
    let created = actions.iter().filter(|action| matches!(action, StatefulSetAction::Create(_))).count();
    assert_eq!(created, BURST);
}
