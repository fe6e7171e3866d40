//! Resource quantities such as `500m` or `1.5Gi`: reading, comparing, and the one way to write each.
//!
//! Stored objects carry quantities in canonical form, so that `1000m` and `1` are the same text and no client sees
//! a difference where there is none.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;

/// An amount, exact to a billionth; what is finer is rounded up, as a request for more than nothing never becomes
/// nothing.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    /// Billionths of the unit.
    nanos: i128,
    format: Format,
}

/// The family of suffixes that a quantity was written with, and is written with again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// `m`, `k`, `M`.
    Decimal,
    /// `Ki`, `Mi`.
    Binary,
    /// `e3`.
    Exponent,
}

/// The text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
pub struct InvalidQuantity;

const NANOS: i128 = 1_000_000_000;
/// Larger amounts count as this one.
const MAX: i128 = (i64::MAX as i128) * NANOS;
/// More digits than any amount needs.
const MAX_DIGITS: usize = 60;

const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

impl Quantity {
    /// Reads a quantity.
    ///
    /// # Errors
    /// When the text is not a number with a known suffix.
    pub fn parse(text: &str) -> Result<Self, InvalidQuantity> {
        let (sign, digits) = match text.as_bytes().first() {
            Some(b'-') => (-1, &text[1..]),
            Some(b'+') => (1, &text[1..]),
            _ => (1, text),
        };
        let end =
            digits.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(digits.len());
        let (number, suffix) = digits.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > MAX_DIGITS {
            return Err(InvalidQuantity);
        }
        let (scale, format) = scale_of(suffix)?;
        let magnitude = scaled(whole, fraction, scale);
        Ok(Self { nanos: sign * magnitude.min(MAX), format })
    }

    /// Whether the amount is below zero.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether the amount is a whole number.
    pub fn is_whole(self) -> bool {
        self.nanos % NANOS == 0
    }

    /// The amount rounded up to whole units.
    pub fn round_up(self) -> i64 {
        let whole = self.nanos.div_euclid(NANOS) + i128::from(!self.is_whole());
        i64::try_from(whole).unwrap_or(i64::MAX)
    }

    /// The amount rounded up to thousandths.
    #[must_use]
    pub fn round_up_to_milli(self) -> Self {
        let milli = NANOS / 1000;
        let rest = self.nanos.rem_euclid(milli);
        let nanos = if rest == 0 { self.nanos } else { self.nanos - rest + milli };
        Self { nanos, ..self }
    }
}

/// How many billionths one unit of a suffix is, as a fraction.
fn scale_of(suffix: &str) -> Result<(Scale, Format), InvalidQuantity> {
    if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Ok((Scale::Two(*power), Format::Binary));
    }
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Ok((Scale::Ten(*power), Format::Decimal));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or(InvalidQuantity)?;
    let power: i32 = exponent.parse().map_err(|_| InvalidQuantity)?;
    Ok((Scale::Ten(power), Format::Exponent))
}

/// What a number is multiplied by.
#[derive(Clone, Copy)]
enum Scale {
    Two(u32),
    Ten(i32),
}

/// `whole.fraction` times the scale in billionths, rounded up and cut at the largest amount.
fn scaled(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let (factor, power) = match scale {
        Scale::Two(power) => (1_i128 << power, 0),
        Scale::Ten(power) => (1, power),
    };
    // Digits above the point grow, digits below shrink; what falls below a billionth rounds up.
    let digits: String = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    let Ok(below) = i32::try_from(fraction.len()) else { return MAX };
    let shift = power.saturating_sub(below).saturating_add(9);
    if digits.is_empty() {
        return 0;
    }
    if shift >= 0 {
        let number: i128 = digits.parse().unwrap_or(MAX);
        let tens = 10_i128.checked_pow(shift.unsigned_abs()).unwrap_or(MAX);
        return number.checked_mul(tens).and_then(|nanos| nanos.checked_mul(factor)).unwrap_or(MAX);
    }
    divided(digits, shift.unsigned_abs() as usize, factor)
}

/// `digits * factor / 10^places`, rounded up.
fn divided(digits: &str, places: usize, factor: i128) -> i128 {
    let split = digits.len().saturating_sub(places);
    let (above, below) = digits.split_at(split);
    let above: i128 = if above.is_empty() { 0 } else { above.parse().unwrap_or(MAX) };
    let whole = above.checked_mul(factor).unwrap_or(MAX);
    // `below / 10^places * factor`, digit by digit from the right, so that nothing overflows.
    let leading_zeros = places - below.len();
    let mut part = 0_i128;
    let mut is_exact = true;
    for digit in std::iter::repeat_n(b'0', leading_zeros).chain(below.bytes()).rev() {
        let sum = i128::from(digit - b'0') * factor + part;
        part = sum / 10;
        is_exact &= sum % 10 == 0;
    }
    whole.saturating_add(part).saturating_add(i128::from(!is_exact)).min(MAX)
}

/// Nothing.
impl Default for Quantity {
    fn default() -> Self {
        Self { nanos: 0, format: Format::Decimal }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    /// The shortest whole number with the largest suffix of its family that loses nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let units = self.nanos / NANOS;
        if self.format == Format::Binary && self.is_whole() && units.abs() >= 1024 {
            let fits = |(_, power): &&(&str, u32)| units % (1_i128 << power) == 0;
            return match BINARY.iter().rev().find(fits) {
                Some((suffix, power)) => write!(f, "{}{suffix}", units >> power),
                None => write!(f, "{units}"),
            };
        }
        let nano_powers =
            DECIMAL.iter().rev().map(|(suffix, power)| (suffix, power, 10_i128.pow(power.unsigned_abs())));
        for (suffix, power, tens) in nano_powers {
            let unit = if *power >= 0 { NANOS * tens } else { NANOS / tens };
            if self.nanos % unit != 0 {
                continue;
            }
            let number = self.nanos / unit;
            return match (self.format, power) {
                (Format::Exponent, 0) => write!(f, "{number}"),
                (Format::Exponent, power) => write!(f, "{number}e{power}"),
                _ => write!(f, "{number}{suffix}"),
            };
        }
        write!(f, "{}n", self.nanos)
    }
}
