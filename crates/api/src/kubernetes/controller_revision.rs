//! `apps/v1` ControllerRevision.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// A ControllerRevision: a template that a workload had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ControllerRevision {
    /// Number of the revision; the newest has the highest.
    pub revision: i64,
}

impl View<'_> for ControllerRevision {
    const RESOURCE: StaticResource = resources::CONTROLLER_REVISION;
}
