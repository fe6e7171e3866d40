//! When a certificate is renewed. Pure: instants in, decisions out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// An authority is warned of when less of its life is left than this.
const AUTHORITY_NOTICE: Duration = Duration::from_secs(365 * 24 * 3600);

/// The time in which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First valid instant.
    pub not_before: Timestamp,
    /// Last valid instant.
    pub not_after: Timestamp,
}

impl Validity {
    /// The instant from which the certificate is renewed: two thirds of its life are over.
    fn renewal(self) -> Timestamp {
        let life = self.not_before.duration_until(self.not_after);
        self.not_before.checked_add(life * 2 / 3).unwrap_or(self.not_after)
    }
}

/// Whether a certificate must be replaced now, given the end of the authority that signs its successor.
///
/// A certificate that ends with its authority is not replaced, because its successor would end then too. One that is
/// not valid yet is replaced: the clock was ahead when it was issued and has been corrected since.
pub(crate) fn is_due(certificate: Validity, authority_end: Timestamp, now: Timestamp) -> bool {
    if now < certificate.not_before {
        return true;
    }
    certificate.not_after < authority_end && now >= certificate.renewal()
}

/// The rest of an authority's life, if it is so short that an administrator must act.
pub(crate) fn authority_notice(authority_end: Timestamp, now: Timestamp) -> Option<SignedDuration> {
    let left = now.duration_until(authority_end);
    (left < SignedDuration::try_from(AUTHORITY_NOTICE).unwrap_or(SignedDuration::MAX)).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * DAY).expect("in range")
    }

    #[test]
    fn certificates_are_renewed_after_two_thirds_of_their_life() {
        let cases = [
            ("new", (100, 400), 3650, 100, false),
            ("half its life", (100, 400), 3650, 250, false),
            ("just before two thirds", (100, 400), 3650, 299, false),
            ("two thirds", (100, 400), 3650, 300, true),
            ("the last day", (100, 400), 3650, 400, true),
            ("expired while the process was suspended", (100, 400), 3650, 500, true),
            ("the clock was set back", (100, 400), 3650, 99, true),
            ("ends with its authority", (100, 400), 400, 350, false),
            ("outlives its authority", (100, 400), 390, 350, false),
            ("the authority lasts a day longer", (100, 400), 401, 350, true),
            ("without any life", (100, 100), 3650, 100, true),
        ];
        for (name, (from, to), authority, now, want) in cases {
            let validity = Validity { not_before: day(from), not_after: day(to) };
            assert_eq!(is_due(validity, day(authority), day(now)), want, "{name}");
        }
    }

    #[test]
    fn authorities_are_warned_of_in_their_last_year() {
        let cases = [
            ("ten years", 3650, None),
            ("a year", 365, None),
            ("less", 364, Some(364)),
            ("over", -1, Some(-1)),
        ];
        for (name, left, want) in cases {
            let notice = authority_notice(day(1000 + left), day(1000));
            assert_eq!(notice, want.map(|days| SignedDuration::from_secs(days * DAY)), "{name}");
        }
    }
}
