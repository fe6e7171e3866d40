//! Tables over Jobs and their pods.

use super::*;

fn job(spec: Value, status: Value) -> Object {
    let mut job = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "load", "namespace": "shop", "uid": "u" },
        "spec": { "template": { "metadata": { "labels": { "job-name": "load" } }, "spec": { "containers": [{ "name": "c" }] } } },
        "status": status });
    for (field, value) in spec.as_object().into_iter().flatten() {
        job["spec"][field] = value.clone();
    }
    Object(job)
}

fn pod(name: &str, phase: &str) -> Object {
    let end = json!([{ "state": { "terminated": { "finishedAt": "2026-01-01T00:00:00Z" } } }]);
    Object(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "shop" },
        "status": { "phase": phase, "containerStatuses": end } }))
}

fn at(text: &str) -> Timestamp {
    format!("2026-01-01T{text}Z").parse().unwrap()
}

fn render(plan: &JobPlan) -> String {
    let text = |action: &JobAction| match action {
        JobAction::Create(pod) => format!("create {}", pod.str_at(&["metadata", "generateName"])),
        JobAction::Delete(key) => format!("delete {}", key.name),
        JobAction::Expire => "expire".to_owned(),
        JobAction::Warn(text) => text.clone(),
        JobAction::Status(status) => {
            let count = |field: &str| status[field].as_i64().unwrap_or(0);
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            let kinds: Vec<&str> =
                conditions.iter().filter_map(|condition| condition["type"].as_str()).collect();
            format!(
                "status {}/{}/{} {}",
                count("active"),
                count("succeeded"),
                count("failed"),
                kinds.join("+")
            )
        }
    };
    plan.actions.iter().map(text).collect::<Vec<_>>().join(", ").trim_end().to_owned()
}

#[test]
fn plans() {
    let (running, done, failed) = (pod("r", "Running"), pod("s", "Succeeded"), pod("f", "Failed"));
    let cases: [(&str, Value, Vec<&Object>, &str); 11] = [
        (
            "from nothing",
            json!({ "parallelism": 2, "completions": 3 }),
            vec![],
            "create load-, create load-, status 0/0/0",
        ),
        ("one runs", json!({ "parallelism": 1, "completions": 1 }), vec![&running], "status 1/0/0"),
        (
            "no more than are left",
            json!({ "parallelism": 5, "completions": 2 }),
            vec![&done],
            "create load-, status 0/1/0",
        ),
        ("complete", json!({ "completions": 1 }), vec![&done], "status 0/1/0 SuccessCriteriaMet+Complete"),
        (
            "the rest is stopped",
            json!({ "completions": 1 }),
            vec![&done, &running],
            "delete r, status 0/1/0 SuccessCriteriaMet+Complete",
        ),
        ("after a failure", json!({ "completions": 1 }), vec![&failed], "create load-, status 0/0/1"),
        (
            "too many failures",
            json!({ "completions": 1, "backoffLimit": 0 }),
            vec![&failed],
            "status 0/0/1 FailureTarget+Failed",
        ),
        (
            "a queue waits for those that run",
            json!({ "parallelism": 3 }),
            vec![&done, &running],
            "status 1/1/0",
        ),
        (
            "and is complete without them",
            json!({ "parallelism": 3 }),
            vec![&done],
            "status 0/1/0 SuccessCriteriaMet+Complete",
        ),
        (
            "suspended",
            json!({ "completions": 1, "suspend": true }),
            vec![&running],
            "delete r, status 0/0/0 Suspended",
        ),
        (
            "fewer are wanted",
            json!({ "parallelism": 0, "completions": 1 }),
            vec![&running],
            "delete r, status 1/0/0",
        ),
    ];
    for (name, spec, pods, want) in cases {
        assert_eq!(render(&plan(&job(spec, json!({})), &pods, at("01:00:00"))), want, "{name}");
    }
}

#[test]
fn a_failure_is_followed_by_a_delay_that_doubles() {
    let failed = [pod("a", "Failed"), pod("b", "Failed")];
    let job = job(json!({ "completions": 1 }), json!({}));
    let early = plan(&job, &[&failed[0], &failed[1]], at("00:00:19"));
    assert_eq!((render(&early), early.next), ("status 0/0/2".to_owned(), Some(at("00:00:20"))));
    assert_eq!(render(&plan(&job, &[&failed[0], &failed[1]], at("00:00:20"))), "create load-, status 0/0/2");
}

#[test]
fn a_deadline_and_a_time_to_live_end_a_job() {
    let running = pod("r", "Running");
    let limited = job(
        json!({ "completions": 1, "activeDeadlineSeconds": 30 }),
        json!({ "startTime": "2026-01-01T00:00:00Z" }),
    );
    assert_eq!(plan(&limited, &[&running], at("00:00:29")).next, Some(at("00:00:30")));
    assert_eq!(
        render(&plan(&limited, &[&running], at("00:00:30"))),
        "delete r, status 0/0/0 FailureTarget+Failed"
    );
    let ended =
        json!([{ "type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" }]);
    let finished = job(json!({ "ttlSecondsAfterFinished": 5 }), json!({ "conditions": ended }));
    assert_eq!(
        plan(&finished, &[], at("00:00:04")),
        JobPlan { actions: Vec::new(), next: Some(at("00:00:05")) }
    );
    assert_eq!(render(&plan(&finished, &[], at("00:00:05"))), "expire");
}

#[test]
fn an_indexed_job_has_a_pod_for_each_index() {
    let mut done = pod("s", "Succeeded");
    done.0["metadata"]["annotations"] = json!({ INDEX: "1" });
    let job = job(json!({ "parallelism": 3, "completions": 3, "completionMode": "Indexed" }), json!({}));
    let planned = plan(&job, &[&done], at("01:00:00"));
    assert_eq!(render(&planned), "create load-0-, create load-2-, status 0/1/0");
    let JobAction::Create(pod) = &planned.actions[0] else { panic!("{planned:?}") };
    assert_eq!(pod.0["spec"]["hostname"], "load-0");
    assert_eq!(pod.0["spec"]["containers"][0]["env"][0]["name"], "JOB_COMPLETION_INDEX");
    let Some(JobAction::Status(status)) = planned.actions.last() else { panic!("{planned:?}") };
    assert_eq!(status["completedIndexes"], "1");
}

#[test]
fn counters_do_not_go_back_and_settled_state_is_left_alone() {
    let before = job(json!({ "parallelism": 1, "completions": 3 }), json!({ "succeeded": 2 }));
    let running = pod("r", "Running");
    let Some(JobAction::Status(status)) = plan(&before, &[&running], at("01:00:00")).actions.pop() else {
        panic!("no status")
    };
    assert_eq!(status["succeeded"], 2);
    let mut settled = before;
    settled.0["status"] = status;
    assert_eq!(plan(&settled, &[&running], at("02:00:00")).actions, []);
}
