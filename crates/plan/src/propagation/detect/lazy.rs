//! Lazy activation: a policy with `activationPreference: Lazy` takes effect on a template with the next change that a
//! user makes to the template (karmada pkg/detector/detector.go, pkg/util/eventfilter/eventfilter.go).
//!
//! Karmada remembers in memory which change came from a user. Here the template has a record of what it was when the
//! policy last took effect or was held back, so that a restart neither loses a change nor activates everything.

use portolan_api::{annotations, labels};
use portolan_object::Object;
use serde_json::Value;

use super::candidate::Candidate;

/// Prefix of a record: the template has a binding, by this policy or an earlier one.
const ACTIVE: &str = "active-";
/// Prefix of a record: no policy has taken effect yet.
const HELD: &str = "held-";

/// Whether a policy takes effect on a template now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activation {
    /// It does; the template needs no record.
    Now,
    /// It does; write this record afterwards.
    NowAndRecord(String),
    /// It waits for a user's change; the template has the record already.
    Wait,
    /// It waits for a user's change; write this record.
    WaitAndRecord(String),
    /// It does; remove a record that an earlier policy left.
    NowAndForget,
}

/// Whether `policy`, which claims `template`, takes effect now. `is_first` says that the template had no claim before,
/// `has_binding` that it has a binding.
pub fn activation(template: &Object, policy: Candidate<'_>, is_first: bool, has_binding: bool) -> Activation {
    let record = template.annotation(annotations::policy::ACTIVATION);
    if policy.spec.activation_preference.is_none() {
        return if record.is_some() { Activation::NowAndForget } else { Activation::Now };
    }
    let content = content(template);
    let (active, held) = (format!("{ACTIVE}{content}"), format!("{HELD}{content}"));
    match record {
        // The binding was deleted.
        Some(record) if record == active && !has_binding => Activation::Now,
        Some(record) if record == active || record == held => Activation::Wait,
        Some(_) => Activation::NowAndRecord(active),
        // A claimed template without binding and record: the process ended between the two writes.
        None if is_first || !has_binding => match is_older(policy, template) {
            true => Activation::NowAndRecord(active),
            false => Activation::WaitAndRecord(held),
        },
        None => Activation::WaitAndRecord(active),
    }
}

/// Whether the policy was there before the last change of the template. Versions are compared as numbers, which is valid
/// for all objects of one store.
fn is_older(policy: Candidate<'_>, template: &Object) -> bool {
    let version = |text: &str| text.parse::<u64>().ok();
    let by_version = version(&policy.metadata.resource_version).zip(version(template.resource_version()));
    let created = (policy.metadata.creation_timestamp.as_deref(), template.creation_timestamp());
    by_version.is_some_and(|(policy, template)| policy < template)
        || matches!(created, (Some(policy), template) if !template.is_empty() && policy < template)
}

/// A digest of everything in a template that a user writes.
fn content(template: &Object) -> String {
    let mut digest = Digest::default();
    for (field, value) in template.0.as_object().into_iter().flatten() {
        match field.as_str() {
            "status" => {}
            "metadata" => metadata(value, &mut digest),
            _ => digest.entry(field, value),
        }
    }
    format!("{:016x}", digest.0)
}

/// Bookkeeping of API servers does not count, nor do the marks of the federation.
fn metadata(metadata: &Value, digest: &mut Digest) {
    for (field, value) in metadata.as_object().into_iter().flatten() {
        match field.as_str() {
            "managedFields" | "resourceVersion" | "generation" => {}
            "labels" | "annotations" => {
                for (key, value) in value.as_object().into_iter().flatten().filter(|(key, _)| !is_mark(key)) {
                    digest.text(field);
                    digest.entry(key, value);
                }
            }
            _ => digest.entry(field, value),
        }
    }
}

fn is_mark(key: &str) -> bool {
    let own = [annotations::policy::ACTIVATION, annotations::template::AUTOSCALED];
    let is_ours = key.contains(".karmada.io") || own.contains(&key);
    is_ours && key != labels::namespace::SKIP_AUTO_PROPAGATION
}

/// FNV-1a, 64 bits: equal on every machine and in every release.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
        self.byte(0xff);
    }

    fn entry(&mut self, key: &str, value: &Value) {
        self.text(key);
        self.value(value);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                self.byte(b'{');
                fields.iter().for_each(|(key, value)| self.entry(key, value));
                self.byte(b'}');
            }
            Value::Array(items) => {
                self.byte(b'[');
                items.iter().for_each(|item| self.value(item));
                self.byte(b']');
            }
            Value::String(text) => {
                self.byte(b'"');
                self.text(text);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => self.text(&value.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::ObjectMeta;
    use portolan_api::policy::{ActivationPreference, PropagationSpec};
    use serde_json::json;

    use super::*;

    fn template(version: &str, record: Option<&str>, data: &str) -> Object {
        let mut template = Object(json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "k": data },
            "metadata": { "name": "web", "namespace": "shop", "resourceVersion": version } }));
        if let Some(record) = record {
            template.set_annotation(annotations::policy::ACTIVATION, record);
        }
        template
    }

    #[test]
    fn a_lazy_policy_waits_for_a_change_by_a_user() {
        let digest = |data: &str| content(&template("1", None, data));
        let (active, held) = (format!("active-{}", digest("a")), format!("held-{}", digest("a")));
        let lazy = Some(ActivationPreference::Lazy);
        let now = |data: &str| Activation::NowAndRecord(format!("active-{}", digest(data)));
        let wait = |record: &String| Activation::WaitAndRecord(record.clone());
        let (plain, new, old) = (template("9", None, "a"), (true, false), (false, true));
        let (was_active, was_held) = (Some(active.as_str()), Some(held.as_str()));
        let cases = [
            ("no lazy policy", None, plain.clone(), new, Activation::Now),
            ("no longer lazy", None, template("9", was_active, "a"), old, Activation::NowAndForget),
            ("the template came after the policy", lazy, plain.clone(), new, now("a")),
            ("the template came before the policy", lazy, template("3", None, "a"), new, wait(&held)),
            ("stopped before the binding was written", lazy, plain.clone(), (false, false), now("a")),
            ("the policy becomes lazy, or takes the template", lazy, plain, old, wait(&active)),
            ("no change since", lazy, template("9", was_active, "a"), old, Activation::Wait),
            (
                "no change since the claim",
                lazy,
                template("9", was_held, "a"),
                (false, false),
                Activation::Wait,
            ),
            ("a change since", lazy, template("9", was_active, "b"), old, now("b")),
            ("a change since the claim", lazy, template("9", was_held, "b"), (false, false), now("b")),
            (
                "the binding was deleted",
                lazy,
                template("9", was_active, "a"),
                (false, false),
                Activation::Now,
            ),
        ];
        for (name, activation_preference, template, (is_first, has_binding), want) in cases {
            let spec = PropagationSpec { activation_preference, ..PropagationSpec::default() };
            let mut metadata = ObjectMeta::namespaced("shop", "p");
            metadata.resource_version = "5".to_owned();
            let policy = Candidate { metadata: &metadata, spec: &spec };
            assert_eq!(activation(&template, policy, is_first, has_binding), want, "{name}");
        }
    }

    #[test]
    fn marks_status_and_bookkeeping_are_no_change() {
        let before = template("1", None, "a");
        let mut after = template("2", Some("x"), "a");
        after.set_label("propagationpolicy.karmada.io/permanent-id", "1");
        after.0["status"] = json!({ "replicas": 1 });
        after.metadata_mut().insert("generation".to_owned(), json!(2));
        after.metadata_mut().insert("managedFields".to_owned(), json!([1]));
        assert_eq!(content(&before), content(&after));
        let mut skipped = before.clone();
        skipped.set_label("namespace.karmada.io/skip-auto-propagation", "true");
        assert_ne!(content(&before), content(&skipped), "a label that only users write");
        let mut annotated = before.clone();
        annotated.set_annotation("reconcileAt", "now");
        assert_ne!(content(&before), content(&annotated));
    }
}
