//! Tables of built-in kinds: the columns and cells that `kubectl get` prints.
//!
//! The request handler wraps them into `meta.k8s.io/v1 Table`. Custom resources are printed from their own
//! column definitions, elsewhere. Cells never fail: what is missing prints as the kind's word for it.

pub(crate) mod cells;

use jiff::Timestamp;
use serde_json::{Value, json};

use cells::Row;

/// One column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// Heading; clients print it in upper case.
    pub name: &'static str,
    /// `string`, `integer`, `boolean` or `date`.
    pub kind: &'static str,
    /// `name` on the column that identifies the object, otherwise empty.
    pub format: &'static str,
    /// Meaning of the cells.
    pub description: &'static str,
    /// 0 is always shown, 1 only in wide output.
    pub priority: u8,
}

impl Column {
    fn definition(&self) -> Value {
        json!({
            "name": self.name, "type": self.kind, "format": self.format,
            "description": self.description, "priority": self.priority,
        })
    }

    pub(crate) const fn new(kind: &'static str, name: &'static str, description: &'static str) -> Self {
        Self { name, kind, format: "", description, priority: 0 }
    }

    pub(crate) const fn string(name: &'static str, description: &'static str) -> Self {
        Self::new("string", name, description)
    }

    pub(crate) const fn integer(name: &'static str, description: &'static str) -> Self {
        Self::new("integer", name, description)
    }

    pub(crate) const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::new("boolean", name, description)
    }

    pub(crate) const fn wide(mut self) -> Self {
        self.priority = 1;
        self
    }

    pub(crate) const fn identifying(mut self) -> Self {
        self.format = "name";
        self
    }
}

pub(crate) const NAME: Column =
    Column::string("Name", "Name of the object, unique among its kind and namespace.").identifying();
pub(crate) const AGE: Column = Column::string("Age", "Time since the object was created.");
pub(crate) const CREATED: Column = Column::new("date", "Created At", "When the object was created.");
pub(crate) const CONTAINERS: Column =
    Column::string("Containers", "Names of the containers of the pod template.").wide();
pub(crate) const IMAGES: Column =
    Column::string("Images", "Images of the containers of the pod template.").wide();
pub(crate) const SELECTOR: Column =
    Column::string("Selector", "Labels of the pods that belong to the object.").wide();

/// Columns of a kind together with the function that fills them.
#[derive(Debug)]
pub struct Table {
    /// Columns in the order in which they are printed.
    pub(crate) columns: &'static [Column],
    /// The cells of one object, as many as there are columns.
    pub(crate) cells: fn(Row<'_>) -> Vec<Value>,
}

impl Table {
    /// The `columnDefinitions` of a `meta.k8s.io/v1 Table`.
    pub(crate) fn definitions(&self) -> Vec<Value> {
        self.columns.iter().map(Column::definition).collect()
    }

    /// The cells of one object, as many as there are columns.
    pub(crate) fn row(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        (self.cells)(Row { object, now })
    }
}

/// The table of kinds without one: a name and a date.
pub(crate) static DEFAULT: Table = Table { columns: &[NAME, CREATED], cells: default_cells };

fn default_cells(row: Row<'_>) -> Vec<Value> {
    let created = match row.text("/metadata/creationTimestamp") {
        "" => Value::Null,
        created => json!(created),
    };
    vec![row.name(), created]
}
