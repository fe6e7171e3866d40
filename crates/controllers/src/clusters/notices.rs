//! What a command waits for, told to its user while it waits.

use std::fmt;
use std::sync::Arc;

type Tell = dyn Fn(&str) + Send + Sync;

/// Is told in sentences for people what joining and leaving wait for. The default tells no one.
#[derive(Clone, Default)]
pub struct Notices(Option<Arc<Tell>>);

impl Notices {
    /// Calls `tell` for each notice, at once.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// Tells one.
    pub(super) fn tell(&self, notice: &str) {
        if let Some(tell) = &self.0 {
            tell(notice);
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notices").field(&self.0.is_some()).finish()
    }
}
