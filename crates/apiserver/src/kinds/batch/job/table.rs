//! Rows of jobs.

use portolan_object::age;
use serde_json::{Value, json};

use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, CONTAINERS, Column, IMAGES, NAME, SELECTOR, Table};
use crate::kinds::workload;
use crate::tree;

pub(crate) static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Status", "How far the job is."),
        Column::string("Completions", "Pods that have succeeded, of those that must."),
        Column::string("Duration", "How long the job has been or was running."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers(workload::TEMPLATE);
    vec![
        row.name(),
        json!(status(row)),
        json!(completions(row)),
        json!(duration(row)),
        row.age(),
        names,
        images,
        json!(row.selector("/spec/selector")),
    ]
}

fn status(row: Row<'_>) -> &'static str {
    let holds = |kind: &str| {
        let conditions = row.list("/status/conditions").iter();
        let mut of_kind = conditions.filter(|condition| tree::str_at(condition, "/type") == kind);
        of_kind.next().is_some_and(|condition| tree::str_at(condition, "/status") == "True")
    };
    match () {
        () if holds("Complete") => "Complete",
        () if holds("Failed") => "Failed",
        () if row.is_deleting() => "Terminating",
        () if holds("Suspended") => "Suspended",
        () if holds("FailureTarget") => "FailureTarget",
        () if holds("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn completions(row: Row<'_>) -> String {
    let succeeded = row.integer("/status/succeeded");
    match (tree::integer(row.object, "/spec/completions"), row.integer("/spec/parallelism")) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism @ 2..) => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn duration(row: Row<'_>) -> String {
    let time = |pointer| row.text(pointer).parse::<jiff::Timestamp>().ok();
    let Some(start) = time("/status/startTime") else {
        return String::new();
    };
    let end = time("/status/completionTime").unwrap_or(row.now);
    age::human(end.duration_since(start))
}
