//! Ranges of sizes and costs in estimates (google/cel-go checker/cost.go). Everything saturates.

/// A smallest and a largest number: of elements or characters, or of units of cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

/// Units of cost.
pub(super) type Cost = Size;

/// Cost of reading one character or byte.
pub(super) const TEXT_FACTOR: f64 = 0.1;
/// Cost of one character of a regular expression.
pub(super) const REGEX_FACTOR: f64 = 0.25;

impl Size {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Self = Self { min: 0, max: u64::MAX };

    pub(crate) fn fixed(size: u64) -> Self {
        Self { min: size, max: size }
    }

    pub(super) fn up_to(max: u64) -> Self {
        Self { min: 0, max }
    }

    #[must_use]
    pub(super) fn plus(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    #[must_use]
    pub(super) fn times(self, other: Self) -> Self {
        Self { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    /// Rounded up.
    #[must_use]
    pub(super) fn scaled(self, factor: f64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "as upstream computes it; the cast saturates, and factors are positive"
        )]
        let scale = |number: u64| (number as f64 * factor).ceil() as u64;
        Self { min: scale(self.min), max: scale(self.max) }
    }

    /// Both ranges and what lies between.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}
