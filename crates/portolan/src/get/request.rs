//! What `portolan get` asks each API server, and how it prints.

use anyhow::{Result, ensure};
use portolan_object::jsonpath::JsonPath;
use portolan_runtime::Resource;
use portolan_runtime::client::{Selection, TableOptions};

use super::arguments::Get;
use super::format::{Format, relaxed};
use super::query::{Query, queries};
use crate::output::table::Columns;

/// The checked command line.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) arguments: Get,
    pub(super) format: Format,
    pub(super) queries: Vec<Query>,
    pub(super) sort_by: Option<JsonPath>,
    namespace: String,
}

impl Request {
    /// Checks the command line. `namespace` is that of the context.
    ///
    /// # Errors
    /// Flags that contradict each other, unknown formats, malformed paths.
    pub(super) fn new(arguments: Get, namespace: &str) -> Result<Self> {
        let format = Format::read(arguments.output.as_deref(), arguments.template.as_deref())?;
        let queries = queries(&arguments)?;
        let sort_by = arguments.sort_by.as_deref().map(relaxed).transpose()?;
        let namespace = arguments.objects.namespace(namespace);
        let request = Self { arguments, format, queries, sort_by, namespace };
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<()> {
        let Get { show_labels, label_columns, output_watch_events, show_kind, show_managed_fields, .. } =
            &self.arguments;
        let output = self.arguments.output.as_deref().unwrap_or_default();
        ensure!(
            self.format.is_table() || !(*show_labels || *show_kind || !label_columns.is_empty()),
            "--show-labels, --show-kind and --label-columns cannot be used with -o {output}"
        );
        ensure!(
            matches!(self.format, Format::Json | Format::Yaml) || !show_managed_fields,
            "--show-managed-fields is for -o json and -o yaml"
        );
        let takes_template = matches!(self.format, Format::JsonPath(_) | Format::JsonPathAsJson(_));
        ensure!(
            self.arguments.template.is_none() || takes_template && !output.contains('='),
            "--template is the template of -o jsonpath, -o jsonpath-file or -o jsonpath-as-json"
        );
        if !self.watches() {
            ensure!(
                !output_watch_events,
                "--output-watch-events can only be used with --watch or --watch-only"
            );
            return Ok(());
        }
        ensure!(self.sort_by.is_none(), "--sort-by cannot be used with --watch or --watch-only");
        let names: usize = self.queries.iter().map(|query| query.names.len()).sum();
        ensure!(self.queries.len() == 1 && names <= 1, "--watch is for one kind, or for one object of it");
        Ok(())
    }

    /// Whether changes are printed.
    pub(super) fn watches(&self) -> bool {
        self.arguments.watch || self.arguments.watch_only
    }

    /// Whether one object was asked for.
    pub(super) fn is_single(&self) -> bool {
        matches!(&*self.queries, [query] if query.names.len() == 1)
    }

    /// The objects of a kind that are asked for.
    pub(super) fn selection(&self, resource: &Resource) -> Selection {
        let Get { objects, field_selector, .. } = &self.arguments;
        objects.selection(&self.namespace, resource.namespaced, field_selector)
    }

    /// How tables are read.
    pub(super) fn table_options(&self) -> TableOptions {
        TableOptions { page_size: self.arguments.chunk_size, has_objects: self.sort_by.is_some() }
    }

    /// Which columns a table has.
    pub(super) fn columns(&self) -> Columns {
        Columns {
            events: self.arguments.output_watch_events,
            wide: self.format == Format::Table { wide: true },
            namespaces: self.arguments.objects.all_namespaces,
            label_values: self.arguments.label_columns.clone(),
            labels: self.arguments.show_labels,
        }
    }

    /// The text for nothing; kubectl's.
    pub(super) fn nothing_found(&self, all_are_namespaced: bool) -> String {
        let elsewhere = self.arguments.scope.elsewhere();
        match all_are_namespaced && !self.arguments.objects.all_namespaces {
            true => format!("No resources found in {} namespace.{elsewhere}", self.namespace),
            false => format!("No resources found{elsewhere}"),
        }
    }
}

/// The kind before each name: `deployment.apps/`.
pub(super) fn prefix(resource: &Resource) -> String {
    crate::kinds::prefix(&resource.gvk.kind, &resource.gvk.group) + "/"
}
