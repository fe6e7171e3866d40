//! Revisions, values with their revisions, and the event that one write leaves behind.
//!
//! These are the words every other module and every caller speaks. Nothing here locks, waits or decides.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Position of one write in the order of all writes; the first write has revision 1.
///
/// Each write of a batch takes one revision, without gaps. Zero is the empty store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of the write after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The revision of the write before this one; zero stays zero.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the store keeps for a key.
pub trait Payload: Send + Sync + Sized + 'static {
    /// Tells the value its revision. The writer calls it once, before anybody else sees the value.
    fn stamp(&mut self, revision: Revision);

    /// The durable form. It does not contain the revision, so it may be taken before the value is stamped.
    fn encode(&self) -> Bytes;

    /// Reads what [`Payload::encode`] wrote, stamped with the revision it was written at.
    ///
    /// # Errors
    /// [`PayloadError`] when the bytes are not a value; a durable store then refuses to open.
    fn decode(bytes: Bytes, revision: Revision) -> Result<Self, PayloadError>;

    /// Bytes this value keeps in memory, roughly. Bounds the history; called once per superseded value.
    fn weight(&self) -> usize {
        self.encode().len()
    }
}

/// Stored bytes are not a value of the expected type.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PayloadError(Box<dyn std::error::Error + Send + Sync>);

impl PayloadError {
    /// Wraps the reason.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// One value of one key, with the revisions of its creation and of its last change.
pub struct Versioned<P> {
    /// The full key.
    pub key: Arc<str>,
    /// The value, already stamped with `modified`.
    pub value: Arc<P>,
    /// Revision at which the key came into being (again, if it was deleted before).
    pub created: Revision,
    /// Revision of this value.
    pub modified: Revision,
}

impl<P> Clone for Versioned<P> {
    fn clone(&self) -> Self {
        Self {
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            created: self.created,
            modified: self.modified,
        }
    }
}

// By hand, so that `P` need not be printable: values may be secrets.
impl<P> fmt::Debug for Versioned<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versioned")
            .field("key", &self.key)
            .field("created", &self.created)
            .field("modified", &self.modified)
            .finish_non_exhaustive()
    }
}

/// One committed write.
pub struct Event<P> {
    /// Revision of the write.
    pub revision: Revision,
    /// The key written.
    pub key: Arc<str>,
    /// The value afterwards; `None` when the write deleted the key.
    pub current: Option<Versioned<P>>,
    /// The value before; `None` when the write created the key.
    pub previous: Option<Versioned<P>>,
}

impl<P> Clone for Event<P> {
    fn clone(&self) -> Self {
        Self {
            revision: self.revision,
            key: Arc::clone(&self.key),
            current: self.current.clone(),
            previous: self.previous.clone(),
        }
    }
}

impl<P> fmt::Debug for Event<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("revision", &self.revision)
            .field("key", &self.key)
            .field("current", &self.current)
            .field("previous", &self.previous)
            .finish()
    }
}
