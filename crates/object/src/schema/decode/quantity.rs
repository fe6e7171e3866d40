//! `resource.Quantity`: checks the notation and writes it in canonical form, as every API server stores it.
//!
//! `0.5` becomes `500m`, `1000` becomes `1k`, `2048Ki` becomes `2Mi`. The amount never changes, except that
//! fractions of a billionth round up, as upstream.

use serde_json::Value;

const WRONG_FORMAT: &str = "quantities must match the regular expression \
     '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_SUFFIX: &str = "unable to parse quantity's suffix";

/// Decimal suffixes from 10^-9 in steps of a thousand.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Binary suffixes from 2^0 in steps of 1,024.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// How the amount is written.
#[derive(Clone, Copy, PartialEq)]
enum Notation {
    Decimal,
    Exponent,
    Binary,
}

/// The canonical text of a JSON value; anything but a string counts by its JSON text.
pub(super) fn normalise(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    canonical(&text).map_err(str::to_owned)
}

fn canonical(text: &str) -> Result<String, &'static str> {
    let (is_negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits_end = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    let (whole, rest) = unsigned.split_at(digits_end);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
        None => ("", rest),
    };
    if (whole.is_empty() && fraction.is_empty()) || !is_suffix_shaped(suffix) {
        return Err(WRONG_FORMAT);
    }
    let (notation, exponent) = read_suffix(suffix).ok_or(WRONG_SUFFIX)?;
    let amount = Amount::read(whole, fraction, notation, exponent);
    // Amounts beyond 128 bits stay as they were written.
    let Some(written) = amount.and_then(|amount| amount.write(notation)) else { return Ok(text.to_owned()) };
    let sign = if is_negative && written != "0" { "-" } else { "" };
    Ok(format!("{sign}{written}"))
}

fn is_suffix_shaped(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    rest.chars().all(|c| c.is_ascii_digit())
}

/// Notation and exponent: of 2 for binary notation, of 10 otherwise.
fn read_suffix(suffix: &str) -> Option<(Notation, i32)> {
    let step = |suffixes: &[&str]| suffixes.iter().position(|known| *known == suffix);
    if let Some(step) = step(&DECIMAL) {
        return Some((Notation::Decimal, i32::try_from(step).ok()? * 3 - 9));
    }
    if let Some(step) = step(&BINARY) {
        return Some((Notation::Binary, i32::try_from(step).ok()? * 10));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    Some((Notation::Exponent, exponent.parse().ok()?))
}

/// `mantissa` times ten to the power of `exponent`.
struct Amount {
    mantissa: i128,
    exponent: i32,
}

impl Amount {
    /// `None` on overflow.
    fn read(whole: &str, fraction: &str, notation: Notation, exponent: i32) -> Option<Self> {
        let digits = format!("0{whole}{fraction}");
        let mut amount =
            Self { mantissa: digits.parse().ok()?, exponent: -i32::try_from(fraction.len()).ok()? };
        match notation {
            Notation::Binary => {
                amount.mantissa =
                    amount.mantissa.checked_mul(1_i128.checked_shl(exponent.try_into().ok()?)?)?
            }
            Notation::Decimal | Notation::Exponent => {
                amount.exponent = amount.exponent.checked_add(exponent)?
            }
        }
        while amount.mantissa != 0 && amount.mantissa % 10 == 0 {
            amount.mantissa /= 10;
            amount.exponent = amount.exponent.checked_add(1)?;
        }
        while amount.exponent < -9 {
            amount.mantissa = (amount.mantissa + 9) / 10;
            amount.exponent += 1;
        }
        Some(amount)
    }

    fn write(mut self, notation: Notation) -> Option<String> {
        if self.mantissa == 0 {
            return Some("0".to_owned());
        }
        if notation == Notation::Binary
            && let Some(whole) = self.whole().filter(|whole| *whole >= 1024)
        {
            return Some(write_binary(whole));
        }
        while self.exponent.rem_euclid(3) != 0 {
            self.mantissa = self.mantissa.checked_mul(10)?;
            self.exponent -= 1;
        }
        match notation {
            Notation::Exponent if self.exponent == 0 => Some(self.mantissa.to_string()),
            Notation::Exponent => Some(format!("{}e{}", self.mantissa, self.exponent)),
            Notation::Decimal | Notation::Binary => self.write_decimal(),
        }
    }

    /// The largest suffix is `E`; larger amounts have more digits.
    fn write_decimal(mut self) -> Option<String> {
        while self.exponent > 18 {
            self.mantissa = self.mantissa.checked_mul(1000)?;
            self.exponent -= 3;
        }
        let step = usize::try_from((self.exponent + 9) / 3).ok()?;
        Some(format!("{}{}", self.mantissa, DECIMAL.get(step)?))
    }

    /// The amount as a whole number, if it is one.
    fn whole(&self) -> Option<i128> {
        let power = 10_i128.checked_pow(self.exponent.try_into().ok()?)?;
        self.mantissa.checked_mul(power)
    }
}

fn write_binary(mut whole: i128) -> String {
    let mut step = 0;
    while whole % 1024 == 0 && step + 1 < BINARY.len() {
        whole /= 1024;
        step += 1;
    }
    format!("{whole}{}", BINARY[step])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_written_canonically() {
        let cases = [
            ("0", "0"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("1.5", "1500m"),
            ("1000", "1k"),
            ("100", "100"),
            ("+5", "5"),
            ("-0.25", "-250m"),
            ("2048Ki", "2Mi"),
            ("1.5Gi", "1536Mi"),
            ("512Mi", "512Mi"),
            ("0.5Ki", "512"),
            ("1.5Ki", "1536"),
            ("1025Mi", "1025Mi"),
            ("1e3", "1e3"),
            ("12e6", "12e6"),
            ("10E", "10E"),
            ("1n", "1n"),
            ("0.1n", "1n"),
            ("1.0", "1"),
            ("5e0", "5"),
        ];
        for (text, want) in cases {
            assert_eq!(normalise(&json!(text)).as_deref(), Ok(want), "{text}");
        }
        assert_eq!(normalise(&json!(2)).as_deref(), Ok("2"));
    }

    #[test]
    fn other_notations_are_refused() {
        for text in ["", "x", "1x", "1 Mi", "Mi", ".", "--1"] {
            assert_eq!(normalise(&json!(text)), Err(WRONG_FORMAT.to_owned()), "{text}");
        }
        for text in ["1mi", "1Kii", "1e", "1EiE"] {
            assert_eq!(normalise(&json!(text)), Err(WRONG_SUFFIX.to_owned()), "{text}");
        }
        assert_eq!(normalise(&json!(true)), Err(WRONG_FORMAT.to_owned()));
    }
}
