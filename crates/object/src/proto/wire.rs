//! The protobuf wire format: fields in, numbers and byte slices out.
//!
//! Knows nothing of messages; never copies, never allocates but for text.

use super::ProtoError;

/// The content of one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(&'a [u8]),
}

/// Reads the fields of one message in order.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field with its number; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, ProtoError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number =
            u32::try_from(tag >> 3).map_err(|_| ProtoError::Malformed("field number out of range"))?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                let length =
                    usize::try_from(length).map_err(|_| ProtoError::Malformed("length out of range"))?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(self.array()?),
            _ => return Err(ProtoError::Malformed("groups are not used by Kubernetes")),
        };
        Ok(Some((number, field)))
    }

    /// A number in groups of seven bits, the least significant first.
    pub(super) fn varint(&mut self) -> Result<u64, ProtoError> {
        let mut value = 0;
        for (at, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(ProtoError::Malformed("unexpected end of a number"))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtoError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(ProtoError::Malformed("unexpected end"))?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtoError> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(ProtoError::Malformed("unexpected end"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Text as Go prints it: what is not UTF-8 is replaced.
pub(super) fn lossy_string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_wire_type() {
        let bytes = [
            0x08, 0x96, 0x01, // 1: 150
            0x12, 0x02, b'h', b'i', // 2: "hi"
            0x19, 1, 0, 0, 0, 0, 0, 0, 0, // 3: eight bytes
            0x25, 2, 0, 0, 0, // 4: four bytes
        ];
        let mut reader = Reader::new(&bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.next().expect("well-formed") {
            fields.push(field);
        }
        let want = [
            (1, Field::Varint(150)),
            (2, Field::Bytes(b"hi")),
            (3, Field::Fixed64([1, 0, 0, 0, 0, 0, 0, 0])),
            (4, Field::Fixed32([2, 0, 0, 0])),
        ];
        assert_eq!(fields, want);
    }

    #[test]
    fn truncated_fields_are_errors() {
        let cases: &[&[u8]] = &[&[0x08], &[0x08, 0x80], &[0x12, 5, b'x'], &[0x19, 1], &[0x0b], &[0xff; 11]];
        for bytes in cases {
            assert!(Reader::new(bytes).next().is_err(), "{bytes:?}");
        }
    }
}
