//! Why a MultiClusterService has no effect.

use portolan_runtime::client::BoxError;

/// Why the Service is not bound.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unapplied {
    #[error("the Service of this name does not exist in the control plane: create it")]
    NoService,
    #[error("{0}")]
    Failed(#[from] BoxError),
}
