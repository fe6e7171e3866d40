//! Writing the stored objects again, in the form that new ones get: `portolan storage migrate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portolan_apiserver::Record;
use portolan_apiserver::encryption::Encryption;
use portolan_store::{OpenError, RewriteSummary, rewrite_database};

use crate::state::{DATABASE, DIRECTORY};

/// Why the objects are not written again. Each has its old or its new form.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no state.
    #[error("{} holds no control plane: give the directory of `portolan server --dir`", .0.display())]
    NoState(PathBuf),
    /// The database.
    #[error(transparent)]
    Store(#[from] OpenError),
}

/// Encrypts the objects of the control plane in `root` as `encryption` says. Its server must not run.
///
/// # Errors
/// [`StorageError`].
pub fn migrate_storage(root: &Path, encryption: Arc<Encryption>) -> Result<RewriteSummary, StorageError> {
    let database = root.join(DIRECTORY).join(DATABASE);
    if !database.exists() {
        return Err(StorageError::NoState(root.to_owned()));
    }
    Ok(rewrite_database::<Record>(&database, encryption)?)
}
