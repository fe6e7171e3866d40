//! Compression and decompression with contexts that are used again: making one costs more than a small text.

use parking_lot::Mutex;
use zstd_safe::{CCtx, CDict, DCtx};

/// The compression level: the first one that shortens texts without repetitions.
pub(crate) const LEVEL: i32 = 1;
/// Contexts of each direction that are kept. Each takes between 100 KiB and some hundred KiB.
const MAX_KEPT: usize = 4;

/// Contexts that are not in use.
struct Pool<C>(Mutex<Vec<C>>);

impl<C> Pool<C> {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn with<R>(&self, make: fn() -> C, work: impl FnOnce(&mut C) -> R) -> R {
        let kept = self.0.lock().pop();
        let mut context = kept.unwrap_or_else(make);
        let result = work(&mut context);
        let mut pool = self.0.lock();
        if pool.len() < MAX_KEPT {
            pool.push(context);
        }
        result
    }
}

static COMPRESSION: Pool<CCtx<'static>> = Pool::new();
static DECOMPRESSION: Pool<DCtx<'static>> = Pool::new();

/// Compresses a text. `None` if that needs more than `room` bytes.
pub(crate) fn compress(text: &[u8], room: usize, dictionary: Option<&CDict<'_>>) -> Option<Box<[u8]>> {
    let mut out = Vec::with_capacity(room);
    let written = COMPRESSION.with(CCtx::create, |context| match dictionary {
        Some(dictionary) => context.compress_using_cdict(&mut out, text, dictionary),
        None => context.compress(&mut out, text, LEVEL),
    });
    // A copy, because allocators do not shrink a block by less than half.
    written.ok().map(|_| Box::from(out.as_slice()))
}

/// Decompresses what [`compress`] made of a text of `length` bytes. With an empty `dictionary` it uses no dictionary.
pub(crate) fn decompress(packed: &[u8], length: usize, dictionary: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(length);
    let read = DECOMPRESSION
        .with(DCtx::create, |context| context.decompress_using_dict(&mut text, packed, dictionary));
    assert_eq!(read, Ok(length), "`compress` made this with the same dictionary, in this process");
    text
}
