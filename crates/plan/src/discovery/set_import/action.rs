//! Steps in the importing member.

use portolan_object::{Object, ObjectKey};

/// Step in the importing member.
#[derive(Debug, Clone, PartialEq)]
pub enum SetImportAction {
    /// Create or update the derived Service.
    PutService(Object),
    /// Create or replace the ServiceImport.
    PutImport(Object),
    /// Write the status of the ServiceImport.
    PutStatus(Object),
    /// Create or replace an EndpointSlice.
    PutSlice(Object),
    /// Delete an EndpointSlice.
    DeleteSlice(ObjectKey),
    /// Delete the derived Service.
    DeleteService(ObjectKey),
    /// Delete the ServiceImport.
    DeleteImport(ObjectKey),
    /// Report that a Service with the name of the derived Service exists and is not managed by Portolan.
    ReportForeignService(ObjectKey),
}

impl SetImportAction {
    /// Whether the next pass needs the result of this step.
    pub fn has_result(&self) -> bool {
        matches!(self, Self::PutService(_) | Self::PutImport(_))
    }

    /// Whether the step concerns one EndpointSlice only, so that other steps are valid if it fails.
    pub fn is_independent(&self) -> bool {
        matches!(self, Self::PutSlice(_) | Self::DeleteSlice(_))
    }
}
