//! Applying a patch: the object that results, and who then owns what.

use serde_json::{Map, Value, json};

use super::managers::{Entry, Identity, Managers, Operation, managed_fields};
use super::merge::merge_object;
use super::prune::{prune, sweep};
use super::root::{compare_objects, extract_object, restrict};
use super::set::FieldSet;
use super::{ApplyError, Conflict, OnConflict, Scope, Writer, check, client_side};
use crate::key::GroupVersion;
use crate::schema::Schema;

/// Manager of the fields that were set before ownership was tracked.
const BEFORE: &str = "before-first-apply";
/// Bytes of the conflicts that are reported. Each names its whole path, which the client chose.
const CONFLICT_BYTES: usize = 1 << 20;

/// Merges `patch` into `live` and returns the object with its new `managedFields`; without a live object, the
/// patch is what is created.
///
/// The patch must carry `apiVersion`, `kind` and what else the request needs; that they fit the request is the
/// caller's business, like everything about `resourceVersion` and `uid`. An apply that changes neither object nor
/// ownership returns `managedFields` as it was, times included.
///
/// # Errors
/// [`ApplyError::Conflicts`] when others own what would change and `on_conflict` is [`OnConflict::Fail`],
/// [`ApplyError::Untyped`] for fields that the schema does not declare, values of another type and list elements
/// that cannot be told apart, [`ApplyError::Malformed`] for a patch that sets `managedFields`.
///
/// # Source
/// `managedfields` of apimachinery and `structured-merge-diff`.
pub fn apply(
    live: Option<&Value>,
    patch: &Value,
    schema: Schema<'_>,
    writer: Writer<'_>,
    on_conflict: OnConflict,
) -> Result<Value, ApplyError> {
    let Value::Object(fields) = patch else {
        return Err(ApplyError::Malformed("the patch is not an object".to_owned()));
    };
    if managed_fields(patch).is_some_and(|entries| !entries.is_null()) {
        return Err(ApplyError::Malformed("metadata.managedFields must be nil".to_owned()));
    }
    if let Some(errors) = check::errors(fields, schema) {
        return Err(ApplyError::Untyped { object: describe(patch), errors });
    }
    let restricted;
    let patch = match writer.scope {
        Scope::Whole => patch,
        scope => {
            restricted = restrict(patch, scope);
            &restricted
        }
    };
    Apply::new(live, patch, schema, writer).run(on_conflict)
}

/// One apply under way.
struct Apply<'a> {
    live: &'a Value,
    patch: &'a Value,
    schema: Schema<'a>,
    writer: Writer<'a>,
    identity: Identity<'a>,
    managers: Managers,
}

impl<'a> Apply<'a> {
    fn new(live: Option<&'a Value>, patch: &'a Value, schema: Schema<'a>, writer: Writer<'a>) -> Self {
        let api_version = patch.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        let identity = writer.identity(Operation::Apply, api_version);
        let mut managers = live.map(Managers::stored).unwrap_or_default();
        if let (Some(live), true) = (live, managers.is_empty()) {
            let before = compare_objects(&Value::Null, live, schema, writer.scope).touched;
            let owner = Identity { manager: BEFORE, operation: Operation::Update, ..identity };
            managers.claim(owner, before, writer.now);
        }
        Self { live: live.unwrap_or(&Value::Null), patch, schema, writer, identity, managers }
    }

    fn run(mut self, on_conflict: OnConflict) -> Result<Value, ApplyError> {
        let set = extract_object(self.patch, self.schema, self.writer.scope);
        let (mut merged, gone) = self.merge(&set);
        let changes = compare_objects(self.live, &merged, self.schema, self.writer.scope);
        if on_conflict == OnConflict::Fail {
            self.check_conflicts(&changes.touched)?;
        }
        if !changes.is_empty() {
            self.managers.release(&changes.all(), Some(self.identity));
        }
        if !gone.is_empty() {
            sweep(&mut merged, &gone, self.schema);
            // A container that the patch wants empty may have gone with its last content.
            merge_object(&mut merged, self.patch, self.schema);
        }
        let is_changed = !changes.is_empty() && !is_same_object(self.live, &merged);
        self.managers.assign(self.identity, set, is_changed, self.writer.now);
        if self.is_kubectl() {
            client_side::refresh(&mut merged, self.patch);
        }
        self.managers.write(&mut merged);
        Ok(merged)
    }

    /// The live object with the patch, without what this manager no longer applies, and that.
    fn merge(&self, set: &FieldSet) -> (Value, FieldSet) {
        let mut merged = clone_without_entries(self.live);
        merge_object(&mut merged, self.patch, self.schema);
        let last = self.managers.find(self.identity).filter(|entry| !entry.owns_just(set));
        let Some(last) = last.map(Entry::fields) else {
            return (merged, FieldSet::default());
        };
        let mut owned = set.clone();
        for other in self.managers.others(self.identity) {
            owned.union(&other.fields());
        }
        let gone = prune(&mut merged, &last, &owned, self.schema);
        (merged, gone)
    }

    fn check_conflicts(&self, touched: &FieldSet) -> Result<(), ApplyError> {
        if touched.is_empty() {
            return Ok(());
        }
        let others = self.managers.others(self.identity);
        let mut owners: Vec<(&Entry, FieldSet)> =
            others.map(|entry| (entry, entry.shared(touched))).collect();
        owners.retain(|(_, taken)| !taken.is_empty());
        if !owners.is_empty()
            && self.is_kubectl()
            && let Some(allowed) = client_side::taken_over(self.live, self.schema, self.identity.api_version)
        {
            for (_, taken) in &mut owners {
                taken.subtract(&allowed);
            }
        }
        owners.sort_by_key(|(entry, _)| {
            let owner = entry.identity();
            (owner.manager, owner.operation, owner.api_version, owner.subresource)
        });
        let (mut conflicts, mut bytes) = (Vec::new(), 0);
        for (entry, taken) in &owners {
            for path in taken.paths() {
                if bytes > CONFLICT_BYTES {
                    break;
                }
                let conflict = Conflict::new(entry, &path);
                bytes += conflict.owner.len() + conflict.field.len();
                conflicts.push(conflict);
            }
        }
        if conflicts.is_empty() { Ok(()) } else { Err(ApplyError::Conflicts(conflicts)) }
    }

    /// Only kubectl's own manager moves objects from client-side apply; any other name opts out.
    fn is_kubectl(&self) -> bool {
        self.identity.manager == "kubectl"
    }
}

/// A copy without `managedFields`, the largest part of many objects; it is computed again.
fn clone_without_entries(live: &Value) -> Value {
    let Value::Object(fields) = live else { return json!({ "metadata": {} }) };
    let copy = |(name, value): (&String, &Value)| match value {
        Value::Object(metadata) if name == "metadata" => {
            let others = metadata.iter().filter(|(name, _)| *name != "managedFields");
            (name.clone(), others.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        value => (name.clone(), value.clone()),
    };
    Value::Object(fields.iter().map(copy).collect())
}

/// Whether two objects, apart from `managedFields`, are the same once fields that are null are dropped.
fn is_same_object(a: &Value, b: &Value) -> bool {
    let (Value::Object(a), Value::Object(b)) = (a, b) else { return false };
    let nothing = Map::new();
    let [own, other] =
        [a, b].map(|object| object.get("metadata").and_then(Value::as_object).unwrap_or(&nothing));
    have_same_members(a, b, Some("metadata")) && have_same_members(own, other, Some("managedFields"))
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => have_same_members(a, b, None),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (a, b) => a == b,
    }
}

fn have_same_members(a: &Map<String, Value>, b: &Map<String, Value>, except: Option<&str>) -> bool {
    let counts = |name: &String, value: &Value| Some(name.as_str()) != except && !value.is_null();
    let is_missing =
        |(name, value): (&String, &Value)| counts(name, value) && a.get(name).is_none_or(Value::is_null);
    !b.iter().any(is_missing)
        && a.iter()
            .filter(|(name, value)| counts(name, value))
            .all(|(name, value)| b.get(name).is_some_and(|other| is_same(value, other)))
}

/// Namespace, name and kind as upstream's messages give them: `/s1; /v1, Kind=ConfigMap`.
fn describe(object: &Value) -> String {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let api_version = text("/apiVersion");
    let GroupVersion { group, version } =
        api_version.parse().unwrap_or_else(|_| GroupVersion::new("", api_version));
    let (namespace, name, kind) = (text("/metadata/namespace"), text("/metadata/name"), text("/kind"));
    format!("{namespace}/{name}; {group}/{version}, Kind={kind}")
}
