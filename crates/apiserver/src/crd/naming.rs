//! Whether the names of a definition are free, and what its status says about it.
//!
//! Pure. Names are taken by the built-in kinds of the same group, and by its definitions with names that were accepted
//! before.
//!
//! # Source
//! The naming and establishing controllers of apiextensions-apiserver, pkg/controller/{status,establish}.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::approval::Approval;
use super::is_true;
use crate::{kinds, tree};

/// Names that others have taken: resources are all that stands in paths, kinds all that stands in objects.
#[derive(Debug, Default)]
struct Taken {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl Taken {
    fn by<'v>(definition: &Value, others: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut taken = Self::by_builtin(tree::str_at(definition, "/spec/group"));
        for other in others {
            let is_same = other["metadata"]["name"] == definition["metadata"]["name"];
            if is_same || other["spec"]["group"] != definition["spec"]["group"] {
                continue;
            }
            let names = &other["status"]["acceptedNames"];
            taken.resources.extend(texts(&names["plural"]).chain(texts(&names["singular"])));
            taken.resources.extend(texts(&names["shortNames"]));
            taken.kinds.extend(texts(&names["kind"]).chain(texts(&names["listKind"])));
        }
        taken
    }

    fn by_builtin(group: &str) -> Self {
        let mut taken = Self::default();
        for entry in kinds::group(group).into_iter().flat_map(|group| group.kinds).map(|kind| &kind.resource)
        {
            let names = [entry.plural, entry.singular].into_iter().chain(entry.short_names.iter().copied());
            taken.resources.extend(names.map(str::to_owned));
            taken.kinds.extend([entry.kind.to_owned(), format!("{}List", entry.kind)]);
        }
        taken
    }
}

/// The strings in a value that is one or a list of them.
fn texts(value: &Value) -> impl Iterator<Item = String> + '_ {
    let list = value.as_array().into_iter().flatten();
    let all = list.chain(value.is_string().then_some(value)).filter_map(Value::as_str);
    all.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The status that a definition should have; `None` when it has it already. `now` is what new conditions say about
/// their time.
pub(crate) fn decide<'v>(
    definition: &Value,
    others: impl IntoIterator<Item = &'v Value>,
    now: &str,
) -> Option<Value> {
    let taken = Taken::by(definition, others);
    let (accepted, conflict) = accept(definition, &taken);
    let mut status = definition["status"].clone();
    status["acceptedNames"] = accepted;
    let is_free = conflict.is_none();
    let named = match &conflict {
        None => ("True", "NoConflicts", "no conflicts found".to_owned()),
        Some((reason, name)) => ("False", *reason, format!("{name:?} is already in use")),
    };
    set_condition(&mut status, "NamesAccepted", named, now);
    if is_free {
        let text = "the initial names have been accepted".to_owned();
        set_condition(&mut status, "Established", ("True", "InitialNamesAccepted", text), now);
    } else if !is_true(definition, "Established") {
        let text = "not all names are accepted".to_owned();
        set_condition(&mut status, "Established", ("False", "NotAccepted", text), now);
    }
    if definition["metadata"]["deletionTimestamp"].is_string() {
        let text = "CustomResource deletion is in progress".to_owned();
        set_condition(&mut status, "Terminating", ("True", "InstanceDeletionInProgress", text), now);
    }
    if let Some(approval) = Approval::from_definition(definition) {
        set_condition(&mut status, "KubernetesAPIApprovalPolicyConformant", approval.condition(), now);
    }
    (status != definition["status"]).then_some(status)
}

/// The names that the definition may have, and a conflict. What is taken stays as it was before.
fn accept(definition: &Value, taken: &Taken) -> (Value, Option<(&'static str, String)>) {
    let wanted = &definition["spec"]["names"];
    let mut accepted = definition["status"]["acceptedNames"].clone();
    let mut conflict = None;
    let checks = [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("shortNames", "ShortNamesConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ];
    for (member, reason, used) in checks {
        let before: Vec<String> = texts(&accepted[member]).collect();
        let clash = texts(&wanted[member]).find(|name| !before.contains(name) && used.contains(name));
        match clash {
            // Several may clash; like upstream, the last one is told.
            Some(name) => conflict = Some((reason, name)),
            None => copy(wanted, &mut accepted, member),
        }
    }
    copy(wanted, &mut accepted, "categories");
    (accepted, conflict)
}

fn copy(from: &Value, to: &mut Value, member: &str) {
    match from.get(member).filter(|value| !value.is_null()) {
        Some(value) => to[member] = value.clone(),
        None => {
            if let Some(map) = to.as_object_mut() {
                map.remove(member);
            }
        }
    }
}

/// Sets a condition; its time changes only with its state.
pub(super) fn set_condition(
    status: &mut Value,
    kind: &str,
    (state, reason, message): (&str, &str, String),
    now: &str,
) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else { return };
    let at = conditions.iter().position(|condition| condition["type"] == kind);
    let since = at
        .map(|at| &conditions[at])
        .filter(|condition| condition["status"] == state)
        .map_or(json!(now), |condition| condition["lastTransitionTime"].clone());
    let condition = json!({
        "type": kind, "status": state, "reason": reason, "message": message, "lastTransitionTime": since,
    });
    match at {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(plural: &str, kind: &str, short: &[&str]) -> Value {
        let names = json!({ "plural": plural, "singular": kind.to_lowercase(), "kind": kind,
                            "listKind": format!("{kind}List"), "shortNames": short });
        json!({
            "metadata": { "name": format!("{plural}.ex.io") },
            "spec": { "group": "ex.io", "names": names },
            "status": { "acceptedNames": { "plural": "", "kind": "" }, "conditions": null },
        })
    }

    fn settled(mut definition: Value) -> Value {
        definition["status"] = decide(&definition, [], "then").unwrap();
        definition
    }

    /// `type=status reason` for each condition.
    fn conditions(status: &Value) -> Vec<String> {
        let list = status["conditions"].as_array().unwrap().iter();
        list.map(|one| format!("{}={} {}", one["type"], one["status"], one["reason"]).replace('"', ""))
            .collect()
    }

    #[test]
    fn free_names_are_accepted() {
        let definition = settled(definition("widgets", "Widget", &["w"]));
        let status = &definition["status"];
        assert_eq!(
            conditions(status),
            ["NamesAccepted=True NoConflicts", "Established=True InitialNamesAccepted"]
        );
        assert_eq!(status["acceptedNames"], definition["spec"]["names"]);
        assert_eq!(decide(&definition, [&definition], "later"), None, "settled");
    }

    #[test]
    fn taken_names_are_not() {
        let first = settled(definition("widgets", "Widget", &["w"]));
        let cases = [
            ("kind", definition("others", "Widget", &[]), "ListKindConflict", "WidgetList"),
            ("short name", definition("others", "Other", &["w"]), "ShortNamesConflict", "w"),
            (
                "singular as short name",
                definition("others", "Other", &["widget"]),
                "ShortNamesConflict",
                "widget",
            ),
        ];
        for (name, second, reason, clash) in cases {
            let status = decide(&second, [&first, &second], "now").unwrap();
            let want = [format!("NamesAccepted=False {reason}"), "Established=False NotAccepted".to_owned()];
            assert_eq!(conditions(&status), want, "{name}");
            assert_eq!(status["conditions"][0]["message"], format!("{clash:?} is already in use"), "{name}");
            assert_eq!(status["acceptedNames"]["plural"], "others", "{name}: what is free is kept");
        }
    }

    #[test]
    fn other_groups_do_not_matter() {
        let first = settled(definition("widgets", "Widget", &["w"]));
        let mut second = definition("gadgets", "Widget", &["w"]);
        second["spec"]["group"] = json!("other.io");
        assert!(is_true(&json!({ "status": decide(&second, [&first], "now").unwrap() }), "Established"));
    }

    #[test]
    fn deletion_shows() {
        let mut definition = settled(definition("widgets", "Widget", &[]));
        definition["metadata"]["deletionTimestamp"] = json!("then");
        let status = decide(&definition, [], "now").unwrap();
        assert_eq!(conditions(&status)[2], "Terminating=True InstanceDeletionInProgress");
        definition["status"] = status;
        assert_eq!(decide(&definition, [], "later"), None, "settled");
    }

    #[test]
    fn approval_shows() {
        let cases = [
            ("unapproved, test", "False UnapprovedAnnotation", "not approved: \"unapproved, test\""),
            ("https://x/y", "True ApprovedAnnotation", "approved in https://x/y"),
        ];
        for (annotation, want, message) in cases {
            let mut definition = definition("widgets", "Widget", &[]);
            definition["spec"]["group"] = json!("ex.k8s.io");
            definition["metadata"]["annotations"] = json!({ "api-approved.kubernetes.io": annotation });
            let status = decide(&definition, [], "now").unwrap();
            let want = format!("KubernetesAPIApprovalPolicyConformant={want}");
            assert_eq!(conditions(&status)[2], want, "{annotation}");
            assert_eq!(status["conditions"][2]["message"], message, "{annotation}");
        }
    }

    #[test]
    fn builtin_kinds_have_taken_their_names() {
        let mut definition = definition("ingresses", "Custom", &[]);
        definition["spec"]["group"] = json!("networking.k8s.io");
        let status = decide(&definition, [], "now").unwrap();
        assert_eq!(conditions(&status)[0], "NamesAccepted=False PluralConflict");
    }
}
