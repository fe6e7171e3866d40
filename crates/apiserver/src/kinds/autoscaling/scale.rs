//! The body of `scale` subresources.

use serde_json::{Value, json};

use crate::kinds::table::cells::Source;
use crate::kinds::table::{AGE, Column, Table};

pub(crate) static TABLE: Table = Table {
    columns: &[
        Column::text("Name", "Name of the scaled object."),
        Column::integer("Desired", "Pods that should exist."),
        Column::integer("Available", "Pods that exist."),
        AGE,
    ],
    cells,
};

fn cells(source: Source<'_>) -> Vec<Value> {
    vec![
        source.name(),
        json!(source.integer("/spec/replicas")),
        json!(source.integer("/status/replicas")),
        source.age(),
    ]
}
