//! Rows of jobs.

use portolan_object::age;
use serde_json::{Value, json};

use crate::kinds::table::cells::Source;
use crate::kinds::table::{AGE, CONTAINERS, Column, IMAGES, NAME, SELECTOR, Table};
use crate::kinds::workload;
use crate::tree;

pub(crate) static TABLE: Table = Table {
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
    cells,
};

fn cells(source: Source<'_>) -> Vec<Value> {
    let [names, images] = source.containers(workload::TEMPLATE);
    vec![
        source.name(),
        json!(status(source)),
        json!(completions(source)),
        json!(duration(source)),
        source.age(),
        names,
        images,
        json!(source.selector("/spec/selector")),
    ]
}

fn status(source: Source<'_>) -> &'static str {
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

fn duration(source: Source<'_>) -> String {
    let time = |pointer| source.text(pointer).parse::<jiff::Timestamp>().ok();
    let Some(start) = time("/status/startTime") else {
        return String::new();
    };
    let end = time("/status/completionTime").unwrap_or(source.now);
    age::human(end.duration_since(start))
}
