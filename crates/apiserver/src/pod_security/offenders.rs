//! Which containers of a pod break a rule, and the words for them.

use serde_json::Value;

use crate::tree;

/// All containers of a pod.
pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["/spec/initContainers", "/spec/containers", "/spec/ephemeralContainers"]
        .into_iter()
        .flat_map(|list| tree::list(pod, list))
}

/// The names of the containers that break a rule.
pub(super) fn containers_where<'a>(pod: &'a Value, is_bad: impl Fn(&'a Value) -> bool) -> Vec<&'a str> {
    containers(pod).filter(|container| is_bad(container)).map(|one| tree::str_at(one, "/name")).collect()
}

/// Who sets a field of the security context to a bad value, and the bad values. Both are empty if nothing is bad.
#[derive(Debug, Default)]
pub(super) struct Setters<'a> {
    is_pod: bool,
    containers: Vec<&'a str>,
    /// In the order of the containers.
    pub(super) values: Vec<&'a Value>,
}

impl<'a> Setters<'a> {
    /// Of a field that the pod and its containers have; `field` is a pointer in the security context.
    pub(super) fn of(pod: &'a Value, field: &str, is_bad: impl Fn(&Value) -> bool) -> Self {
        let mut setters = Self::of_containers(pod, field, &is_bad);
        let own = tree::present(pod, &format!("/spec/securityContext{field}"));
        if let Some(value) = own.filter(|value| is_bad(value)) {
            setters.is_pod = true;
            setters.values.push(value);
        }
        setters
    }

    /// Of a field that only containers have.
    pub(super) fn of_containers(pod: &'a Value, field: &str, is_bad: impl Fn(&Value) -> bool) -> Self {
        let pointer = format!("/securityContext{field}");
        let mut setters = Self::default();
        for container in containers(pod) {
            if let Some(value) = tree::present(container, &pointer).filter(|value| is_bad(value)) {
                setters.containers.push(tree::str_at(container, "/name"));
                setters.values.push(value);
            }
        }
        setters
    }

    /// The setters in words, joined by "and"; `None` if there are none.
    pub(super) fn named(&self) -> Option<String> {
        let pod = self.is_pod.then(|| "pod".to_owned());
        let containers = (!self.containers.is_empty()).then(|| named("container", &self.containers));
        let named: Vec<String> = pod.into_iter().chain(containers).collect();
        (!named.is_empty()).then(|| named.join(" and "))
    }

    /// The bad values as texts in quotes, sorted, each once.
    pub(super) fn quoted_values(&self) -> String {
        let texts = self.values.iter().map(|value| value.as_str().unwrap_or_default());
        quoted(&sorted(texts))
    }
}

/// Texts in their order, each once.
pub(super) fn sorted<T: Ord>(texts: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut texts: Vec<T> = texts.into_iter().collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// `"a", "b"`.
pub(super) fn quoted(texts: &[&str]) -> String {
    match texts {
        [] => String::new(),
        texts => format!("\"{}\"", texts.join("\", \"")),
    }
}

/// `container "a"`, or `containers "a", "b"`.
pub(super) fn named(word: &str, names: &[&str]) -> String {
    format!("{word}{} {}", plural(names.len()), quoted(names))
}

/// The ending of a noun.
pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// `uses` or `use`, for so many subjects.
pub(super) fn uses(count: usize) -> &'static str {
    if count == 1 { "uses" } else { "use" }
}
