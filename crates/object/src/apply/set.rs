//! Sets of field paths in the form that `managedFields` carries them, `FieldsV1`.
//!
//! The JSON form is the set; there is no second representation to parse and print, so an entry that a write does not
//! touch costs nothing. A key of the map is a path element
//! (`f:name`, `k:{"name":"x"}`, `v:"x"`, `i:0`), its value the set below it; an element is itself in the set when
//! its map is empty or holds `.`.
//!
//! ```text
//! {"f:data": {"f:a": {}}}                                         .data.a
//! {"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:value": {}}}}     .env[name="A"] and .env[name="A"].value
//! ```

use std::fmt;

use serde_json::{Map, Value};

use super::element;

/// Marks that an element with children is itself in the set.
const SELF: &str = ".";

/// A set of field paths.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldSet(pub(super) Map<String, Value>);

/// A value that is not `FieldsV1`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an element of a field path")]
pub struct InvalidFieldSet(String);

impl FieldSet {
    /// Reads `FieldsV1` in canonical form.
    ///
    /// # Errors
    /// A name that is not a path element, or a value that is not a map.
    pub fn parse(value: &Value) -> Result<Self, InvalidFieldSet> {
        let Value::Object(elements) = value else { return Err(InvalidFieldSet(value.to_string())) };
        let mut set = Self::default();
        for (name, below) in elements.iter().filter(|(name, _)| *name != SELF) {
            let name = element::canonical(name).ok_or_else(|| InvalidFieldSet(name.clone()))?;
            let branch = Branch { member: is_member(below), below: Self::parse(below)? };
            set.attach(|| name, branch);
        }
        Ok(set)
    }

    /// The `FieldsV1` form.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one path; its elements are in the form of `FieldsV1`.
    pub fn insert(&mut self, path: &[&str]) {
        let mut branch = Branch::leaf();
        for name in path.iter().rev() {
            let mut parent = Self::default();
            parent.attach(|| (*name).to_owned(), branch);
            branch = Branch { member: false, below: parent };
        }
        self.union(&branch.below);
    }

    /// Whether this very path is in the set.
    pub fn contains(&self, path: &[&str]) -> bool {
        let Some((last, parents)) = path.split_last() else { return false };
        let parent = parents.iter().try_fold(&self.0, |set, name| set.get(*name)?.as_object());
        parent.and_then(|set| set.get(*last)).is_some_and(is_member)
    }

    /// Adds the paths of `other`.
    pub fn union(&mut self, other: &Self) {
        union(&mut self.0, &other.0);
    }

    /// Takes out the paths of `other`; what lies below a path of `other` stays.
    pub fn subtract(&mut self, other: &Self) {
        subtract(&mut self.0, &other.0);
    }

    /// The paths that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(intersection(&self.0, &other.0))
    }

    /// The paths, shorter ones of a level first, each as its elements.
    pub fn paths(&self) -> Vec<Vec<&str>> {
        let mut paths = Vec::new();
        collect(&self.0, &mut Vec::new(), &mut paths);
        paths
    }

    /// Puts a branch under a new element; `name` is only evaluated when the branch holds paths.
    pub(super) fn attach(&mut self, name: impl FnOnce() -> String, branch: Branch) {
        let Branch { member, below: Self(mut below) } = branch;
        if member && !below.is_empty() {
            below.insert(SELF.to_owned(), empty());
        }
        if member || !below.is_empty() {
            self.0.insert(name(), Value::Object(below));
        }
    }

    /// Adds the element that `name` yields to the set, if it has paths below it.
    pub(super) fn mark(&mut self, name: &str) {
        if let Some(Value::Object(below)) = self.0.get_mut(name)
            && !below.is_empty()
        {
            below.insert(SELF.to_owned(), empty());
        }
    }
}

impl fmt::Display for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for path in self.paths() {
            writeln!(f, "{}", path_text(&path))?;
        }
        Ok(())
    }
}

/// One element of a set: whether the element itself is in the set, and the set below it.
#[derive(Debug, Default)]
pub(super) struct Branch {
    pub(super) member: bool,
    pub(super) below: FieldSet,
}

impl Branch {
    pub(super) fn leaf() -> Self {
        Self { member: true, below: FieldSet::default() }
    }
}

/// The path in the form of messages: `.spec.containers[name="x"].image`.
pub(super) fn path_text(path: &[&str]) -> String {
    path.iter().map(|name| element::to_display(name)).collect()
}

/// The element `name` of a set: whether it is in the set, and what is below it.
pub(super) fn below<'a>(set: &'a Map<String, Value>, name: &str) -> Option<(bool, &'a Map<String, Value>)> {
    let below = set.get(name)?;
    Some((is_member(below), below.as_object()?))
}

fn empty() -> Value {
    Value::Object(Map::new())
}

fn is_member(below: &Value) -> bool {
    below.as_object().is_none_or(|below| below.is_empty() || below.contains_key(SELF))
}

fn union(ours: &mut Map<String, Value>, theirs: &Map<String, Value>) {
    for (name, their_below) in theirs.iter().filter(|(name, _)| *name != SELF) {
        let Some(our_below) = ours.get_mut(name) else {
            ours.insert(name.clone(), their_below.clone());
            continue;
        };
        let member = is_member(our_below) || is_member(their_below);
        if let (Value::Object(below), Value::Object(their_below)) = (our_below, their_below) {
            union(below, their_below);
            if member && !below.is_empty() {
                below.insert(SELF.to_owned(), empty());
            }
        }
    }
}

/// Costs as much as the smaller of the two sets, level by level: a change of many fields is taken away from many small
/// entries.
fn subtract(ours: &mut Map<String, Value>, theirs: &Map<String, Value>) {
    if ours.len() < theirs.len() {
        ours.retain(|name, our_below| {
            let their_below = theirs.get(name).filter(|_| name != SELF);
            their_below.is_none_or(|their_below| !is_used_up(our_below, their_below))
        });
        return;
    }
    for (name, their_below) in theirs.iter().filter(|(name, _)| *name != SELF) {
        if ours.get_mut(name).is_some_and(|our_below| is_used_up(our_below, their_below)) {
            ours.remove(name);
        }
    }
}

/// Takes the set below one element out of another; whether nothing is left of the element.
fn is_used_up(ours: &mut Value, theirs: &Value) -> bool {
    let member = is_member(ours) && !is_member(theirs);
    let (Value::Object(below), Value::Object(their_below)) = (ours, theirs) else { return false };
    if !member {
        below.remove(SELF);
    }
    subtract(below, their_below);
    if below.len() == 1 {
        below.remove(SELF);
    }
    below.is_empty() && !member
}

/// The paths that are in both.
pub(super) fn intersection(ours: &Map<String, Value>, theirs: &Map<String, Value>) -> Map<String, Value> {
    let mut both = FieldSet::default();
    for (name, our_below) in ours.iter().filter(|(name, _)| *name != SELF) {
        let Some(their_below) = theirs.get(name) else { continue };
        let below = match (our_below, their_below) {
            (Value::Object(ours), Value::Object(theirs)) => FieldSet(intersection(ours, theirs)),
            _ => FieldSet::default(),
        };
        let member = is_member(our_below) && is_member(their_below);
        both.attach(|| name.clone(), Branch { member, below });
    }
    both.0
}

fn collect<'a>(set: &'a Map<String, Value>, parents: &mut Vec<&'a str>, paths: &mut Vec<Vec<&'a str>>) {
    let elements = || set.iter().filter(|(name, _)| *name != SELF);
    for (name, _) in elements().filter(|(_, below)| is_member(below)) {
        paths.push(parents.iter().copied().chain([name.as_str()]).collect());
    }
    for (name, below) in elements() {
        if let Value::Object(below) = below {
            parents.push(name);
            collect(below, parents, paths);
            parents.pop();
        }
    }
}
