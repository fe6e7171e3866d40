//! Rows of kinds that run pods: the controllers of `apps` and `batch`, and their relatives in the core group.

use portolan_object::{GroupVersion, age};
use serde_json::{Value, json};

use super::cells::{Source, elapsed};
use super::{AGE, CONTAINERS, Column, IMAGES, NAME, SELECTOR, Table};
use crate::tree;

pub(crate) static REPLICA_SET: Table = Table { columns: REPLICA_COLUMNS, cells: replica_set };
pub(crate) static REPLICATION_CONTROLLER: Table =
    Table { columns: REPLICA_COLUMNS, cells: replication_controller };

const REPLICA_COLUMNS: &[Column] = &[
    NAME,
    Column::integer("Desired", "Pods that should exist."),
    Column::integer("Current", "Pods that exist."),
    Column::integer("Ready", "Pods that are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(crate) static DEPLOYMENT: Table = Table {
    columns: &[
        NAME,
        Column::text("Ready", "Pods that are ready, of those that should exist."),
        Column::text("Up-to-date", "Pods of the current template."),
        Column::text("Available", "Pods that have been ready for long enough."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: deployment,
};

pub(crate) static STATEFUL_SET: Table = Table {
    columns: &[
        NAME,
        Column::text("Ready", "Pods that are ready, of those that should exist."),
        AGE,
        CONTAINERS,
        IMAGES,
    ],
    cells: stateful_set,
};

pub(crate) static DAEMON_SET: Table = Table {
    columns: &[
        NAME,
        Column::integer("Desired", "Nodes that should run the pod."),
        Column::integer("Current", "Nodes that run the pod and should."),
        Column::integer("Ready", "Nodes whose pod is ready."),
        Column::integer("Up-to-date", "Nodes that run the current template."),
        Column::integer("Available", "Nodes whose pod has been ready for long enough."),
        Column::text("Node Selector", "Labels of the nodes that should run the pod."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: daemon_set,
};

pub(crate) static JOB: Table = Table {
    columns: &[
        NAME,
        Column::text("Status", "How far the job is."),
        Column::text("Completions", "Pods that have succeeded, of those that must."),
        Column::text("Duration", "How long the job has been or was running."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: job,
};

pub(crate) static CRON_JOB: Table = Table {
    columns: &[
        NAME,
        Column::text("Schedule", "When jobs start, in cron format."),
        Column::text("Timezone", "Time zone of the schedule."),
        Column::boolean("Suspend", "Whether no further jobs are started."),
        Column::integer("Active", "Jobs that are running."),
        Column::text("Last Schedule", "Time since a job was last started."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: cron_job,
};

pub(crate) static CONTROLLER_REVISION: Table = Table {
    columns: &[
        NAME,
        Column::text("Controller", "Object whose history this is part of."),
        Column::text("Revision", "Number of the revision; later ones are higher."),
        AGE,
    ],
    cells: controller_revision,
};

pub(crate) static POD_TEMPLATE: Table = Table {
    columns: &[
        NAME,
        Column::text("Containers", "Names of the containers of the template."),
        Column::text("Images", "Images of the containers of the template."),
        Column::text("Pod Labels", "Labels of pods made from the template."),
    ],
    cells: pod_template,
};

const TEMPLATE: &str = "/spec/template/spec";

fn replica_set(source: Source<'_>) -> Vec<Value> {
    replicas(source, source.selector("/spec/selector"))
}

fn replication_controller(source: Source<'_>) -> Vec<Value> {
    replicas(source, source.labels("/spec/selector"))
}

fn replicas(source: Source<'_>, selector: String) -> Vec<Value> {
    let [names, images] = source.containers(TEMPLATE);
    vec![
        source.name(),
        json!(source.integer("/spec/replicas")),
        json!(source.integer("/status/replicas")),
        json!(source.integer("/status/readyReplicas")),
        source.age(),
        names,
        images,
        json!(selector),
    ]
}

fn deployment(source: Source<'_>) -> Vec<Value> {
    let [names, images] = source.containers(TEMPLATE);
    vec![
        source.name(),
        ready_of_desired(source),
        json!(source.integer("/status/updatedReplicas")),
        json!(source.integer("/status/availableReplicas")),
        source.age(),
        names,
        images,
        json!(source.selector("/spec/selector")),
    ]
}

fn stateful_set(source: Source<'_>) -> Vec<Value> {
    let [names, images] = source.containers(TEMPLATE);
    vec![source.name(), ready_of_desired(source), source.age(), names, images]
}

fn ready_of_desired(source: Source<'_>) -> Value {
    json!(format!("{}/{}", source.integer("/status/readyReplicas"), source.integer("/spec/replicas")))
}

fn daemon_set(source: Source<'_>) -> Vec<Value> {
    let [names, images] = source.containers(TEMPLATE);
    vec![
        source.name(),
        json!(source.integer("/status/desiredNumberScheduled")),
        json!(source.integer("/status/currentNumberScheduled")),
        json!(source.integer("/status/numberReady")),
        json!(source.integer("/status/updatedNumberScheduled")),
        json!(source.integer("/status/numberAvailable")),
        json!(source.labels("/spec/template/spec/nodeSelector")),
        source.age(),
        names,
        images,
        json!(source.selector("/spec/selector")),
    ]
}

fn job(source: Source<'_>) -> Vec<Value> {
    let [names, images] = source.containers(TEMPLATE);
    vec![
        source.name(),
        json!(job_status(source)),
        json!(completions(source)),
        json!(job_duration(source)),
        source.age(),
        names,
        images,
        json!(source.selector("/spec/selector")),
    ]
}

fn job_status(source: Source<'_>) -> &'static str {
    let holds = |kind: &str| {
        let conditions = source.list("/status/conditions").iter();
        let mut of_kind = conditions.filter(|condition| tree::text(condition, "/type") == kind);
        of_kind.next().is_some_and(|condition| tree::text(condition, "/status") == "True")
    };
    match () {
        () if holds("Complete") => "Complete",
        () if holds("Failed") => "Failed",
        () if source.is_deleting() => "Terminating",
        () if holds("Suspended") => "Suspended",
        () if holds("FailureTarget") => "FailureTarget",
        () if holds("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn completions(source: Source<'_>) -> String {
    let succeeded = source.integer("/status/succeeded");
    match (tree::integer(source.object, "/spec/completions"), source.integer("/spec/parallelism")) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism @ 2..) => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn job_duration(source: Source<'_>) -> String {
    let time = |pointer| source.text(pointer).parse::<jiff::Timestamp>().ok();
    let Some(start) = time("/status/startTime") else {
        return String::new();
    };
    let end = time("/status/completionTime").unwrap_or(source.now);
    age::human(end.duration_since(start))
}

fn cron_job(source: Source<'_>) -> Vec<Value> {
    let [names, images] = source.containers("/spec/jobTemplate/spec/template/spec");
    let suspended = tree::present(source.object, "/spec/suspend").and_then(Value::as_bool);
    let last = match source.text("/status/lastScheduleTime") {
        "" => "<none>".to_owned(),
        last => elapsed(last, source.now),
    };
    vec![
        source.name(),
        json!(source.text("/spec/schedule")),
        json!(source.text_or("/spec/timeZone", "<none>")),
        json!(suspended.map_or("<unset>", |suspended| if suspended { "True" } else { "False" })),
        json!(source.list("/status/active").len()),
        json!(last),
        source.age(),
        names,
        images,
        json!(source.selector("/spec/jobTemplate/spec/selector")),
    ]
}

fn controller_revision(source: Source<'_>) -> Vec<Value> {
    let mut owners = source.list("/metadata/ownerReferences").iter();
    let controller = owners.find(|owner| tree::is_true(owner, "/controller")).map(|owner| {
        let version = tree::text(owner, "/apiVersion").parse();
        let group = version.map(|version: GroupVersion| version.group).unwrap_or_default();
        let kind = tree::text(owner, "/kind");
        let name = tree::text(owner, "/name");
        let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        format!("{}/{name}", kind.to_lowercase())
    });
    vec![
        source.name(),
        json!(controller.as_deref().unwrap_or("<none>")),
        json!(source.integer("/revision")),
        source.age(),
    ]
}

fn pod_template(source: Source<'_>) -> Vec<Value> {
    let [names, images] = source.containers("/template/spec");
    vec![source.name(), names, images, json!(source.labels("/template/metadata/labels"))]
}
