//! Tables as kubectl prints them, with the columns that a federation adds.

use portolan_runtime::client::{Column, Row, Table};
use serde_json::Value;

/// Name of the control plane in the column CLUSTER, as karmadactl prints it.
pub(crate) const CONTROL_PLANE: &str = "Karmada";

/// Space between columns, as in kubectl.
const GAP: usize = 3;

/// Which columns are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Include the columns of `-o wide`.
    pub(crate) wide: bool,
    /// Include the namespace as first column.
    pub(crate) namespaces: bool,
}

/// Joins the tables of several clusters.
///
/// `CLUSTER` stands after the name and `ADOPTION` last: `-` for the control plane's own objects, `Y` for what the
/// federation manages in a member, `N` for the rest.
#[derive(Debug)]
pub(crate) struct Federated {
    columns: Columns,
    heading: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
}

impl Federated {
    pub(crate) fn new(columns: Columns) -> Self {
        Self { columns, heading: None, rows: Vec::new() }
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds the objects of one cluster.
    pub(crate) fn add(&mut self, cluster: &str, table: &Table) {
        let shown: Vec<usize> = self.shown(&table.column_definitions);
        if self.heading.is_none() {
            let names = shown.iter().map(|&index| table.column_definitions[index].name.to_uppercase());
            self.heading =
                Some(self.framed("NAMESPACE".to_owned(), "CLUSTER".to_owned(), names, "ADOPTION".to_owned()));
        }
        for row in &table.rows {
            let cells = shown.iter().map(|&index| row.cells.get(index).map(cell).unwrap_or_default());
            let namespace = row.object.namespace().to_owned();
            let row = self.framed(namespace, cluster.to_owned(), cells, adoption(cluster, row).to_owned());
            self.rows.push(row);
        }
    }

    fn shown(&self, columns: &[Column]) -> Vec<usize> {
        let wide = self.columns.wide;
        columns
            .iter()
            .enumerate()
            .filter(|(_, column)| wide || column.priority == 0)
            .map(|(index, _)| index)
            .collect()
    }

    /// Adds the columns of the federation to a row: CLUSTER after the name, ADOPTION at the end.
    fn framed(
        &self,
        namespace: String,
        cluster: String,
        cells: impl Iterator<Item = String>,
        adoption: String,
    ) -> Vec<String> {
        let mut cells: Vec<String> = cells.collect();
        cells.insert(cells.len().min(1), cluster);
        cells.push(adoption);
        if self.columns.namespaces {
            cells.insert(0, namespace);
        }
        cells
    }

    /// The text, one line per object.
    pub(crate) fn render(&self, has_heading: bool) -> String {
        let heading = self.heading.iter().filter(|_| has_heading);
        align(&heading.chain(&self.rows).collect::<Vec<_>>())
    }
}

/// The table of one cluster, as kubectl prints it.
#[cfg(feature = "playground")]
pub(crate) fn plain(table: &Table) -> String {
    let shown = |column: &&Column| column.priority == 0;
    let heading: Vec<String> =
        table.column_definitions.iter().filter(shown).map(|column| column.name.to_uppercase()).collect();
    let rows = table.rows.iter().map(|row| {
        let cells = table.column_definitions.iter().zip(&row.cells);
        cells.filter(|(column, _)| shown(column)).map(|(_, value)| cell(value)).collect()
    });
    let lines: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    align(&lines.iter().collect::<Vec<_>>())
}

/// Pads cells so that columns stand below each other.
pub(crate) fn align(lines: &[&Vec<String>]) -> String {
    let columns = lines.iter().map(|line| line.len()).max().unwrap_or_default();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < line.len() {
                let padding = widths[column] + GAP - cell.chars().count();
                text.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.push('\n');
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn adoption(cluster: &str, row: &Row) -> &'static str {
    match row.object.label(portolan_api::labels::MANAGED) {
        _ if cluster == CONTROL_PLANE => "-",
        Some("true") => "Y",
        _ => "N",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn services(rows: Value) -> Table {
        serde_json::from_value(json!({
            "columnDefinitions": [{"name": "Name"}, {"name": "Type"}, {"name": "Age"}, {"name": "Selector", "priority": 1}],
            "rows": rows}))
        .unwrap()
    }

    fn row(name: &str, managed: bool) -> Value {
        let labels = if managed { json!({"karmada.io/managed": "true"}) } else { json!({}) };
        json!({"cells": [name, "ClusterIP", "3m", null], "object": {"metadata": {"name": name, "namespace": "default", "labels": labels}}})
    }

    #[test]
    fn clusters_and_adoption_are_added() {
        let mut table = Federated::new(Columns { wide: false, namespaces: false });
        table.add(CONTROL_PLANE, &services(json!([row("serve", false)])));
        table.add("member1", &services(json!([row("kubernetes", false), row("serve", true)])));
        assert_eq!(
            table.render(true),
            "NAME         CLUSTER   TYPE        AGE   ADOPTION\n\
             serve        Karmada   ClusterIP   3m    -\n\
             kubernetes   member1   ClusterIP   3m    N\n\
             serve        member1   ClusterIP   3m    Y\n"
        );
    }

    #[test]
    fn namespaces_and_wide_columns_on_request() {
        let mut table = Federated::new(Columns { wide: true, namespaces: true });
        table.add("member1", &services(json!([row("serve", true)])));
        let text = table.render(true);
        assert!(
            text.starts_with("NAMESPACE   NAME    CLUSTER   TYPE        AGE   SELECTOR   ADOPTION\n"),
            "{text}"
        );
        assert!(text.contains("default     serve   member1"), "{text}");
    }
}
