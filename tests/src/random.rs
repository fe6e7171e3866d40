//! Random sequences that are the same for the same seed everywhere.

use std::env;

/// A sequence (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// The seeds of a test: `usual` of them, or as many as `PORTOLAN_SEEDS` says, from `PORTOLAN_FIRST_SEED` on.
///
/// # Panics
/// When one of the variables is no number.
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let first = number("PORTOLAN_FIRST_SEED").unwrap_or(1);
    first..first + number("PORTOLAN_SEEDS").unwrap_or(usual)
}
