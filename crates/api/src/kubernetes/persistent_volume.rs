//! `v1` PersistentVolume and PersistentVolumeClaim.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// A PersistentVolume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolume<'a> {
    /// State.
    #[serde(borrow)]
    pub status: VolumeStatus<'a>,
}

/// A PersistentVolumeClaim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolumeClaim<'a> {
    /// State.
    #[serde(borrow)]
    pub status: VolumeStatus<'a>,
}

/// `status` of a PersistentVolume or a PersistentVolumeClaim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeStatus<'a> {
    /// Phase, such as `Bound`.
    pub phase: Option<&'a str>,
}

impl<'a> View<'a> for PersistentVolume<'a> {
    const RESOURCE: StaticResource = resources::PERSISTENT_VOLUME;
}

impl<'a> View<'a> for PersistentVolumeClaim<'a> {
    const RESOURCE: StaticResource = resources::PERSISTENT_VOLUME_CLAIM;
}
