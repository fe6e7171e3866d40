//! Locks that order the writes to the quotas of a namespace.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tokio::sync::{Mutex, MutexGuard};

/// Number of locks, which namespaces share.
const LOCKS: usize = 64;

/// Locks that order the writes to the quotas of a namespace. They save retries: the store itself refuses a write that was
/// computed from an older quota.
#[derive(Debug)]
pub(crate) struct QuotaLocks {
    locks: [Mutex<()>; LOCKS],
}

impl Default for QuotaLocks {
    fn default() -> Self {
        Self { locks: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl QuotaLocks {
    /// The lock of a namespace.
    pub(crate) async fn lock(&self, namespace: &str) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        namespace.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default();
        self.locks[index].lock().await
    }
}
