//! `resource.Quantity`, such as `500m` or `1.5Gi`: reading, comparing, and the one way to write each amount.
//!
//! Stored objects carry quantities in canonical form, as every API server writes them: `0.5` becomes `500m`, `1000`
//! becomes `1k`, `2048Ki` becomes `2Mi`.
//!
//! # Source
//! kubernetes staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;

/// An amount, exact to a billionth. What is finer is rounded up in magnitude, so that a request for more than nothing
/// never becomes nothing.
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

/// The text is not a quantity; the messages are Go's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It is not a number with a suffix.
    #[error(r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

const NANOS: i128 = 1_000_000_000;
/// Upper bound of amounts with a binary suffix, as upstream.
const MAX_BINARY: i128 = (i64::MAX as i128) * NANOS;

const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

impl Quantity {
    /// Reads a quantity. An amount of more than 2^127 billionths counts as that much.
    ///
    /// # Errors
    /// When the text is not a number with a known suffix.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let (is_negative, magnitude, format) = read(text)?;
        let magnitude = magnitude.unwrap_or(i128::MAX);
        Ok(Self { nanos: if is_negative { -magnitude } else { magnitude }, format })
    }

    /// The canonical text of a quantity. An amount of more than 2^127 billionths stays as it is written.
    ///
    /// # Errors
    /// When the text is not a number with a known suffix.
    pub fn canonical(text: &str) -> Result<String, QuantityError> {
        match read(text)? {
            (_, None, _) => Ok(text.to_owned()),
            (is_negative, Some(magnitude), format) => {
                let nanos = if is_negative { -magnitude } else { magnitude };
                Ok(Self { nanos, format }.to_string())
            }
        }
    }

    /// A whole number of units, written with binary suffixes (`Ki`, `Mi`), as memory and storage are.
    pub fn binary(units: i64) -> Self {
        Self { nanos: i128::from(units) * NANOS, format: Format::Binary }
    }

    /// A number of thousandths, written with decimal suffixes, as CPU is.
    pub fn from_milli(milli: i64) -> Self {
        Self { nanos: i128::from(milli) * (NANOS / 1000), format: Format::Decimal }
    }

    /// The amount in thousandths, rounded up.
    pub fn milli(self) -> i64 {
        let milli = NANOS / 1000;
        let whole = self.nanos.div_euclid(milli) + i128::from(self.nanos.rem_euclid(milli) != 0);
        i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX })
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

    /// The amount, if it is a whole number of 64 bits.
    pub fn as_i64(self) -> Option<i64> {
        self.is_whole().then(|| i64::try_from(self.nanos / NANOS).ok()).flatten()
    }

    /// The amount as a floating-point number, which may be rounded.
    #[expect(clippy::cast_precision_loss, reason = "callers ask for an approximation")]
    pub fn as_f64(self) -> f64 {
        self.nanos as f64 / NANOS as f64
    }

    /// The sum; an amount beyond 2^127 billionths counts as that much. It is written like `self`.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_add(other.nanos), ..self }
    }

    /// The difference, with the bound of [`Quantity::plus`].
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_sub(other.nanos), ..self }
    }

    /// The amount `count` times, with the bound of [`Quantity::plus`].
    #[must_use]
    pub fn times(self, count: i64) -> Self {
        Self { nanos: self.nanos.saturating_mul(i128::from(count)), ..self }
    }

    /// The amount rounded up to whole units.
    #[must_use]
    pub fn round_up_to_whole(self) -> Self {
        let rest = self.nanos.rem_euclid(NANOS);
        let nanos = if rest == 0 { self.nanos } else { (self.nanos - rest).saturating_add(NANOS) };
        Self { nanos, ..self }
    }

    /// The amount rounded up to thousandths.
    #[must_use]
    pub fn round_up_to_milli(self) -> Self {
        let milli = NANOS / 1000;
        let rest = self.nanos.rem_euclid(milli);
        let nanos = if rest == 0 { self.nanos } else { (self.nanos - rest).saturating_add(milli) };
        Self { nanos, ..self }
    }
}

/// Sign, magnitude in billionths (`None` on overflow) and format.
fn read(text: &str) -> Result<(bool, Option<i128>, Format), QuantityError> {
    let (is_negative, unsigned) = match text.as_bytes().first() {
        None => return Err(QuantityError::Format),
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
    };
    let digits = |text: &str| text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = unsigned.split_at(digits(unsigned));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if !is_suffix_shaped(suffix) {
        return Err(QuantityError::Format);
    }
    let (scale, format) = read_suffix(suffix)?;
    let magnitude = scaled(whole, fraction, scale);
    Ok(match (format, magnitude) {
        (Format::Binary, magnitude) => {
            (is_negative, Some(magnitude.unwrap_or(MAX_BINARY).min(MAX_BINARY)), format)
        }
        (_, magnitude) => (is_negative, magnitude, format),
    })
}

fn is_suffix_shaped(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(|letter| "eEinumkKMGTP".contains(letter));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    rest.bytes().all(|letter| letter.is_ascii_digit())
}

/// The factor that a suffix stands for.
#[derive(Clone, Copy)]
enum Scale {
    /// A power of two.
    Two(u32),
    /// A power of ten.
    Ten(i32),
}

fn read_suffix(suffix: &str) -> Result<(Scale, Format), QuantityError> {
    if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Ok((Scale::Two(*power), Format::Binary));
    }
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Ok((Scale::Ten(*power), Format::Decimal));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::Suffix)?;
    let power: i32 = exponent.parse().map_err(|_| QuantityError::Suffix)?;
    Ok((Scale::Ten(power), Format::Exponent))
}

/// `whole.fraction` times the scale in billionths, rounded up; `None` on overflow.
fn scaled(whole: &str, fraction: &str, scale: Scale) -> Option<i128> {
    let (factor, power) = match scale {
        Scale::Two(power) => (1_i128 << power, 0),
        Scale::Ten(power) => (1, power),
    };
    let digits: String = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let shift = power.saturating_sub(i32::try_from(fraction.len()).ok()?).saturating_add(9);
    if shift >= 0 {
        let number: i128 = digits.parse().ok()?;
        let tens = 10_i128.checked_pow(shift.unsigned_abs())?;
        return number.checked_mul(tens)?.checked_mul(factor);
    }
    divided(digits, usize::try_from(shift.unsigned_abs()).ok()?, factor)
}

/// `digits * factor / 10^places`, rounded up; `None` on overflow.
fn divided(digits: &str, places: usize, factor: i128) -> Option<i128> {
    /// More digits than the largest factor, 2^60, has.
    const FACTOR_DIGITS: usize = 20;
    // Also a bound for the loop below: an exponent may be as low as -2^31.
    if places > digits.len() + FACTOR_DIGITS {
        return Some(1);
    }
    let split = digits.len().saturating_sub(places);
    let (above, below) = digits.split_at(split);
    let above: i128 = if above.is_empty() { 0 } else { above.parse().ok()? };
    let whole = above.checked_mul(factor)?;
    // `below / 10^places * factor`, digit by digit from the right, so that nothing overflows.
    let leading_zeros = places - below.len();
    let mut carry = 0_i128;
    let mut is_exact = true;
    for digit in std::iter::repeat_n(b'0', leading_zeros).chain(below.bytes()).rev() {
        let sum = i128::from(digit - b'0') * factor + carry;
        carry = sum / 10;
        is_exact &= sum % 10 == 0;
    }
    whole.checked_add(carry)?.checked_add(i128::from(!is_exact))
}

/// Nothing.
impl Default for Quantity {
    fn default() -> Self {
        Self { nanos: 0, format: Format::Decimal }
    }
}

/// A whole number of units.
impl From<i64> for Quantity {
    fn from(units: i64) -> Self {
        Self { nanos: i128::from(units) * NANOS, format: Format::Decimal }
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
        let (mut number, mut power) = (self.nanos, -9);
        // An exponent has no upper bound, the largest suffix is `E`.
        while number % 1000 == 0 && (power < 18 || self.format == Format::Exponent) {
            number /= 1000;
            power += 3;
        }
        match self.format {
            Format::Exponent if power == 0 => write!(f, "{number}"),
            Format::Exponent => write!(f, "{number}e{power}"),
            Format::Decimal | Format::Binary => {
                let suffix = DECIMAL.iter().find(|(_, known)| *known == power).map_or("", |(name, _)| name);
                write!(f, "{number}{suffix}")
            }
        }
    }
}
