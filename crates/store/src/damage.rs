//! Values that are not as they were written.

use std::sync::Arc;

use crate::versioned::Revision;

/// A stored value that cannot be read. The store leaves it out of reads, and refuses writes of its key until the key is
/// deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedValue {
    /// The key.
    pub key: Arc<str>,
    /// The revision that wrote the value.
    pub revision: Revision,
    /// What is wrong with it.
    pub reason: Arc<str>,
}
