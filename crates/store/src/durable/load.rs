//! Reads the log into memory, and checks that it is complete.
//!
//! What the checks find: rows that are not as they were written (checksums), revisions that are missing in the history
//! (gaps), rows that are missing in the state (totals), and commits that are missing at the end (the newest revision, which
//! is kept beside the database). A value that is not as it was written is left out; everything else refuses the store.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;

use super::checksum::{Position, RowChecksum, StoreId, Totals};
use super::error::OpenError;
use super::newest::{self, Found, Newest};
use super::retention::Retention;
use super::row::{COLUMNS, LogRow, RowValue};
use crate::damage::DamagedValue;
use crate::options::Options;
use crate::state::StoreState;
use crate::tail::Tail;
use crate::transformer::{TransformedValue, ValueTransformer};
use crate::versioned::{Event, Payload, Revision, Versioned};

/// The content of a database.
pub(super) struct Loaded<P> {
    pub(super) state: StoreState<P>,
    pub(super) retention: Retention,
    /// The newest write.
    pub(super) newest: Newest,
}

/// Reads the state and the history. `known` is what the file beside the database says.
pub(super) fn load<P: Payload>(
    connection: &Connection,
    path: &Path,
    (store, position): (StoreId, Position),
    known: Found,
    options: &Options,
) -> Result<Loaded<P>, OpenError> {
    let failed = |error| OpenError::from_damaged(path, error);
    if let Found::Known(known) = known
        && known.store != store
    {
        let beside = newest::path(path);
        let reason = format!("{} belongs to another store", beside.display());
        return Err(OpenError::Incomplete { path: path.to_owned(), reason, beside });
    }
    let mut loader = StateLoader {
        path,
        position,
        known,
        totals: Totals::default(),
        newest: Newest { store, revision: position.compacted, row: None },
        state: StoreState::new(position.compacted, options.limits),
        retention: Retention::new(options),
        transformer: &*options.transformer,
        has_lost_history: false,
    };
    let statement = format!("SELECT {COLUMNS} FROM log ORDER BY revision");
    let mut statement = connection.prepare(&statement).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let row = LogRow::read(row, store).map_err(failed)?;
        loader.take(row.map_err(|error| OpenError::corrupt(path, error.to_string()))?)?;
    }
    loader.finish(options)
}

/// Builds the state from the rows read so far.
struct StateLoader<'a, P> {
    path: &'a Path,
    position: Position,
    known: Found,
    /// Of the rows up to the compacted revision.
    totals: Totals,
    newest: Newest,
    state: StoreState<P>,
    retention: Retention,
    transformer: &'a dyn ValueTransformer,
    /// Whether a value of the history is damaged.
    has_lost_history: bool,
}

impl<P: Payload> StateLoader<'_, P> {
    fn take(&mut self, row: LogRow) -> Result<(), OpenError> {
        let previous = self.state.index.get(&row.key).cloned();
        let damaged = self.state.damaged.get(&*row.key).map(|damaged| damaged.revision);
        let is_history = row.revision > self.position.compacted;
        if is_history {
            let expected = previous.as_ref().map(|value| value.modified).or(damaged).unwrap_or_default();
            self.check_history(&row, expected)?;
            self.newest.revision = row.revision;
            self.newest.row = Some(row.checksum);
        } else {
            self.totals.add(row.checksum);
        }
        let key = previous.as_ref().map_or_else(|| Arc::from(row.key), |value| Arc::clone(&value.key));
        let mut is_stale = false;
        let decoded = match row.value {
            RowValue::Deletion => Ok(None),
            RowValue::Damaged => Err("its bytes do not match their checksum".to_owned()),
            RowValue::Intact(bytes) => self.decode(&key, bytes, row.revision).map(|(value, stale)| {
                is_stale = stale;
                Some(value)
            }),
        };
        let current = match decoded {
            Ok(value) => value.map(|value| Versioned {
                key: Arc::clone(&key),
                value: Arc::new(value),
                created: row.created,
                modified: row.revision,
            }),
            Err(reason) => {
                let damaged =
                    DamagedValue { key: Arc::clone(&key), revision: row.revision, reason: reason.into() };
                self.state.index.remove(&key);
                self.state.stale.remove(&key);
                self.state.damaged.insert(key, damaged);
                self.has_lost_history |= is_history;
                return Ok(());
            }
        };
        if !is_history {
            current.into_iter().for_each(|value| self.state.index.put(value));
            self.note_form(key, is_stale);
            return Ok(());
        }
        self.retention.note(row.written, row.revision);
        let event = Event { revision: row.revision, key: Arc::clone(&key), current, previous };
        // Events around a damaged value cannot be told.
        self.has_lost_history |= damaged.is_some();
        match self.has_lost_history {
            true => self.state.set(&event),
            false => self.state.apply(Arc::new(event)),
        }
        self.note_form(key, is_stale);
        Ok(())
    }

    /// The value of a row, and whether new values are stored in another form.
    fn decode(&self, key: &str, bytes: Bytes, revision: Revision) -> Result<(P, bool), String> {
        let TransformedValue { bytes, is_stale } =
            self.transformer.transform_from_storage(key, bytes).map_err(|error| error.to_string())?;
        let value = P::decode(bytes, revision).map_err(|error| error.to_string())?;
        Ok((value, is_stale))
    }

    /// Remembers whether the newest value of a key has an old form.
    fn note_form(&mut self, key: Arc<str>, is_stale: bool) {
        if is_stale {
            self.state.stale.insert(key);
        }
    }

    /// Checks that nothing is missing between the rows before and this one.
    fn check_history(&self, row: &LogRow, previous: Revision) -> Result<(), OpenError> {
        let expected = self.newest.revision.next();
        if row.revision != expected {
            return Err(self.corrupt(format!("revision {expected} is missing")));
        }
        if previous != row.previous {
            let (key, revision) = (&row.key, row.revision);
            return Err(self.corrupt(format!("the value of {key} before revision {revision} is missing")));
        }
        let known = match self.known {
            Found::Known(known) if known.revision == row.revision => known.row,
            _ => None,
        };
        if known.is_some_and(|known: RowChecksum| known != row.checksum) {
            let reason = format!("revision {} is not the write that was committed", row.revision);
            return Err(self.corrupt(reason));
        }
        Ok(())
    }

    fn finish(mut self, options: &Options) -> Result<Loaded<P>, OpenError> {
        if self.totals != self.position.totals {
            let reason = format!(
                "{} stored objects are expected up to revision {}, and {} are found or they are not the same",
                self.position.totals.rows, self.position.compacted, self.totals.rows
            );
            return Err(self.corrupt(reason));
        }
        check_newest(self.path, self.known, &self.newest)?;
        if !self.state.damaged.is_empty() || self.has_lost_history {
            // Clients must list again: their copies of damaged objects get no further event.
            self.state.tail = Tail::new(self.newest.revision, options.limits);
        }
        self.state.revision = self.newest.revision;
        Ok(Loaded { state: self.state, retention: self.retention, newest: self.newest })
    }

    fn corrupt(&self, reason: impl Into<String>) -> OpenError {
        OpenError::corrupt(self.path, reason)
    }
}

/// Checks that no commit is missing at the end.
fn check_newest(path: &Path, known: Found, newest: &Newest) -> Result<(), OpenError> {
    let is_new = newest.revision == Revision::default();
    let beside = newest::path(path);
    let reason = match known {
        Found::Known(known) if known.revision > newest.revision => {
            let (known, found) = (known.revision, newest.revision);
            format!("revision {known} was committed, and the database with its log ends at {found}")
        }
        Found::Missing if !is_new => {
            format!("{} is missing, so nothing tells whether the log is complete", beside.display())
        }
        Found::Damaged if !is_new => {
            format!("{} is not readable, so nothing tells whether the log is complete", beside.display())
        }
        Found::Missing | Found::Damaged | Found::Known(_) | Found::Accepted => return Ok(()),
    };
    Err(OpenError::Incomplete { path: path.to_owned(), reason, beside })
}
