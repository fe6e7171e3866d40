//! When the certificate of an agent is renewed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Certificates are valid from an hour before they are issued.
const BACK_DATED: SignedDuration = SignedDuration::from_hours(1);
/// Shortest life that can be asked for.
const SHORTEST: Duration = Duration::from_secs(600);

/// The life of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First valid instant.
    pub not_before: Timestamp,
    /// Last valid instant.
    pub expires: Timestamp,
}

impl Validity {
    /// The life that was asked for.
    pub fn lifetime(self) -> Duration {
        let issued = self.not_before.saturating_add(BACK_DATED).unwrap_or(self.not_before);
        Duration::try_from(issued.duration_until(self.expires)).unwrap_or_default().max(SHORTEST)
    }
}

/// The instant at which a certificate is renewed: after two thirds of its life, so that a control plane that is away for the
/// last third is still known.
pub fn renewal(validity: Validity) -> Timestamp {
    let rest = SignedDuration::try_from(validity.lifetime() / 3).unwrap_or(SignedDuration::ZERO);
    validity.expires.saturating_sub(rest).unwrap_or(validity.expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let week = Validity { not_before: at("2025-12-31T23:00:00Z"), expires: at("2026-01-08T00:00:00Z") };
        assert_eq!(week.lifetime(), Duration::from_secs(7 * 24 * 3600));
        assert_eq!(renewal(week), at("2026-01-05T16:00:00Z"));
        let short = Validity { not_before: at("2025-12-31T23:00:00Z"), expires: at("2026-01-01T00:01:00Z") };
        assert_eq!(short.lifetime(), SHORTEST);
    }
}
