//! Dictionaries: a few texts of a kind, which others of the kind repeat.

use std::collections::VecDeque;
use std::sync::Arc;

use zstd_safe::CDict;

use crate::contexts::LEVEL;

/// Texts of a dictionary.
const SAMPLES: usize = 3;
/// Bytes of each sample; the rest of a longer text is left out.
const MAX_SAMPLE_BYTES: usize = 6 * 1024;
/// Texts of a kind that are packed before its first dictionary is made.
const FIRST: u64 = 16;
/// After so many times as many, the next one is made.
const GROWTH: u64 = 8;

/// The texts of a dictionary, as decompression needs them.
pub(crate) struct Dictionary(Box<[u8]>);

impl Dictionary {
    pub(crate) fn text(&self) -> &[u8] {
        &self.0
    }
}

/// The newest dictionary of a kind, and the samples of the next one.
#[derive(Default)]
pub(crate) struct KindDictionary {
    /// Texts of the kind that were seen.
    seen: u64,
    samples: VecDeque<Box<[u8]>>,
    newest: Option<(Arc<CDict<'static>>, Arc<Dictionary>)>,
}

impl KindDictionary {
    /// Notes a text of the kind. One that may be in a dictionary `is_sample`.
    pub(crate) fn note(&mut self, text: &[u8], is_sample: bool) {
        self.seen += 1;
        let next = next_dictionary(self.seen);
        // The last texts before a dictionary is made.
        if is_sample && next - self.seen < 2 * SAMPLES as u64 {
            self.samples.push_back(text[..text.len().min(MAX_SAMPLE_BYTES)].into());
            if self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
        }
        if self.seen == next && !self.samples.is_empty() {
            let text = self.samples.drain(..).collect::<Vec<_>>().concat();
            let prepared = Arc::new(CDict::create(&text, LEVEL));
            self.newest = Some((prepared, Arc::new(Dictionary(text.into()))));
            self.samples = VecDeque::new();
        }
    }

    /// The newest dictionary, prepared for compression and as it is.
    pub(crate) fn newest(&self) -> Option<(Arc<CDict<'static>>, Arc<Dictionary>)> {
        self.newest.clone()
    }
}

/// The number of texts at which the next dictionary is made, when `seen` were seen with the present one.
fn next_dictionary(seen: u64) -> u64 {
    std::iter::successors(Some(FIRST), |next| next.checked_mul(GROWTH))
        .find(|&next| next >= seen)
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_made_of_the_last_samples_at_growing_intervals() {
        let mut kind = KindDictionary::default();
        let mut made = Vec::new();
        let mut last = None;
        for index in 1..=1100_u64 {
            let text = format!("{index:04}-text");
            kind.note(text.as_bytes(), index % 2 == 0);
            let newest = kind.newest().map(|(_, dictionary)| dictionary);
            if let Some(newest) = newest
                && last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &newest))
            {
                made.push((index, String::from_utf8_lossy(newest.text()).into_owned()));
                last = Some(newest);
            }
        }
        let want = [
            (16, "0012-text0014-text0016-text"),
            (128, "0124-text0126-text0128-text"),
            (1024, "1020-text1022-text1024-text"),
        ];
        assert_eq!(made, want.map(|(index, text)| (index, text.to_owned())));
    }

    #[test]
    fn a_long_text_is_cut_and_a_kind_without_samples_has_no_dictionary() {
        let mut long = KindDictionary::default();
        let mut without = KindDictionary::default();
        for _ in 0..FIRST {
            long.note(&[b'x'; 10_000], true);
            without.note(b"secret", false);
        }
        let length = long.newest().map(|(_, dictionary)| dictionary.text().len());
        assert_eq!(length, Some(SAMPLES * MAX_SAMPLE_BYTES));
        assert!(without.newest().is_none());
    }
}
