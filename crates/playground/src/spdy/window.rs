//! Credit for sending: how many bytes the peer is ready to take, per stream and for the session.
//!
//! A peer takes part once it has granted credit or set the initial amount; until then nothing is held back here.

use std::collections::BTreeMap;

/// The credit of a new stream and of a session (draft 3.1, section 2.6.8).
pub(crate) const INITIAL: i64 = 64 << 10;
/// The most credit that a peer may grant.
const LARGEST: i64 = 0x7fff_ffff;

/// The credit that the peer has granted.
#[derive(Debug)]
pub(crate) struct Credit {
    peer_takes_part: bool,
    initial: i64,
    session: i64,
    streams: BTreeMap<u32, i64>,
}

/// A stream or the session was granted more than can be counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Credit {
    pub(crate) fn new() -> Self {
        Self { peer_takes_part: false, initial: INITIAL, session: INITIAL, streams: BTreeMap::new() }
    }

    /// Starts to count for a stream.
    pub(crate) fn open(&mut self, stream: u32) {
        self.streams.insert(stream, self.initial);
    }

    /// Stops to count for a stream.
    pub(crate) fn close(&mut self, stream: u32) {
        self.streams.remove(&stream);
    }

    /// Takes up to `wanted` bytes of credit; 0 when there is none now. A stream that is gone takes none.
    pub(crate) fn take(&mut self, stream: u32, wanted: usize) -> usize {
        let Some(own) = self.streams.get_mut(&stream) else { return 0 };
        let wanted = i64::try_from(wanted).unwrap_or(LARGEST);
        let granted = if self.peer_takes_part { wanted.min(*own).min(self.session).max(0) } else { wanted };
        *own -= granted;
        self.session -= granted;
        usize::try_from(granted).unwrap_or_default()
    }

    /// The peer granted more; stream 0 is the session.
    pub(crate) fn grant(&mut self, stream: u32, delta: u32) -> Result<(), Overflow> {
        self.peer_takes_part = true;
        let credit = match stream {
            0 => Some(&mut self.session),
            _ => self.streams.get_mut(&stream),
        };
        if let Some(credit) = credit {
            *credit += i64::from(delta);
            if *credit > LARGEST {
                return Err(Overflow);
            }
        }
        Ok(())
    }

    /// The peer set the credit that streams start with; open streams follow.
    pub(crate) fn set_initial(&mut self, size: u32) {
        self.peer_takes_part = true;
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
    fn a_peer_that_grants_nothing_is_not_held_back() {
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
