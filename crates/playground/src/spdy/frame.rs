//! Encodes and decodes SPDY/3 frames (draft 3, section 2.6). Header blocks stay compressed.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Size limit of a received control frame.
const MAX_CONTROL_BYTES: usize = 64 << 10;
/// Size limit of a received data frame; peers send 32 KiB.
const MAX_DATA_BYTES: usize = 1 << 20;
const FRAME_HEAD: usize = 8;
const CONTROL: u8 = 0x80;
const VERSION: u16 = 3;
const FLAG_FIN: u8 = 0x01;
const FLAG_UNIDIRECTIONAL: u8 = 0x02;
/// The upper bit of stream ids and window deltas is reserved.
const LOW_31: u32 = 0x7fff_ffff;

/// `SETTINGS_INITIAL_WINDOW_SIZE`.
pub(crate) const INITIAL_WINDOW_SIZE: u32 = 7;

/// Status of RST_STREAM (section 2.6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Reset {
    ProtocolError = 1,
    InvalidStream = 2,
    RefusedStream = 3,
    Cancel = 5,
}

/// GOAWAY status of a session that ends normally (section 2.6.6).
pub(crate) const GOAWAY_OK: u32 = 0;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    SynStream {
        stream: u32,
        associated: u32,
        priority: u8,
        fin: bool,
        unidirectional: bool,
        block: Bytes,
    },
    SynReply {
        stream: u32,
        fin: bool,
        block: Bytes,
    },
    RstStream {
        stream: u32,
        status: u32,
    },
    /// Pairs of id and value.
    Settings(Vec<(u32, u32)>),
    Ping(u32),
    GoAway {
        last_good: u32,
        status: u32,
    },
    Headers {
        stream: u32,
        fin: bool,
        block: Bytes,
    },
    WindowUpdate {
        stream: u32,
        delta: u32,
    },
    Data {
        stream: u32,
        fin: bool,
        bytes: Bytes,
    },
    /// A control frame of an unknown type, to be ignored.
    Unknown(u16),
}

/// The bytes are not a valid SPDY/3 frame. The session must end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of SPDY version {0}, expected 3")]
    Version(u16),
    #[error("a frame of {length} bytes, at most {limit} are read")]
    TooLarge { length: usize, limit: usize },
    #[error("a control frame of type {0} is too short or has the wrong length")]
    Malformed(u16),
}

/// Removes one frame from the front of `buffer`; `None` when more bytes are needed.
pub(crate) fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    if buffer.len() < FRAME_HEAD {
        return Ok(None);
    }
    let is_control = buffer[0] & CONTROL != 0;
    let flags = buffer[4];
    let length = usize::from(buffer[5]) << 16 | usize::from(buffer[6]) << 8 | usize::from(buffer[7]);
    let limit = if is_control { MAX_CONTROL_BYTES } else { MAX_DATA_BYTES };
    if length > limit {
        return Err(FrameError::TooLarge { length, limit });
    }
    if buffer.len() < FRAME_HEAD + length {
        buffer.reserve(FRAME_HEAD + length - buffer.len());
        return Ok(None);
    }
    let first = (&buffer[..4]).get_u32();
    buffer.advance(FRAME_HEAD);
    let body = buffer.split_to(length).freeze();
    if !is_control {
        return Ok(Some(Frame::Data { stream: first, fin: flags & FLAG_FIN != 0, bytes: body }));
    }
    let version = (first >> 16) as u16 & 0x7fff;
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    control(first as u16, flags, body).map(Some)
}

fn control(kind: u16, flags: u8, mut body: Bytes) -> Result<Frame, FrameError> {
    let fin = flags & FLAG_FIN != 0;
    let needs = |length: usize| if body.len() < length { Err(FrameError::Malformed(kind)) } else { Ok(()) };
    match kind {
        1 => {
            needs(10)?;
            let (stream, associated) = (body.get_u32() & LOW_31, body.get_u32() & LOW_31);
            let priority = body.get_u8() >> 5;
            body.advance(1);
            let unidirectional = flags & FLAG_UNIDIRECTIONAL != 0;
            Ok(Frame::SynStream { stream, associated, priority, fin, unidirectional, block: body })
        }
        2 => {
            needs(4)?;
            Ok(Frame::SynReply { stream: body.get_u32() & LOW_31, fin, block: body })
        }
        3 => {
            needs(8)?;
            Ok(Frame::RstStream { stream: body.get_u32() & LOW_31, status: body.get_u32() })
        }
        4 => {
            needs(4)?;
            let count = body.get_u32() as usize;
            if body.len() != count.saturating_mul(8) {
                return Err(FrameError::Malformed(kind));
            }
            // The upper byte of an id has flags about persisting the value, which are ignored.
            let settings = (0..count).map(|_| (body.get_u32() & 0x00ff_ffff, body.get_u32()));
            Ok(Frame::Settings(settings.collect()))
        }
        6 => {
            needs(4)?;
            Ok(Frame::Ping(body.get_u32()))
        }
        7 => {
            needs(8)?;
            Ok(Frame::GoAway { last_good: body.get_u32() & LOW_31, status: body.get_u32() })
        }
        8 => {
            needs(4)?;
            Ok(Frame::Headers { stream: body.get_u32() & LOW_31, fin, block: body })
        }
        9 => {
            needs(8)?;
            Ok(Frame::WindowUpdate { stream: body.get_u32() & LOW_31, delta: body.get_u32() & LOW_31 })
        }
        other => Ok(Frame::Unknown(other)),
    }
}

impl Frame {
    /// Appends the frame to `out`. An unknown frame has no bytes.
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Data { stream, fin, bytes } => {
                out.put_u32(stream & LOW_31);
                put_flags_and_length(out, flag(*fin), bytes.len());
                out.put_slice(bytes);
            }
            Self::SynStream { stream, associated, priority, fin, unidirectional, block } => {
                let flags = flag(*fin) | if *unidirectional { FLAG_UNIDIRECTIONAL } else { 0 };
                put_control(out, 1, flags, 10 + block.len());
                out.put_u32(*stream);
                out.put_u32(*associated);
                out.put_u8(priority << 5);
                out.put_u8(0);
                out.put_slice(block);
            }
            Self::SynReply { stream, fin, block } => put_block(out, 2, *fin, *stream, block),
            Self::Headers { stream, fin, block } => put_block(out, 8, *fin, *stream, block),
            Self::RstStream { stream, status } => put_pair(out, 3, *stream, *status),
            Self::GoAway { last_good, status } => put_pair(out, 7, *last_good, *status),
            Self::WindowUpdate { stream, delta } => put_pair(out, 9, *stream, *delta),
            Self::Ping(id) => {
                put_control(out, 6, 0, 4);
                out.put_u32(*id);
            }
            Self::Settings(settings) => {
                put_control(out, 4, 0, 4 + 8 * settings.len());
                out.put_u32(settings.len() as u32);
                for (id, value) in settings {
                    out.put_u32(*id);
                    out.put_u32(*value);
                }
            }
            Self::Unknown(_) => {}
        }
    }
}

fn flag(fin: bool) -> u8 {
    if fin { FLAG_FIN } else { 0 }
}

fn put_control(out: &mut BytesMut, kind: u16, flags: u8, length: usize) {
    out.put_u16(u16::from(CONTROL) << 8 | VERSION);
    out.put_u16(kind);
    put_flags_and_length(out, flags, length);
}

fn put_flags_and_length(out: &mut BytesMut, flags: u8, length: usize) {
    debug_assert!(length < 1 << 24, "writers cut their data");
    out.put_u32(u32::from(flags) << 24 | length as u32);
}

fn put_block(out: &mut BytesMut, kind: u16, fin: bool, stream: u32, block: &[u8]) {
    put_control(out, kind, flag(fin), 4 + block.len());
    out.put_u32(stream);
    out.put_slice(block);
}

fn put_pair(out: &mut BytesMut, kind: u16, first: u32, second: u32) {
    put_control(out, kind, 0, 8);
    out.put_u32(first);
    out.put_u32(second);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes_of(frame: &Frame) -> BytesMut {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        out
    }

    fn any_frame() -> impl Strategy<Value = Frame> {
        let id = 0..=LOW_31;
        let block = proptest::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from);
        prop_oneof![
            (id.clone(), id.clone(), 0..8u8, any::<bool>(), any::<bool>(), block.clone()).prop_map(
                |(stream, associated, priority, fin, unidirectional, block)| Frame::SynStream {
                    stream,
                    associated,
                    priority,
                    fin,
                    unidirectional,
                    block
                }
            ),
            (id.clone(), any::<bool>(), block.clone()).prop_map(|(stream, fin, block)| Frame::SynReply {
                stream,
                fin,
                block
            }),
            (id.clone(), any::<bool>(), block.clone()).prop_map(|(stream, fin, block)| Frame::Headers {
                stream,
                fin,
                block
            }),
            (id.clone(), any::<bool>(), block).prop_map(|(stream, fin, bytes)| Frame::Data {
                stream,
                fin,
                bytes
            }),
            (id.clone(), any::<u32>()).prop_map(|(stream, status)| Frame::RstStream { stream, status }),
            (id.clone(), any::<u32>()).prop_map(|(last_good, status)| Frame::GoAway { last_good, status }),
            (id.clone(), id).prop_map(|(stream, delta)| Frame::WindowUpdate { stream, delta }),
            any::<u32>().prop_map(Frame::Ping),
            proptest::collection::vec((0..0x00ff_ffffu32, any::<u32>()), 0..4).prop_map(Frame::Settings),
        ]
    }

    proptest! {
        #[test]
        fn frames_survive_the_wire(frame in any_frame()) {
            let mut wire = bytes_of(&frame);
            prop_assert_eq!(decode(&mut wire), Ok(Some(frame)));
            prop_assert!(wire.is_empty());
        }

        #[test]
        fn a_part_of_a_frame_waits_for_the_rest(frame in any_frame(), cut in any::<prop::sample::Index>()) {
            let whole = bytes_of(&frame);
            let mut part = BytesMut::from(&whole[..cut.index(whole.len())]);
            prop_assert_eq!(decode(&mut part), Ok(None));
            let rest = whole[part.len()..].to_vec();
            part.extend_from_slice(&rest);
            prop_assert_eq!(decode(&mut part), Ok(Some(frame)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = decode(&mut buffer) {}
        }
    }

    #[test]
    fn wrong_frames_are_named() {
        let cases: [(&str, &[u8], FrameError); 5] = [
            (
                "HTTP/2",
                b"PRI * HTTP/2.0\r\n",
                FrameError::TooLarge { length: 0x20_4854, limit: MAX_DATA_BYTES },
            ),
            ("SPDY/2", &[0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1], FrameError::Version(2)),
            (
                "a large control frame",
                &[0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff],
                FrameError::TooLarge { length: 0xff_ffff, limit: MAX_CONTROL_BYTES },
            ),
            ("a short ping", &[0x80, 3, 0, 6, 0, 0, 0, 2, 0, 0], FrameError::Malformed(6)),
            (
                "settings that claim more than they have",
                &[0x80, 3, 0, 4, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff],
                FrameError::Malformed(4),
            ),
        ];
        for (name, bytes, want) in cases {
            assert_eq!(decode(&mut BytesMut::from(bytes)), Err(want), "{name}");
        }
        let unknown: &[u8] = &[0x80, 3, 0, 5, 0, 0, 0, 1, 0];
        assert_eq!(decode(&mut BytesMut::from(unknown)), Ok(Some(Frame::Unknown(5))));
    }
}
