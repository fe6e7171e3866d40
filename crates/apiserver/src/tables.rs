//! How built-in kinds look as a table: the columns and cells that `kubectl get` prints.
//!
//! The request handler wraps them into `meta.k8s.io/v1 Table`. Custom resources are printed from their own
//! column definitions, elsewhere. Cells never fail: what is missing prints as the kind's word for it.

mod access;
mod autoscaling;
mod cells;
mod cluster;
mod network;
mod pods;
mod storage;
mod workloads;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use portolan_object::GroupVersionKind;
use serde_json::{Value, json};

use cells::Source;

/// One column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Heading; clients print it in upper case.
    pub name: &'static str,
    /// `string`, `integer`, `boolean` or `date`.
    pub kind: &'static str,
    /// `name` on the column that identifies the object, otherwise empty.
    pub format: &'static str,
    /// What the cells mean.
    pub description: &'static str,
    /// 0 is always shown, 1 only in wide output.
    pub priority: u8,
}

/// The columns of a kind; kinds without a printer of their own have a name and a date.
pub fn columns(kind: &GroupVersionKind) -> &'static [Column] {
    printer(kind).columns
}

/// The cells of one object, as many as there are columns.
pub fn row(kind: &GroupVersionKind, object: &Value, now: Timestamp) -> Vec<Value> {
    (printer(kind).cells)(Source { object, now })
}

impl Column {
    const fn of(kind: &'static str, name: &'static str, description: &'static str) -> Self {
        Self { name, kind, format: "", description, priority: 0 }
    }

    const fn text(name: &'static str, description: &'static str) -> Self {
        Self::of("string", name, description)
    }

    const fn integer(name: &'static str, description: &'static str) -> Self {
        Self::of("integer", name, description)
    }

    const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::of("boolean", name, description)
    }

    const fn wide(mut self) -> Self {
        self.priority = 1;
        self
    }

    const fn identifying(mut self) -> Self {
        self.format = "name";
        self
    }
}

const NAME: Column =
    Column::text("Name", "Name of the object, unique among its kind and namespace.").identifying();
const AGE: Column = Column::text("Age", "Time since the object was created.");
const CREATED: Column = Column::of("date", "Created At", "When the object was created.");
const CONTAINERS: Column = Column::text("Containers", "Names of the containers of the pod template.").wide();
const IMAGES: Column = Column::text("Images", "Images of the containers of the pod template.").wide();
const SELECTOR: Column = Column::text("Selector", "Labels of the pods that belong to the object.").wide();

/// Columns of a kind together with the function that fills them.
struct Printer {
    columns: &'static [Column],
    cells: fn(Source<'_>) -> Vec<Value>,
}

static DEFAULT: Printer = Printer { columns: &[NAME, CREATED], cells: default_cells };

fn default_cells(source: Source<'_>) -> Vec<Value> {
    let created = match source.text("/metadata/creationTimestamp") {
        "" => Value::Null,
        created => json!(created),
    };
    vec![source.name(), created]
}

fn printer(kind: &GroupVersionKind) -> &'static Printer {
    let found = match kind.group.as_str() {
        "" => pods::printer(&kind.kind)
            .or_else(|| workloads::printer(&kind.kind))
            .or_else(|| network::printer(&kind.kind))
            .or_else(|| storage::printer(&kind.kind))
            .or_else(|| cluster::printer(&kind.kind)),
        "apps" | "batch" => workloads::printer(&kind.kind),
        "autoscaling" | "policy" => autoscaling::printer(&kind.kind),
        "networking.k8s.io" | "discovery.k8s.io" => network::printer(&kind.kind),
        "rbac.authorization.k8s.io" | "certificates.k8s.io" => access::printer(&kind.kind),
        "storage.k8s.io" => storage::printer(&kind.kind),
        "events.k8s.io"
        | "coordination.k8s.io"
        | "scheduling.k8s.io"
        | "node.k8s.io"
        | "admissionregistration.k8s.io" => cluster::printer(&kind.kind),
        _ => None,
    };
    found.unwrap_or(&DEFAULT)
}
