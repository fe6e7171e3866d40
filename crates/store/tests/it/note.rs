//! The value that these tests store.

use bytes::Bytes;
use portolan_store::{Payload, PayloadError, Revision};

/// A text that remembers its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) revision: Revision,
}

impl Note {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), revision: Revision(0) }
    }
}

impl Payload for Note {
    fn stamp(&mut self, revision: Revision) {
        self.revision = revision;
    }

    fn encode(&self) -> Bytes {
        self.text.clone().into()
    }

    fn decode(bytes: Bytes, revision: Revision) -> Result<Self, PayloadError> {
        let text = String::from_utf8(bytes.into()).map_err(PayloadError::new)?;
        Ok(Self { text, revision })
    }

    fn weight(&self) -> usize {
        self.text.len()
    }
}
