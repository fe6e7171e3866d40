//! Query parameters of a kubelet request.

use http::Request;

/// Decoded names and values, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// The query parameters of a request.
    pub(crate) fn from_request<B>(request: &Request<B>) -> Self {
        let text = request.uri().query().unwrap_or_default();
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Whether a boolean parameter is true, written `1` or `true` by API servers.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true"))
    }
}
