//! The entries of `metadata.managedFields`: who owns what, since when.
//!
//! An entry stays the JSON map that it is in the object; reading, changing and writing back entries therefore
//! costs only what changes.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::set::{FieldSet, intersection};
use crate::time::format_time;

/// Entries of ordinary writes above which the oldest are merged.
const UPDATE_LIMIT: usize = 10;
/// Whom merged entries belong to.
const ANCIENT: &str = "ancient-changes";

/// The operation by which a manager owns its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

impl Operation {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Identity of an entry. Appliers keep their entry when they change the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity<'a> {
    pub(super) manager: &'a str,
    pub(super) operation: Operation,
    pub(super) api_version: &'a str,
    pub(super) subresource: &'a str,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry(Map<String, Value>);

impl Entry {
    pub(super) fn new(identity: Identity<'_>, fields: FieldSet, now: &str) -> Self {
        let mut entry = Map::new();
        entry.insert("manager".to_owned(), identity.manager.into());
        entry.insert("operation".to_owned(), identity.operation.as_str().into());
        entry.insert("apiVersion".to_owned(), identity.api_version.into());
        if !identity.subresource.is_empty() {
            entry.insert("subresource".to_owned(), identity.subresource.into());
        }
        entry.insert("time".to_owned(), now.into());
        entry.insert("fieldsType".to_owned(), "FieldsV1".into());
        entry.insert("fieldsV1".to_owned(), fields.into_value());
        Self(entry)
    }

    /// Reads an entry that a client has written; `None` when it is not one that the API allows.
    fn parse(value: &Value) -> Option<Self> {
        let Value::Object(entry) = value else { return None };
        let mut entry = Self(entry.clone());
        let is_valid = matches!(entry.str_field("operation"), "Apply" | "Update")
            && !entry.str_field("apiVersion").is_empty()
            && entry.str_field("fieldsType") == "FieldsV1";
        let fields = entry.0.get("fieldsV1").filter(|fields| !fields.is_null());
        let fields = fields.map_or(Ok(FieldSet::default()), FieldSet::parse).ok().filter(|_| is_valid)?;
        entry.0.insert("fieldsV1".to_owned(), fields.into_value());
        if let Ok(time) = entry.str_field("time").parse::<jiff::Timestamp>() {
            entry.set_time(&format_time(time));
        } else {
            entry.0.remove("time");
        }
        Some(entry)
    }

    fn str_field(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn identity(&self) -> Identity<'_> {
        let operation =
            if self.str_field("operation") == "Apply" { Operation::Apply } else { Operation::Update };
        Identity {
            manager: self.str_field("manager"),
            operation,
            api_version: self.str_field("apiVersion"),
            subresource: self.str_field("subresource"),
        }
    }

    fn is(&self, other: Identity<'_>) -> bool {
        let own = self.identity();
        own.manager == other.manager
            && own.operation == other.operation
            && own.subresource == other.subresource
            && (own.operation == Operation::Apply || own.api_version == other.api_version)
    }

    /// The set of this entry, as it stands there.
    fn elements(&self) -> Option<&Map<String, Value>> {
        self.0.get("fieldsV1").and_then(Value::as_object)
    }

    /// The set of this entry.
    pub(super) fn fields(&self) -> FieldSet {
        FieldSet(self.elements().cloned().unwrap_or_default())
    }

    /// Whether the set of this entry is just this one.
    pub(super) fn owns_just(&self, paths: &FieldSet) -> bool {
        self.elements().is_some_and(|elements| *elements == paths.0)
    }

    /// The given paths that are in the set of this entry.
    pub(super) fn shared(&self, paths: &FieldSet) -> FieldSet {
        self.elements().map(|elements| FieldSet(intersection(elements, &paths.0))).unwrap_or_default()
    }

    /// Changes the set in place.
    fn change<T>(&mut self, change: impl FnOnce(&mut FieldSet) -> T) -> T {
        let mut fields = match self.0.get_mut("fieldsV1").map(Value::take) {
            Some(Value::Object(fields)) => FieldSet(fields),
            _ => FieldSet::default(),
        };
        let result = change(&mut fields);
        self.0.insert("fieldsV1".to_owned(), fields.into_value());
        result
    }

    fn is_empty(&self) -> bool {
        self.elements().is_none_or(Map::is_empty)
    }

    fn set_time(&mut self, now: &str) {
        self.0.insert("time".to_owned(), now.into());
    }

    /// Sorts as upstream does; times are all in one form, so their texts compare like they do.
    fn rank(&self) -> (Operation, &str, &str, &str, &str) {
        let own = self.identity();
        (own.operation, self.str_field("time"), own.manager, own.api_version, own.subresource)
    }
}

/// All entries of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Managers(Vec<Entry>);

impl Managers {
    /// The entries of a stored object, which were written by this module.
    pub(super) fn stored(object: &Value) -> Self {
        let entries = managed_fields(object).and_then(Value::as_array).into_iter().flatten();
        Self(entries.filter_map(Value::as_object).cloned().map(Entry).collect())
    }

    /// The entries that an ordinary write starts from, taken out of the new object.
    ///
    /// A client may replace the entries, or clear them with an empty list or one empty entry; without any, or with
    /// invalid ones, the stored ones hold.
    pub(super) fn of_write(old: Option<&Value>, new: &mut Value) -> Self {
        let sent = new.get_mut("metadata").and_then(Value::as_object_mut);
        let sent = sent.and_then(|metadata| metadata.remove("managedFields"));
        let stored = old.and_then(managed_fields);
        match sent {
            Some(Value::Array(entries)) if stored.and_then(Value::as_array) == Some(&entries) => {
                let maps = entries.into_iter().filter_map(|entry| match entry {
                    Value::Object(entry) => Some(Entry(entry)),
                    _ => None,
                });
                Self(maps.collect())
            }
            Some(Value::Array(entries)) if is_reset(&entries) => Self::default(),
            Some(Value::Array(entries)) => match entries.iter().map(Entry::parse).collect() {
                Some(entries) => Self(entries),
                None => old.map(Self::stored).unwrap_or_default(),
            },
            _ => old.map(Self::stored).unwrap_or_default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn find(&self, identity: Identity<'_>) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.is(identity))
    }

    /// The entries of everybody else.
    pub(super) fn others<'a>(&'a self, identity: Identity<'a>) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| !entry.is(identity))
    }

    /// Takes paths away from all entries, or from all but one.
    pub(super) fn release(&mut self, paths: &FieldSet, except: Option<Identity<'_>>) {
        for entry in &mut self.0 {
            if !except.is_some_and(|identity| entry.is(identity)) {
                entry.change(|fields| fields.subtract(paths));
            }
        }
        self.0.retain(|entry| !entry.is_empty());
    }

    /// Adds paths to an entry, which gets the time of now.
    pub(super) fn claim(&mut self, identity: Identity<'_>, paths: FieldSet, now: &str) {
        if paths.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|entry| entry.is(identity)) {
            Some(entry) => {
                entry.change(|fields| fields.union(&paths));
                entry.set_time(now);
            }
            None => self.0.push(Entry::new(identity, paths, now)),
        }
    }

    /// Gives an applier its new set; the time only changes when the set or the object does.
    pub(super) fn assign(&mut self, identity: Identity<'_>, paths: FieldSet, is_changed: bool, now: &str) {
        let place = self.0.iter().position(|entry| entry.is(identity));
        match place {
            Some(place) if paths.is_empty() => {
                self.0.remove(place);
            }
            Some(place) => {
                let entry = &mut self.0[place];
                if is_changed || !entry.owns_just(&paths) {
                    *entry = Entry::new(identity, paths, now);
                } else {
                    entry.0.insert("apiVersion".to_owned(), identity.api_version.into());
                }
            }
            None if paths.is_empty() => {}
            None => self.0.push(Entry::new(identity, paths, now)),
        }
    }

    /// Merges the oldest entries of ordinary writes until few enough are left, version by version.
    pub(super) fn cap(&mut self) {
        let mut updates: Vec<usize> = (0..self.0.len()).collect();
        updates.retain(|&index| self.0[index].identity().operation == Operation::Update);
        let mut excess = updates.len().saturating_sub(UPDATE_LIMIT);
        updates.sort_by(|&a, &b| self.0[a].rank().cmp(&self.0[b].rank()));
        // By version: a client may send an entry for each of thousands of versions.
        let mut buckets: HashMap<String, usize> = HashMap::new();
        for &index in &updates {
            let identity = self.0[index].identity();
            if identity.manager == ANCIENT {
                buckets.entry(identity.api_version.to_owned()).or_insert(index);
            }
        }
        for index in updates {
            if excess == 0 {
                break;
            }
            let bucket = *buckets.entry(self.0[index].identity().api_version.to_owned()).or_insert(index);
            if bucket != index {
                self.merge_into(bucket, index);
                excess -= 1;
            }
        }
        self.0.retain(|entry| !entry.is_empty());
    }

    /// Moves the fields of one entry into another, which becomes the bucket of its version.
    fn merge_into(&mut self, bucket: usize, index: usize) {
        let fields = self.0[index].change(std::mem::take);
        let time = self.0[index].str_field("time").to_owned();
        let version = self.0[bucket].identity().api_version.to_owned();
        let mut merged = self.0[bucket].change(std::mem::take);
        merged.union(&fields);
        let identity = Identity {
            manager: ANCIENT,
            operation: Operation::Update,
            api_version: &version,
            subresource: "",
        };
        self.0[bucket] = Entry::new(identity, merged, &time);
    }

    /// Writes the entries into an object, in order; none leave no trace.
    pub(super) fn write(mut self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        self.0.sort_by(|a, b| a.rank().cmp(&b.rank()));
        if self.0.is_empty() {
            metadata.remove("managedFields");
        } else {
            let entries: Vec<Value> = self.0.into_iter().map(|entry| Value::Object(entry.0)).collect();
            metadata.insert("managedFields".to_owned(), Value::Array(entries));
        }
    }
}

/// `metadata.managedFields`.
pub(super) fn managed_fields(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("managedFields")
}

fn is_reset(entries: &[Value]) -> bool {
    match entries {
        [] => true,
        [only] => only.as_object().is_some_and(Map::is_empty),
        _ => false,
    }
}
