//! The ordered, revisioned key-value store below the API server: memory, or memory over SQLite.
//!
//! Each key has one current value in an in-memory index. Each write takes the next revision of one global counter. The
//! newest writes stay in a bounded history, from which watchers resume and older revisions are read. The store knows keys,
//! values and revisions; namespaces and labels are unknown to it.
//!
//! ```text
//! commit(batch) ─► one writer: guards ─► revisions ─► durable? ─► publish ─┬─► index   (get, range)
//!                                                                          └─► history (watch, range at)
//! ```

mod batch;
mod collector;
mod damage;
mod draft;
mod durable;
mod index;
mod interest;
mod metrics;
mod options;
mod read;
mod state;
mod store;
mod tail;
mod transformer;
mod versioned;
mod watch;

pub use batch::{Batch, CommitError, Guard, Unavailable, Write};
pub use damage::DamagedValue;
pub use durable::{
    CopySummary, DatabaseLock, OpenError, RewriteSummary, adopt_database, copy_database, lock_database,
    rewrite_database,
};
pub use options::{Limits, Options};
pub use read::{Page, Query, ReadError};
pub use store::Store;
pub use transformer::{TransformError, TransformedValue, ValueTransformer};
pub use versioned::{Event, Payload, PayloadError, Revision, Versioned};
pub use watch::{Lagged, Watch};
