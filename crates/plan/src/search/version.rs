//! The versions of several API servers in one `resourceVersion` (karmada pkg/search/proxy/store/util.go).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The version of a collection in each cluster. As text it is the unpadded base64 of a JSON object; clients must not look
/// into it. A cluster of which only some namespaces are cached has an entry `CLUSTER/NAMESPACE` for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterVersions(BTreeMap<String, String>);

impl ClusterVersions {
    /// Reads the text. Text of another form, also `0`, names no version.
    pub fn parse(text: &str) -> Self {
        let decoded = URL_SAFE_NO_PAD.decode(text).ok();
        Self(decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// The version of a part.
    pub fn get(&self, part: &str) -> Option<&str> {
        self.0.get(part).map(String::as_str)
    }

    /// Notes that everything up to `version` of a part was sent. Versions of one API server grow; an older one is ignored.
    pub fn advance(&mut self, part: &str, version: &str) {
        let number = |text: &str| text.parse::<u64>().ok();
        let known = self.get(part).and_then(number);
        if known.zip(number(version)).is_none_or(|(known, new)| new > known) {
            self.0.insert(part.to_owned(), version.to_owned());
        }
    }

    /// Whether no part has a version.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The version that an object of `cluster` has in the cluster itself.
    pub fn of_object(&self, cluster: &str, namespace: &str) -> Option<&str> {
        self.get(&part(cluster, namespace)).or_else(|| self.get(cluster))
    }
}

/// The name of the part of a cluster that is cached; `namespace` is empty for all.
pub fn part(cluster: &str, namespace: &str) -> String {
    match namespace {
        "" => cluster.to_owned(),
        _ => format!("{cluster}/{namespace}"),
    }
}

impl fmt::Display for ClusterVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        // A map of strings is always valid JSON.
        let json = serde_json::to_vec(&self.0).unwrap_or_default();
        f.write_str(&URL_SAFE_NO_PAD.encode(json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_karmada() {
        let mut versions = ClusterVersions::default();
        assert_eq!(versions.to_string(), "");
        versions.advance("cluster2", "2");
        versions.advance("cluster1", "1");
        // `{"cluster1":"1","cluster2":"2"}`
        let text = "eyJjbHVzdGVyMSI6IjEiLCJjbHVzdGVyMiI6IjIifQ";
        assert_eq!(versions.to_string(), text);
        assert_eq!(ClusterVersions::parse(text), versions);
    }

    #[test]
    fn other_text_names_no_version() {
        for text in ["", "0", "12345", "%%%", "e30"] {
            assert!(ClusterVersions::parse(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn versions_only_grow() {
        let mut versions = ClusterVersions::default();
        for version in ["9", "10", "8"] {
            versions.advance("a", version);
        }
        assert_eq!(versions.get("a"), Some("10"));
    }

    #[test]
    fn an_object_has_the_version_of_its_namespace() {
        let mut versions = ClusterVersions::default();
        versions.advance(&part("a", "shop"), "7");
        versions.advance(&part("b", ""), "8");
        assert_eq!(versions.of_object("a", "shop"), Some("7"));
        assert_eq!(versions.of_object("b", "shop"), Some("8"));
        assert_eq!(versions.of_object("c", "shop"), None);
    }
}
