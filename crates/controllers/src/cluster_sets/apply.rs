//! Options of server-side apply for the objects that a cluster set has in its members.

use portolan_runtime::client::Apply;

use crate::MANAGER;

/// Applies as Portolan's field manager, and takes over fields of other managers.
pub(super) fn apply() -> Apply {
    Apply { manager: MANAGER.to_owned(), force: true }
}
