//! Revisions, values with their revisions, and events. Plain data.

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

/// The value of a key.
pub trait Payload: Send + Sync + Sized + 'static {
    /// Sets the revision of the value. The writer calls it once, before the value is visible.
    fn stamp(&mut self, revision: Revision);

    /// Encodes the value without its revision; called before [`Payload::stamp`].
    fn encode(&self) -> Bytes;

    /// Decodes the result of [`Payload::encode`] and stamps it with the revision of its write.
    ///
    /// # Errors
    /// [`PayloadError`] if the bytes are not a value; a durable store then does not open.
    fn decode(bytes: Bytes, revision: Revision) -> Result<Self, PayloadError>;

    /// Approximate memory of the value in bytes. It bounds the history; called once per superseded value.
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
    /// Revision that created the key (the last time, if it was deleted before).
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

// Implemented by hand without the value, which may be a secret.
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
    /// The value after the write; `None` if it deleted the key.
    pub current: Option<Versioned<P>>,
    /// The value before the write; `None` if it created the key.
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
