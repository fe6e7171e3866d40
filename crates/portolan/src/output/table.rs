//! Tables as kubectl prints them, with the columns that a federation adds.

use std::cmp::Ordering;

use portolan_object::Object;
use portolan_object::jsonpath::JsonPath;
#[cfg(feature = "playground")]
use portolan_runtime::client::Column;
use portolan_runtime::client::{Row, Table};
use serde_json::Value;

use super::order::compare;

/// Space between columns, as in kubectl.
const GAP: usize = 3;
/// The text of a cell without a value.
const NONE: &str = "<none>";

/// Which columns are printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Include what happened as first column (`--output-watch-events`).
    pub(crate) events: bool,
    /// Include the columns of `-o wide`.
    pub(crate) wide: bool,
    /// Include the namespace.
    pub(crate) namespaces: bool,
    /// Include the values of these labels.
    pub(crate) label_values: Vec<String>,
    /// Include all labels as last column.
    pub(crate) labels: bool,
}

/// Where rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    /// Name of the member or of the control plane.
    pub(crate) cluster: &'a str,
    /// Whether it is a member.
    pub(crate) is_member: bool,
    /// Prefix of each name, such as `deployment.apps/`; empty for none.
    pub(crate) prefix: &'a str,
    /// What happened to the objects, for the column EVENT.
    pub(crate) event: &'a str,
}

/// Joins the tables of several clusters.
///
/// `CLUSTER` stands after the name and `ADOPTION` last: `-` for the control plane's own objects, `Y` for what the
/// federation manages in a member, `N` for the rest.
#[derive(Debug)]
pub(crate) struct Federated {
    columns: Columns,
    /// Field by which the rows are sorted.
    sort_by: Option<JsonPath>,
    /// Names of the server's columns that are printed, from the first table.
    shown: Option<Vec<String>>,
    rows: Vec<Line>,
    /// Widths of the columns that were printed before. They never shrink, so that the rows of a watch stay aligned.
    widths: Vec<usize>,
}

#[derive(Debug)]
struct Line {
    cells: Vec<String>,
    /// Value of the field by which the rows are sorted.
    key: Option<Value>,
}

impl Federated {
    pub(crate) fn new(columns: Columns, sort_by: Option<JsonPath>) -> Self {
        Self { columns, sort_by, shown: None, rows: Vec::new(), widths: Vec::new() }
    }

    /// Whether nothing was added since the last [`Federated::render`].
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds the objects of one cluster. Columns are matched by name: clusters may have other versions of a kind.
    pub(crate) fn add(&mut self, origin: Origin<'_>, table: &Table) {
        let wide = self.columns.wide;
        let shown = self.shown.get_or_insert_with(|| {
            let columns = table.column_definitions.iter().filter(|column| wide || column.priority == 0);
            columns.map(|column| column.name.clone()).collect()
        });
        let place = |name: &String| table.column_definitions.iter().position(|column| column.name == *name);
        let places: Vec<Option<usize>> = shown.iter().map(place).collect();
        for row in &table.rows {
            let text = |place: &Option<usize>| place.and_then(|place| row.cells.get(place)).map(cell);
            let cells = places.iter().map(|place| text(place).unwrap_or_else(|| NONE.to_owned())).collect();
            let key = self
                .sort_by
                .as_ref()
                .and_then(|path| path.find(&row.object.0).first().map(|&key| key.clone()));
            self.rows.push(Line { cells: self.framed(origin, row, cells), key });
        }
    }

    /// Adds the columns of the federation to a row: CLUSTER after the name, ADOPTION after the columns of the server.
    fn framed(&self, origin: Origin<'_>, row: &Row, mut cells: Vec<String>) -> Vec<String> {
        if let Some(name) = cells.first_mut() {
            name.insert_str(0, origin.prefix);
        }
        cells.insert(cells.len().min(1), origin.cluster.to_owned());
        cells.push(adoption(origin, row).to_owned());
        if self.columns.namespaces {
            cells.insert(0, row.object.namespace().to_owned());
        }
        if self.columns.events {
            cells.insert(0, origin.event.to_owned());
        }
        let value = |name: &String| row.object.label(name).unwrap_or(NONE).to_owned();
        cells.extend(self.columns.label_values.iter().map(value));
        if self.columns.labels {
            cells.push(labels(&row.object));
        }
        cells
    }

    fn heading(&self) -> Vec<String> {
        let columns = &self.columns;
        let mut heading: Vec<String> = self.shown.iter().flatten().map(|name| name.to_uppercase()).collect();
        heading.insert(heading.len().min(1), "CLUSTER".to_owned());
        heading.push("ADOPTION".to_owned());
        if columns.namespaces {
            heading.insert(0, "NAMESPACE".to_owned());
        }
        if columns.events {
            heading.insert(0, "EVENT".to_owned());
        }
        let short = |name: &String| name.rsplit('/').next().unwrap_or(name).to_uppercase();
        heading.extend(columns.label_values.iter().map(short));
        if columns.labels {
            heading.push("LABELS".to_owned());
        }
        heading
    }

    /// The text of the rows that were added, one line per object.
    pub(crate) fn render(&mut self, has_heading: bool) -> String {
        let mut rows = std::mem::take(&mut self.rows);
        if self.sort_by.is_some() {
            rows.sort_by(|one, other| match (&one.key, &other.key) {
                (Some(one), Some(other)) => compare(one, other),
                (None, None) => Ordering::Equal,
                (one, _) => {
                    if one.is_none() {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
            });
        }
        let heading = Some(self.heading()).filter(|_| has_heading);
        let lines: Vec<&Vec<String>> = heading.iter().chain(rows.iter().map(|row| &row.cells)).collect();
        align_from(&mut self.widths, &lines)
    }
}

fn labels(object: &Object) -> String {
    let labels: Vec<String> =
        object.labels().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if labels.is_empty() { NONE.to_owned() } else { labels.join(",") }
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
    align_from(&mut Vec::new(), lines)
}

/// The same; columns are at least as wide as `widths`, which becomes the widths of these lines.
fn align_from(widths: &mut Vec<usize>, lines: &[&Vec<String>]) -> String {
    let columns = lines.iter().map(|line| line.len()).max().unwrap_or_default();
    widths.resize(widths.len().max(columns), 0);
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line.iter()) {
            *width = (*width).max(cell.chars().count());
        }
    }
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

fn adoption(origin: Origin<'_>, row: &Row) -> &'static str {
    match row.object.label(portolan_api::labels::MANAGED) {
        _ if !origin.is_member => "-",
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

    const HUB: Origin<'static> = Origin { cluster: "portolan", is_member: false, prefix: "", event: "ADDED" };
    const MEMBER: Origin<'static> = Origin { cluster: "member1", is_member: true, ..HUB };

    #[test]
    fn clusters_and_adoption_are_added() {
        let mut table = Federated::new(Columns::default(), None);
        table.add(HUB, &services(json!([row("serve", false)])));
        table.add(MEMBER, &services(json!([row("kubernetes", false), row("serve", true)])));
        assert_eq!(
            table.render(true),
            "NAME         CLUSTER    TYPE        AGE   ADOPTION\n\
             serve        portolan   ClusterIP   3m    -\n\
             kubernetes   member1    ClusterIP   3m    N\n\
             serve        member1    ClusterIP   3m    Y\n"
        );
    }

    #[test]
    fn columns_on_request() {
        let columns = Columns {
            events: true,
            wide: true,
            namespaces: true,
            label_values: vec!["karmada.io/managed".to_owned()],
            labels: true,
        };
        let mut table = Federated::new(columns, None);
        table.add(MEMBER, &services(json!([row("serve", true)])));
        assert_eq!(
            table.render(true),
            "EVENT   NAMESPACE   NAME    CLUSTER   TYPE        AGE   SELECTOR   ADOPTION   MANAGED   LABELS\n\
             ADDED   default     serve   member1   ClusterIP   3m               Y          true      karmada.io/managed=true\n"
        );
    }

    #[test]
    fn rows_of_all_clusters_are_sorted_together() {
        let path = JsonPath::parse(".metadata.name").expect("a path");
        let mut table = Federated::new(Columns::default(), Some(path));
        table.add(HUB, &services(json!([row("web-10", false), row("api", false)])));
        table.add(MEMBER, &services(json!([row("web-9", true)])));
        let text = table.render(false);
        let names: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, ["api", "web-9", "web-10"]);
    }

    #[test]
    fn a_cluster_with_other_columns_is_read_by_name() {
        let mut table = Federated::new(Columns::default(), None);
        table.add(HUB, &services(json!([row("serve", false)])));
        let other = json!({ "columnDefinitions": [{"name": "Name"}, {"name": "Age"}],
            "rows": [{ "cells": ["serve", "5m"], "object": { "metadata": { "name": "serve" } } }] });
        table.add(MEMBER, &serde_json::from_value(other).expect("a table"));
        let text = table.render(false);
        assert!(text.ends_with("serve   member1    <none>      5m   N\n"), "{text}");
    }

    #[test]
    fn rows_of_a_watch_stay_below_each_other() {
        let mut table = Federated::new(Columns::default(), None);
        table.add(HUB, &services(json!([row("a-long-name", false)])));
        let first = table.render(true);
        assert!(table.is_empty());
        table.add(HUB, &services(json!([row("b", false)])));
        let second = table.render(false);
        assert_eq!(first.find("CLUSTER"), second.find("portolan"), "{first}{second}");
    }
}
