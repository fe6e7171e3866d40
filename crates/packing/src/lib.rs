//! Texts of objects that are kept in memory compressed, because they are seldom read.
//!
//! Objects of one kind are alike: a dictionary of a few of them makes an object of the kind about a fifth of its size, and
//! without one it would be half. The dictionary of a kind is made of objects that were packed before, and made again when
//! there are eight times as many. A packed text keeps its own dictionary alive.
//!
//! ```text
//! pack(kind, text) ─► samples of the kind ─► dictionary ─► Packed ─► unpack() ─► the same text
//! ```

mod contexts;
mod dictionary;
mod packer;

use std::fmt;
use std::sync::Arc;

use dictionary::Dictionary;
pub use packer::Packer;

/// A compressed text.
pub struct Packed {
    bytes: Box<[u8]>,
    /// Of the text.
    length: u32,
    dictionary: Option<Arc<Dictionary>>,
}

impl Packed {
    /// Bytes of the text.
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether the text is empty. Empty texts are not packed.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes of the compressed form, without the dictionary.
    pub fn packed_len(&self) -> usize {
        self.bytes.len()
    }

    /// The text.
    ///
    /// # Cost
    /// About two microseconds for a KiB.
    pub fn unpack(&self) -> Vec<u8> {
        let dictionary = self.dictionary.as_deref().map(Dictionary::text).unwrap_or_default();
        contexts::decompress(&self.bytes, self.len(), dictionary)
    }
}

// Without the text, which may be a secret.
impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed")
            .field("length", &self.length)
            .field("packed", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
