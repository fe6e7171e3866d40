//! Pages of a list over several clusters: the clusters in the order of their names, the objects of each by key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portolan_object::ObjectKey;
use serde::{Deserialize, Serialize};

/// Where the next page starts. As text it is unpadded base64 of JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContinueToken {
    /// The version of the first page.
    #[serde(rename = "rv")]
    pub version: String,
    /// Cluster of the last object that was sent.
    cluster: String,
    namespace: String,
    name: String,
}

impl ContinueToken {
    /// Reads the text; `None` if it is not a token.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    /// The text for the client.
    pub fn text(&self) -> String {
        // Strings are always valid JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn is_before(&self, cluster: &str, key: &ObjectKey) -> bool {
        let last = (self.cluster.as_str(), self.namespace.as_str(), self.name.as_str());
        last < (cluster, key.namespace.as_str(), key.name.as_str())
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The objects, with their clusters.
    pub items: Vec<(String, ObjectKey, T)>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<ContinueToken>,
    /// Number of objects after this page.
    pub remaining: usize,
}

/// The page of at most `limit` objects after `start`, out of all objects in order of cluster and key.
pub fn page<T>(
    all: impl IntoIterator<Item = (String, ObjectKey, T)>,
    start: Option<&ContinueToken>,
    limit: Option<usize>,
    version: &str,
) -> Page<T> {
    let is_after =
        |(cluster, key, _): &(String, ObjectKey, T)| start.is_none_or(|start| start.is_before(cluster, key));
    let mut items: Vec<_> = all.into_iter().filter(is_after).collect();
    let kept = limit.unwrap_or(usize::MAX).min(items.len());
    let remaining = items.len() - kept;
    items.truncate(kept);
    let next = items.last().filter(|_| remaining > 0).map(|(cluster, key, _)| ContinueToken {
        version: version.to_owned(),
        cluster: cluster.clone(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    });
    Page { items, next, remaining }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn objects(keys: &[(u8, u8, u8)]) -> Vec<(String, ObjectKey, usize)> {
        let mut sorted: Vec<_> = keys.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let object = |(index, (cluster, namespace, name)): (usize, (u8, u8, u8))| {
            (format!("c{cluster}"), ObjectKey::namespaced(format!("s{namespace}"), format!("n{name}")), index)
        };
        sorted.into_iter().enumerate().map(object).collect()
    }

    proptest! {
        #[test]
        fn the_pages_together_are_the_list(keys: Vec<(u8, u8, u8)>, limit in 1_usize..5) {
            let keys: Vec<_> = keys.into_iter().map(|(a, b, c)| (a % 10, b % 10, c % 10)).collect();
            let all = objects(&keys);
            let mut seen = Vec::new();
            let mut token = None;
            loop {
                let page = page(all.clone(), token.as_ref(), Some(limit), "v");
                prop_assert!(page.items.len() <= limit);
                prop_assert_eq!(page.remaining, all.len() - seen.len() - page.items.len());
                seen.extend(page.items);
                let Some(next) = page.next else { break };
                prop_assert_eq!(&next.version, "v");
                token = ContinueToken::parse(&next.text());
                prop_assert_eq!(token.as_ref(), Some(&next));
            }
            prop_assert_eq!(seen, all);
        }
    }

    #[test]
    fn text_that_is_no_token_is_noticed() {
        assert_eq!(ContinueToken::parse("%"), None);
        assert_eq!(ContinueToken::parse(""), None);
    }
}
