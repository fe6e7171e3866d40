//! The body of `scale` subresources.

use serde_json::{Value, json};

use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, Table};

pub(crate) static TABLE: Table = Table {
    columns: &[
        Column::string("Name", "Name of the scaled object."),
        Column::integer("Desired", "Pods that should exist."),
        Column::integer("Available", "Pods that exist."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.integer("/spec/replicas")), json!(row.integer("/status/replicas")), row.age()]
}
