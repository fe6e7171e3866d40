//! Reading the durable form of a record: the fields it starts with, and a check of all others.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The fields that the durable form starts with.
///
/// Deserializing it parses every string and number of the object as [`serde_json::Value`] would, without building
/// anything. A record that decodes can therefore always be read; damaged bytes are found when the store is opened.
pub(super) struct Header<'a> {
    pub(super) kind: String,
    pub(super) api_version: String,
    /// `{...}`.
    pub(super) metadata: &'a RawValue,
}

impl<'de> Deserialize<'de> for Header<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with kind, apiVersion and metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header<'de>, A::Error> {
        let (mut kind, mut api_version, mut metadata) = (None, None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "kind" => kind = Some(map.next_value()?),
                "apiVersion" => api_version = Some(map.next_value()?),
                "metadata" => {
                    let raw: &RawValue = map.next_value()?;
                    serde_json::from_str::<WellFormed>(raw.get()).map_err(de::Error::custom)?;
                    metadata = Some(raw);
                }
                _ => map.next_value::<WellFormed>().map(|_| ())?,
            }
        }
        Ok(Header {
            kind: kind.ok_or_else(|| de::Error::missing_field("kind"))?,
            api_version: api_version.ok_or_else(|| de::Error::missing_field("apiVersion"))?,
            metadata: metadata.ok_or_else(|| de::Error::missing_field("metadata"))?,
        })
    }
}

/// Any JSON value. Unlike [`serde::de::IgnoredAny`], reading it checks escapes, UTF-8 and the range of numbers.
struct WellFormed;

impl<'de> Deserialize<'de> for WellFormed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for WellFormed {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}
