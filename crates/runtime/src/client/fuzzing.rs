//! Entry point of the fuzz target: the decoders of watches and lists without a connection.

use bytes::Bytes;
use portolan_api::resources;
use portolan_object::Object;

use crate::client::decode::{ManagedFields, frame, object, object_of_one, page};
use crate::resource::Resource;

/// Reads the answer of an API server as a line of a watch, as a list and as an object.
pub fn read_answer(bytes: &[u8]) {
    let resource: Resource = resources::CONFIG_MAP.into();
    let line = Bytes::copy_from_slice(bytes);
    // Errors are expected; a panic is not.
    for is_known in [false, true] {
        let _ = frame::<Object>(&line, &resource, ManagedFields::Dropped, |_, _| is_known);
    }
    for item in page(bytes).map(|page| page.items).unwrap_or_default() {
        let _ = object::<Object>(item.get(), &resource);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = object_of_one::<Object>(text, &resource, ManagedFields::Dropped);
    }
}
