//! The packer: knows the dictionaries of the kinds.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Packed;
use crate::contexts::compress;
use crate::dictionary::KindDictionary;

/// Shorter texts are not packed: they would save less than the packed form takes beside them.
const MIN_BYTES: usize = 256;
/// Longer texts are not packed: unpacking one takes about a millisecond.
const MAX_BYTES: usize = 512 * 1024;
/// Kinds with dictionaries of their own; texts of more kinds are packed without.
const MAX_KINDS: usize = 512;

/// Whether texts of a kind may become part of its dictionary, in which a text stays although its object was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sampling {
    Allowed,
    Secret,
}

/// Packs texts.
#[derive(Default)]
pub struct Packer {
    kinds: Mutex<HashMap<Box<str>, KindDictionary>>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// Packs a text of a kind. `None` if that would save too little.
    ///
    /// # Cost
    /// About ten microseconds for a KiB. More when a dictionary is made, after 16 texts of a kind and after eight times as many.
    pub fn pack(&self, kind: &str, text: &[u8]) -> Option<Packed> {
        if !(MIN_BYTES..=MAX_BYTES).contains(&text.len()) {
            return None;
        }
        let newest = self.dictionary(kind, text);
        // At least an eighth must be saved.
        let room = text.len() - text.len() / 8;
        let bytes = compress(text, room, newest.as_ref().map(|(prepared, _)| &**prepared))?;
        let length = u32::try_from(text.len()).ok()?;
        Some(Packed { bytes, length, dictionary: newest.map(|(_, dictionary)| dictionary) })
    }

    fn dictionary(&self, kind: &str, text: &[u8]) -> Option<Found> {
        let mut kinds = self.kinds.lock();
        let is_full = kinds.len() >= MAX_KINDS;
        let dictionary = match kinds.get_mut(kind) {
            Some(known) => known,
            None if is_full => return None,
            None => kinds.entry(kind.into()).or_default(),
        };
        dictionary.note(text, sampling(text) == Sampling::Allowed);
        dictionary.newest()
    }
}

type Found = (Arc<zstd_safe::CDict<'static>>, Arc<crate::dictionary::Dictionary>);

/// A text that is a Secret, or has one in it, may be no sample.
fn sampling(text: &[u8]) -> Sampling {
    const SECRET: &[u8] = br#""Secret""#;
    let has_secret = text.windows(SECRET.len()).any(|window| window == SECRET);
    if has_secret { Sampling::Secret } else { Sampling::Allowed }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A text in the shape of an object.
    fn object(index: usize, content: &str) -> String {
        format!(
            r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"settings-{index}","namespace":"shop",
            "annotations":{{"example.com/first":"a value of it","example.com/second":"another value"}},
            "managedFields":[{{"manager":"kubectl","operation":"Apply","fieldsType":"FieldsV1",
            "fieldsV1":{{"f:metadata":{{"f:annotations":{{}}}},"f:data":{{".":{{}},"f:content":{{}}}}}}}}],
            "uid":"{index:08x}-0000-4000-8000-000000000000"}},"data":{{"content":"{content}"}}}}"#
        )
    }

    #[test]
    fn a_dictionary_makes_texts_of_a_kind_small() {
        let packer = Packer::default();
        let texts: Vec<_> = (0..200).map(|index| object(index, "x")).collect();
        let packed: Vec<_> = texts
            .iter()
            .map(|text| packer.pack("ConfigMap", text.as_bytes()).expect("it is packed"))
            .collect();
        let (first, last) = (&packed[0], &packed[199]);
        assert!(first.packed_len() * 4 < first.len() * 3, "{first:?}");
        assert!(last.packed_len() * 6 < last.len(), "{last:?}");
        for (text, packed) in texts.iter().zip(&packed) {
            assert_eq!((packed.len(), packed.unpack()), (text.len(), text.clone().into_bytes()));
        }
    }

    #[test]
    fn what_saves_too_little_is_not_packed() {
        let packer = Packer::default();
        // Marsaglia's xorshift.
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()
        });
        let noise: Vec<u8> = noise.take(1024).flatten().collect();
        let cases = [
            ("short", b"{}".to_vec()),
            ("random", noise),
            ("long", vec![b'a'; MAX_BYTES + 1]),
            ("empty", vec![]),
        ];
        for (name, text) in cases {
            assert!(packer.pack("K", &text).is_none(), "{name}");
        }
    }

    #[test]
    fn secrets_are_not_in_dictionaries() {
        let packer = Packer::default();
        for index in 0..32 {
            let text = object(index, "x").replace("ConfigMap", "Secret");
            let packed = packer.pack("Secret", text.as_bytes()).expect("it is packed");
            assert!(packed.dictionary.is_none());
            assert_eq!(packed.unpack(), text.into_bytes());
        }
    }

    #[test]
    fn kinds_without_end_take_no_memory() {
        let packer = Packer::default();
        let text = object(0, "x");
        for kind in 0..2 * MAX_KINDS {
            assert!(packer.pack(&kind.to_string(), text.as_bytes()).is_some());
        }
        assert_eq!(packer.kinds.lock().len(), MAX_KINDS);
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(texts in proptest::collection::vec("[a-f\"{}:é]{0,600}", 1..60)) {
            let packer = Packer::default();
            for text in &texts {
                if let Some(packed) = packer.pack("K", text.as_bytes()) {
                    prop_assert_eq!(packed.unpack(), text.as_bytes());
                    prop_assert!(packed.packed_len() < text.len());
                }
            }
        }
    }
}
