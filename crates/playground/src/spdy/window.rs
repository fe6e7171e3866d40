//! Flow control credit: bytes that the peer accepts, per stream and for the session.
//!
//! Credit limits sending only after the peer has granted credit or set the initial window.

use std::collections::BTreeMap;

/// The credit of a new stream and of a session (draft 3.1, section 2.6.8).
pub(crate) const INITIAL_CREDIT: i64 = 64 << 10;
/// Limit of the credit that a peer may grant.
const MAX_CREDIT: i64 = 0x7fff_ffff;

/// Credit granted by the peer.
#[derive(Debug)]
pub(crate) struct Credit {
    is_enforced: bool,
    initial: i64,
    session: i64,
    streams: BTreeMap<u32, i64>,
}

/// The granted credit exceeds the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Credit {
    pub(crate) fn new() -> Self {
        Self {
            is_enforced: false,
            initial: INITIAL_CREDIT,
            session: INITIAL_CREDIT,
            streams: BTreeMap::new(),
        }
    }

    /// Adds a stream.
    pub(crate) fn open(&mut self, stream: u32) {
        self.streams.insert(stream, self.initial);
    }

    /// Removes a stream.
    pub(crate) fn close(&mut self, stream: u32) {
        self.streams.remove(&stream);
    }

    /// Takes up to `wanted` bytes of credit; 0 without credit, or for an unknown stream.
    pub(crate) fn take(&mut self, stream: u32, wanted: usize) -> usize {
        let Some(own) = self.streams.get_mut(&stream) else { return 0 };
        let wanted = i64::try_from(wanted).unwrap_or(MAX_CREDIT);
        let granted = if self.is_enforced { wanted.min(*own).min(self.session).max(0) } else { wanted };
        *own -= granted;
        self.session -= granted;
        usize::try_from(granted).unwrap_or_default()
    }

    /// Adds credit granted by the peer; stream 0 is the session.
    pub(crate) fn grant(&mut self, stream: u32, delta: u32) -> Result<(), Overflow> {
        self.is_enforced = true;
        let credit = match stream {
            0 => Some(&mut self.session),
            _ => self.streams.get_mut(&stream),
        };
        if let Some(credit) = credit {
            *credit += i64::from(delta);
            if *credit > MAX_CREDIT {
                return Err(Overflow);
            }
        }
        Ok(())
    }

    /// Sets the initial credit of streams; open streams change by the difference.
    pub(crate) fn set_initial(&mut self, size: u32) {
        self.is_enforced = true;
        let difference = i64::from(size) - self.initial;
        self.initial = i64::from(size);
        for credit in self.streams.values_mut() {
            *credit += difference;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_not_enforced_before_a_grant() {
        let mut credit = Credit::new();
        credit.open(1);
        assert_eq!(credit.take(1, 10 << 20), 10 << 20);
        assert_eq!(credit.take(3, 1), 0, "a stream that is not open");
    }

    #[test]
    fn credit_of_stream_and_session_both_count() {
        let mut credit = Credit::new();
        credit.open(1);
        credit.open(3);
        assert_eq!(credit.take(1, 60 << 10), 60 << 10);
        assert_eq!(credit.grant(1, 1024), Ok(()));
        assert_eq!(credit.take(1, 10 << 10), 4 << 10, "the session has 4 KiB left");
        assert_eq!(credit.take(3, 1), 0);
        assert_eq!(credit.grant(0, 100), Ok(()));
        assert_eq!(credit.take(3, 1024), 100);
        assert_eq!(credit.grant(5, 100), Ok(()), "a stream that is gone");
        assert_eq!(credit.grant(0, u32::MAX >> 1), Ok(()));
        assert_eq!(credit.grant(0, u32::MAX >> 1), Err(Overflow));
    }

    #[test]
    fn a_smaller_initial_credit_reaches_open_streams() {
        let mut credit = Credit::new();
        credit.open(1);
        assert_eq!(credit.take(1, 1000), 1000);
        credit.set_initial(500);
        assert_eq!(credit.take(1, 1), 0);
        assert_eq!(credit.grant(1, 600), Ok(()));
        assert_eq!(credit.take(1, 1000), 100);
        credit.open(3);
        assert_eq!(credit.take(3, 1000), 500);
        credit.close(3);
        assert_eq!(credit.take(3, 1000), 0);
    }
}
