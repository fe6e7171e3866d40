//! The objects that existed when a watch started.

use portolan_store::{Query, ReadError, Revision, Store, Versioned, Watch};

use crate::record::Record;

/// Objects that are read from the store at a time.
const PAGE: usize = 128;

/// The objects at the start of a watch, in key order.
///
/// They are read page by page while they are sent, at the revision of the start: a client that does not read keeps one
/// page in memory. If it reads so slowly that the history does not reach back to the start, it has to list again, as it
/// would have to for the events.
pub(super) struct Initial {
    store: Store<Record>,
    prefix: String,
    at: Revision,
    page: std::vec::IntoIter<Versioned<Record>>,
    /// The last key of the page; `None` when no objects follow.
    after: Option<String>,
    watch: Watch<Record>,
}

impl Initial {
    /// The objects of the present.
    pub(super) fn begin(store: &Store<Record>, prefix: &str) -> Result<Self, ReadError> {
        let at = store.revision();
        let watch = store.watch(prefix, at)?;
        let page = Vec::new().into_iter();
        let mut initial =
            Self { store: store.clone(), prefix: prefix.to_owned(), at, page, after: None, watch };
        initial.turn_page(None)?;
        Ok(initial)
    }

    /// The next object; `None` after the last one.
    ///
    /// # Errors
    /// When the history does not reach back to the start any more.
    pub(super) fn next(&mut self) -> Result<Option<Versioned<Record>>, ReadError> {
        if let Some(item) = self.page.next() {
            return Ok(Some(item));
        }
        let Some(after) = self.after.take() else { return Ok(None) };
        self.turn_page(Some(after))?;
        Ok(self.page.next())
    }

    /// The watch that continues after these objects.
    pub(super) fn into_watch(self) -> Watch<Record> {
        self.watch
    }

    fn turn_page(&mut self, start_after: Option<String>) -> Result<(), ReadError> {
        let query = Query { prefix: self.prefix.clone(), start_after, limit: PAGE, at: Some(self.at) };
        let items = self.store.items(&query)?;
        self.after = items.last().filter(|_| items.len() == PAGE).map(|last| last.key.to_string());
        self.page = items.into_iter();
        Ok(())
    }
}
