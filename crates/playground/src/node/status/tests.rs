use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn running(ready: bool) -> ContainerRecord {
    ContainerRecord {
        state: ContainerState::Running { id: "portolan://1".to_owned(), since: at(10) },
        ready,
        started: true,
        ..ContainerRecord::new()
    }
}

fn over(code: i32) -> ContainerRecord {
    let reason = if code == 0 { "Completed" } else { "Error" };
    let mut record = ContainerRecord::new();
    record.set_terminated(Termination {
        id: "portolan://1".to_owned(),
        code,
        reason: reason.to_owned(),
        message: String::new(),
        started: at(10),
        finished: at(20),
    });
    record
}

fn crashing(code: i32) -> ContainerRecord {
    let mut record = over(code);
    record.set_waiting("CrashLoopBackOff", "back-off 10s");
    record
}

struct Case {
    name: &'static str,
    policy: &'static str,
    init: Vec<ContainerRecord>,
    containers: Vec<ContainerRecord>,
    is_over: bool,
    ending: Option<Ending>,
    last: Value,
    /// The phase and the reason of the Ready condition, `True` when it holds.
    want: (&'static str, &'static str),
}

impl Default for Case {
    fn default() -> Self {
        Self {
            name: "",
            policy: "Always",
            init: vec![],
            containers: vec![running(true)],
            is_over: false,
            ending: None,
            last: Value::Null,
            want: ("Running", "True"),
        }
    }
}

fn status_of(case: &Case) -> Value {
    let named = |prefix: &str, count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({ "name": format!("{prefix}{n}"), "image": "nginx" })).collect()
    };
    let pod = Object(json!({ "spec": {
        "restartPolicy": case.policy,
        "initContainers": named("init", case.init.len()),
        "containers": named("c", case.containers.len()),
    } }));
    status(&StatusInput {
        spec: &PodSpec::of(&pod).expect("a spec"),
        last: &case.last,
        init: &case.init,
        containers: &case.containers,
        pod_addresses: &["10.10.0.5".parse().expect("an address")],
        host_address: "172.18.0.2".parse().expect("an address"),
        started: at(5),
        now: at(30),
        is_over: case.is_over,
        ending: case.ending.as_ref(),
    })
}

fn deadline() -> Ending {
    Ending { reason: "DeadlineExceeded", message: "too long".to_owned(), at: at(29) }
}

fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let conditions = status["conditions"].as_array().expect("conditions");
    conditions.iter().find(|condition| condition["type"] == kind).expect("the condition")
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn phases_and_readiness() {
    let unready = ("Running", "ContainersNotReady");
    let cases = [
        Case { name: "running and ready", ..Case::default() },
        Case {
            name: "running, not ready",
            containers: vec![running(false)],
            want: unready,
            ..Case::default()
        },
        Case {
            name: "one of two ready",
            containers: vec![running(true), running(false)],
            want: unready,
            ..Case::default()
        },
        Case {
            name: "not started",
            containers: vec![ContainerRecord::new()],
            want: ("Pending", "ContainersNotReady"),
            ..Case::default()
        },
        Case {
            name: "one of two started",
            containers: vec![running(true), ContainerRecord::new()],
            want: ("Pending", "ContainersNotReady"),
            ..Case::default()
        },
        Case { name: "crashing", containers: vec![crashing(1)], want: unready, ..Case::default() },
        Case { name: "ended, always restarted", containers: vec![over(0)], want: unready, ..Case::default() },
        Case {
            name: "ended well, never restarted",
            policy: "Never",
            containers: vec![over(0)],
            want: ("Succeeded", "PodCompleted"),
            ..Case::default()
        },
        Case {
            name: "failed, never restarted",
            policy: "Never",
            containers: vec![over(0), over(2)],
            want: ("Failed", "PodFailed"),
            ..Case::default()
        },
        Case {
            name: "failed, restarted",
            policy: "OnFailure",
            containers: vec![over(2)],
            want: unready,
            ..Case::default()
        },
        Case {
            name: "one of two ended",
            policy: "Never",
            containers: vec![over(0), running(true)],
            want: unready,
            ..Case::default()
        },
        Case {
            name: "initializing",
            init: vec![running(false)],
            containers: vec![ContainerRecord::new()],
            want: ("Pending", "ContainersNotReady"),
            ..Case::default()
        },
        Case { name: "initialized", init: vec![over(0)], ..Case::default() },
        Case {
            name: "initialization failed for good",
            policy: "Never",
            init: vec![over(1)],
            containers: vec![ContainerRecord::new()],
            want: ("Failed", "PodFailed"),
            ..Case::default()
        },
        Case {
            name: "ended to be deleted",
            containers: vec![over(143)],
            is_over: true,
            want: ("Failed", "PodFailed"),
            ..Case::default()
        },
        Case {
            name: "ended well to be deleted",
            containers: vec![over(0)],
            is_over: true,
            want: ("Succeeded", "PodCompleted"),
            ..Case::default()
        },
        Case {
            name: "ending, with a container that still runs",
            ending: Some(deadline()),
            ..Case::default()
        },
        Case {
            name: "ended by the node",
            containers: vec![over(0)],
            ending: Some(deadline()),
            want: ("Failed", "PodFailed"),
            ..Case::default()
        },
        Case {
            name: "a final phase stays",
            last: json!({ "phase": "Failed" }),
            want: ("Failed", "PodFailed"),
            ..Case::default()
        },
    ];
    for case in cases {
        let status = status_of(&case);
        let ready = condition(&status, "Ready");
        let reason = ready["reason"].as_str().unwrap_or_else(|| ready["status"].as_str().unwrap_or_default());
        assert_eq!((status["phase"].as_str().expect("a phase"), reason), case.want, "{}", case.name);
    }
}

#[test]
fn the_reason_of_an_ending_stays() {
    let ended = Case { containers: vec![over(0)], ending: Some(deadline()), ..Case::default() };
    let first = status_of(&ended);
    assert_eq!((&first["reason"], &first["message"]), (&json!("DeadlineExceeded"), &json!("too long")));
    let after_a_restart =
        status_of(&Case { containers: vec![over(0)], last: first.clone(), ..Case::default() });
    assert_eq!(after_a_restart, first);
}

#[test]
fn the_whole_status_of_a_running_pod() {
    let status = status_of(&Case::default());
    let condition = |kind: &str| json!({ "type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": "1970-01-01T00:00:30Z" });
    let conditions = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .map(condition);
    let want = json!({
        "phase": "Running",
        "startTime": "1970-01-01T00:00:05Z",
        "hostIP": "172.18.0.2",
        "hostIPs": [{ "ip": "172.18.0.2" }],
        "podIP": "10.10.0.5",
        "podIPs": [{ "ip": "10.10.0.5" }],
        "conditions": conditions,
        "containerStatuses": [{
            "name": "c0", "image": "nginx", "imageID": "nginx", "containerID": "portolan://1",
            "state": { "running": { "startedAt": "1970-01-01T00:00:10Z" } }, "lastState": {},
            "ready": true, "started": true, "restartCount": 0,
        }],
    });
    assert_eq!(status, want);
    let pod = Object(json!({ "status": status, "qosClass": "BestEffort" }));
    assert_eq!(owned_fields(&pod), want);
}

#[test]
fn conditions_keep_their_time_and_those_of_others_stay() {
    let gate = json!({ "type": "example.com/gate", "status": "True" });
    let last = json!({ "conditions": [
        { "type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:00:01Z", "observedGeneration": 1 },
        { "type": "ContainersReady", "status": "False", "lastTransitionTime": "1970-01-01T00:00:01Z" },
        gate,
    ] });
    let status = status_of(&Case { last, ..Case::default() });
    assert_eq!(condition(&status, "Ready")["lastTransitionTime"], "1970-01-01T00:00:01Z");
    assert_eq!(condition(&status, "Ready")["observedGeneration"], 1);
    assert_eq!(condition(&status, "ContainersReady")["lastTransitionTime"], "1970-01-01T00:00:30Z");
    assert_eq!(*condition(&status, "example.com/gate"), gate);
}

#[test]
fn readiness_gates_must_be_open() {
    let pod = Object(json!({ "spec": { "containers": [{ "name": "c0" }],
                                       "readinessGates": [{ "conditionType": "gate" }] } }));
    let spec = PodSpec::of(&pod).expect("a spec");
    let containers = [running(true)];
    let ready = |last: Value| {
        let input = StatusInput {
            spec: &spec,
            last: &last,
            init: &[],
            containers: &containers,
            pod_addresses: &[],
            host_address: "172.18.0.2".parse().expect("an address"),
            started: at(5),
            now: at(30),
            is_over: false,
            ending: None,
        };
        condition(&status(&input), "Ready")["status"].clone()
    };
    assert_eq!(ready(Value::Null), "False");
    assert_eq!(ready(json!({ "conditions": [{ "type": "gate", "status": "False" }] })), "False");
    assert_eq!(ready(json!({ "conditions": [{ "type": "gate", "status": "True" }] })), "True");
}

#[test]
fn records_are_read_back_after_a_restart() {
    let specs = ["c0", "c1", "c2", "c3"]
        .map(|name| ContainerSpec { name: name.to_owned(), ..ContainerSpec::default() });
    let terminated = json!({ "exitCode": 3, "reason": "Error", "startedAt": "1970-01-01T00:00:10Z",
                             "finishedAt": "1970-01-01T00:00:20Z", "containerID": "portolan://2" });
    let statuses = json!([
        { "name": "c0", "restartCount": 2, "containerID": "portolan://1",
          "state": { "running": { "startedAt": "1970-01-01T00:00:10Z" } } },
        { "name": "c1", "restartCount": 1, "state": { "terminated": terminated } },
        { "name": "c2", "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
          "lastState": { "terminated": terminated } },
    ]);
    let records = records(&specs, &statuses, at(30));
    assert!(
        matches!(&records[0].state, ContainerState::Terminated(ended) if ended.code == 137 && ended.finished == at(30))
    );
    assert_eq!(records[0].restarts, 2);
    assert!(
        matches!(&records[1].state, ContainerState::Terminated(ended) if ended.code == 3 && ended.id == "portolan://2")
    );
    assert!(matches!(&records[2].state, ContainerState::Waiting { .. }));
    assert_eq!(records[2].last.as_ref().map(|ended| ended.code), Some(3));
    assert_eq!(records[3], ContainerRecord::new());
}
