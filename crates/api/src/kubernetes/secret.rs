//! `v1` Secret.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// A Secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret<'a> {
    /// `type`, such as `kubernetes.io/service-account-token`.
    #[serde(rename = "type")]
    pub kind: &'a str,
}

impl<'a> View<'a> for Secret<'a> {
    const RESOURCE: StaticResource = resources::SECRET;
}
