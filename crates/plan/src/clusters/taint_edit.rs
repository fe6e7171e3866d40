//! Changes of a cluster's taints by a user: `KEY=VALUE:EFFECT`, `KEY:EFFECT-` and `KEY-`, as `kubectl taint` has them.
//!
//! # Source
//! karmada pkg/karmadactl/taint/taint.go, kubernetes pkg/util/taints/taints.go.

use portolan_api::meta::Taint;

/// Effects of taints.
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// The taint of a cordoned cluster.
pub const UNSCHEDULABLE: &str = "cluster.karmada.io/unschedulable";

/// What to do with the taints of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaintEdit {
    /// Taints to add.
    pub add: Vec<Taint>,
    /// Taints to remove: key, and effect or all effects.
    pub remove: Vec<(String, Option<String>)>,
}

/// The result of a [`TaintEdit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaintChange {
    /// Taints were added.
    Tainted,
    /// Taints were removed.
    Untainted,
    /// Taints were added and removed, or replaced.
    Modified,
    /// The cluster had all of them already.
    Unchanged,
}

impl TaintChange {
    /// The word that is printed after the name of the cluster.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tainted => "tainted",
            Self::Untainted => "untainted",
            Self::Modified => "modified",
            Self::Unchanged => "not changed",
        }
    }
}

/// Why taints cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaintEditError {
    /// Not in one of the three forms.
    #[error(
        "invalid taint {0:?}: write KEY=VALUE:EFFECT or KEY:EFFECT, and KEY:EFFECT- or KEY- to remove it"
    )]
    Form(String),
    /// An unknown effect.
    #[error("invalid taint effect {0:?}: it is one of NoSchedule, PreferNoSchedule and NoExecute")]
    Effect(String),
    /// The same taint is added and removed, or added twice.
    #[error("taint {0} is given twice")]
    Twice(String),
    /// The cluster has the taint with another value, and it may not be overwritten.
    #[error("already has {0} taint(s) with same effect(s) and --overwrite is false")]
    Exists(String),
    /// The cluster has no such taint.
    #[error("taint {0:?} not found")]
    NotFound(String),
}

impl TaintEdit {
    /// Reads the words of a command line.
    ///
    /// # Errors
    /// A malformed word, an unknown effect, a taint that is given twice.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, TaintEditError> {
        let mut edit = Self::default();
        for word in words {
            match word.strip_suffix('-') {
                Some(taint) => edit.remove.push(removal(word, taint)?),
                None => edit.add.push(addition(word)?),
            }
        }
        for (index, taint) in edit.add.iter().enumerate() {
            let is_twice = edit.add[..index].iter().any(|other| is_same(other, taint));
            let is_removed = edit.remove.iter().any(|removed| is_removed(taint, removed));
            if is_twice || is_removed {
                return Err(TaintEditError::Twice(format!("{}:{}", taint.key, taint.effect)));
            }
        }
        Ok(edit)
    }

    /// The taints afterwards.
    ///
    /// # Errors
    /// If a taint to remove is not there, or one to add is there with another value and `overwrite` is not set.
    pub fn apply(
        &self,
        present: &[Taint],
        overwrite: bool,
    ) -> Result<(Vec<Taint>, TaintChange), TaintEditError> {
        let mut taints = present.to_vec();
        for removed in &self.remove {
            let before = taints.len();
            taints.retain(|taint| !is_removed(taint, removed));
            if taints.len() == before {
                let (key, effect) = removed;
                return Err(TaintEditError::NotFound(match effect {
                    Some(effect) => format!("{key}:{effect}"),
                    None => key.clone(),
                }));
            }
        }
        let (mut is_added, mut is_replaced, mut refused) = (false, false, Vec::new());
        for taint in &self.add {
            match taints.iter_mut().find(|other| is_same(other, taint)) {
                Some(other) if other.value == taint.value => {}
                Some(other) if overwrite => {
                    *other = taint.clone();
                    is_replaced = true;
                }
                Some(_) => refused.push(taint.key.as_str()),
                None => {
                    taints.push(taint.clone());
                    is_added = true;
                }
            }
        }
        if !refused.is_empty() {
            return Err(TaintEditError::Exists(refused.join(",")));
        }
        let change = match (is_added, is_replaced, !self.remove.is_empty()) {
            (_, true, _) | (true, _, true) => TaintChange::Modified,
            (true, ..) => TaintChange::Tainted,
            (.., true) => TaintChange::Untainted,
            _ => TaintChange::Unchanged,
        };
        Ok((taints, change))
    }

    /// Adds or removes the taint of a cordoned cluster.
    pub fn cordon(is_cordoned: bool) -> Self {
        let (key, effect) = (UNSCHEDULABLE.to_owned(), EFFECTS[0].to_owned());
        match is_cordoned {
            true => Self { add: vec![Taint { key, effect, ..Taint::default() }], remove: Vec::new() },
            false => Self { add: Vec::new(), remove: vec![(key, Some(effect))] },
        }
    }
}

/// Taints of a cluster are told apart by key and effect.
fn is_same(one: &Taint, other: &Taint) -> bool {
    one.key == other.key && one.effect == other.effect
}

fn is_removed(taint: &Taint, (key, effect): &(String, Option<String>)) -> bool {
    taint.key == *key && effect.as_ref().is_none_or(|effect| taint.effect == *effect)
}

fn effect(text: &str) -> Result<String, TaintEditError> {
    match EFFECTS.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(TaintEditError::Effect(text.to_owned())),
    }
}

fn removal(word: &str, taint: &str) -> Result<(String, Option<String>), TaintEditError> {
    let (key, effect_text) = match taint.split_once(':') {
        Some((key, effect)) => (key, Some(effect)),
        None => (taint, None),
    };
    // A value is allowed and does not count.
    let key = key.split('=').next().unwrap_or_default();
    if key.is_empty() {
        return Err(TaintEditError::Form(word.to_owned()));
    }
    Ok((key.to_owned(), effect_text.map(effect).transpose()?))
}

fn addition(word: &str) -> Result<Taint, TaintEditError> {
    let malformed = || TaintEditError::Form(word.to_owned());
    let (pair, effect_text) = word.split_once(':').ok_or_else(malformed)?;
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    if key.is_empty() || value.contains('=') {
        return Err(malformed());
    }
    let (key, value) = (key.to_owned(), value.to_owned());
    Ok(Taint { key, value, effect: effect(effect_text)?, ..Taint::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, value: &str, effect: &str) -> Taint {
        Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned(), time_added: None }
    }

    fn apply(words: &[&str], overwrite: bool) -> Result<(Vec<Taint>, TaintChange), String> {
        let present =
            [taint("a", "1", "NoSchedule"), taint("a", "1", "NoExecute"), taint("b", "", "NoSchedule")];
        let edit = TaintEdit::parse(words.iter().copied()).map_err(|error| error.to_string())?;
        edit.apply(&present, overwrite).map_err(|error| error.to_string())
    }

    #[test]
    fn taints_are_added_replaced_and_removed() {
        let (schedule, execute, b) =
            (taint("a", "1", "NoSchedule"), taint("a", "1", "NoExecute"), taint("b", "", "NoSchedule"));
        let c = taint("c", "x", "NoExecute");
        let replaced = taint("a", "2", "NoSchedule");
        let all = || vec![schedule.clone(), execute.clone(), b.clone()];
        let cases = [
            (&["c=x:NoExecute"][..], false, ([all(), vec![c.clone()]].concat(), TaintChange::Tainted)),
            (&["a=1:NoSchedule"][..], false, (all(), TaintChange::Unchanged)),
            (
                &["a=2:NoSchedule"][..],
                true,
                (vec![replaced, execute.clone(), b.clone()], TaintChange::Modified),
            ),
            (&["a:NoExecute-"][..], false, (vec![schedule.clone(), b.clone()], TaintChange::Untainted)),
            (&["a-"][..], false, (vec![b.clone()], TaintChange::Untainted)),
            (&["a-", "c=x:NoExecute"][..], false, (vec![b, c], TaintChange::Modified)),
        ];
        for (words, overwrite, want) in cases {
            assert_eq!(apply(words, overwrite), Ok(want), "{words:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let cases = [
            (&["a=2:NoSchedule"][..], "already has a taint(s) with same effect(s) and --overwrite is false"),
            (&["z-"][..], "taint \"z\" not found"),
            (&["b:NoExecute-"][..], "taint \"b:NoExecute\" not found"),
            (&["c=1"][..], "invalid taint \"c=1\""),
            (&["=1:NoSchedule"][..], "invalid taint"),
            (&["c:Never"][..], "invalid taint effect \"Never\""),
            (&["c:NoExecute", "c-"][..], "taint c:NoExecute is given twice"),
            (&["c=1:NoExecute", "c=2:NoExecute"][..], "taint c:NoExecute is given twice"),
        ];
        for (words, part) in cases {
            assert!(apply(words, false).is_err_and(|error| error.contains(part)), "{words:?}");
        }
    }

    #[test]
    fn a_cordoned_cluster_has_one_taint() {
        let (cordoned, change) = TaintEdit::cordon(true).apply(&[], false).expect("it can be cordoned");
        assert_eq!(
            (cordoned.clone(), change),
            (vec![taint(UNSCHEDULABLE, "", "NoSchedule")], TaintChange::Tainted)
        );
        let again = TaintEdit::cordon(true).apply(&cordoned, false).expect("it is cordoned");
        assert_eq!(again.1, TaintChange::Unchanged);
        let free = TaintEdit::cordon(false).apply(&cordoned, false).expect("it can be freed");
        assert_eq!(free, (Vec::new(), TaintChange::Untainted));
    }
}
