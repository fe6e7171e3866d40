//! The bytes of a record: as they are, or compressed while the record is seldom read.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;
use portolan_packing::{Packed, Packer};

use super::Offsets;

#[derive(Debug)]
pub(super) struct Text {
    form: RwLock<Form>,
    /// Since the last [`Text::rest`].
    was_read: AtomicBool,
}

#[derive(Debug)]
enum Form {
    Plain {
        /// The watch frame.
        frame: Bytes,
        /// The frame of the event that ends this version.
        deleted: Option<Box<Bytes>>,
    },
    Packed(Packed),
}

impl Form {
    fn plain(frame: Bytes) -> Self {
        Self::Plain { frame, deleted: None }
    }
}

impl Text {
    /// A frame as it is. A new one counts as read.
    pub(super) fn new(frame: Bytes) -> Self {
        Self { form: RwLock::new(Form::plain(frame)), was_read: AtomicBool::new(true) }
    }

    /// The frame. One that is read twice between two calls of [`Text::rest`] is not compressed any more.
    pub(super) fn frame(&self) -> Bytes {
        let was_read = self.note_read();
        let frame = match &*self.form.read() {
            Form::Plain { frame, .. } => return frame.clone(),
            Form::Packed(packed) => Bytes::from(packed.unpack()),
        };
        if was_read {
            *self.form.write() = Form::plain(frame.clone());
        }
        frame
    }

    /// Bytes of the frame.
    pub(super) fn len(&self) -> usize {
        match &*self.form.read() {
            Form::Plain { frame, .. } => frame.len(),
            Form::Packed(packed) => packed.len(),
        }
    }

    /// The frame that `make` makes of this one, the same for each call: made once, and kept while this one is not
    /// compressed.
    pub(super) fn deleted_frame(&self, make: impl FnOnce(&[u8]) -> Bytes) -> Bytes {
        if let Form::Plain { deleted: Some(made), .. } = &*self.form.read() {
            return Bytes::clone(made);
        }
        let made = make(&self.frame());
        if let Form::Plain { deleted, .. } = &mut *self.form.write() {
            return Bytes::clone(deleted.get_or_insert_with(|| Box::new(made)));
        }
        made
    }

    /// Compresses the frame unless it was read since the last call.
    pub(super) fn rest(&self, packer: &Packer, offsets: Offsets) {
        if !self.was_read.swap(false, Ordering::Relaxed) {
            self.pack(packer, offsets);
        }
    }

    /// Compresses the frame if that saves enough.
    pub(super) fn pack(&self, packer: &Packer, offsets: Offsets) {
        let frame = match &*self.form.read() {
            Form::Plain { frame, .. } => frame.clone(),
            Form::Packed(_) => return,
        };
        let kind = frame.get(usize::from(offsets.object)..usize::from(offsets.fields)).unwrap_or_default();
        let Ok(kind) = std::str::from_utf8(kind) else { return };
        if let Some(packed) = packer.pack(kind, &frame) {
            *self.form.write() = Form::Packed(packed);
            self.was_read.store(false, Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn is_packed(&self) -> bool {
        matches!(*self.form.read(), Form::Packed(_))
    }

    /// Whether it was read already.
    fn note_read(&self) -> bool {
        // Most frames are read by many at the same time, so it is not written without need.
        let was_read = self.was_read.load(Ordering::Relaxed);
        if !was_read {
            self.was_read.store(true, Ordering::Relaxed);
        }
        was_read
    }
}
