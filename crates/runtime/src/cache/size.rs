//! Estimates the memory of a decoded object.
//!
//! The object is encoded as JSON into nothing, and the encoder's calls are counted: maps, lists and strings with what
//! they take as a `serde_json::Value`. Typed objects take less.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

/// A map with one entry: a node of a `BTreeMap`, which has room for eleven.
const FIRST_ENTRY: u64 = 640;
/// Each further entry of a map; nodes are two thirds full.
const ENTRY: u64 = 80;
/// A list with one item: the first capacity of a `Vec` is four.
const FIRST_ITEM: u64 = 128;
/// Each further item of a list; a `Vec` doubles when it is full.
const ITEM: u64 = 48;
/// A string besides its bytes.
const STRING: u64 = 16;

/// The memory of `object` in bytes, estimated.
pub(super) fn memory_of<T: Serialize>(object: &T) -> u64 {
    let mut bytes = 0;
    let counted =
        object.serialize(&mut serde_json::Serializer::with_formatter(io::sink(), Counter(&mut bytes)));
    match counted {
        Ok(()) => bytes,
        // Only maps with keys that are not strings fail. What was counted until then is the best estimate.
        Err(_) => bytes.max(FIRST_ENTRY),
    }
}

struct Counter<'a>(&'a mut u64);

impl Formatter for Counter<'_> {
    fn begin_object_key<W: ?Sized + Write>(&mut self, _writer: &mut W, first: bool) -> io::Result<()> {
        *self.0 += if first { FIRST_ENTRY } else { ENTRY };
        Ok(())
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, _writer: &mut W, first: bool) -> io::Result<()> {
        *self.0 += if first { FIRST_ITEM } else { ITEM };
        Ok(())
    }

    fn begin_string<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        *self.0 += STRING;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        _writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        *self.0 += fragment.len() as u64;
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        _writer: &mut W,
        _escape: CharEscape,
    ) -> io::Result<()> {
        *self.0 += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn memory_grows_with_what_an_object_holds() {
        let text = "x".repeat(1000);
        let cases = [
            ("nothing", json!({}), 0),
            ("one field", json!({ "a": 1 }), FIRST_ENTRY + STRING + 1),
            ("two fields", json!({ "a": 1, "b": 2 }), FIRST_ENTRY + ENTRY + 2 * (STRING + 1)),
            ("a text", json!(text), STRING + 1000),
            ("a text of escapes", json!("\n".repeat(1000)), STRING + 1000),
            ("a list", json!([1, 2, 3]), FIRST_ITEM + 2 * ITEM),
            ("lists in a list", json!([[1], [2]]), FIRST_ITEM + ITEM + 2 * FIRST_ITEM),
        ];
        for (name, value, bytes) in cases {
            assert_eq!(memory_of(&value), bytes, "{name}");
        }
    }
}
